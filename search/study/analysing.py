"""Have an analysis of kept weights computed by a process of its own, or read what was found before."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.config.stored import stored
from search.config.study import StudyConfig
from search.core.analyses import Analysis, Question
from search.core.environment import private, without
from search.core.records import StudyRecord, TrialRecord
from search.core.units import format_number_of
from search.storage.analyses import Analyses
from search.storage.store import Store
from search.study import weights
from search.study.checkpoints import named_folder
from spaces.errors import InputError, StudyError
from workers.command import last_line
from workers.kept import Kept, digest_of
from workers.places import Folder

WRONG, INTERRUPTED = 2, 130  # exit codes of a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What an analysis of a study needs."""

    store: Store
    study: StudyRecord
    trials: Sequence[TrialRecord]
    checkpoints: str | None = None  # where they lie now, if not where they were
    device: str = "auto"
    anew: bool = False  # compute what was found before

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
        """Return what an analysis finds: as it was found before, else computed now.

        Raises:
            InputError: the images cannot be read, or are others now, or it cannot be asked of these networks.
            StudyError: it was not computed.
        """
        question = Question(
            kind=kind, trials=tuple(each.trial for each in networks), settings=settings,
            weights=_together([each.weights for each in networks]), fingerprint=self.study.fingerprint,
        )  # fmt: skip
        return self.known(question) or self._computed(question, networks)

    def known(self, question: Question) -> Analysis | None:
        """Return what was found before, unless it is to be found anew."""
        return None if self.anew else Analyses(self.store, self.study.name).find(question)

    def _computed(self, question: Question, networks: Sequence[Kept]) -> Analysis:
        job = {
            "kind": question.kind, "settings": dict(question.settings), "device": self.device,
            "networks": [each.to_json() for each in networks], "data": self.config.data_spec.to_json(),
            "fingerprint": question.fingerprint, "packages": self.study.needed,
        }  # fmt: skip
        began = time.perf_counter()
        *rows, end = computed(job, private(self.config.own_variables))
        machine = end["machine"]
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
        except StudyError as error:
            return [f"what was found is not kept: {error}"]
        return []


def _together(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()


def computed(job: Mapping[str, Any], hidden: Iterable[str]) -> list[dict[str, Any]]:
    """Return the lines of `workers.analyse`, run in a process that ends with this call, however that ends.

    Args:
        job: what `workers.analyse` reads.
        hidden: variables that it does not see.

    Raises:
        InputError: it was refused.
        StudyError: it failed, or the process was ended.
    """
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="widefront-") as folder, tempfile.TemporaryFile() as complaints:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        with without(frozenset(hidden), environment):
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.analyse", str(path)],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, text=True,
            )  # fmt: skip
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            process.communicate()
            raise
        complaints.seek(0)
        _check(process.returncode, last_line(complaints.read().decode(errors="replace")))
    return [json.loads(line) for line in said.splitlines()]


def _check(code: int, complained: str) -> None:
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == WRONG:
        raise InputError(complained.removeprefix("error: "))
    if code:
        how = f"was ended by signal {-code}" if code < 0 else complained.removeprefix("error: ")
        raise StudyError(f"the analysis was not computed: {how or f'exit code {code}'}")
