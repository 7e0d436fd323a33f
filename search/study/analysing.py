"""Have an analysis of kept weights computed by a process of its own, or read what was found before."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from search.config.stored import stored
from search.config.study import StudyConfig
from search.core.analyses import Analysis, Question
from search.core.environment import private
from search.core.processes import Ended, Line, lines_of
from search.core.records import StudyRecord, TrialRecord
from search.core.units import format_number_of
from search.storage.analyses import Analyses
from search.storage.store import Store
from search.study import weights
from search.study.checkpoints import named_folder
from search.study.drafts import Draft, scratch
from spaces.errors import StudyError
from workers.kept import Kept, digest_of
from workers.places import Folder

RESUMED = ("surface",)  # kinds whose rows are known one by one
PROGRESS, END = "progress", "machine"  # a line that has the first is no row, nor is that which has the other


def say_nothing(_line: Line) -> None:
    """Be told how far it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What an analysis of a study needs."""

    store: Store
    study: StudyRecord
    trials: Sequence[TrialRecord]
    checkpoints: str | None = None  # where they lie now, if not where they were
    device: str = "auto"
    anew: bool = False  # compute what was found before
    told: Callable[[Line], object] = say_nothing  # how far it is

    @property
    def config(self) -> StudyConfig:
        """Return what the study was last launched with.

        Raises:
            InputError: it cannot be read any more.
        """
        return stored(self.study, self.store.url)

    @property
    def folder(self) -> Folder:
        """Return the folder of its checkpoints.

        Raises:
            InputError: it cannot be reached.
        """
        return named_folder(self.study, self.checkpoints)

    def kept(self, trial: TrialRecord, cost: float = 0.0) -> tuple[Kept, list[str]]:
        """Return where the weights of a trial are, and what is to be said of them.

        Raises:
            InputError: there are none.
        """
        held = weights.read(self.study, self.trials, trial, self.folder)
        said = [held.warning] if held.warning else []
        if held.epochs < self.study.max_epochs:
            full = format_number_of("epoch", self.study.max_epochs)
            said.append(f"trial {trial.number} is {trial.state}: what is analysed was trained {held.epochs} of {full}")
        kept = Kept(
            trial=trial.number, address=held.address, spec=held.spec, weights=digest_of(held.state["network"]),
            cost=cost,
        )  # fmt: skip
        return kept, said

    def found(self, kind: str, networks: Sequence[Kept], settings: Mapping[str, Any]) -> Analysis:
        """Return what an analysis of trained networks finds: as it was found before, else computed now.

        Raises:
            InputError: the images cannot be read, or are others now, or it cannot be asked of these networks.
            StudyError: it was not computed.
        """
        question = Question(
            kind=kind, trials=tuple(each.trial for each in networks), settings=settings,
            weights=_together([each.weights for each in networks]), fingerprint=self.study.fingerprint,
        )  # fmt: skip
        return self.answered(question, {"networks": [each.to_json() for each in networks]})

    def answered(self, question: Question, about: Mapping[str, Any]) -> Analysis:
        """Return what was found before, else what a process finds that is told what it is about.

        Raises:
            InputError, StudyError: as `found` does.
        """
        return self.known(question) or self._computed(question, about)

    def known(self, question: Question) -> Analysis | None:
        """Return what was found before, unless it is to be found anew."""
        return None if self.anew else Analyses(self.store, self.study.name).find(question)

    def _computed(self, question: Question, about: Mapping[str, Any]) -> Analysis:
        draft = Draft(question.key)
        if self.anew:
            draft.drop()
        job = {
            "kind": question.kind, "settings": dict(question.settings), "device": self.device, "networks": [],
            "data": self.config.data_spec.to_json(), "fingerprint": question.fingerprint,
            "packages": self.study.needed, "known": draft.rows, "folder": scratch(), **about,
        }  # fmt: skip

        def heard(line: Line) -> None:
            if PROGRESS in line:
                self.told(line)
            elif END not in line and question.kind in RESUMED:
                draft.append(line)

        began = time.perf_counter()
        *rows, end = computed(job, private(self.config.own_variables), heard)
        machine = end[END]
        return Analysis(
            question=question, rows=tuple(rows), images=end["images"], at=datetime.now(UTC),
            device=f"{machine['device']}, torch {machine['torch']}", took_s=time.perf_counter() - began,
        )  # fmt: skip

    def keep(self, analysis: Analysis) -> list[str]:
        """Write what was found, where the study can be written to; return a line where it cannot."""
        if analysis.kept:
            return []
        if self.store.is_copy:
            return [f"what was found is not kept: {self.store.shown_url} may only be read"]
        try:
            with self.store.hold(self.study.name):
                Analyses(self.store, self.study.name).add(replace(analysis, kept=True))
            Draft(analysis.question.key).drop()
        except StudyError as error:
            return [f"what was found is not kept: {error}"]
        return []


def _together(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def computed(
    job: Mapping[str, Any], hidden: Iterable[str], heard: Callable[[Line], object] = say_nothing
) -> list[Line]:
    """Return the rows of `workers.analyse` and what it ends with, run in a process that ends with this call.

    Args:
        job: what `workers.analyse` reads.
        hidden: variables that it does not see.
        heard: is called with every line as it comes.

    Raises:
        InputError: it was refused.
        StudyError: it failed, or the process was ended.
    """
    lines = list[Line]()
    try:
        with closing(lines_of("workers.analyse", job, hidden=frozenset(hidden))) as said:
            for line in said:
                lines.append(line)
                heard(line)
    except Ended as error:
        raise StudyError(f"the analysis was not computed: {error}") from error
    return [line for line in lines if PROGRESS not in line]
