"""A trial is a function of its specification and its data, however often it is interrupted, and says what is true."""

import hashlib
import io
import json
import lzma
import math
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.counting import cost
from spaces.errors import TrialFailure
from spaces.network import monte_carlo
from tests.workers.counted import counted, transfers, waits
from workers import checkpoint, datasets, trainer
from workers.augment import Augment
from workers.datasets import Dataset
from workers.measurement import Measurement
from workers.preprocess import Preprocess
from workers.recipe import OPTIMIZERS, SCHEDULES, Recipe
from workers.sources import DATASETS, DataSpec
from workers.trainer import Trainer, TrialSpec, learning_rate, train

DIGITS = DataSpec(name="digits")
SMALL = Architecture(depths=(1, 1), widths=(8, 16), stem_width=8)


pytestmark = pytest.mark.usefixtures("one_thread")


def toy(count: int = 96, *, seed: int = 0, classes: int = 4, how: Augment | None = None) -> Dataset:
    """Return images of 8x8 in two channels, whose class is a pattern under noise: an epoch takes milliseconds."""
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randint(40, 216, (classes, 2, 8, 8), generator=torch.Generator().manual_seed(99))

    def part(images: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(classes, (images,), generator=generator)
        noise = torch.randint(-40, 40, (images, 2, 8, 8), generator=generator)
        return (patterns[labels] + noise).to(torch.uint8), labels

    (images, labels), (val_images, val_labels) = part(count), part(40)
    pixels = images / 255
    return Dataset(
        name="toy",
        train_images=images,
        train_labels=labels,
        val_images=val_images,
        val_labels=val_labels,
        mean=pixels.mean(dim=(0, 2, 3)),
        std=pixels.std(dim=(0, 2, 3)),
        class_names=tuple("abcdefgh"[:classes]),
        augment=how or Augment(),
    )


def uneven() -> Dataset:
    """Return the toy's images with classes of 72, 12, 8 and 4."""
    labels = torch.tensor([0] * 72 + [1] * 12 + [2] * 8 + [3] * 4)
    return replace(toy(), train_labels=labels)


def spec(architecture: Architecture = SMALL, *, seed: int = 0, **recipe: Any) -> TrialSpec:
    usual = {"epochs": 3, "batch_size": 32, "precision": "float32"}
    return TrialSpec(architecture=architecture, recipe=Recipe(**{**usual, **recipe}), data=DIGITS, seed=seed)


def shown(measurements: list[Measurement]) -> list[tuple[int, float, float, float]]:
    """Return what of measurements does not hang on the machine's speed and size."""
    return [(each.epoch, *learned(each)) for each in measurements]


def learned(measurement: Measurement) -> tuple[float, float, float]:
    return measurement.metrics["accuracy"], measurement.metrics["loss"], measurement.metrics["train_loss"]


def each_of(measurements: Sequence[Measurement], name: str) -> list[float]:
    return [each.metrics[name] for each in measurements]


def trained(given: TrialSpec, data: Dataset) -> Trainer:
    made = Trainer(given, data)
    for _ in range(given.recipe.epochs):
        made.run_epoch()
    return made


def same_state(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Say whether two checkpoints hold the same bits of weights, statistics and momenta."""
    assert one is not None
    assert other is not None
    pairs = [(one["network"][name], other["network"][name]) for name in one["network"] | other["network"]]
    assert (one["optimizer"] is None) == (other["optimizer"] is None)
    momenta = [(held["optimizer"] or {"state": {}})["state"] for held in (one, other)]
    assert momenta[0].keys() == momenta[1].keys()
    pairs += [(held, momenta[1][name][kind]) for name, kinds in momenta[0].items() for kind, held in kinds.items()]
    return len(pairs) > 20 and all(torch.equal(*pair) for pair in pairs)


# Measured where something is decided


def test_training_goes_the_same_way_whichever_epochs_are_measured(tmp_path: Path) -> None:
    given = spec(epochs=5)
    whole = list(train(given, toy(), checkpoint_path=tmp_path / "all.pt"))
    some = list(train(given, toy(), checkpoint_path=tmp_path / "some.pt", measured=[2]))
    assert [each.measured for each in some] == [False, True, False, False, True]
    assert each_of(some, "train_loss") == each_of(whole, "train_loss")
    assert [learned(some[place]) for place in (1, 4)] == [learned(whole[place]) for place in (1, 4)]
    assert set(some[0].metrics) == {"train_loss"}
    assert same_state(checkpoint.load(tmp_path / "some.pt"), checkpoint.load(tmp_path / "all.pt"))


def test_a_trial_goes_on_from_an_epoch_that_was_not_measured(tmp_path: Path) -> None:
    given = spec(epochs=4)
    whole = list(train(given, toy()))
    first = train(given, toy(), checkpoint_path=tmp_path / "cut.pt", measured=[1])
    assert [next(first).measured for _ in range(3)] == [True, False, False]
    first.close()
    again = list(train(given, toy(), checkpoint_path=tmp_path / "cut.pt"))  # from now on, everywhere
    assert [each.measured for each in again] == [True, False, False, True]
    assert learned(again[-1]) == learned(whole[-1])


# Interrupted and resumed


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_a_balanced_trial_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path, balance: str) -> None:
    given, data = spec(balance=balance, epochs=3), uneven()
    whole = list(train(given, data, checkpoint_path=tmp_path / "whole.pt"))
    first = train(given, data, checkpoint_path=tmp_path / "cut.pt")
    next(first)
    first.close()
    assert shown(list(train(given, data, checkpoint_path=tmp_path / "cut.pt"))) == shown(whole)
    assert same_state(checkpoint.load(tmp_path / "cut.pt"), checkpoint.load(tmp_path / "whole.pt"))


def test_balancing_changes_what_is_trained_and_leaves_the_measured_images_as_they_are() -> None:
    made = {each: Trainer(spec(balance=each, epochs=1), uneven()) for each in ("none", "weights", "sampling")}
    losses = {each: trainer.run_epoch().metrics["train_loss"] for each, trainer in made.items()}
    assert len(set(losses.values())) == 3
    assert {trainer.evaluation.count for trainer in made.values() if trainer.evaluation} == {40}


def test_weights_of_equal_classes_train_what_none_do() -> None:
    data = toy()
    alike = replace(data, train_labels=torch.arange(96) % 4)
    none, weighed = (Trainer(spec(balance=each, epochs=1), alike).run_epoch() for each in ("none", "weights"))
    assert none.metrics["train_loss"] == pytest.approx(weighed.metrics["train_loss"], rel=1e-5)


def test_a_checkpoint_of_before_classes_could_be_balanced_is_of_none() -> None:
    before = spec().to_json()
    del before["recipe"]["balance"]
    assert trainer.is_of(spec(), {"spec": before})
    assert not trainer.is_of(spec(balance="weights"), {"spec": before})
    assert not trainer.is_of(spec(balance="weights"), {"spec": spec(balance="sampling").to_json()})


INTERRUPTED = [
    *((precision, "between", epochs) for precision in ("float32", "bfloat16") for epochs in (0, 1, 2, 3)),
    *(("float32", dropout, 2) for dropout in ("none", "after", "shortcut", "head")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "dropout", "epochs_before"), INTERRUPTED)
def test_a_trial_interrupted_after_any_epoch_ends_as_if_it_had_not_been(
    tmp_path: Path, precision: str, dropout: str, epochs_before: int
) -> None:
    architecture = replace(SMALL, block="preact", dropout=dropout, dropout_rate=0.4)
    given = spec(architecture, precision=precision)
    data = toy(how=Augment(crop=2, flip=True, cutout=2))
    whole = list(train(given, data, checkpoint_path=tmp_path / "whole.pt"))

    first = train(given, data, checkpoint_path=tmp_path / "cut.pt")
    before = [next(first) for _ in range(epochs_before)]
    first.close()
    resumed = list(train(given, data, checkpoint_path=tmp_path / "cut.pt"))

    assert resumed[:epochs_before] == before  # to the last bit, times included
    assert shown(resumed) == shown(whole)
    for ending in ("pt", "before.pt"):  # the one before holds momenta too
        assert same_state(checkpoint.load(tmp_path / f"cut.{ending}"), checkpoint.load(tmp_path / f"whole.{ending}"))


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [2, 3])
def test_with_a_torn_newest_training_goes_on_exactly_from_the_one_before(tmp_path: Path, epoch: int) -> None:
    given = spec(replace(SMALL, block="preact", dropout="between", dropout_rate=0.4))
    data = toy(how=Augment(crop=2, flip=True, cutout=2))
    whole = list(train(given, data, checkpoint_path=tmp_path / "whole.pt"))
    first = train(given, data, checkpoint_path=tmp_path / "cut.pt")
    before = [next(first) for _ in range(epoch)]
    torn = (tmp_path / "cut.pt").read_bytes()[:-100]
    (tmp_path / "cut.pt").write_bytes(torn)
    resumed = list(train(given, data, checkpoint_path=tmp_path / "cut.pt"))
    assert resumed[: epoch - 1] == before[: epoch - 1]  # to the last bit, times included
    assert shown(resumed) == shown(whole)
    assert same_state(checkpoint.load(tmp_path / "cut.pt"), checkpoint.load(tmp_path / "whole.pt"))


def test_at_full_fidelity_half_of_a_checkpoint_is_left_out(tmp_path: Path) -> None:
    *_, last = train(spec(), toy(), checkpoint_path=tmp_path / "7.pt")
    newest, before = checkpoint.load(tmp_path / "7.pt"), checkpoint.load(tmp_path / "7.before.pt")
    assert newest is not None
    assert before is not None
    assert (newest["optimizer"], newest["history"][-1]) == (None, last.to_json())
    assert before["optimizer"]["state"]
    assert (tmp_path / "7.pt").stat().st_size < 0.7 * (tmp_path / "7.before.pt").stat().st_size


def test_a_trial_goes_on_behind_a_url(tmp_path: Path) -> None:
    address = f"memory://{tmp_path.name}/runs/7.pt"
    first = train(spec(), toy(), checkpoint_path=address)
    before = [next(first), next(first)]
    first.close()
    resumed = list(train(spec(), toy(), checkpoint_path=address))
    assert resumed[:2] == before
    assert shown(resumed) == shown(list(train(spec(), toy())))


def test_a_checkpoint_that_cannot_be_reached_does_not_begin_a_trial_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"))

    def fail(_self: object, _name: str) -> bytes:
        raise ConnectionError("no")

    with monkeypatch.context() as patched:
        patched.setattr("workers.places.LocalFolder.read", fail)
        with pytest.raises(ConnectionError):
            next(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"))
    assert len(list(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"))) == 3


def test_a_trial_can_be_interrupted_after_every_epoch(tmp_path: Path) -> None:
    given, data = spec(), toy(how=Augment(crop=1, flip=True))
    for epoch in (1, 2, 3):
        *_, last = (next(run) for run in [train(given, data, checkpoint_path=tmp_path / "7.pt")] for _ in range(epoch))
        assert last.epoch == epoch
    assert shown(list(train(given, data, checkpoint_path=tmp_path / "7.pt"))) == shown(list(train(given, data)))


def test_an_epoch_is_on_disk_before_it_is_told(tmp_path: Path) -> None:
    for measurement in train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"):
        held = checkpoint.load(tmp_path / "7.pt")
        assert held is not None
        assert held["history"][-1] == measurement.to_json()


def test_a_finished_trial_is_told_again_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"))
    monkeypatch.setattr(Trainer, "run_epoch", lambda _self: pytest.fail("it trained"))
    assert list(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt")) == whole


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(list(train(spec(), toy()))) == 3
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "other",
    [
        spec(seed=1),
        spec(learning_rate=0.05),
        spec(optimizer="adamw"),
        spec(crop=1),
        spec(schedule="linear"),
        spec(epochs=4),
        spec(replace(SMALL, block="preact")),
        replace(spec(), data=DataSpec(name="digits", split_seed=1)),
    ],
)
def test_the_checkpoint_of_another_trial_is_passed_over(tmp_path: Path, other: TrialSpec) -> None:
    next(train(other, toy(), checkpoint_path=tmp_path / "7.pt"))
    found = list(train(spec(), toy(), checkpoint_path=tmp_path / "7.pt"))
    assert shown(found) == shown(list(train(spec(), toy())))


@pytest.mark.parametrize("damage", ["torn", "empty", "garbage", "flipped"])
def test_with_a_damaged_checkpoint_training_begins_anew(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "7.pt"
    next(train(spec(), toy(), checkpoint_path=path))
    whole = path.read_bytes()
    flipped = whole[:-2000] + bytes([whole[-2000] ^ 1]) + whole[-1999:]
    path.write_bytes(
        {"torn": whole[: len(whole) // 2], "empty": b"", "garbage": b"\x80" * 999, "flipped": flipped}[damage]
    )
    assert shown(list(train(spec(), toy(), checkpoint_path=path))) == shown(list(train(spec(), toy())))


def test_a_specification_survives_json_and_pickle() -> None:
    given = replace(spec(), data=DataSpec(name="digits", augment=Augment(crop=1), validation=0.1))
    assert TrialSpec.from_json(json.loads(json.dumps(given.to_json()))) == given
    assert pickle.loads(pickle.dumps(given)) == given


GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "checkpoint.pt.xz"


def test_a_checkpoint_of_before_draws_were_an_epochs_goes_on(tmp_path: Path) -> None:
    """Two of three epochs, and what the third came to, are of the version that drew batch by batch."""
    (tmp_path / "0.pt").write_bytes(lzma.decompress(GOLDEN.read_bytes()))
    given = spec(replace(SMALL, widths=(2, 4), stem_width=2))
    _, second, third = train(given, toy(), checkpoint_path=tmp_path / "0.pt")
    assert second.metrics["loss"] == 1.307634449005127  # told again, and not trained again
    assert third.metrics["loss"] == pytest.approx(1.27678, rel=1e-3)
    assert third.metrics["train_loss"] == pytest.approx(1.29545, rel=1e-3)


def test_who_goes_on_draws_no_weights(tmp_path: Path) -> None:
    with counted() as begun:
        whole = list(train(spec(), toy(), checkpoint_path=tmp_path / "0.pt"))
    (tmp_path / "0.pt").unlink()  # the one before has two epochs
    with counted() as resumed:
        again = list(train(spec(), toy(), checkpoint_path=tmp_path / "0.pt"))
    assert shown(again) == shown(whole)
    assert (begun["normal_"], begun["uniform_"]) == (6, 1)  # convolutions, and the classifier, once
    assert (resumed["normal_"], resumed["uniform_"]) == (0, 0)


# Operations


def test_an_epoch_waits_for_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Trainer(spec(), toy(how=Augment(crop=1, flip=True)))
    read = transfers(monkeypatch)
    with counted() as seen:
        made.run_epoch()
    assert waits(seen) == 0
    assert read == [4]  # loss and gradient in training, loss and images told right


@pytest.mark.parametrize("architecture", [SMALL, replace(SMALL, block="preact")])
def test_a_step_in_bfloat16_casts_no_weight(architecture: Architecture) -> None:
    made = Trainer(spec(architecture, precision="bfloat16"), toy())
    assert made.casts
    with counted() as seen:
        made.run_epoch(measure=False)
    assert seen["_to_copy"] < made.steps * sum(p.ndim > 1 for p in made.network.parameters())


def test_an_epoch_that_is_not_measured_keeps_the_statistics_of_its_last_batches() -> None:
    still = {"learning_rate": 0.0, "epochs": 2}
    made, measured = Trainer(spec(**still), toy()), Trainer(spec(**still), toy())
    made.run_epoch(measure=False)
    measured.run_epoch()
    for one, other in zip(made.norms, measured.norms, strict=True):
        torch.testing.assert_close(one.running_mean, other.running_mean, rtol=0.05, atol=0.05)
        assert int(one.num_batches_tracked or 0) == 3
    assert {norm.track_running_stats for norm in made.norms} == {True}


# Randomness


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    data = toy(how=Augment(crop=1, flip=True))
    one, again, other = (trained(spec(seed=seed), data) for seed in (5, 5, 6))
    assert same_state(one.state(), again.state())
    assert shown(list(one.history)) == shown(list(again.history))
    assert not same_state(one.state(), other.state())


def test_seeds_that_differ_by_one_share_no_epoch() -> None:
    data = toy()
    data = replace(data, train_labels=torch.arange(96))  # so that labels tell which images were drawn
    chosen: dict[int, list[Tensor]] = {}
    for seed in (0, 1):
        made = Trainer(spec(seed=seed), data)
        chosen[seed] = []
        made._loss = lambda _images, labels, _network, seen=chosen[seed]: (seen.append(labels), torch.zeros(()))[1]  # type: ignore[method-assign,misc]
        for _ in range(3):
            made.run_epoch()
    orders = [tuple(torch.cat(chosen[seed][at : at + 3]).tolist()) for seed in (0, 1) for at in (0, 3, 6)]
    assert len(set(orders)) == 6
    assert all(sorted(order) == list(range(96)) for order in orders)


def test_training_leaves_torchs_own_randomness_as_it_was() -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    architecture = replace(SMALL, dropout="between", dropout_rate=0.3)
    list(train(spec(architecture), toy(how=Augment(crop=1, flip=True))))
    assert torch.equal(torch.get_rng_state(), before)


def test_torchs_own_randomness_does_not_change_a_trial() -> None:
    architecture = replace(SMALL, dropout="between", dropout_rate=0.3)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(shown(list(train(spec(architecture), toy()))))
    assert found[0] == found[1]


def test_trials_that_take_turns_in_one_process_do_not_disturb_each_other() -> None:
    architecture, data = replace(SMALL, dropout="after", dropout_rate=0.3), toy()
    alone = [shown(list(train(spec(architecture, seed=seed), data))) for seed in (0, 1)]
    turns = list(zip(*(train(spec(architecture, seed=seed), data) for seed in (0, 1)), strict=True))
    assert [shown([turn[index] for turn in turns]) for index in (0, 1)] == alone


# The recipe


def test_the_learning_rate_warms_up_peaks_and_comes_down_to_zero() -> None:
    recipe = Recipe(epochs=9, learning_rate=0.4, warmup_epochs=2)
    assert learning_rate(recipe, 0) == pytest.approx(0.04)
    assert learning_rate(recipe, 1) == pytest.approx(0.22)
    assert learning_rate(recipe, 2) == 0.4
    assert learning_rate(recipe, 5.5) == pytest.approx(0.2)
    assert learning_rate(recipe, 9) == pytest.approx(0, abs=1e-12)
    rates = [learning_rate(recipe, step / 50) for step in range(9 * 50 + 1)]
    assert all(one < other for one, other in pairwise(rates[:101]))
    assert all(one > other for one, other in pairwise(rates[100:]))


@pytest.mark.parametrize(("schedule", "rates"), [("linear", (0.4, 0.2, 0)), ("constant", (0.4, 0.4, 0.4))])
def test_other_schedules_begin_behind_the_same_warm_up(schedule: str, rates: tuple[float, ...]) -> None:
    recipe = Recipe(epochs=9, learning_rate=0.4, warmup_epochs=1, schedule=schedule)
    assert learning_rate(recipe, 0.5) == pytest.approx(0.22)
    assert [learning_rate(recipe, epochs) for epochs in (1, 5, 9)] == pytest.approx(rates)


def test_without_a_warm_up_the_learning_rate_begins_at_its_peak() -> None:
    recipe = Recipe(epochs=3, learning_rate=0.4, warmup_epochs=0)
    assert learning_rate(recipe, 0) == 0.4


def test_a_warm_up_takes_at_most_half_of_the_training() -> None:
    recipe = Recipe(epochs=1, learning_rate=0.4, warmup_epochs=5)
    assert learning_rate(recipe, 0.5) == 0.4
    assert learning_rate(recipe, 1) == pytest.approx(0, abs=1e-12)


def rates(made: Trainer) -> list[float]:
    """Return a list that fills with the rates of the steps to come."""
    used: list[float] = []
    step = made.optimizer.step
    made.optimizer.step = lambda rate: (used.append(rate), step(rate))[1]  # type: ignore[method-assign]
    return used


def test_the_learning_rate_reaches_the_optimizer_step_by_step() -> None:
    made = Trainer(spec(learning_rate=0.4), toy(96))
    used = rates(made)
    made.run_epoch()
    made.run_epoch()
    assert used == [learning_rate(made.spec.recipe, epoch + step / 3) for epoch in (0, 1) for step in range(3)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_whatever_steps_a_trial_goes_on_as_if_it_had_not_been_interrupted(
    tmp_path: Path, optimizer: str, schedule: str
) -> None:
    given = spec(optimizer=optimizer, schedule=schedule, learning_rate=0.01)
    whole = list(train(given, toy(), checkpoint_path=tmp_path / "whole.pt"))
    for _ in range(3):
        next(train(given, toy(), checkpoint_path=tmp_path / "cut.pt"))
        first = train(given, toy(), checkpoint_path=tmp_path / "cut.pt")
        told = len(checkpoint.load(tmp_path / "cut.pt")["history"])  # type: ignore[index]
        for _ in range(told):
            next(first)
        next(first, None)
        first.close()
    assert shown(list(train(given, toy(), checkpoint_path=tmp_path / "cut.pt"))) == shown(whole)
    for ending in ("pt", "before.pt"):
        assert same_state(checkpoint.load(tmp_path / f"cut.{ending}"), checkpoint.load(tmp_path / f"whole.{ending}"))


def test_adamw_learns() -> None:
    found = list(train(spec(optimizer="adamw", learning_rate=0.01, epochs=6), toy()))
    assert found[-1].metrics["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ({}, Augment(crop=2, flip=True, cutout=2)),
        ({"crop": 0}, Augment(flip=True, cutout=2)),
        ({"crop": 1, "cutout": 4}, Augment(crop=1, flip=True, cutout=4)),
    ],
)
def test_a_recipe_says_how_strongly_images_are_changed_or_the_data_do(said: dict[str, int], how: Augment) -> None:
    own = toy(how=Augment(crop=2, flip=True, cutout=2))
    assert shown(list(train(spec(**said), own))) == shown(list(train(spec(), toy(how=how))))


def test_images_are_changed_anew_in_every_epoch() -> None:
    losses = {}
    for how in (Augment(), Augment(crop=2, flip=True)):
        data = toy(how=how)
        data = replace(data, train_images=data.train_images[:1].repeat(96, 1, 1, 1))  # so that no order matters
        made = trained(
            spec(learning_rate=0, batch_size=96), replace(data, train_labels=data.train_labels[:1].repeat(96))
        )
        losses[how] = each_of(made.history, "train_loss")
    first, *others = losses[Augment()]
    assert others == [first] * 2
    assert len(set(losses[Augment(crop=2, flip=True)])) == 3


def test_smoothed_labels_are_trained_on_but_not_measured_on() -> None:
    smooth, sharp = (trained(spec(epochs=9, label_smoothing=amount), toy()) for amount in (0.1, 0.0))
    least = -(0.925 * math.log(0.925) + 3 * 0.025 * math.log(0.025))  # the entropy of a smoothed label of four
    assert smooth.history[-1].metrics["train_loss"] >= least
    assert sharp.history[-1].metrics["train_loss"] < least
    still = [Trainer(spec(learning_rate=0, label_smoothing=amount), toy()).run_epoch() for amount in (0.1, 0.0)]
    assert still[0].metrics["loss"] == still[1].metrics["loss"]
    assert still[0].metrics["train_loss"] != still[1].metrics["train_loss"]


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    found = Trainer(spec(batch_size=4096), toy(20))
    steps = rates(found)
    for _ in range(found.spec.recipe.epochs):
        found.run_epoch()
    assert len(steps) == 3  # one for each epoch
    assert shown(list(found.history)) == shown(list(trained(spec(batch_size=20), toy(20)).history))


def test_the_last_images_that_fill_no_batch_wait_for_another_epoch() -> None:
    made, seen = Trainer(spec(batch_size=32), toy(80)), []
    made.network.register_forward_pre_hook(
        lambda network, given: seen.append(len(given[0])) if network.stages.training else None
    )
    made.run_epoch()
    assert seen == [32, 32]


# Failures


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_loss_that_is_not_finite_ends_the_trial_and_names_the_epoch(precision: str) -> None:
    with pytest.raises(TrialFailure) as failed:
        list(train(spec(learning_rate=1e30, precision=precision), toy()))
    assert failed.value.kind == "not-finite"
    assert str(failed.value) == "not-finite: the loss is nan in epoch 1"


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_poisoned_weight_is_found_in_its_epoch(tmp_path: Path, poison: float) -> None:
    made = Trainer(spec(), toy())
    made.run_epoch()
    with torch.no_grad():
        made.network.head.classifier.weight[0, 0] = poison
    with pytest.raises(TrialFailure, match=r"^not-finite: the loss is (nan|inf) in epoch 2$"):
        made.run_epoch()
    assert made.epoch == 1
    checkpoint.save(tmp_path / "7.pt", made.state())


def test_a_gradient_that_is_not_finite_ends_the_trial_though_the_loss_is() -> None:
    made = Trainer(spec(batch_size=96), toy(96))  # one step: no later loss gives the gradient away
    made.network.head.classifier.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrialFailure, match=r"^not-finite: the gradient is (nan|inf) in epoch 1$"):
        made.run_epoch()


def test_a_trial_that_fails_keeps_the_epochs_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "7.pt"
    whole = list(train(spec(), toy()))
    step = Trainer._loss

    def fail_in_the_third(self: Trainer, images: Tensor, labels: Tensor, network: nn.Module) -> Tensor:
        return step(self, images, labels, network) * (math.nan if self.epoch == 2 else 1)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_loss", fail_in_the_third)
        with pytest.raises(TrialFailure, match="in epoch 3"):
            list(train(spec(), toy(), checkpoint_path=path))
    assert shown(list(train(spec(), toy(), checkpoint_path=path))) == shown(whole)


# What is measured


def test_accuracy_and_loss_are_those_of_the_network_on_the_validation_images() -> None:
    made = trained(spec(), toy())
    data, last = made.data, made.history[-1]
    images = (data.val_images / 255 - data.mean.reshape(1, -1, 1, 1)) / data.std.reshape(1, -1, 1, 1)
    with torch.inference_mode():
        logits = made.network.eval()(images)
    assert last.metrics["accuracy"] == (logits.argmax(1) == data.val_labels).sum().item() / 40
    assert last.metrics["loss"] == pytest.approx(nn.functional.cross_entropy(logits, data.val_labels).item(), rel=1e-4)


def test_accuracy_is_a_fraction_of_all_validation_images_in_whatever_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(spec(), toy()).history
    monkeypatch.setattr(trainer, "EVAL_BATCH", 7)
    parts = trained(spec(), toy()).history
    for one, other in zip(whole, parts, strict=True):
        assert one.metrics["accuracy"] == other.metrics["accuracy"]
        assert 0 <= one.metrics["accuracy"] <= 1
        assert (40 * one.metrics["accuracy"]) == pytest.approx(round(40 * one.metrics["accuracy"]))
        assert one.metrics["loss"] == pytest.approx(other.metrics["loss"], rel=1e-5)


def test_epochs_are_numbered_from_one_and_their_times_fit_the_clock() -> None:
    began = time.perf_counter()
    found = list(train(spec(), toy()))
    passed = time.perf_counter() - began
    assert [each.epoch for each in found] == [1, 2, 3]
    assert all(each.train_s > 0 and each.eval_s > 0 and each.metrics["peak_bytes"] > 0 for each in found)
    assert sum(each.wall_s for each in found) <= passed


def test_validation_images_are_never_trained_on() -> None:
    data, other = toy(), toy()
    generator = torch.Generator().manual_seed(4)
    noise = torch.randint(256, data.val_images.shape, dtype=torch.uint8, generator=generator)
    other = replace(other, val_images=noise, val_labels=(data.val_labels + 1) % 4)
    one, two = trained(spec(), data), trained(spec(), other)
    assert same_state(one.state(), two.state())
    assert each_of(one.history, "train_loss") == each_of(two.history, "train_loss")
    assert one.history[-1].metrics["accuracy"] > two.history[-1].metrics["accuracy"]


def test_training_does_not_change_the_data() -> None:
    data = toy(how=Augment(crop=2, flip=True, cutout=3))
    before = data.fingerprint
    list(train(spec(), data))
    assert data.fingerprint == before


def test_the_test_split_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    source, asked = DATASETS["digits"], []

    def read(given: DataSpec, is_train: bool) -> Any:
        asked.append(is_train)
        return source.read(given, is_train)

    monkeypatch.setitem(DATASETS, "digits", replace(source, read=read))
    list(train(spec(epochs=1), datasets.load(DIGITS)))
    assert asked == [True]


# Monte-Carlo dropout

DROPPING = replace(SMALL, block="preact", dropout="between", dropout_rate=0.4)


def validated(made: Trainer) -> Tensor:
    """Return the validation images as a network reads them."""
    data = made.data
    return (data.val_images / 255 - data.mean.reshape(1, -1, 1, 1)) / data.std.reshape(1, -1, 1, 1)


def test_without_passes_nothing_is_dropped_at_evaluation() -> None:
    made = trained(spec(DROPPING), toy())
    with torch.inference_mode():
        logits = made.network.eval()(validated(made))
    expected = nn.functional.cross_entropy(logits, made.data.val_labels).item()
    assert made.history[-1].metrics["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dropout", ["between", "branch", "head"])
@pytest.mark.parametrize("passes", [1, 5])
def test_accuracy_and_loss_are_those_of_the_mean_probabilities_of_the_passes(passes: int, dropout: str) -> None:
    made = trained(spec(replace(DROPPING, dropout=dropout), seed=3, monte_carlo=passes), toy())
    made.network.eval()
    with torch.inference_mode(), torch.random.fork_rng(devices=[]), monte_carlo(made.network):
        torch.manual_seed(trainer.epoch_seed(3, -3))  # of the third epoch
        drawn = torch.stack([made.network(validated(made)).softmax(dim=1) for _ in range(passes)])
    probabilities, labels = drawn.mean(dim=0), made.data.val_labels
    last = made.history[-1]
    assert last.metrics["accuracy"] == (probabilities.argmax(dim=1) == labels).sum().item() / 40
    assert last.metrics["loss"] == pytest.approx(nn.functional.nll_loss(probabilities.log(), labels).item(), rel=1e-4)
    assert passes == 1 or not torch.equal(drawn[0], drawn[1])


def test_a_network_that_drops_nothing_is_measured_as_by_one_pass() -> None:
    plain, passes = (trained(spec(monte_carlo=count), toy()).history for count in (0, 4))
    assert each_of(plain, "accuracy") == each_of(passes, "accuracy")
    assert each_of(passes, "loss") == pytest.approx(each_of(plain, "loss"), rel=1e-5)


def test_passes_are_drawn_anew_in_every_epoch_and_for_every_seed() -> None:
    still = {"learning_rate": 0, "epochs": 3}
    data = toy()
    losses = {passes: each_of(trained(spec(DROPPING, monte_carlo=passes, **still), data).history, "loss")
              for passes in (0, 1, 200)}  # fmt: skip
    assert len(set(losses[0])) == 1
    assert len(set(losses[1])) == 3
    assert max(losses[200]) - min(losses[200]) < (max(losses[1]) - min(losses[1])) / 4  # many passes say the same

    made = Trainer(spec(DROPPING, monte_carlo=1, **still), data)
    found = []
    for seed in (0, 1):  # of the very same network
        made.spec = replace(made.spec, seed=seed)
        made.history = ()
        found.append(made.run_epoch().metrics["loss"])
    assert found[0] != found[1]


@pytest.mark.slow
@pytest.mark.parametrize("epochs_before", [0, 1, 2, 3])
@pytest.mark.parametrize("dropout", ["between", "branch", "head"])
def test_a_trial_measured_by_passes_goes_on_as_if_it_had_not_been_interrupted(
    tmp_path: Path, dropout: str, epochs_before: int
) -> None:
    given, data = spec(replace(DROPPING, dropout=dropout), monte_carlo=3), toy()
    whole = list(train(given, data))
    first = train(given, data, checkpoint_path=tmp_path / "7.pt")
    before = [next(first) for _ in range(epochs_before)]
    first.close()
    torch.manual_seed(epochs_before)  # a process of its own is in whatever state it is
    resumed = list(train(given, data, checkpoint_path=tmp_path / "7.pt"))
    assert resumed[:epochs_before] == before
    assert shown(resumed) == shown(whole)


def test_how_a_trial_is_measured_does_not_change_what_it_learns() -> None:
    data = toy()
    plain, passes = (trained(spec(DROPPING, monte_carlo=count), data) for count in (0, 3))
    assert same_state(plain.state(), passes.state())
    assert each_of(plain.history, "train_loss") == [each.metrics["train_loss"] for each in passes.history]
    assert each_of(plain.history, "loss") != each_of(passes.history, "loss")


def test_passes_leave_the_network_in_evaluation_and_torchs_own_randomness_as_it_was() -> None:
    torch.manual_seed(123)
    before = torch.get_rng_state()
    made = trained(spec(DROPPING, monte_carlo=2), toy())
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(layer.training for layer in made.network.modules())


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_passes_that_are_not_finite_end_the_trial(poison: float) -> None:
    made = Trainer(spec(DROPPING, monte_carlo=2, learning_rate=0), toy())
    made.run_epoch()
    with torch.no_grad():
        made.network.head.classifier.weight[0, 0] = poison
    with pytest.raises(TrialFailure, match=r"^not-finite: the loss is (nan|inf) in epoch 2$"):
        made.evaluated()


# Statistics of normalisations


def test_statistics_after_an_epoch_are_those_of_the_training_images_under_the_final_weights() -> None:
    made = trained(spec(), toy(96))
    data, norm = made.data, made.network.stem[1]
    images = (data.train_images / 255 - data.mean.reshape(1, -1, 1, 1)) / data.std.reshape(1, -1, 1, 1)
    with torch.inference_mode():
        convolved = made.network.stem[0](images)
    assert isinstance(norm, nn.BatchNorm2d)
    torch.testing.assert_close(norm.running_mean, convolved.mean(dim=(0, 2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, convolved.var(dim=(0, 2, 3)), rtol=0.1, atol=1e-4)


def test_measuring_statistics_changes_no_weight_and_no_momentum_of_a_norm() -> None:
    made = Trainer(spec(), toy())
    before = {name: p.clone() for name, p in made.network.named_parameters()}
    momenta = [layer.momentum for layer in made.network.modules() if isinstance(layer, nn.BatchNorm2d)]
    made.recalibrate()
    assert all(torch.equal(before[name], p) for name, p in made.network.named_parameters())
    assert momenta == [layer.momentum for layer in made.network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert None not in momenta


def test_statistics_are_measured_without_dropout() -> None:
    shares = []
    for rate in (0.0, 0.9):
        made = Trainer(spec(replace(SMALL, dropout="between", dropout_rate=rate)), toy())
        made.recalibrate()
        shares.append([layer.running_var for layer in made.network.modules() if isinstance(layer, nn.BatchNorm2d)])
    assert all(torch.equal(one, other) for one, other in zip(*shares, strict=True))


@pytest.mark.parametrize("count", [33, 65, 1])
def test_one_image_beyond_a_batch_does_not_stop_a_network_that_ends_in_one_pixel(count: int) -> None:
    architecture = Architecture(depths=(1, 1, 1, 1), widths=(4, 4, 4, 4), stem_width=4)
    if count == 1:
        architecture = SMALL  # of a single image only a map of more than one pixel has a variance
    assert len(list(train(spec(architecture), toy(count)))) == 3


def in_order_of_class(data: Dataset) -> Dataset:
    order = data.train_labels.argsort(stable=True)
    return replace(data, train_images=data.train_images[order], train_labels=data.train_labels[order])


def test_images_sorted_by_class_are_measured_on_all_classes() -> None:
    data = in_order_of_class(toy(1200))
    made = trained(spec(), data)
    assert set(data.train_labels[made.calibration].tolist()) == {0, 1, 2, 3}
    assert made.history[-1].metrics["accuracy"] > 0.9


# Real images


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return datasets.load(DIGITS)


def test_a_deep_bottleneck_is_not_at_chance_after_its_first_epoch(digits: Dataset) -> None:
    deep = Architecture(block="bottleneck", depths=(3, 3, 3), widening_factor=0.5)
    measurement = Trainer(spec(deep, epochs=9, batch_size=64, precision="auto"), digits).run_epoch()
    assert measurement.metrics["accuracy"] > 0.3


def test_sorted_digits_are_learned_as_well(digits: Dataset) -> None:
    given = spec(Architecture(widening_factor=0.5), epochs=2, batch_size=64, precision="auto")
    assert trained(given, in_order_of_class(digits)).history[-1].metrics["accuracy"] > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_small_network_learns_digits_in_nine_epochs_on_one_thread(digits: Dataset, precision: str) -> None:
    architecture = Architecture(block="preact")
    assert cost(architecture, digits.image).params == 77_562
    *_, last = train(spec(architecture, epochs=9, batch_size=64, precision=precision), digits)
    assert last.epoch == 9
    assert last.metrics["accuracy"] >= 0.98


# Latency


def test_latency_is_measured_once_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("workers.latency.WARM_S", 0.0)
    monkeypatch.setattr("workers.latency.TIMED_S", 0.0)
    asked = replace(spec(epochs=3), measures=("latency_ms",))
    found = list(train(asked, toy(), checkpoint_path=tmp_path / "0.pt"))
    assert len({each.get("latency_ms") for each in found}) == 1
    assert 0 < (found[0].get("latency_ms") or 0) < 1000
    again = list(train(asked, toy(), checkpoint_path=tmp_path / "0.pt"))
    assert [each.get("latency_ms") for each in again] == [each.get("latency_ms") for each in found]
    assert {each.get("latency_ms") for each in train(spec(epochs=2), toy())} == {None}


def test_measuring_latency_changes_nothing_that_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.latency.WARM_S", 0.0)
    monkeypatch.setattr("workers.latency.TIMED_S", 0.0)
    architecture = replace(SMALL, dropout="between", dropout_rate=0.3)
    without, beside = (
        list(train(replace(spec(architecture, epochs=2), measures=measures), toy()))
        for measures in ((), ("latency_ms",))
    )
    for one, other in zip(without, beside, strict=True):
        assert learned(one) == learned(other)


def test_a_checkpoint_is_known_by_what_it_trains_on_and_not_by_where_that_lies() -> None:
    here = replace(spec(), data=DataSpec(name="npz", path="/here/a.npz"), fingerprint="f00")
    assert here.trains_as(replace(here, data=DataSpec(name="npz", path="/there/b.npz")))
    assert here.trains_as(replace(here, data=DataSpec(name="npz", path="/there/b.npz"), fingerprint=""))
    assert not here.trains_as(replace(here, fingerprint="ba4"))
    assert not here.trains_as(replace(here, data=DataSpec(name="npz", path="/here/a.npz", limit=5)))
    assert not here.trains_as(replace(here, recipe=replace(here.recipe, learning_rate=0.2)))
    assert not here.trains_as(replace(here, seed=here.seed + 1))


def test_a_scale_that_is_written_down_later_changes_no_training_of_the_same_images() -> None:
    here = replace(spec(), data=DataSpec(name="npz", path="a.npz"), fingerprint="f00")
    told = replace(here, data=DataSpec(name="npz", path="a.npz", scale=65_535))
    assert here.trains_as(told)
    assert not here.trains_as(replace(told, fingerprint="ba4"))
    assert not replace(here, fingerprint="").trains_as(told)


def test_an_order_of_axes_that_is_written_down_later_changes_no_training_of_the_same_images() -> None:
    here = replace(spec(), data=DataSpec(name="npz", path="a.npz"), fingerprint="f00")
    told = replace(here, data=DataSpec(name="npz", path="a.npz", channels="last"))
    assert here.trains_as(told)
    assert not replace(here, fingerprint="").trains_as(told)
    seen = [replace(spec(), data=DataSpec(name="folder", path="a", channels=count)) for count in (None, 4)]
    assert not seen[0].trains_as(seen[1])


def test_a_checkpoint_from_before_a_field_existed_is_known(tmp_path: Path) -> None:
    path = tmp_path / "0.pt"
    next(iter(train(spec(), toy(), checkpoint_path=path)))
    state = checkpoint.load(path)
    assert state is not None
    del state["spec"]["fingerprint"]
    for name in ("monte_carlo", "optimizer", "schedule", "crop", "cutout"):
        del state["spec"]["recipe"][name]
    del state["spec"]["data"]["scale"], state["numerics"]
    checkpoint.save(path, state)
    again = list(train(spec(), toy(), checkpoint_path=path))
    assert again[0].train_s == state["history"][0]["train_s"]  # told again, and not trained again


def test_a_file_of_an_earlier_version_is_gone_on_with_to_the_bit(tmp_path: Path) -> None:
    """Its SHA-256 stands before the archive, and it does not say what pictures go through."""
    whole = list(train(spec(), toy(), checkpoint_path=tmp_path / "whole.pt"))
    first = train(spec(), toy(), checkpoint_path=tmp_path / "0.pt")
    begun = [next(first), next(first)]
    first.close()
    state = checkpoint.load(tmp_path / "0.pt")
    assert state is not None
    del state["preprocess"]
    written = io.BytesIO()
    torch.save(state, written)
    (tmp_path / "0.pt").write_bytes(hashlib.sha256(written.getvalue()).digest() + written.getvalue())
    resumed = list(train(spec(), toy(), checkpoint_path=tmp_path / "0.pt"))
    assert resumed[:2] == begun  # told again, and not trained again
    assert shown(resumed) == shown(whole)
    assert same_state(checkpoint.load(tmp_path / "0.pt"), checkpoint.load(tmp_path / "whole.pt"))


def test_a_checkpoint_opens_with_torch_alone_and_says_what_pictures_go_through(tmp_path: Path) -> None:
    data = replace(toy(), class_names=("ant\n", "'\"\u202e", "\udcff", "d", *"efgh")[: toy().classes], white=4095.0)
    next(iter(train(spec(), data, checkpoint_path=tmp_path / "0.pt")))
    held = torch.load(tmp_path / "0.pt", weights_only=True)
    told = Preprocess.from_json(held["preprocess"])
    assert told == data.preprocess
    assert (told.image, told.class_names, told.white) == (data.image, data.class_names, 4095.0)
    assert torch.equal(torch.tensor(told.mean), data.mean)
    assert torch.equal(torch.tensor(told.deviation), data.std)


def test_a_checkpoint_of_a_version_that_knew_more_is_none(tmp_path: Path) -> None:
    path = tmp_path / "0.pt"
    next(iter(train(spec(), toy(), checkpoint_path=path)))
    state = checkpoint.load(path)
    assert state is not None
    state["spec"]["recipe"]["unheard_of"] = 1
    checkpoint.save(path, state)
    assert next(iter(train(spec(), toy(), checkpoint_path=path))).train_s != state["history"][0]["train_s"]
