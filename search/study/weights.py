"""Read the weights of one trial, or say in one line why there are none to be had."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from search.core.fronts import front_trials
from search.core.records import State, StudyRecord, TrialRecord
from search.core.units import format_number_of
from search.study.checkpoints import before, newest, over_limit, seeds_folder
from spaces.errors import InputError, StudyError
from workers.checkpoint import read_state
from workers.measurement import Measurement
from workers.places import Folder, join
from workers.trainer import TrialSpec

PLACE = "--trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What the checkpoint of a trial holds."""

    spec: TrialSpec
    state: dict[str, Any]
    address: str  # of the checkpoint that holds them: a path or URL
    warning: str = ""  # one line

    @property
    def last(self) -> Measurement:
        """Return what the last of their epochs showed."""
        return Measurement.from_json(self.state["history"][-1])

    @property
    def epochs(self) -> int:
        """Return how many epochs they were trained."""
        return len(self.state["history"])


def pick(study: StudyRecord, trials: Sequence[TrialRecord], number: int | None) -> TrialRecord:
    """Return the trial of a number.

    Raises:
        InputError: there is none, or none was named.
    """
    found = next((trial for trial in trials if trial.number == number), None)
    if found is not None:
        return found
    front = f"on the front are {_numbers(front_trials(study, trials)) or 'none yet'}"
    wrong = "name a trial" if number is None else f"{study.name} has no trial {number}"
    raise InputError(f"{wrong}; {front}", place=PLACE)


def read(study: StudyRecord, trials: Sequence[TrialRecord], trial: TrialRecord, folder: Folder) -> Weights:
    """Return the weights of a trial: of its newest checkpoint, or where that is damaged of the one before.

    Where it has none, those of another seed of its network are taken, if it was confirmed.

    Raises:
        InputError: there are none, or they are damaged or of another training.
        StudyError: the folder cannot be reached.
    """
    try:
        if not folder.exists():
            raise InputError(f"there is no {folder} here; name the folder that holds the study's weights now",
                             place="--checkpoints")  # fmt: skip
        names = folder.sizes()
        present = [name for name in (newest(trial.number), before(trial.number)) if name in names]
        states = ((name, read_state(folder, name)) for name in present)
        name, state = next(((name, state) for name, state in states if state is not None), ("", None))
    except OSError as error:
        raise StudyError(f"{folder} cannot be reached: {error.strerror or error}") from error
    if state is None and (of_seed := _of_a_seed(trial, folder)) is not None:
        return of_seed
    if state is None:
        why = f"{present[0]} is damaged" if present else _why_none(study, trials, trial, names)
        raise InputError(f"{why} (in {folder})", place=PLACE)
    warning = f"{present[0]} is damaged; the checkpoint before it is taken" if name != present[0] else ""
    return Weights(spec=_spec(trial, state, name), state=state, address=join(str(folder), name), warning=warning)


def _of_a_seed(trial: TrialRecord, folder: Folder) -> Weights | None:
    """Return the weights of a replicate that was trained in full, if there are any."""
    seeds = seeds_folder(folder)
    for each in (each for each in trial.replicates if each.complete and each.fold is None):
        state = read_state(seeds, newest(each.number))
        if state is not None:
            name, own = newest(each.number), replace(trial, seed=each.seed)
            warning = f"trial {trial.number} has no weights of its own; those of seed {each.seed} are taken"
            spec, address = _spec(own, state, name), join(str(seeds), name)
            return Weights(spec=spec, state=state, address=address, warning=warning)
    return None


def _spec(trial: TrialRecord, state: dict[str, Any], name: str) -> TrialSpec:
    try:
        spec = TrialSpec.from_json(state["spec"])
        same = (spec.architecture.digest, spec.seed) == (trial.digest, trial.seed) and bool(state["history"])
        same = same and spec.recipe.chosen(trial.params) == spec.recipe
    except (KeyError, TypeError, InputError) as error:
        raise InputError(f"{name} is not a checkpoint of a trial that this version can read", place=PLACE) from error
    if not same:
        raise InputError(f"{name} is of another training than trial {trial.number} of this study", place=PLACE)
    return spec


def _why_none(study: StudyRecord, trials: Sequence[TrialRecord], trial: TrialRecord, names: dict[str, int]) -> str:
    """Return why a trial has no checkpoint."""
    front = front_trials(study, trials)
    if over_limit(trial.number) in names:
        return f"the weights of trial {trial.number} were removed as checkpoints.limit was reached"
    if trial in front:
        return f"the weights of trial {trial.number} are gone, though it is on the front"
    if trial.state is State.RUNNING:
        return f"trial {trial.number} is running and has no checkpoint yet"
    how = "complete and not on the front" if trial.state is State.COMPLETE else (
        f"{trial.state} after {format_number_of('epoch', trial.epochs)}")  # fmt: skip
    kept = f"only the front's weights are kept, which are {_numbers(front) or 'none yet'}"
    return f"trial {trial.number} is {how}; {kept}"


def _numbers(trials: Sequence[TrialRecord]) -> str:
    return ", ".join(str(trial.number) for trial in trials)
