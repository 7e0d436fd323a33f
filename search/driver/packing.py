"""Say which trials of a study are trained together: of one plan, where every trial is trained in full.

Who proposes is asked for one trial at a time, since what it names next may hang on what trials have shown. So beside a
trial there is only what is trained whatever others come to: see docs/packing.md.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from search.config.study import StudyConfig
from search.core.records import TrialRecord
from search.samplers.proposer import Proposal, Proposer
from search.samplers.registry import learns
from search.study.packing import Packing
from search.study.running import RunningStudy
from spaces.domains import Scalar
from spaces.errors import InfeasibleArchitecture
from workers.recipe import Recipe
from workers.together import in_common, most_together

AHEAD = 64  # values that are certain before their turn, where a sampler learns nothing

Params = Mapping[str, Scalar]


def packing_of(config: StudyConfig, running: RunningStudy) -> Packing | None:
    """Return which trials are trained together, or None where none are, as where somebody stops trials early."""
    if not _may(config) or running.scheduler.decides:
        return None
    beside = Beside(running, config.full_recipe, draws=not learns(config.sampler.name))
    gpu = config.resources.gpus_per_trial > 0

    def most(trial: TrialRecord) -> int:
        return most_together(trial.architecture, trial.cost, running.record.objectives, gpu=gpu)

    return Packing(most=most, beside=beside.next, due=beside.due, common=beside.common)


def _may(config: StudyConfig) -> bool:
    """Return whether a file leaves it open that trials are trained together; a pack is not compiled."""
    return config.resources.packed == "auto" and config.full_recipe.compile != "always"


@dataclass(slots=True)
class Beside:
    """Name what can be trained beside a trial, of what will be proposed in any case."""

    running: RunningStudy
    recipe: Recipe  # but for what trials choose
    draws: bool  # the sampler learns nothing, so that more of it can be certain

    def common(self, trial: TrialRecord) -> object:
        """Return what a trial has in common with those that can be trained together with it."""
        return in_common(trial.architecture, self.recipe.chosen(trial.params))

    def due(self, trial: TrialRecord) -> tuple[int, float]:
        """Return how many trials will be begun that can be beside one, as far as known, and how many in all."""
        left, proposer = self._left(), self._proposer
        if proposer is None:
            return 0, left
        if self.draws:
            proposer.draw_ahead(int(min(AHEAD, left)))
        certain = proposer.certain[: int(min(AHEAD, left))]
        common = self.common(trial)
        return sum(self._likely(proposer, each) == common for each in certain), left

    def next(self, trial: TrialRecord) -> Proposal | None:
        """Return the first of what is certain that can be trained beside a trial, or None."""
        if (proposer := self._proposer) is None:
            return None
        known, doubts, common = self.running.trials.known, self.running.doubts(), self.common(trial)
        likely = (params for params in proposer.certain if self._likely(proposer, params) == common)
        tried = (proposer.propose_now(params, partial(self._fits, common), known, doubts) for params in likely)
        return next(filter(None, tried), None)

    def _left(self) -> float:
        """Return how many more trials a budget lets begin; what those that run have before them is as good as spent."""
        running, each = self.running, self.running.record.max_epochs
        trials, epochs = running.account.budget.trials, running.account.budget.epochs
        left = math.inf if trials is None else max(0, trials - len(running.trials))
        if epochs is not None:
            owed = sum(each - running.trials[number].epochs for number in running.trials.running)
            left = min(left, max(0, math.ceil((epochs - running.account.trained_epochs - owed) / each)))
        return left

    @property
    def _proposer(self) -> Proposer | None:
        """Return who proposes; None where that has to be asked in turn: other launches, or devices that measure."""
        proposer = self.running.proposer
        return proposer if type(proposer) is Proposer and not self.running.launches.shared else None

    def _fits(self, common: object, proposal: Proposal) -> bool:
        return bool(in_common(proposal.architecture, self.recipe.chosen(proposal.params)) == common)

    def _likely(self, proposer: Proposer, params: Params) -> object:
        """Return what values have in common with others, if nothing that they leave open changes it."""
        with suppress(InfeasibleArchitecture):
            return in_common(proposer.catalogue.describe(params).architecture, self.recipe.chosen(params))
        return None
