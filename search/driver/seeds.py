"""Show networks that are trained again: means, intervals, and how sure it is who is on the front."""

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from search.core.confirmation import assessed
from search.core.fronts import front_trials
from search.core.labels import name_of
from search.core.records import State, TrialRecord
from search.core.units import format_duration, format_number_of, format_percent
from search.driver.progress import Progress, titled_table
from search.study.running import RunningStudy
from search.study.seeds import SeedProposer
from workers.tasks import CLASSIFICATION


class SeedProgress(Progress):
    """Draw it as a running study is drawn, with networks in the place of the front of trials."""

    def __init__(self, running: RunningStudy, console: Console, proposer: SeedProposer) -> None:
        super().__init__(running, console)
        self.proposer = proposer
        self._assessed: tuple[int, list[TrialRecord]] = (-1, [])  # by how many trainings had ended, and the front then

    def _at_work(self) -> str:
        shown = [f"{self._named(self.study.trials[number])} (epoch {self.study.trials[number].epochs})"
                 for number in self.study.at_work]  # fmt: skip
        return f"training: {', '.join(sorted(shown)) or 'none'}"

    def _standing(self) -> list[Text]:
        return [Text(self._summary())]

    def _named(self, trial: TrialRecord) -> str:
        """Return which training it is: `trial 3, seed 2 of up to 5`."""
        replicate = self.proposer.replicates[trial.number]
        mine = sorted(each.number for each in self.proposer.replicates.values() if each.trial == replicate.trial)
        nth = f"seed {mine.index(trial.number) + 1} of up to {self.proposer.plan.seeds}"
        what = f"fold {replicate.fold[0] + 1} of {replicate.fold[1]}" if replicate.fold else nth
        return f"trial {replicate.trial}, {what}"

    def _line(self, trial: TrialRecord) -> str:
        shown = trial.shown.get(CLASSIFICATION.headline) if trial.shown else None
        reached = f": {format_percent(shown)}" if trial.state is State.COMPLETE else f" {trial.state}: {trial.reason}"
        return f"{self._named(trial)}, {name_of(trial.architecture)}{reached}"

    def _summary(self) -> str:
        running = self.study
        done = running.trials.count[State.COMPLETE]
        parts = [
            f"{format_number_of('training', done)} done",
            f"{len(running.at_work)} running",
            format_number_of("epoch", running.account.trained_epochs),
        ]
        return f"{', '.join(parts)} in {format_duration(running.account.seconds)}"

    def _table(self, front: Sequence[TrialRecord], rows: int) -> RenderableType:  # noqa: ARG002
        return titled_table(self.proposer.study, self._front(), self.console.width, rows)

    def _front(self) -> list[TrialRecord]:
        """Return the front with its intervals: drawn several times a second, worked out when a training has ended."""
        if self._assessed[0] != self.study.ended:
            now = assessed(self.proposer.study, self.proposer.now())
            self._assessed = (self.study.ended, front_trials(self.proposer.study, now))
        return self._assessed[1]
