"""The weights of a trial are its newest whole checkpoint's, and where there are none one line says why."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.core.records import Replicate, State, TrialRecord
from search.study.weights import Weights, pick, read
from spaces.errors import InputError, StudyError
from tests import factories
from workers import checkpoint
from workers.places import LocalFolder
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec

STUDY = factories.study()
FULL = tuple(0.1 * epoch for epoch in range(1, 10))
TRIALS = (
    factories.complete(0, (*FULL[:8], 0.9), macs=9000),
    factories.complete(1, (*FULL[:8], 0.5), macs=9500),  # dominated
    factories.complete(2, (*FULL[:8], 0.8), macs=2000),
    factories.trial(3, (0.3,), state=State.STOPPED),
    factories.trial(4, (0.3,), state=State.FAILED),
    factories.trial(5, (0.3, 0.4)),
)


def state_of(trial: TrialRecord, *, epochs: int = 9, **changes: Any) -> dict[str, Any]:
    """Return what a checkpoint holds of a trial; the weights do not matter here."""
    spec = TrialSpec(
        architecture=trial.architecture, recipe=Recipe(), data=DataSpec(name="digits"), seed=trial.seed
    )  # fmt: skip
    history = [factories.measurement(epoch).to_json() for epoch in range(1, epochs + 1)]
    return {"spec": spec.to_json(), "history": history, "network": {}, **changes}


def saved(folder: Path, name: str, state: dict[str, Any]) -> None:
    checkpoint.save(folder / name, state)


def weights(folder: Path, number: int, trials: Sequence[TrialRecord] = TRIALS) -> Weights:
    return read(STUDY, trials, trials[number], LocalFolder(folder))


def refusal(folder: Path, number: int) -> str:
    with pytest.raises(InputError) as refused:
        weights(folder, number)
    assert refused.value.place == "--trial"
    assert refused.value.message.endswith(f" (in {folder})")
    return refused.value.message.removesuffix(f" (in {folder})")


def test_they_are_of_the_newest_checkpoint(tmp_path: Path) -> None:
    for epochs in (8, 9):
        saved(tmp_path, "0.pt", state_of(TRIALS[0], epochs=epochs))
    found = weights(tmp_path, 0)
    assert (found.epochs, found.last.epoch, found.warning) == (9, 9, "")
    assert found.spec.architecture == TRIALS[0].architecture


def test_where_the_newest_is_damaged_they_are_of_the_one_before_and_it_is_said(tmp_path: Path) -> None:
    for epochs in (8, 9):
        saved(tmp_path, "0.pt", state_of(TRIALS[0], epochs=epochs))
    (tmp_path / "0.pt").write_bytes(b"torn")
    found = weights(tmp_path, 0)
    assert found.epochs == 8
    assert found.warning == "0.pt is damaged; the checkpoint before it is taken"
    (tmp_path / "0.before.pt").unlink()
    assert refusal(tmp_path, 0) == "0.pt is damaged"


def test_a_running_trial_has_what_its_checkpoint_holds(tmp_path: Path) -> None:
    saved(tmp_path, "5.pt", state_of(TRIALS[5], epochs=2))
    assert weights(tmp_path, 5).epochs == 2


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "the weights of trial 0 are gone, though it is on the front"),
        (1, "trial 1 is complete and not on the front; only the front's weights are kept, which are 2, 0"),
        (3, "trial 3 is stopped after 1 epoch; only the front's weights are kept, which are 2, 0"),
        (4, "trial 4 is failed after 1 epoch; only the front's weights are kept, which are 2, 0"),
        (5, "trial 5 is running and has no checkpoint yet"),
    ],
)
def test_why_there_are_none_is_one_line(tmp_path: Path, number: int, said: str) -> None:
    assert refusal(tmp_path, number) == said


def test_what_went_for_the_limit_is_said(tmp_path: Path) -> None:
    (tmp_path / "0.over-limit").touch()
    assert refusal(tmp_path, 0) == "the weights of trial 0 were removed as checkpoints.limit was reached"


def test_a_folder_that_is_not_here_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^--checkpoints: there is no .*/elsewhere here; name the folder"):
        weights(tmp_path / "elsewhere", 0)


def test_a_folder_that_cannot_be_reached_is_no_fault_of_whoever_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_self: LocalFolder) -> dict[str, int]:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(LocalFolder, "sizes", stale)
    with pytest.raises(StudyError, match="cannot be reached: Stale file handle"):
        weights(tmp_path, 0)


@pytest.mark.parametrize("change", [{"architecture": replace(TRIALS[1].architecture, block="preact")}, {"seed": 77}])
def test_weights_of_another_training_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    spec = replace(TrialSpec.from_json(state_of(TRIALS[0])["spec"]), **change)
    saved(tmp_path, "0.pt", state_of(TRIALS[0], spec=spec.to_json()))
    with pytest.raises(InputError, match=r"0\.pt is of another training than trial 0 of this study"):
        weights(tmp_path, 0)


@pytest.mark.parametrize("changes", [{"spec": {}}, {"spec": 3}, {"spec": {"architecture": {"wings": 2}}}])
def test_what_this_version_cannot_read_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    saved(tmp_path, "0.pt", state_of(TRIALS[0], **changes))
    with pytest.raises(InputError, match=r"0\.pt is not a checkpoint of a trial that this version can read"):
        weights(tmp_path, 0)


@pytest.mark.parametrize(("number", "said"), [(None, "name a trial"), (9, "digits-front has no trial 9")])
def test_a_trial_that_is_not_named_or_not_there_is_asked_for(number: int | None, said: str) -> None:
    with pytest.raises(InputError) as refused:
        pick(STUDY, TRIALS, number)
    assert (refused.value.place, refused.value.message) == ("--trial", f"{said}; on the front are 2, 0")
    assert pick(STUDY, TRIALS, 3) is TRIALS[3]


def confirmed(folder: Path, *, complete: bool = True) -> TrialRecord:
    """Return trial 1, which is dominated and has no weights of its own, with a replicate that has some."""
    trial = TRIALS[1]
    replicate = Replicate(
        number=4, trial=1, seed=77, state=State.COMPLETE if complete else State.RUNNING,
        measurements=trial.measurements,
    )  # fmt: skip
    saved(folder / "seeds", "4.pt", state_of(replace(trial, seed=77)))
    return replace(trial, replicates=(replicate,))


def test_where_it_has_none_of_its_own_a_seed_of_its_network_has_some(tmp_path: Path) -> None:
    trial = confirmed(tmp_path)
    found = weights(tmp_path, 1, [TRIALS[0], trial])
    assert found.spec.seed == 77
    assert found.warning == "trial 1 has no weights of its own; those of seed 77 are taken"
    saved(tmp_path, "1.pt", state_of(trial))
    assert weights(tmp_path, 1, [TRIALS[0], trial]).spec.seed == trial.seed  # its own come first


def test_a_seed_that_still_trains_has_no_weights_to_give(tmp_path: Path) -> None:
    trial = confirmed(tmp_path, complete=False)
    with pytest.raises(InputError, match="trial 1 is complete and not on the front"):
        weights(tmp_path, 1, [TRIALS[0], trial])
