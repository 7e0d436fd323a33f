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

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:  # noqa: ARG002
        """Return whether the trial goes on."""
        self.watching.see(result.get("node_ip", ""))
        if host := result.get("host"):
            self.study.saw(Host(**json.loads(host)))
        if again := result.get("again"):
            self.study.trained_again(trial.config["number"], **json.loads(again))
        decision = self.study.measured(trial.config["number"], Measurement.from_json(json.loads(result["measurement"])))
        return TrialScheduler.STOP if decision.stop else TrialScheduler.CONTINUE

    def hear(self, error: BaseException | None) -> None:
        """Hear of what the trial failed that `on_trial_error` will name next: Tune does not say it there."""
        self._heard = error

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:  # noqa: ARG002
        """Tell the study why a trial failed."""
        error, self._heard = self._heard, None
        number, traceback = trial.config["number"], _left_behind(trial.config.get("crash"))
        why = self.ending.why(number) if self.ending else None
        if not (interrupts.asked or self.study.wishes.ended):  # else the end of the launch may have ended the worker
            self.study.failed(number, why or failure_of(error, self.watching.oom_killed, traceback))


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
