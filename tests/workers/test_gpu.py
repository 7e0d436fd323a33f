"""Training on CUDA: bfloat16, channels_last, resumable, and honest about memory.

Needs nothing but torch, numpy, scikit-learn and pytest. On a bare machine, where the shared fixtures cannot be
imported, this file runs alone:

    PYTHONPATH=. python -m pytest --noconftest -c /dev/null --rootdir . tests/workers/test_gpu.py
"""

import gc
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture
from workers import sharing
from workers.augment import Augment
from workers.checkpoint import load as load_checkpoint
from workers.datasets import Dataset, load
from workers.device import choose_device, fingerprint
from workers.failures import classify
from workers.numerics import CANDIDATES, pick, usual
from workers.probe import examine_gpu
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import Trainer, TrialSpec, train
from workers.truth import wrong

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device on this machine"),
]

DIGITS = DataSpec(name="digits")
SMALL = Architecture(block="preact", dropout="between", dropout_rate=0.1)


@pytest.fixture(autouse=True)
def empty_device() -> Iterator[None]:
    """Give back what a test held, so that the next one measures its own."""
    yield
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return replace(load(DIGITS), augment=Augment(crop=1)).to(choose_device("cuda"))


def noise(side: int, count: int = 1024) -> Dataset:
    """Return images that hold nothing to be learned, only memory."""
    device = choose_device("cuda")
    generator = torch.Generator(device).manual_seed(0)
    images = torch.randint(256, (count, 3, side, side), dtype=torch.uint8, device=device, generator=generator)
    labels = torch.arange(count, device=device) % 10
    return Dataset(
        name="noise",
        train_images=images,
        train_labels=labels,
        val_images=images[:256],
        val_labels=labels[:256],
        mean=torch.full((3,), 0.5, device=device),
        std=torch.full((3,), 0.3, device=device),
        class_names=tuple("0123456789"),
        augment=Augment(crop=4, flip=True, cutout=8),
    )


def spec(architecture: Architecture = SMALL, *, seed: int = 0, **recipe: Any) -> TrialSpec:
    return TrialSpec(architecture=architecture, recipe=Recipe(**recipe), data=DIGITS, seed=seed)


def test_auto_is_the_gpu_in_bfloat16_and_channels_last(digits: Dataset) -> None:
    device = choose_device("auto")
    assert device.type == "cuda"
    assert fingerprint(device)["device"] == torch.cuda.get_device_name()
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this device has no bfloat16 arithmetic")
    assert usual(Recipe(), device).bfloat16
    made = Trainer(spec(), digits)
    weight = made.network.stem[0].weight
    assert isinstance(weight, torch.Tensor)
    assert weight.is_cuda
    assert weight.dtype is torch.float32  # weights stay whole; autocast computes in halves
    wide = next(p for p in made.network.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1)
    assert wide.is_contiguous(memory_format=torch.channels_last)


def test_a_network_learns_on_the_gpu_and_goes_on_from_its_checkpoint(digits: Dataset, tmp_path: Path) -> None:
    given = spec(epochs=9)
    whole = list(train(given, digits))
    assert all(math.isfinite(each.metrics["loss"]) and math.isfinite(each.metrics["train_loss"]) for each in whole)
    assert whole[-1].metrics["accuracy"] >= 0.97

    first = train(given, digits, checkpoint_path=tmp_path / "7.pt")
    before = [next(first) for _ in range(5)]
    first.close()
    resumed = list(train(given, digits, checkpoint_path=tmp_path / "7.pt"))
    assert resumed[:5] == before
    assert [each.epoch for each in resumed] == list(range(1, 10))
    assert all(each.metrics["train_loss"] < before[0].metrics["train_loss"] for each in resumed[5:])
    came_to = [each[-1].metrics["accuracy"] for each in (resumed, whole)]
    assert came_to[0] == pytest.approx(came_to[1], abs=0.02)  # sums on a GPU come in any order


def test_a_checkpoint_that_is_written_beside_the_next_epoch_holds_the_weights_of_its_own(
    digits: Dataset, tmp_path: Path
) -> None:
    given = spec(epochs=4)
    for measurement in train(given, digits, checkpoint_path=tmp_path / "7.pt", decided=[]):
        held = load_checkpoint(tmp_path / "7.pt")
        assert held is not None
        assert len(held["history"]) == measurement.epoch
        made = Trainer(given, digits)
        made.resume(held)
        assert made.evaluated()["accuracy"] == pytest.approx(measurement.metrics["accuracy"], abs=0.005)


def test_a_checkpoint_of_the_gpu_goes_on_on_a_processor(digits: Dataset, tmp_path: Path) -> None:
    given = spec(epochs=2, precision="float32")
    next(train(given, digits, checkpoint_path=tmp_path / "7.pt"))
    first, second = train(given, digits.to("cpu"), checkpoint_path=tmp_path / "7.pt")
    assert (first.epoch, second.epoch) == (1, 2)
    assert second.metrics["train_loss"] < first.metrics["train_loss"]


def test_training_leaves_the_randomness_of_the_device_as_it_was(digits: Dataset) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    list(train(spec(epochs=1), digits))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(torch.cuda.get_rng_state(), before[1])


def peak(architecture: Architecture, data: Dataset) -> int:
    measurement = Trainer(spec(architecture, epochs=1, batch_size=256), data).run_epoch()
    gc.collect()
    return measurement.metrics["peak_bytes"]


def test_peak_memory_is_that_of_the_trial_and_grows_with_its_width() -> None:
    data = noise(32)
    narrow, wide, again = (peak(Architecture(widening_factor=k), data) for k in (1, 8, 1))
    assert data.train_images.nbytes < narrow < wide
    assert wide > 3 * narrow
    assert again < 1.5 * narrow  # the trial before it does not count


def test_a_trial_beyond_its_fraction_of_the_gpu_is_out_of_memory_and_its_neighbour_is_not() -> None:
    data, small = noise(32), noise(8)
    whole = torch.cuda.get_device_properties(0).total_memory
    share = (torch.cuda.memory_reserved() + 400 * 2**20) / whole
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with pytest.raises(torch.OutOfMemoryError) as raised:
            list(train(spec(Architecture(widening_factor=8), epochs=1, batch_size=1024), data))
        failure = classify(raised.value)
        assert failure.kind == "out-of-memory"
        assert "\n" not in failure.message
        del raised
        gc.collect()
        torch.cuda.empty_cache()
        assert len(list(train(spec(Architecture(), epochs=1), small))) == 1
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_worker_keeps_a_trial_within_its_fraction(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed here")
    from spaces.errors import TrialFailure
    from workers.trainable import NetworkTrainable

    given = {
        "number": 7,
        "spec": spec(Architecture(widening_factor=32), epochs=1, batch_size=1024).to_json(),
        "recorded": 0,
        "checkpoint": str(tmp_path / "7.pt"),
        "gpus": 0.002,
        "threads": 1,
    }
    worker = NetworkTrainable(given)
    try:
        with pytest.raises(TrialFailure) as failed:
            worker.train()
        assert failed.value.kind == "out-of-memory"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        worker.stop()


def test_the_gpu_computes_right_in_everything_that_is_offered() -> None:
    device = choose_device("cuda")
    for each in CANDIDATES:
        if each.onednn:
            assert wrong(each, device=device) == "", each.name
    verdict = examine_gpu(Recipe(), device)
    assert pick(Recipe(), verdict.step_ms, verdict.wrong) == usual(Recipe(), device)


def test_an_epoch_waits_for_the_device_once(digits: Dataset) -> None:
    made = Trainer(spec(Architecture()), digits)
    made.run_epoch()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as waited:
            warnings.simplefilter("always")
            made.run_epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert sum("called a synchronizing" in str(each.message) for each in waited) <= 1


def test_copies_in_bfloat16_train_what_autocast_does(digits: Dataset) -> None:
    if not usual(Recipe(), choose_device("cuda")).bfloat16:
        pytest.skip("this device has no bfloat16 arithmetic")
    copied, cast = Trainer(spec(), digits), Trainer(spec(), digits)
    assert copied.casts
    cast.casts = False
    losses = [each.run_epoch().metrics["train_loss"] for each in (copied, cast)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_training_is_timed_by_the_device_and_evaluation_behind_it(digits: Dataset) -> None:
    made = Trainer(spec(), digits)
    made.run_epoch()
    began = time.perf_counter()
    found = made.run_epoch()
    assert found.train_s > found.eval_s > 0
    assert found.wall_s <= time.perf_counter() - began


def test_how_the_device_computes_is_kept_in_the_checkpoint(digits: Dataset) -> None:
    made = Trainer(spec(), digits)
    assert made.state()["cuda"] == {"tf32": True, "autotuned": False}
    assert {held.device.type for held in made.state()["network"].values()} == {"cpu"}


def test_a_compiled_network_learns_as_it_would_have(digits: Dataset) -> None:
    plain, made = (Trainer(spec(Architecture(), compile=how), digits) for how in ("never", "always"))
    losses = [[each.run_epoch().metrics["train_loss"] for _ in range(2)] for each in (plain, made)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    if not made.compiling.to_json()["on"]:
        pytest.skip(f"nothing is compiled here: {made.compiling.failed}")


def test_a_latency_is_measured_with_the_gpu_alone(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace(spec(), measures=("latency_ms",))
    found = Trainer(asked, digits).run_epoch()
    assert found.metrics["latency_alone"] == 1.0
    monkeypatch.setattr(sharing, "WAIT_S", 0.1)
    with sharing.Sharing(choose_device("cuda")).training(lambda: None):
        assert Trainer(asked, digits).run_epoch().metrics["latency_alone"] == 0.0
