"""A recipe that is searched beside the network: each trial is trained with its own, whatever is killed meanwhile."""

from pathlib import Path

import pytest
import torch

from search.config.study import load
from search.core.records import State, TrialRecord
from tests.end_to_end.conftest import Folder, wait_until
from tests.end_to_end.invariants import check_whole, read
from tests.end_to_end.test_kill import epochs_recorded
from workers.checkpoint import read_state
from workers.datasets import load as load_data
from workers.device import use_threads
from workers.numerics import Numerics
from workers.places import LocalFolder
from workers.trainer import TrialSpec, train

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

RATES = (0.02, 0.2)
EPOCHS = 12


def specs_in(folder: Path) -> dict[int, TrialSpec]:
    """Return what the checkpoints of a study are of."""
    found = {}
    for path in folder.glob("runs/small-*/[0-9]*.pt"):
        state = read_state(LocalFolder(path.parent), path.name)
        if state is not None and path.stem.isdigit():
            found[int(path.stem)] = TrialSpec.from_json(state["spec"])
    return found


@pytest.mark.very_slow
def test_two_rates_of_one_network_are_two_trials_and_a_killed_one_goes_on_with_its_own(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"block": "basic", "depth": 2}
    folder.write(
        data="digits",
        space={"block": {"choice": ["basic", "preact"]}, "depth": {"int": [1, 2]}, "widening_factor": 1},
        recipe={"learning_rate": {"float": [0.01, 0.4], "log": True}},
        start=[{**values, "learning_rate": rate} for rate in RATES],
        scheduler={"name": "fifo", "max_epochs": EPOCHS},
        budget={"trials": 2},
    )
    driver = folder.start("--no-report")
    wait_until(lambda: epochs_recorded(folder) >= 3)
    driver.kill()
    driver.wait(240)
    _, killed = read(folder.url)
    assert any(0 < trial.epochs < EPOCHS for trial in killed)
    held = specs_in(folder.path)
    assert held
    assert all(spec.recipe.learning_rate == RATES[number] for number, spec in held.items())

    folder.launch("--no-report")
    check_whole(folder.url, trials=2)
    _, trials = read(folder.url)
    assert [trial.params["learning_rate"] for trial in trials] == list(RATES)
    assert trials[0].digest == trials[1].digest
    assert all(trial.state is State.COMPLETE for trial in trials)

    monkeypatch.chdir(folder.path)
    config, named = load(folder.path / "space.yaml"), numerics_of(folder)
    for trial in trials:
        spec = TrialSpec(
            architecture=trial.architecture, recipe=config.recipe_of(trial.params), data=config.data_spec,
            seed=trial.seed,
        )  # fmt: skip
        assert spec.recipe.learning_rate == trial.params["learning_rate"]
        check_same(trial, spec, named)


def numerics_of(folder: Folder) -> Numerics:
    """Return what the study's trials trained in on this machine."""
    from search.storage.store import Store

    with Store.open(folder.url, create=False) as store:
        return Numerics.named(store.hosts("small")[0].numerics)


def check_same(trial: TrialRecord, spec: TrialSpec, named: Numerics) -> None:
    """Check that a trial was trained as its specification says: to the bit, by the same processor."""
    before = torch.get_num_threads()
    use_threads(1)
    try:
        alone = list(train(spec, load_data(spec.data), pick=lambda _before: named))
    finally:
        torch.set_num_threads(before)
    assert [each.metrics["train_loss"] for each in alone] == [each.metrics["train_loss"] for each in trial.measurements]
