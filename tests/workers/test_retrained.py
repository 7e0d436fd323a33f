"""What is trained for an analysis goes on where it was broken off, and what is taken out stays out of it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spaces.architecture import plan
from spaces.network import Network
from tests.workers.test_lesions import data as data  # a fixture
from tests.workers.test_lesions import trainer
from workers.datasets import Dataset
from workers.lesions import lesions
from workers.parts import Part, bases
from workers.retrained import Course
from workers.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def whole(data: Dataset) -> Trainer:  # the fixture
    made, _ = trainer(data, depths=(1, 1, 1))
    return made


def deep(made: Trainer) -> Sequence[Part]:
    assert isinstance(made.network, Network)
    return [each for each in bases(made.network, plan(made.spec.architecture)) if each.what == "deep"]


def test_a_training_that_is_broken_off_goes_on_and_is_trained_once(whole: Trainer, tmp_path: Path) -> None:
    spec = replace(whole.spec, recipe=replace(whole.spec.recipe, epochs=3))
    told = list[int]()

    def tell(_what: str, done: int, _of: int) -> None:
        told.append(done)
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Course(folder=tmp_path, tell=tell).trained(spec, whole, "deep", deep):
        pass
    with Course(folder=tmp_path, tell=tell).trained(spec, whole, "deep", deep) as after:
        found = {name: each.clone() for name, each in after.network.state_dict().items()}
    assert told == [0, 1, 1, 2, 3]
    with Course().trained(spec, whole, "deep", deep) as unbroken:
        assert all(torch.equal(each, found[name]) for name, each in unbroken.network.state_dict().items())
    with Course(folder=tmp_path, tell=tell).trained(spec, whole, "deep", deep):
        assert told[5:] == [3]
    assert len(list(tmp_path.iterdir())) == 1


def test_shortcuts_that_are_out_learn_nothing(whole: Trainer) -> None:
    spec = replace(whole.spec, recipe=replace(whole.spec.recipe, weight_decay=0.0))
    fresh = Trainer(spec, whole.data).network.state_dict()
    with Course().trained(spec, whole, "deep", deep) as trained:
        learned = [name for name, each in trained.network.named_parameters() if not torch.equal(each, fresh[name])]
    assert learned
    assert [name for name in learned if ".shortcut." in name] == []


def test_a_part_that_is_trained_so_stands_behind_the_one_that_is_tested(whole: Trainer) -> None:
    rows = list(lesions(whole, plan(whole.spec.architecture), train=True))[-4:]
    assert [(row["what"], row.get("trained", False)) for row in rows] == [
        ("shallow", False), ("shallow", True), ("deep", False), ("deep", True),
    ]  # fmt: skip
    assert all(row["error"] is not None for row in rows)


def test_a_training_that_fails_is_a_row_that_says_so(whole: Trainer) -> None:
    whole_spec = whole.spec
    try:
        whole.spec = replace(whole_spec, recipe=replace(whole_spec.recipe, learning_rate=1e30))
        rows = list(lesions(whole, plan(whole_spec.architecture), train=True))
    finally:
        whole.spec = whole_spec
    assert {row["note"].partition(":")[0] for row in rows if row.get("trained")} == {"was not trained"}
