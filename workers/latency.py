"""Time one network as it is used: evaluated, warm, and waited for."""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spaces.architecture import ImageSpec
from workers.numerics import Numerics

WARM_RUNS = {"cpu": 3, "cuda": 10}  # at least, before any run is timed
WARM_S = 0.2  # and so long at least: clocks that rested take a while to rise
TIMED_S = 0.8  # seconds after which no further run is begun,
LEAST_RUNS = 5  # but so many are timed however slow they are,
MOST_RUNS = 1000  # and no more than so many however fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long a network takes for one batch, from the images on its device to the logits there."""

    batch: int  # images
    median_ms: float
    p90_ms: float  # nine of ten runs took no longer
    p99_ms: float
    runs: int  # that were timed

    @property
    def images_per_s(self) -> float:
        """Return the images that such batches, one after another, bring through in a second."""
        return 1000 * self.batch / self.median_ms if self.median_ms else math.inf  # by a clock too coarse


def measure_latency(
    network: nn.Module,
    image: ImageSpec,
    *,
    batch: int,
    device: torch.device,
    numerics: Numerics,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Time a network on batches of noise, for about a second.

    Args:
        network: is moved to the device and into the memory layout; in evaluation for as long as it is timed.
        image: what it reads.
        batch: images at once.
        device: where it computes.
        numerics: precision and memory layout.
        clock: returns seconds.
    """
    network.to(device).to(memory_format=numerics.memory_format)
    images = _noise(image, batch).to(device, memory_format=numerics.memory_format)

    def run() -> None:
        # Entered anew, as in evaluation: within one autocast the weights would be cast once for all runs.
        with torch.autocast(device.type, torch.bfloat16, enabled=numerics.bfloat16):
            network(images)

    with _evaluating(network), torch.inference_mode():
        return timed(run, batch=batch, device=device, clock=clock)


def timed(
    run: Callable[[], object],
    *,
    batch: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency:
    """Time what computes one batch on a device, for about a second.

    Args:
        run: computes it.
        batch: images in it.
        device: that is waited for after each run.
        clock: returns seconds.
    """

    def once() -> float:
        began = clock()
        run()
        wait(device)
        return clock() - began

    _repeat(once, WARM_RUNS[device.type], WARM_S)
    times_ms = [1000 * seconds for seconds in _repeat(once, LEAST_RUNS, TIMED_S)]
    percentiles = statistics.quantiles(times_ms, n=100, method="inclusive")
    return Latency(
        batch=batch,
        median_ms=statistics.median(times_ms),
        p90_ms=percentiles[89],
        p99_ms=percentiles[98],
        runs=len(times_ms),
    )


def _noise(image: ImageSpec, batch: int) -> Tensor:
    """Return images `n c h w` like normalised ones."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, image.channels, image.height, image.width, generator=generator)


def wait(device: torch.device) -> None:
    """Wait until the device has done what it was given; a processor has when it returns."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _repeat(run: Callable[[], float], least: int, enough_s: float) -> list[float]:
    """Run until enough seconds have passed, and return each run's seconds."""
    times: list[float] = []
    while len(times) < least or (sum(times) < enough_s and len(times) < MOST_RUNS):
        times.append(run())
    return times


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluate, then give every layer its own mode back: layers need not all have been in one."""
    before = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for layer, training in before:
            layer.training = training
