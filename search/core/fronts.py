"""Read the front of a study from its trials. Only trials at full fidelity can be on it.

Hypervolume here is a share: every objective is brought to [0, 1] by ends that are fixed when the study begins (chance
level for what training reveals, the space's own range on a log axis for what is counted, a fixed one for what is
measured), and the reference point is the worst corner. So it only grows, and studies over one space and data set can
be compared.
"""

import math
from collections.abc import Iterable, Sequence

from search.core.records import State, StudyRecord, TrialRecord
from search.models.pareto import Points, as_points, front, hypervolume


def objective_values(study: StudyRecord, trial: TrialRecord) -> tuple[float, ...]:
    """Return what is known of the network in each objective; NaN for what no epoch has revealed yet.

    That is the mean over its replicates where it has been confirmed, and the trial's latest measurement where not.
    """
    found = trial.found
    return tuple(study.objective(name).value(trial.cost, found) for name in study.objectives)


def run_values(study: StudyRecord, trial: TrialRecord) -> tuple[float, ...]:
    """Return the same of the trial's own training alone, as Optuna's tables have it."""
    return tuple(study.objective(name).value(trial.cost, trial.shown) for name in study.objectives)


def complete_trials(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials at full fidelity, of networks that the study would still propose."""
    return [trial for trial in trials if trial.state is State.COMPLETE and not trial.outside]


def minimised_values(study: StudyRecord, trials: Sequence[TrialRecord]) -> Points:
    """Return objective values `n m` with signs such that less is better."""
    rows = [
        [
            study.objective(name).minimised(value)
            for name, value in zip(study.objectives, objective_values(study, trial), strict=True)
        ]
        for trial in trials
    ]
    return as_points(rows) if rows else as_points([[0.0] * len(study.objectives)])[:0]


def ranked(study: StudyRecord, trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials of whose objectives every value is known."""
    return [trial for trial in trials if not any(map(math.isnan, objective_values(study, trial)))]


def front_trials(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the complete trials that no other dominates, from the best of the last objective to the worst.

    One with a value that nobody knows, as where its measurements are lost, has no rank; and what stands outside of the
    space or of the constraints as they are now answers another question.
    """
    complete = complete_trials(ranked(study, trials))
    values = minimised_values(study, complete)
    kept = [
        (tuple(reversed(row)), trial)
        for row, trial, best in zip(values.tolist(), complete, front(values), strict=True)
        if best
    ]
    return [trial for _, trial in sorted(kept, key=lambda pair: (pair[0], pair[1].number))]


def run_front(study: StudyRecord, trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the front by the trials' own trainings alone: theirs are the weights that were kept."""
    of = {trial.number: trial for trial in trials}
    return [of[each.number] for each in front_trials(study, [trial.at(*trial.measurements) for trial in trials])]


def front_hypervolume(study: StudyRecord, trials: Sequence[TrialRecord]) -> float:
    """Return the share of the objective space that the complete trials dominate, in [0, 1]."""
    complete = complete_trials(trials)
    rows = [
        [
            study.objective(name).share(value, classes=study.classes, bounds=study.bounds.get(name))
            for name, value in zip(study.objectives, objective_values(study, trial), strict=True)
        ]
        for trial in complete
    ]
    return hypervolume(as_points(rows), [1.0] * len(study.objectives)) if rows else 0.0
