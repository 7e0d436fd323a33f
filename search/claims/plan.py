"""Say what has to be trained for claims: each network once with each seed, however many claims ask for it."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from search.claims.networks import Network, is_small, networks_of
from search.core.claims import QUANTITIES, Claim, Kind, Training
from spaces.architecture import Architecture, ImageSpec
from workers.recipe import Recipe
from workers.sources import DataSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What claims are tested on."""

    spec: DataSpec
    fingerprint: str
    image: ImageSpec
    train: int  # images to train on
    measured: int  # images to be measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training that is asked for."""

    key: str
    network: str
    architecture: Architecture
    recipe: Recipe
    seed: int
    readings: tuple[str, ...] = ()  # what is read off it beside its measurements

    def to_json(self) -> dict[str, Any]:
        """Return what `workers.series` reads."""
        return {
            "key": self.key, "architecture": self.architecture.to_json(), "recipe": self.recipe.to_json(),
            "seed": self.seed, "readings": list(self.readings),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What claims need: a run for each network and seed, in the order in which it is trained."""

    images: Images
    recipe: Recipe
    seeds: int
    claims: tuple[Claim, ...]
    runs: Mapping[str, Run] = field(default_factory=dict)  # by key, those that several claims share once

    @classmethod
    def of(cls, claims: Sequence[Claim], images: Images, recipe: Recipe, seeds: int) -> "Plan":
        """Return the plan of some claims.

        Raises:
            InputError: a network of one cannot read the images; placed at the claim.
        """
        made = cls(images=images, recipe=recipe, seeds=seeds, claims=tuple(claims))
        runs: dict[str, Run] = {}
        for claim in claims:
            for run in made.runs_of(claim):
                known = runs.setdefault(run.key, run)
                runs[run.key] = replace(known, readings=tuple(dict.fromkeys((*known.readings, *run.readings))))
        return replace(made, runs=runs)

    def runs_of(self, claim: Claim) -> list[Run]:
        """Return the runs of one claim, seed by seed, so that what is compared is trained side by side."""
        if claim.kind is Kind.COUNTED:
            return []
        networks = networks_of(claim, self.images.image)
        return [self._run(claim, network, seed) for seed in range(self.seeds) for network in networks]

    def asked(self, claim: Claim) -> str:
        """Return what tells trainings of a claim, and what is made of them, from those of a claim that was changed."""
        keys = [run.key for run in self.runs_of(claim) if not run.seed]
        told = [keys, claim.of, claim.by, list(claim.lengths), claim.diverged]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def form(self, claim: Claim) -> str:
        """Return in which form a claim's networks are built."""
        return "small" if claim.small and is_small(self.images.image) else "usual"

    def missing(self, known: Mapping[str, Training]) -> list[Run]:
        """Return the runs that are still to be trained: unknown, or without something that is to be read off them.

        What was read off one before, for claims that are not of this plan, is read again: its record is replaced.
        """
        return [_with_all(run, known.get(run.key)) for run in self.runs.values() if self.lacks(run, known)]

    def lacks(self, run: Run, known: Mapping[str, Training]) -> bool:
        """Return whether a run is unknown, or lacks what is to be read off it; what failed or was refused is known."""
        return not _has_all(known.get(run.key), run.readings)

    def _run(self, claim: Claim, network: Network, seed: int) -> Run:
        recipe = replace(self.recipe, **claim.recipe)
        return Run(
            key=self._key(network, recipe, seed), network=network.text, architecture=network.architecture,
            recipe=recipe, seed=seed, readings=(claim.of,) if claim.kind is Kind.WEIGHTS else (),
        )  # fmt: skip

    def _key(self, network: Network, recipe: Recipe, seed: int) -> str:
        """Return what equal trainings share, wherever the images lie."""
        told = [
            network.architecture.digest, recipe.to_json(), self.images.fingerprint,
            self.images.spec.anywhere().to_json(), seed,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _with_all(run: Run, known: Training | None) -> Run:
    """Return a run off which all is read that was read before."""
    told = (*known.values, *known.refused) if known else ()
    read = [name for name in told if name in QUANTITIES and QUANTITIES[name].kind is Kind.WEIGHTS]
    return replace(run, readings=tuple(dict.fromkeys((*run.readings, *read))))


def _has_all(known: Training | None, readings: Iterable[str]) -> bool:
    if known is None:
        return False
    return bool(known.failure) or all(name in known.values or name in known.refused for name in readings)
