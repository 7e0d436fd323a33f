"""A latency is the median of warm runs, and the network is given back as it was."""

import math
import time
from collections.abc import Callable, Iterator
from itertools import chain, count, repeat

import pytest
import torch
from torch import Tensor, nn

from spaces.architecture import Architecture, ImageSpec
from spaces.network import build
from workers.latency import MOST_RUNS, Latency, measure_latency
from workers.numerics import Numerics

CPU = torch.device("cpu")
FLOAT32 = Numerics(bfloat16=False, memory_format=torch.contiguous_format)
IMAGE = ImageSpec(channels=2, height=5, width=7, classes=3)


class Scripted(nn.Module):
    """Take the seconds that are written down for each run, by a clock of its own."""

    def __init__(self, *seconds: float, then: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.Dropout()
        self.script: Iterator[float] = chain(seconds, repeat(then))
        self.now = 100.0
        self.seen: list[Tensor] = []
        self.modes: list[tuple[bool, bool, bool, bool]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.now += next(self.script)
        self.seen.append(x)
        autocast = torch.is_autocast_enabled("cpu")
        self.modes.append((self.training, self.inner.training, torch.is_inference_mode_enabled(), autocast))
        return x

    def clock(self) -> float:
        return self.now


def timed(network: Scripted, *, batch: int = 4, numerics: Numerics = FLOAT32) -> Latency:
    return measure_latency(network, IMAGE, batch=batch, device=CPU, numerics=numerics, clock=network.clock)


def seconds() -> Callable[[], float]:
    """Return a clock that goes on by a second whenever it is looked at."""
    passed = count()
    return lambda: float(next(passed))


WARM = (5.0, 4.0, 3.0)


def test_median_and_90th_percentile_are_those_of_the_runs_that_were_timed() -> None:
    runs_ms = (300, 20, 100, 10, 90, 30, 80, 40, 70, 50, 60)  # the last one is begun after 790 ms
    found = timed(Scripted(*WARM, *(each / 1000 for each in runs_ms)), batch=4)
    assert (found.batch, found.runs) == (4, 11)
    assert found.median_ms == pytest.approx(60)
    assert found.p90_ms == pytest.approx(100)
    assert found.images_per_s == pytest.approx(4 / 0.06)


def test_between_two_runs_median_and_percentile_are_interpolated() -> None:
    found = timed(Scripted(*WARM, 0.1, 0.2, 0.1, 0.2, 0.1, 0.3))
    assert found.runs == 6
    assert found.median_ms == pytest.approx(150)
    assert found.p90_ms == pytest.approx(250)


def test_warm_runs_are_not_counted() -> None:
    network = Scripted(*WARM, then=0.2)
    found = timed(network)
    assert (found.median_ms, found.p90_ms) == (pytest.approx(200), pytest.approx(200))
    assert len(network.seen) == len(WARM) + found.runs


def test_a_fast_network_is_warmed_for_a_while() -> None:
    network = Scripted(*repeat(0.01, 20), then=0.02)
    found = timed(network)
    assert found.median_ms == pytest.approx(20)
    assert len(network.seen) - found.runs in (20, 21)  # 0.2 s, give or take a rounded sum


def test_a_slow_network_is_timed_five_times() -> None:
    network = Scripted(then=60.0)
    assert timed(network).runs == 5
    assert len(network.seen) == 3 + 5


@pytest.mark.parametrize("seconds", [0.03, 0.003])
def test_at_least_twenty_runs_and_no_more_than_a_second(seconds: float) -> None:
    network = Scripted(then=seconds)
    assert timed(network).runs >= 20
    assert network.now - 100 < 1.1


def test_a_clock_too_coarse_for_the_network_does_not_keep_it_running() -> None:
    network = Scripted(then=0.0)
    found = timed(network)
    assert found.runs == MOST_RUNS
    assert found.median_ms == 0
    assert len(network.seen) == 2 * MOST_RUNS
    assert found.images_per_s == math.inf


def test_it_is_evaluated_without_gradients_on_images_of_that_shape() -> None:
    network = Scripted(*WARM, then=0.2)
    network.train()
    timed(network, batch=6)
    assert set(network.modes) == {(False, False, True, False)}
    assert {x.shape for x in network.seen} == {(6, 2, 5, 7)}
    assert {x.dtype for x in network.seen} == {torch.float32}
    assert all(x is network.seen[0] for x in network.seen)
    assert network.seen[0].std() == pytest.approx(1, abs=0.2)  # as images are after normalisation


def test_precision_and_layout_are_those_that_are_asked_for() -> None:
    network = Scripted(*WARM, then=0.2)
    timed(network, numerics=Numerics(bfloat16=True, memory_format=torch.channels_last))
    assert set(network.modes) == {(False, False, True, True)}
    assert network.seen[0].is_contiguous(memory_format=torch.channels_last)
    network = Scripted(*WARM, then=0.2)
    timed(network)
    assert network.seen[0].is_contiguous()

    built = build(Architecture(depths=(1, 1), widths=(4, 8)), IMAGE)
    channels_last = Numerics(bfloat16=False, memory_format=torch.channels_last)
    measure_latency(built, IMAGE, batch=1, device=CPU, numerics=channels_last, clock=seconds())
    wide = [p for p in built.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert wide
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in wide)


@pytest.mark.parametrize("mode", [(True, True), (False, False), (True, False), (False, True)])
def test_every_layer_is_given_back_in_its_own_mode(mode: tuple[bool, bool]) -> None:
    network = Scripted(*WARM, then=0.2)
    network.training, network.inner.training = mode
    timed(network)
    assert (network.training, network.inner.training) == mode


def test_a_network_that_fails_is_given_back_in_its_mode_as_well() -> None:
    network = Scripted()
    network.train()
    network.script = iter(())
    with pytest.raises(StopIteration):
        timed(network)
    assert network.training
    assert network.inner.training


def test_nothing_is_drawn_and_nothing_is_learned() -> None:
    network = build(Architecture(depths=(1,), widths=(4,), dropout="head", dropout_rate=0.5), IMAGE)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    state = torch.get_rng_state()
    measure_latency(network, IMAGE, batch=2, device=CPU, numerics=FLOAT32, clock=seconds())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_a_real_network_takes_about_a_second_by_a_real_clock() -> None:
    network = build(Architecture(depths=(1,), widths=(4,)), IMAGE)
    began = time.perf_counter()
    found = measure_latency(network, IMAGE, batch=1, device=CPU, numerics=FLOAT32)
    passed = time.perf_counter() - began
    assert 5 <= found.runs <= MOST_RUNS
    assert 0 < found.median_ms <= found.p90_ms
    assert found.runs * found.median_ms / 2 <= 1000 * passed
