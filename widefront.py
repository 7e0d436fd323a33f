"""Widefront from Python and from a notebook: the same functions as the commands call.

    from widefront import Study

    study = Study.load("space.yaml").run()         # or Study.open("sqlite:///widefront.db", "digits-front")
    study.front()                                  # a DataFrame, a row for each network
    study.figure("front")                          # Plotly's
    study.confirm(seeds=3)                         # again with other seeds: from now on means with intervals
    best = study.pick(under="macs <= 200k")
    best.export("folder", onnx=True)

Nothing is kept here: every call reads the database, so what a launch elsewhere has found is seen too.
"""

import html
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cli import warn
from search.config.study import StudyConfig, load
from search.core.columns import View, row_of
from search.core.confirmation import assessed
from search.core.environment import expand
from search.core.fronts import front_trials
from search.core.labels import name_of
from search.core.picking import bounds_of, knee, pick
from search.core.records import StudyRecord, TrialRecord
from search.storage.finding import find
from search.storage.store import Store
from spaces.architecture import Architecture
from spaces.errors import InputError, StudyError, unknown

if TYPE_CHECKING:  # each takes a second or more, and most calls do without
    import pandas
    import plotly.graph_objects as go

    from workers.card import Card

__all__ = ["Network", "Study"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Network:
    """One network of a study: a trial, what it came to, and what can be done with it."""

    study: "Study"
    trial: int  # its number
    row: Row  # everything about it as plain values, as `search.front --json` prints it
    architecture: Architecture

    @property
    def name(self) -> str:
        """Return its short name, such as `preact-1x0.25`."""
        return name_of(self.architecture)

    def __getitem__(self, key: str) -> Any:
        """Return a value of its row, such as `network["accuracy"]`.

        Raises:
            KeyError: there is none of that name.
        """
        return self.row[key]

    def __repr__(self) -> str:
        told = ", ".join(f"{key}={self.row[key]:.6g}" for key in self.study.record.objectives)
        return f"Network(trial={self.trial}, name={self.name!r}, {told})"

    def export(self, folder: str | Path, *, onnx: bool = False) -> "Card":
        """Write it as a folder that stands alone, as `search.export` does, and return the card.

        Raises:
            InputError: it has no weights, or something else is in the place of the folder.
        """
        return self.study.export(self.trial, folder, onnx=onnx)


class Study:
    """A study in a database; `load` takes a file that describes one, `open` one that is there."""

    def __init__(self, url: str, name: str | None, config: StudyConfig | None = None) -> None:
        self.url = url  # as it was written: `${NAME}` is looked up
        self._name = name
        self.config = config

    @classmethod
    def load(cls, path: str | Path, **settings: Any) -> "Study":
        """Return the study that a file describes.

        Args:
            path: such as `space.yaml`.
            settings: leaves to replace, with two underscores for a dot: `budget__trials=20`.

        Raises:
            InputError: what is wrong in the file, and where.
        """
        given = [f"{name.replace('__', '.')}={json.dumps(value)}" for name, value in settings.items()]
        config = load(Path(path), given)
        return cls(config.storage_text, config.study, config)

    @classmethod
    def open(cls, url: str, name: str | None = None) -> "Study":
        """Return a study of a database; without a name, the only one there is.

        Raises:
            InputError: there is none.
        """
        study = cls(url, name)
        study._name = study.record.name
        return study

    def run(
        self,
        *,
        on_measurement: Callable[[TrialRecord, Any], object] | None = None,
        on_trial: Callable[[TrialRecord], object] | None = None,
        address: str | None = None,
        grow: bool = False,
    ) -> "Study":
        """Run the study to its end, or go on with it, and return it.

        Args:
            on_measurement: called with a trial and its latest measurement after every epoch.
            on_trial: called with every trial that ends. What a callback raises is said once and ends nothing.
            address: of a Ray cluster to join.
            grow: let the file change the space and the constraints of a study that is there, as `launch --grow` does.

        Raises:
            InputError: something in the file is wrong; said before Ray starts.
            StudyError: it could not go on, or was opened without a file.
        """
        from search.core.terminal import make_console  # takes seconds, as it brings Ray and torch
        from search.driver.driver import run

        if self.config is None:
            raise StudyError("a study that was opened is only looked at; Study.load takes the file that runs it")
        run(
            self.config, make_console(), address=address, verbose=False, started_at=datetime.now(UTC),
            listeners=[_Calls(on_measurement, on_trial)], grow=grow,
        )  # fmt: skip
        return self

    def confirm(self, *, seeds: int = 5, test: bool = False, address: str | None = None) -> "Study":
        """Train the front again with other seeds, as `search.confirm` does, and return the study.

        Raises:
            InputError: there is no front yet.
        """
        from search.core.terminal import make_console
        from search.driver.confirming import Asked, confirm
        from search.driver.publishing import publish
        from search.study.seeds import SeedPlan

        asked = Asked(url=self.url, study=self._name, plan=SeedPlan(seeds=seeds), test=test, address=address)
        if confirm(asked, make_console(), datetime.now(UTC)).news:
            publish(expand(self.url, os.environ), self.name, None)  # Optuna Dashboard's plot
        return self

    @property
    def name(self) -> str:
        """Return its name."""
        return self.record.name

    @property
    def record(self) -> StudyRecord:
        """Return what it is: objectives, space, full fidelity, the file that it was launched with.

        Raises:
            InputError: it is not in the database, or not yet.
        """
        with self._store() as store:
            return find(store, self._name)

    def _store(self) -> Store:
        return Store.open(expand(self.url, os.environ), create=False)

    def _read(self) -> tuple[StudyRecord, list[TrialRecord]]:
        with self._store() as store:
            study = find(store, self._name)
            return study, assessed(study, store.trials(study.name))

    def trials(self) -> "pandas.DataFrame":
        """Return every trial, a row each, by number: the columns of `search.front --csv`."""
        study, trials = self._read()
        return _frame(study, trials)

    def front(self) -> "pandas.DataFrame":
        """Return the front, a row for each network, the cheapest first; confirmed ones with means and intervals."""
        study, trials = self._read()
        return _frame(study, front_trials(study, trials))

    def networks(self) -> list[Network]:
        """Return the networks of the front, the cheapest first."""
        study, trials = self._read()
        return [self._network(study, trial) for trial in front_trials(study, trials)]

    def _network(self, study: StudyRecord, trial: TrialRecord) -> Network:
        return Network(self, trial.number, row_of(study, trial), trial.architecture)

    def pick(self, under: str = "", above: str = "") -> Network:
        """Return the best network under bounds such as `macs <= 200k`, or the cheapest above some on quality alone.

        Without bounds, the knee of the front.

        Raises:
            InputError: a bound cannot be read.
            StudyError: nothing keeps them.
        """
        study, trials = self._read()
        bounds = bounds_of([under, above], study.measures)
        chosen = pick(study, trials, bounds).chosen if bounds else knee(study, trials)
        if chosen is None:
            asked = ", ".join(bound.text for bound in bounds)
            raise StudyError(f"nothing keeps {asked}" if bounds else f"{study.name} has no front yet")
        return self._network(study, chosen)

    def export(self, trial: int, folder: str | Path, *, onnx: bool = False) -> "Card":
        """Write a trial's network as a folder that stands alone, as `search.export` does, and return the card.

        Raises:
            InputError: there is no such trial, it has no weights, or something else is in the place of the folder.
        """
        from search.export import export

        return export(self.url, self._name, trial, Path(folder), onnx=onnx)

    def analyse(
        self, kind: str, *, checkpoints: str | None = None, device: str = "auto", again: bool = False, **given: Any
    ) -> "list[dict[str, Any]]":
        """Return what `search.analyse` finds: a dictionary for each network that was asked about, as its `--json`.

        Its `rows` are what was found and its `units` what their numbers are in: `pandas.DataFrame(found["rows"])`.

        Args:
            kind: ensemble, lesion, filters, surface, speed or marginals.
            checkpoints: where the study's weights lie now, if not where they were.
            device: auto, cpu, cuda or cuda:N.
            again: compute what was found before.
            given: the command's other options, such as `trial=18`, `front=True`, `networks=["wrn-16-2", "resnet-20"]`.

        Raises:
            InputError: it cannot be asked, or the images are others now.
            StudyError: it was not computed.
        """
        from search.analyse import opened  # takes seconds, as it brings torch
        from search.core.findings import told
        from search.study.questions import Given, ask

        asked, url = Given.of(given), expand(self.url, os.environ)
        with opened(url, self._name, checkpoints, device, again=again) as bench:
            found = list(ask(bench, kind, asked))
            for analysis in found:
                warn(bench.keep(analysis))
        return [told(self.name, each) for each in found]

    def figure(self, kind: str = "front") -> "go.Figure":
        """Return a figure of the report: front, curves, progress, importance or edf, or a searched parameter's name.

        Raises:
            InputError: there is no such figure.
        """
        from dashboards import choices, curves, edf, front, importance, progress

        view = self._view()
        figures: dict[str, Callable[[], go.Figure]] = {
            "front": lambda: front.figure(front.info(view)),
            "curves": lambda: curves.figure(curves.info(view)),
            "progress": lambda: progress.figure(progress.info(view)),
            "importance": lambda: importance.figure(importance.info(view)),
            "edf": lambda: edf.figure(edf.info(view)),
        }
        figures |= {name: lambda name=name: choices.figure(choices.info(view, name)) for name in view.searched()}
        if kind not in figures:
            raise InputError(unknown("figure", kind, figures))
        return figures[kind]()

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the report, one page that works offline, and return its path.

        Raises:
            InputError: it cannot be written there.
        """
        from dashboards.report import read, write_report

        with self._store() as store:
            view = read(store, self._name)
        return write_report(view, Path(path), self._shown_url)

    def _view(self) -> Any:
        from dashboards.frames import StudyView

        with self._store() as store:
            return StudyView.read(store, self._name)

    def __repr__(self) -> str:
        return f"Study({self._name!r} in {self._shown_url})"

    @cached_property
    def _shown_url(self) -> str:
        from search.storage.url import shown_url

        return shown_url(self.url)

    def _repr_html_(self) -> str:
        """Return the front as a table, for a notebook."""
        try:
            study, trials = self._read()
        except InputError:  # it has not been launched yet
            return f"<p>{html.escape(repr(self))}: not launched yet</p>"
        return _table(study, front_trials(study, trials), len(trials))


class _Calls:
    """Hand what a study shows to functions."""

    def __init__(
        self,
        on_measurement: Callable[[TrialRecord, Any], object] | None,
        on_trial: Callable[[TrialRecord], object] | None,
    ) -> None:
        self._on_measurement, self._on_trial = on_measurement, on_trial

    def on_measurement(self, trial: TrialRecord, measurement: Any) -> None:
        if self._on_measurement:
            self._on_measurement(trial, measurement)

    def on_trial(self, trial: TrialRecord) -> None:
        if self._on_trial:
            self._on_trial(trial)


def _frame(study: StudyRecord, trials: Sequence[TrialRecord]) -> "pandas.DataFrame":
    import pandas

    return pandas.DataFrame([row_of(study, trial, View.CSV) for trial in trials])


def _table(study: StudyRecord, front: Sequence[TrialRecord], count: int) -> str:
    from search.core.columns import columns, filled

    shown = filled(columns(study, View.TERMINAL), study, front)
    head = "".join(f"<th>{html.escape(column.name)}</th>" for column in shown)
    rows = ("".join(f"<td>{html.escape(column.shown(study, trial))}</td>" for column in shown) for trial in front)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    caption = f"{html.escape(study.name)}: {len(front)} on the front of {count} trials"
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
