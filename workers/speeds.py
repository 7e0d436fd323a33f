"""Time several networks in one process, in rounds that go through all of them.

So what slows a machine for a while slows each alike. Every round times training steps and passes at evaluation, of
batches of the same images; every second one goes backwards. Weights do not change, as the rate is 0: what is timed does
not hang on how well a network learns.
"""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from spaces.architecture import Architecture
from spaces.counting import cost
from workers.datasets import Dataset, load
from workers.device import peak_bytes, start_peak, use_threads
from workers.latency import wait
from workers.retrained import Tell, say_nothing
from workers.trainer import Trainer, TrialSpec

LEAST_S = 0.1  # that what is timed together takes, about
MOST_RUNS = 100  # of it
STEPS = 4  # of training that are timed as one epoch
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One network that is timed."""

    name: str
    spec: TrialSpec

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Timed":
        """Return what plain values describe."""
        return cls(name=told["name"], spec=TrialSpec.from_json(told["spec"]))


def speeds(networks: Sequence[Timed], data: Dataset, *, rounds: int, tell: Tell = say_nothing) -> Iterator[Row]:
    """Yield what each network is and the most memory that its training holds, then the times of each round.

    Args:
        networks: by name and specification, whose batch size is that of steps and passes.
        data: on the device that computes.
        rounds: how often each is timed.
        tell: how far it is.
    """
    for number, each in enumerate(networks):
        tell("memory of networks", number, len(networks))
        yield _of(each, data)
    runs = [_Runs(each, data) for each in networks]
    for number in range(rounds):
        tell("rounds", number, rounds)
        for place in range(len(runs))[:: -1 if number % 2 else 1]:
            yield {"what": "round", "network": networks[place].name, "round": number, **runs[place].timed()}
    tell("rounds", rounds, rounds)


def _of(each: Timed, data: Dataset) -> Row:
    counted = cost(each.spec.architecture, data.image)
    batch = each.spec.recipe.batch_size
    return {
        "what": "network", "network": each.name, "params": counted.params, "macs": counted.macs, "batch": batch,
        "steps": max(1, len(data.train_labels) // batch), "peak_bytes": peak(each.spec, data),
    }  # fmt: skip


class _Runs:
    """Steps and passes of one network, warm, and how many of them are timed together."""

    def __init__(self, network: Timed, data: Dataset) -> None:
        self.trainer = _trainer(network.spec, data, STEPS)
        self._images = self.trainer.data.train_images[: network.spec.recipe.batch_size]
        self._repeats = {what: self._warm(what) for what in ("step", "inference")}

    def _run(self, what: str) -> Callable[[], object]:
        return self.trainer.stepped if what == "step" else self._infer

    @torch.inference_mode()
    def _infer(self) -> None:
        self.trainer.passed(self._images)

    def _warm(self, what: str) -> int:
        run = self._run(what)
        run()
        return min(MOST_RUNS, max(1, round(LEAST_S / max(1e-6, self._seconds(run, 1)))))

    def _seconds(self, run: Callable[[], object], count: int) -> float:
        wait(self.trainer.device)
        began = time.perf_counter()
        for _ in range(count):
            run()
        wait(self.trainer.device)  # a GPU is given work ahead, as it is in training
        return (time.perf_counter() - began) / count

    def timed(self) -> dict[str, float]:
        """Return the milliseconds of a step and of a pass."""
        self.trainer.numerics.apply()
        took_s = {what: self._seconds(self._run(what), count) for what, count in self._repeats.items()}
        return {"step_ms": 1000 * took_s["step"] / STEPS, "inference_ms": 1000 * took_s["inference"]}


def _trainer(spec: TrialSpec, data: Dataset, steps: int) -> Trainer:
    """Return a trainer whose epoch is so many steps, at a rate of 0; of too few images some come twice."""
    chosen = torch.arange(steps * spec.recipe.batch_size, device=data.train_images.device) % len(data.train_labels)
    few = replace(data, train_images=data.train_images[chosen], train_labels=data.train_labels[chosen])
    return Trainer(replace(spec, recipe=replace(spec.recipe, learning_rate=0.0)), few)


def peak(spec: TrialSpec, data: Dataset) -> int | None:
    """Return the most bytes that a network and two steps hold beyond what was held before; none where it died of it.

    A processor's memory is counted by process, so each network has one of its own.
    """
    device = data.train_images.device
    if device.type == "cuda":
        return _held(spec, data, lambda: torch.cuda.memory_allocated(device))
    here, there = multiprocessing.get_context("spawn").Pipe(duplex=False)
    asked = (there, spec.to_json(), torch.get_num_threads())
    process = multiprocessing.get_context("spawn").Process(target=_tell_peak, args=asked, daemon=True)
    process.start()
    there.close()
    try:
        found: int = here.recv()
    except EOFError:
        return None
    finally:
        process.join()
    return found


def _tell_peak(there: Any, told: dict[str, Any], threads: int) -> None:
    use_threads(threads)
    spec = TrialSpec.from_json(told)
    data = load(spec.data)
    small = Architecture(depths=(1,), widths=(16,))
    _trainer(replace(spec, architecture=small), data, 2).stepped()  # libraries take what they keep at the first step
    there.send(_held(spec, data, _resident))


def _held(spec: TrialSpec, data: Dataset, now: Callable[[], int]) -> int:
    device = data.train_images.device
    gc.collect()
    start_peak(device)
    _forget_peak()
    before = now()
    trainer = _trainer(spec, data, 2)
    trainer.stepped()
    wait(device)
    return max(0, peak_bytes(device) - before)


def _resident() -> int:
    """Return the bytes that this process holds now; where nobody tells, the most that it ever held."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return peak_bytes(torch.device("cpu"))


def _forget_peak() -> None:
    """Let the kernel forget, where it can, the most that this process held: imports hold more than they keep."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
