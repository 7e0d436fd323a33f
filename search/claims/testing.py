"""Do what the command is told: list claims, have them tested, show what was found."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from search import cli
from search.claims import page, shown
from search.claims.judging import verdict
from search.claims.literature import FILE, chosen, read
from search.claims.plan import Images, Plan, Run
from search.claims.pricing import Price, price
from search.claims.scratch import folder_of
from search.claims.series import Series
from search.config.source import expand_all, values_by_name
from search.core.claims import Claim, Training, Verdict, summary, weighed
from search.core.environment import expand, hide
from search.core.files import begins_with, replacing
from search.core.terminal import make_console
from search.core.units import format_duration, format_number_of
from search.storage.claims import Claims
from search.storage.store import Store
from search.storage.url import is_there
from spaces.errors import InputError, StudyError, visible
from workers.datasets import load
from workers.dataspec import data_spec
from workers.measurement import Measurement
from workers.recipe import Recipe
from workers.sources import DataSpec

HELD = "nas_claims"  # what a run keeps to itself in a database, as a launch does a study


def list_claims(given: argparse.Namespace) -> int:
    """Print the claims with what each takes."""
    claims = _claims(given)
    plan = Plan.of(claims, images(given.data), Recipe(epochs=given.epochs), given.seeds)
    if given.json:
        print(json.dumps([shown.listed(claim, plan) for claim in claims], indent=2))
        return cli.DONE
    console = make_console()
    console.print(shown.listing(claims, plan))
    alone = sum(len(plan.runs_of(claim)) for claim in claims)
    console.print(f"together {shown.price_of(list(plan.runs.values()), plan)}: {alone} without what claims share")
    return cli.DONE


def show(given: argparse.Namespace) -> int:
    """Print what was found so far, or write a page of it."""
    claims = {claim.id: claim for claim in _claims(given)}
    with Store.reading(expand(given.storage, os.environ), cli.warn) as store:
        found = weighed(each for each in Claims(store).verdicts() if each.claim in claims)
    order = list(claims)
    found.sort(key=lambda some: order.index(some[0].claim))
    first = [some[0] for some in found]
    if given.markdown:
        if not first:
            raise InputError(f"nothing was found of these claims in {store.shown_url}: no page is written of that")
        with replacing(given.markdown, "page", begins_with(page.BEGINS)) as beside:
            beside.write_text(page.markdown(first, given.made_by), encoding="utf-8")
        return cli.DONE
    _say(first, make_console(), shown.others(found), as_json=given.json)
    return cli.DONE


def run(given: argparse.Namespace) -> int:
    """Train what the claims need, as far as it may be, and print the verdicts."""
    claims = _claims(given)
    plan = Plan.of(claims, images(given.data), Recipe(epochs=given.epochs), given.seeds)
    console = make_console(stderr=given.json)
    url = expand(given.storage, os.environ)
    folder = folder_of(url)
    if given.dry_run:
        with _recorded(url) as recorded:
            Testing(plan=plan, claims=recorded, console=console, given=given, folder=folder).tell_price()
        return cli.DONE
    with Store.open(url) as store, store.hold(HELD):
        testing = Testing(plan=plan, claims=Claims(store), console=console, given=given, folder=folder)
        testing.train()
        found, kept = testing.judge()
        testing.check()
    _say(found, console, kept, as_json=given.json)
    return cli.DONE


@contextmanager
def _recorded(url: str) -> Iterator[Claims | None]:
    """Give what a database knows of claims; nothing, and no file, where there is no file yet."""
    if not is_there(url):
        yield None
        return
    with Store.reading(url, cli.warn) as store:
        yield Claims(store)


ACTS = {"list": list_claims, "run": run, "show": show}


@dataclass(slots=True, kw_only=True)
class Testing:
    """One run of the command."""

    plan: Plan
    claims: Claims | None  # nothing: no database is there yet, and none is to be made
    console: Console
    given: argparse.Namespace
    folder: Path  # of checkpoints of what is under way

    def tell_price(self) -> None:
        """Say what is to be trained and what that takes."""
        known, runs = self._known(), self._missing()
        expected = self._price(known, runs)
        done = len(self.plan.runs) - len(runs)
        said = f"{format_number_of('training', len(runs))} of {len(self.plan.runs)} to be done"
        self.console.print(f"{said} ({done} are recorded), {shown.price_of(runs, self.plan)}")
        self.console.print(f"about {format_duration(expected.left_s(runs))} on this machine, one after another")

    def train(self) -> None:
        """Train what is missing, within what may be spent."""
        runs = self._missing()
        self._forget(self.plan.runs.keys() - {run.key for run in runs})
        some = runs if self.given.trainings is None else runs[: self.given.trainings]
        if not some:
            return
        expected = self._price(self._known(), some)
        until = time.monotonic() + 3600 * self.given.hours if self.given.hours is not None else float("inf")
        assert self.claims is not None
        told = _Told(self.console, self.claims, expected, some)
        self.console.print(f"{format_number_of('training', len(some))}, about {format_duration(expected.left_s(some))}")
        with self.console.status("") as status:
            told.update = lambda text: status.update(escape(text))
            over = self._series().train(some, told.hear, until=until)
        if not over:
            self.console.print("the time is spent; the same command goes on")
        elif len(some) < len(runs):
            self.console.print(f"{format_number_of('training', len(runs) - len(some))} are left for another run")

    def judge(self) -> tuple[list[Verdict], list[str]]:
        """Keep the verdicts by what is known now; return those that stand, and a line where that is an earlier one."""
        known, now = self._known(), datetime.now(UTC)
        found = [verdict(claim, self.plan, known, now) for claim in self.plan.claims]
        assert self.claims is not None
        stand = [self.claims.add_verdict(each) for each in found]
        return stand, shown.stood(found, stand)

    def check(self) -> None:
        """Fail where nothing that was trained came to anything.

        Raises:
            StudyError: every training failed.
        """
        known = list(self._known().values())
        if known and all(each.failure for each in known):
            raise StudyError(f"every training failed: {known[-1].failure}")

    def _known(self) -> Mapping[str, Training]:
        return self.claims.trainings(self.plan.runs) if self.claims else {}

    def _missing(self) -> list[Run]:
        known = self._known()
        again = self.given.again
        return self.plan.missing(
            {key: each for key, each in known.items() if not (again and (each.failure or each.refused))}
        )

    def _price(self, known: Mapping[str, Training], runs: Sequence[Run]) -> Price:
        return price(runs, known, self.plan.runs, self.plan.images.image, self._series().timed)

    def _series(self) -> Series:
        given = self.given
        return Series(images=self.plan.images, folder=self.folder, device=given.device, threads=given.threads)

    def _forget(self, keys: Iterable[str]) -> None:
        """Remove what was begun here and has ended elsewhere, as on another machine that has this database."""
        series = self._series()
        for key in keys:
            series.forget(key)


class _Told:
    """Keep each training as it ends, and say so: a line each, and on a terminal the epochs of the one under way."""

    def __init__(self, console: Console, claims: Claims, expected: Price, runs: Sequence[Run]) -> None:
        self.console, self.claims, self.expected = console, claims, expected
        self.left = list(runs)
        self.count = len(runs)
        self.update: Callable[[str], object] = str

    def hear(self, run: Run, measured: Sequence[Measurement], ended: Training | None) -> None:
        """Hear of an epoch, or of an end."""
        place = self.count - len(self.left) + 1
        if ended is None:
            self.update(
                f"{place} of {self.count}  {run.network}, seed {run.seed}: epoch {len(measured)} of {run.recipe.epochs}"
            )
            return
        self.claims.add_training(ended)
        self.left.remove(run)
        self.expected.ended(run, ended.seconds)
        left = f"; about {format_duration(self.expected.left_s(self.left))} left" if self.left else ""
        self.console.print(
            visible(hide(f"{place} of {self.count}  {shown.progress(run, ended)}{left}")), highlight=False, markup=False
        )


def images(text: str) -> Images:
    """Return the images that a name, or a mapping as a study's file has it, describes.

    Raises:
        InputError: it describes none, or they cannot be read; placed at `--data`.
    """
    try:
        spec = _spec(text)
        data = load(spec)
    except InputError as error:
        raise error.at("--data") from error
    if not len(data.val_labels):
        raise InputError("no images are left to measure on", place="--data")
    return Images(
        spec=spec, fingerprint=data.fingerprint, image=data.image, train=len(data.train_labels),
        measured=len(data.val_labels),
    )  # fmt: skip


def _spec(text: str) -> DataSpec:
    if not text.lstrip().startswith("{"):
        return data_spec(text)
    try:
        told = values_by_name(f"data: {text}", "")["data"]
    except InputError as error:  # its place is a line, of which there is one
        raise InputError(error.message) from error
    return data_spec(expand_all(told, os.environ, Path("data")))


def _claims(given: argparse.Namespace) -> list[Claim]:
    return chosen(read(given.file or FILE), given.claims)


def _say(found: Sequence[Verdict], console: Console, more: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([shown.row(each) for each in found], indent=2))
        return
    if not found:
        console.print("nothing was found yet")
        return
    console.print(shown.table(found))
    for line in [*shown.notes(found), *more, summary(found)]:
        console.print(visible(hide(line)), highlight=False, markup=False)
