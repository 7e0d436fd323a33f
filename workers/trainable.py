"""Train inside Ray Tune: one step is one epoch. The only file that speaks both torch and Ray.

Ray's checkpoints are not used: a trial's progress is a file of ours, and what counts is what the driver has in SQL.
"""

import faulthandler
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from socket import gethostname
from typing import IO, Any

import ray
import torch
from ray import tune
from ray.experimental.internal_kv import _internal_kv_put

from workers.datasets import Dataset, load
from workers.device import choose_device, use_threads
from workers.failures import classify
from workers.measurement import Measurement
from workers.numerics import Numerics, pick
from workers.probe import verdict_of
from workers.pulse import EXAMINING, LOADING, STARTING, Pulse, Sign
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train


@lru_cache(maxsize=1)
def _resident(spec: DataSpec, device: torch.device) -> Dataset:
    """Load a data set onto the device once per process; a reused actor finds it there."""
    return load(spec).to(device)


class NetworkTrainable(tune.Trainable):
    """Train the network that the configuration describes.

    The configuration holds `number`, `spec` (see `TrialSpec.to_json`), `recorded` (epochs the driver has in SQL),
    `measured` (the epochs after which the network is measured; nothing: all), `checkpoint` (a file's path or URL),
    `gpus`, `threads`, `crash` (the path of a file for the traceback of a native crash, or nothing) and `pulse` (the key
    under which Ray's key-value store hears that the trial goes on).
    """

    _crash: IO[str] | None = None
    _host: dict[str, Any] | None = None
    _taken_up: tuple[int, str] = (0, "")  # epochs that the checkpoint held, and what it is where it held none
    _epoch: int = 0
    _device: str = ""
    _again: dict[str, Any] | None = None  # what had to be trained again, and no result has told yet

    def setup(self, config: dict[str, Any]) -> None:
        """Prepare to train; nothing that can fail happens before the first step, whose failures are classified."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another trial in the same process."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._given = config
        self._measurements: Iterator[Measurement] | None = None
        self._epoch, self._again = 0, None
        self._pulse = Pulse(self._tell)
        self._pulse(STARTING)
        self._keep_traceback(config.get("crash"))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what the trial before this one held

    def _tell(self, phase: str, count: int) -> None:
        """Let the driver see where the trial is: a few bytes in the head's memory, whatever the checkpoints are on."""
        if key := self._given.get("pulse"):
            node = ray.get_runtime_context().get_node_id()
            sign = Sign(
                number=self._given["number"], phase=phase, count=count, pid=os.getpid(), node=node,
                epoch=self._epoch, again=self._again,
            )  # fmt: skip
            with suppress(Exception):  # a head that is away is noticed by others; the trial goes on
                _internal_kv_put(key, json.dumps(sign.to_json()), overwrite=True)

    def _keep_traceback(self, path: str | None) -> None:
        """Let a signal such as SIGSEGV leave its name and the Python stack in a file, which is empty until then."""
        self._forget_traceback()
        if path:
            with suppress(OSError):  # then nobody will know how it died
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._crash = Path(path).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as the trial runs
                faulthandler.enable(self._crash, all_threads=False)

    def _forget_traceback(self) -> None:
        """Take the file away in which no signal has written."""
        if self._crash is not None:
            faulthandler.disable()  # its number may be another file's soon
            with suppress(OSError):
                self._crash.close()
                Path(self._crash.name).unlink(missing_ok=True)
            self._crash = None

    def step(self) -> dict[str, Any]:
        """Return the next measurement that the driver does not have.

        Raises:
            TrialFailure: whatever went wrong, classified.
        """
        try:
            if self._measurements is None:
                self._measurements = self._start()
            found = self._news(self._measurements)
            host, self._host = self._host, None  # the driver hears of it once a trial
            again, self._again = self._again, None
            found = replace(found, host=gethostname(), device=self._device)
            told = {"measurement": found.to_json(), "host": host, "again": again}
            as_text = {name: json.dumps(each) for name, each in told.items() if each}  # Tune flattens mappings
            return {"epoch": found.epoch, **as_text}
        except Exception as error:  # every failure of a trial is told by its kind; none may end the study
            self._measurements = None
            raise classify(error) from None

    def _news(self, measurements: Iterator[Measurement]) -> Measurement:
        """Return the next measurement that the driver does not have."""
        for found in measurements:
            self._epoch = found.epoch
            if found.epoch > self._given["recorded"]:
                break
            if found.epoch > self._taken_up[0]:
                self._count_again(found.wall_s)
        return found

    def _count_again(self, took_s: float) -> None:
        """Count an epoch that is recorded and was trained once more, since the checkpoint held less."""
        known = self._again or {"epochs": 0, "seconds": 0.0}
        why = self._taken_up[1] or f"ends after epoch {self._taken_up[0]}"
        self._again = {"epochs": known["epochs"] + 1, "seconds": known["seconds"] + took_s, "why": why}

    def _take_up(self, epochs: int, why: str) -> None:
        self._taken_up = (epochs, why)

    def _start(self) -> Iterator[Measurement]:
        given = self._given
        use_threads(given["threads"])
        device = choose_device("cuda" if given["gpus"] else "cpu")
        self._device = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        if 0 < given["gpus"] < 1:  # Ray only counts fractions; nothing but this keeps a trial within its own
            torch.cuda.set_per_process_memory_fraction(given["gpus"])
        spec = TrialSpec.from_json(given["spec"])
        self._pulse(LOADING)
        data = _resident(spec.data, device)
        return train(
            spec, data, checkpoint_path=given["checkpoint"], beat=self._pulse, pick=self._picker(spec, data),
            taken_up=self._take_up, measured=given.get("measured"),
        )  # fmt: skip

    def _picker(self, spec: TrialSpec, data: Dataset) -> Callable[[str | None], Numerics]:
        """Return what picks precision and layout: the trial's, else the study's on such machines, else the fastest."""
        self._pulse(EXAMINING)
        verdict = verdict_of(spec.recipe, data.image, data.train_images.device, threads=self._given["threads"])
        known = self._given.get("numerics", {}).get(verdict.kind)

        def picked(before: str | None) -> Numerics:
            found = pick(spec.recipe, verdict.step_ms, verdict.wrong, before or known)
            self._host = {
                **verdict.to_json(),
                "numerics": known if known and known not in verdict.wrong else found.name,
            }
            return found

        return picked

    def cleanup(self) -> None:
        """Let go of the network."""
        self._measurements = None
        self._forget_traceback()
