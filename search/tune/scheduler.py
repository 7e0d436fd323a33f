"""Let Ray Tune tell a running study what its trials show, and hear who goes on."""

import json
from pathlib import Path
from typing import Any, Protocol

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.core.interrupts import interrupts
from search.core.records import Host
from search.study.running import RunningStudy
from search.tune.failures import failure_of
from spaces.errors import TrialFailure
from workers.measurement import Measurement


class OomWatching(Protocol):
    """Know of each machine whether its kernel ended a process for memory: see `search.tune.oom.OomWatcher`."""

    def see(self, address: str) -> None:
        """Begin to watch a machine, once."""

    def oom_killed(self, address: str) -> bool:
        """Whether a process there was ended for memory just now."""


class Ending(Protocol):
    """Know of workers that this launch has ended itself."""

    def why(self, number: int) -> TrialFailure | None:
        """Return why a trial's worker was ended, or None where it died by itself."""


class Nobody:
    """Watch no machine."""

    def see(self, address: str) -> None:
        """Do nothing."""

    def oom_killed(self, address: str) -> bool:  # noqa: ARG002
        """Say no."""
        return False


class StudyScheduler(FIFOScheduler):
    """Record every result, then decide, in that order."""

    def __init__(self, study: RunningStudy, watching: OomWatching | None = None, ending: Ending | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray's
        self.study = study
        self.watching = watching or Nobody()
        self.ending = ending
        self._heard: BaseException | None = None
        # By Ray's trial, those of its trials that train in it no more: they may be handed out again meanwhile.
        self._left: dict[str, set[int]] = {}

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Return whether the trial goes on."""
        self.watching.see(result.get("node_ip", ""))
        if host := result.get("host"):
            self.study.saw(Host(**json.loads(host)))
        number = result.get("number", trial.config["number"])
        if again := result.get("again"):
            self.study.trained_again(number, **json.loads(again))
        if failure := result.get("failure"):
            self.study.failed(number, TrialFailure(**json.loads(failure)))
            self._left.setdefault(trial.trial_id, set()).add(number)
        elif self.study.measured(number, Measurement.from_json(json.loads(result["measurement"]))).stop:
            self._left.setdefault(trial.trial_id, set()).add(number)
        return TrialScheduler.CONTINUE if self._goes_on(trial) else TrialScheduler.STOP

    def _goes_on(self, trial: Trial) -> bool:
        """Whether somebody of those who train together goes on; once nobody does, all may be handed out again."""
        if not self._left.get(trial.trial_id, set()).issuperset(numbers_of(trial)):
            return True
        del self._left[trial.trial_id]
        return False

    def hear(self, error: BaseException | None) -> None:
        """Hear of what the trial failed that `on_trial_error` will name next: Tune does not say it there."""
        self._heard = error

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """Tell the study why a trial failed."""
        error, self._heard = self._heard, None
        traceback = _left_behind(trial.config.get("crash"))
        left = self._left.pop(trial.trial_id, set())
        numbers = [number for number in numbers_of(trial) if number not in left]
        why = [self.ending.why(number) for number in numbers] if self.ending else []
        if interrupts.asked or self.study.wishes.ended:  # the end of the launch may have ended the worker
            return
        failure = next(filter(None, why), None) or failure_of(error, self.watching.oom_killed, traceback)
        self.study.failed_together(numbers, failure)


def numbers_of(trial: Trial) -> list[int]:
    """Return the numbers of the study's trials that one of Ray's trains: one, or several together."""
    return [trial.config["number"], *(each["number"] for each in trial.config.get("mates", ()))]


def _left_behind(path: str | None) -> str:
    """Return what a worker wrote as it died, and remove the file."""
    if not path:
        return ""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        Path(path).unlink()
    except OSError:
        return ""
    return text
