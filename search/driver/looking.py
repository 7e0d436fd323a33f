"""Look at the test split: measure on it, once for good, the seeds of networks that were confirmed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console

from search.config.study import StudyConfig
from search.core.interrupts import interrupts
from search.core.records import Replicate, StudyRecord, TrialRecord
from search.core.terminal import say
from search.core.units import format_number_of
from search.driver.training import need_of
from search.storage.replicates import Replicates
from search.study.checkpoints import NEWEST, newest, numbers
from search.study.seed_records import as_trial
from search.study.specs import spec_of
from search.tune.testing import measure_all
from spaces.errors import StudyError
from workers.places import Folder, join
from workers.trainer import TrialSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look, for which Ray runs already."""

    config: StudyConfig
    record: StudyRecord
    trials: Mapping[int, TrialRecord]
    replicates: Replicates
    folder: Folder  # of their weights
    console: Console

    def untested(self) -> list[Replicate]:
        """Return what was trained in full and never measured on the test split."""
        return [each for each in self.replicates.all() if each.complete and each.test is None]

    def testable(self) -> list[Replicate]:
        """Return those of them whose weights are there."""
        there = numbers(NEWEST, self.folder.sizes())
        return [each for each in self.untested() if each.number in there]

    def say_what_is_gone(self) -> None:
        """Say of how many the weights are not there."""
        if count := len(self.untested()) - len(self.testable()):
            gone = format_number_of("training", count)
            line = f"warning: the weights of {gone} are not in {self.folder}: the test split tells nothing of them"
            say(self.console, line)

    def take(self) -> None:
        """Measure on the test split what was not yet, and record it as one look."""
        self.say_what_is_gone()
        asked = {
            each.number: (self._spec(each), join(str(self.folder), newest(each.number))) for each in self.testable()
        }
        say(self.console, f"measuring {format_number_of('training', len(asked))} on the test split")
        found: dict[int, dict[str, float]] = {}
        for number, result in measure_all(asked, need_of(self.config), lambda: interrupts.asked):
            if isinstance(result, StudyError):
                say(self.console, f"warning: replicate {number} was not measured on the test split: {result}")
            else:
                found[number] = result
        if found and not interrupts.asked:
            self.replicates.add_look(datetime.now(UTC), found)

    def _spec(self, replicate: Replicate) -> TrialSpec:
        trial = as_trial(replicate, self.trials[replicate.trial])
        data = replace(self.config.data_spec, fold=replicate.fold)
        return spec_of(self.record, trial, self.config.full_recipe, data)
