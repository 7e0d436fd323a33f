"""Say what a worker trains: the specification that tells one training from another."""

from search.core.records import StudyRecord, TrialRecord
from workers.objectives import to_measure
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.tasks import CLASSIFICATION
from workers.trainer import TrialSpec


def spec_of(study: StudyRecord, trial: TrialRecord, recipe: Recipe, data: DataSpec) -> TrialSpec:
    """Return what a worker is given of a trial.

    Args:
        study: whose trial it is.
        trial: or a replicate that is looked at as one.
        recipe: of the study; what the trial has chosen of it takes its place.
        data: the images, and how they are split.
    """
    return TrialSpec(
        architecture=trial.architecture,
        recipe=recipe.chosen(trial.params),
        data=data,
        seed=trial.seed,
        measures=to_measure(study.objectives, CLASSIFICATION.always),
        fingerprint=study.fingerprint,
        packages=study.needed,
    )
