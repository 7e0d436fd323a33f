"""Trainings that are packed come to what they come to alone, within a bound, and leave each other alone."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from spaces.errors import InputError, TrialFailure
from tests.workers.test_trainer import SMALL, spec, toy
from workers.augment import Augment
from workers.checkpoint import load
from workers.measurement import Measurement
from workers.numerics import Numerics
from workers.packs import News, PackTrainer, train_pack
from workers.trainer import Trainer, TrialSpec, train

pytestmark = pytest.mark.usefixtures("one_thread")

# Of weights after an epoch: nearly all differ in their last bit. A sum that is 0 but for its last bit has another sign,
# so a ReLU lets through what it else would not, which moves some weights by more.
MEDIAN, MOST = 1e-6, 2e-3
DROPS = replace(SMALL, dropout="between", dropout_rate=0.3)
MOVES = Augment(crop=1, flip=True, cutout=2)


def specs(architecture: Architecture = SMALL, count: int = 3, **recipe: Any) -> list[TrialSpec]:
    return [spec(architecture, seed=seed, **recipe) for seed in range(count)]


def packed(given: list[TrialSpec], *paths: Path, **how: Any) -> list[list[News]]:
    """Return what is told of each member."""
    found: list[list[News]] = [[] for _ in given]
    places = paths or [None] * len(given)
    for place, news in train_pack(given, toy(how=MOVES), checkpoint_paths=places, **how):
        found[place].append(news)
    return found


def alone(given: TrialSpec) -> list[Measurement]:
    return list(train(given, toy(how=MOVES)))


def check_alike(found: list[News], expected: list[Measurement], within: float = 2e-3) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Measurement)
        assert one.epoch == other.epoch
        assert one.metrics["train_loss"] == pytest.approx(other.metrics["train_loss"], abs=within)
        assert one.metrics["loss"] == pytest.approx(other.metrics["loss"], abs=within)
        assert one.metrics["accuracy"] == pytest.approx(other.metrics["accuracy"], abs=1 / 40 + 1e-9)  # of 40 images


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("architecture", [SMALL, DROPS], ids=["plain", "dropout"])
def test_weights_after_an_epoch_are_those_of_a_training_alone(architecture: Architecture, optimizer: str) -> None:
    rate = 0.1 if optimizer == "sgd" else 0.002
    data, given = toy(how=MOVES), specs(architecture, optimizer=optimizer, learning_rate=rate)
    members, expected = ([Trainer(each, data) for each in given] for _ in range(2))
    found = PackTrainer(members).run_epoch()
    for member, news, other in zip(members, found, expected, strict=True):
        measured = other.run_epoch()
        assert isinstance(news, Measurement)
        assert news.metrics.keys() == measured.metrics.keys()
        assert news.metrics["loss"] == pytest.approx(measured.metrics["loss"], abs=1e-4)
        pairs = [(member.network.get_parameter(name), held) for name, held in other.network.named_parameters()]
        differences = torch.cat([(one - held).detach().abs().flatten() for one, held in pairs])
        assert differences.median() <= MEDIAN
        assert differences.max() <= MOST


@pytest.mark.parametrize(
    "recipe",
    [
        {"balance": "weights"},
        {"balance": "sampling", "label_smoothing": 0.0},
        {"optimizer": "adamw", "learning_rate": 0.002},
        {"memory_format": "channels_first", "schedule": "linear"},
        {"monte_carlo": 3},
    ],
    ids=str,
)
def test_every_recipe_comes_to_what_it_comes_to_alone(recipe: dict[str, Any]) -> None:
    given = specs(DROPS, 2, **recipe)
    for found, each in zip(packed(given), given, strict=True):
        check_alike(found, alone(each))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_members_may_have_learning_rates_and_dropout_of_their_own(optimizer: str) -> None:
    given = [
        spec(replace(DROPS, dropout_rate=drop), seed=5, learning_rate=rate, optimizer=optimizer)
        for drop, rate in ((0.1, 0.004), (0.3, 0.004), (0.3, 0.001))
    ]
    for found, each in zip(packed(given), given, strict=True):
        check_alike(found, alone(each))


def test_a_member_that_is_not_finite_leaves_the_others_as_they_are() -> None:
    given = specs()
    given[1] = replace(given[1], recipe=replace(given[1].recipe, learning_rate=1e30))
    found = packed(given)
    (failure,) = found[1]
    assert isinstance(failure, TrialFailure)
    assert failure.kind == "not-finite"
    for place in (0, 2):
        check_alike(found[place], alone(given[place]))


def test_a_member_that_nobody_wants_any_more_leaves() -> None:
    given, left = specs(), set[int]()
    found: list[list[News]] = [[] for _ in given]
    for place, news in train_pack(given, toy(how=MOVES), checkpoint_paths=[None] * 3, left=left):
        found[place].append(news)
        left.add(1)
    assert [len(each) for each in found] == [3, 1, 3]
    for place in (0, 2):
        check_alike(found[place], alone(given[place]))


def test_seconds_are_shared_out_and_it_is_told_with_how_many() -> None:
    (found, *_) = packed(specs())
    assert all(isinstance(each, Measurement) and each.together == 3 for each in found)
    assert [Measurement.from_json(each.to_json()).together for each in found if isinstance(each, Measurement)] == [
        3
    ] * 3
    assert Measurement.from_json(alone(specs()[0])[0].to_json()).together == 1


# Checkpoints


def paths_in(folder: Path) -> list[Path]:
    return [folder / f"{place}.pt" for place in range(3)]


def begun(given: list[TrialSpec], paths: list[Path]) -> Iterator[tuple[int, News]]:
    return train_pack(given, toy(how=MOVES), checkpoint_paths=paths)


def test_a_checkpoint_of_a_member_is_that_of_a_training_alone(tmp_path: Path) -> None:
    given, paths = specs(), paths_in(tmp_path)
    list(islice(begun(given, paths), 4))  # all of the first epoch, and one of the second
    for each, path in zip(given, paths, strict=True):
        state, own = load(path), Trainer(each, toy())
        own.run_epoch()
        assert state is not None
        assert state.keys() == own.state().keys()
        expected = own.state()
        assert state["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]
        assert state["optimizer"]["state"].keys() == expected["optimizer"]["state"].keys()
        assert sum(held.untyped_storage().nbytes() for held in state["network"].values()) == sum(
            held.untyped_storage().nbytes() for held in expected["network"].values()
        )
        check_alike(list(train(each, toy(how=MOVES), checkpoint_path=path)), alone(each))  # goes on alone


def test_a_pack_goes_on_from_checkpoints_that_are_epochs_apart(tmp_path: Path) -> None:
    given, paths = specs(), paths_in(tmp_path)
    list(islice(begun(given, paths), 4))
    paths[1].unlink()
    (tmp_path / "1.before.pt").rename(paths[1])  # it was killed between two files
    held: dict[int, int] = {}
    found = packed(given, *paths, taken_up=lambda place, epochs, _why: held.update({place: epochs}))
    assert held == {0: 2, 1: 1, 2: 2}
    assert [each.together for each in found[1] if isinstance(each, Measurement)] == [3, 1, 3]
    for place, each in enumerate(given):
        check_alike(found[place], alone(each))


def test_members_of_machines_that_compute_otherwise_go_on_as_they_were_trained(tmp_path: Path) -> None:
    given, paths = specs(epochs=2), [tmp_path / f"{seed}.pt" for seed in range(3)]
    how = dict(enumerate(("float32 channels_last", "float32 channels_first", "float32 channels_last")))
    for seed, path in enumerate(paths):
        named = Numerics.named(how[seed])
        training = train(given[seed], toy(how=MOVES), checkpoint_path=path, pick=lambda _before, named=named: named)
        next(training)
        training.close()
    found = packed(given, *paths, pick=lambda before: Numerics.named(before or "float32 channels_last"))
    assert [[news.together for news in told if isinstance(news, Measurement)] for told in found] == [
        [1, 2],
        [1, 1],
        [1, 2],
    ]
    for seed, path in enumerate(paths):
        state = load(path)
        assert state is not None
        assert (len(state["history"]), state["numerics"]) == (2, how[seed])


def test_members_that_are_done_are_told_again_and_not_trained(tmp_path: Path) -> None:
    given, paths = specs(), paths_in(tmp_path)
    whole = packed(given, *paths)
    again = packed(given, *paths)
    assert again == whole


# Refusals


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (spec(replace(SMALL, widths=(8, 24))), "architecture"),
        (spec(DROPS), "architecture"),
        (spec(batch_size=16), "recipe"),
        (replace(spec(), measures=("latency_ms",)), "measures"),
    ],
)
def test_what_is_not_alike_is_not_trained_together(other: TrialSpec, what: str) -> None:
    with pytest.raises(InputError, match=f"these differ in their {what}"):
        next(train_pack([spec(), other], toy(), checkpoint_paths=[None, None]))
