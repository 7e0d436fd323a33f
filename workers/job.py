"""A network to be trained again, as a file that needs no database to be read: `search.retrain` writes it."""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from spaces.network import build
from workers.checkpoint import read_state
from workers.exported import read_weights
from workers.packages import require
from workers.places import LocalFolder
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, load_weights

FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is trained, with which seeds, and where the weights go."""

    architecture: Architecture
    recipe: Recipe
    data: DataSpec
    seeds: tuple[int, ...]
    folder: Path  # holds seed-0.pt and so on
    weights: Path | None = None  # to begin with
    told: Mapping[str, Any] | None = None  # of which study and trial it is
    packages: Mapping[str, str] = field(default_factory=dict)  # that it needs, with the hashes of their sources

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "widefront_job": FORM,
            "architecture": self.architecture.to_json(),
            "recipe": self.recipe.to_json(),
            "data": self.data.to_json(),
            "seeds": list(self.seeds),
            "weights": str(self.weights) if self.weights else None,
            "told": dict(self.told or {}),
            "packages": dict(self.packages),
        }

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Return the job that a file describes; the weights go beside it.

        Raises:
            InputError: it cannot be read.
        """
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
            require(given.get("packages", {}))
            return cls(
                packages=given.get("packages", {}),
                architecture=Architecture.from_json(given["architecture"]),
                recipe=Recipe.from_json(given["recipe"]),
                data=DataSpec.from_json(given["data"]),
                seeds=tuple(int(seed) for seed in given["seeds"]),
                folder=path.absolute().parent,
                weights=Path(given["weights"]) if given.get("weights") else None,
                told=given.get("told"),
            )
        except OSError as error:
            raise InputError(error.strerror or str(error), place=str(path)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError("is not a job that search.retrain has written", place=str(path)) from error

    def start(self) -> dict[str, Tensor] | None:
        """Return the weights to begin with, if there are any: of a checkpoint or of an export.

        Raises:
            InputError: they cannot be read.
        """
        return None if self.weights is None else read_any(self.weights)

    def check(self, image: ImageSpec) -> None:
        """Refuse weights that are not of the network.

        Args:
            image: what it reads and tells apart.

        Raises:
            InputError: they are not, or cannot be read.
        """
        if (weights := self.start()) is not None:
            load_weights(build(self.architecture, image), weights)

    def trainings(self, fingerprint: str) -> Iterator[tuple[int, TrialSpec, Path]]:
        """Yield each seed, what is trained with it, and its checkpoint.

        Args:
            fingerprint: of the images.
        """
        spec = TrialSpec(
            architecture=self.architecture, recipe=self.recipe, data=self.data, seed=0, fingerprint=fingerprint,
            start="" if self.weights is None else hashlib.sha256(self.weights.read_bytes()).hexdigest(),
        )  # fmt: skip
        for place, seed in enumerate(self.seeds):
            yield seed, replace(spec, seed=seed), self.folder / f"seed-{place}.pt"


def read_any(path: Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint, of safetensors, or of what `torch.save` wrote of a network's state.

    Raises:
        InputError: it is none of these.
    """
    if path.suffix == ".safetensors":
        return read_weights(path)
    state = read_state(LocalFolder(path.absolute().parent), path.name)
    if state is not None and isinstance(state.get("network"), dict):
        return dict(state["network"])
    try:
        found = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(error.strerror or str(error), place=str(path)) from error
    except Exception as error:  # torch has no one error for what it cannot read
        raise InputError("holds no weights that can be read", place=str(path)) from error
    if not (isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())):
        raise InputError("holds no weights of a network", place=str(path))
    return found
