"""Serve an engine to trials in other processes, as an actor of Ray's: one for each GPU.

It takes no part of the GPU in Ray's books, since the trials that train in it hold theirs. If its process dies, Ray
begins it anew under the same name, and it knows none of the trials of before.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from ray.experimental.internal_kv import _internal_kv_put

from workers.admission import Admission
from workers.pulse import BEGINNING, EVERY_S

if TYPE_CHECKING:
    from workers.engine.engine import Engine

CPU = "cpu"  # the device where no GPU is meant


class EngineServer:
    """Hold the engine of one device. Every method may be called by many at once."""

    def __init__(
        self, *, device: str, threads: int, slots: int, node: str = "", make: "Callable[..., Engine] | None" = None
    ) -> None:
        """Make the engine.

        Args:
            device: the GPU's id as Ray and CUDA name it, or `CPU`.
            threads: that a trial may compute on.
            slots: trials that may train in it at once.
            node: which it is on, as Ray names it; nothing: no signs of life are told.
            make: what makes the engine, for tests.
        """
        if device != CPU:  # before torch sees any: Ray shows all of them to an actor that takes none
            os.environ["CUDA_VISIBLE_DEVICES"] = device
        self._engine = (make or _engine)(device=CPU if device == CPU else "cuda", threads=threads, slots=slots)
        self._admission = Admission()
        self._trials: dict[str, dict[str, int]] = {}  # by ticket, the study's trials: their numbers by their keys
        self._signs: dict[str, dict[str, Any]] = {}  # the last of each, by its key
        self._beats = 0
        self._lock = Lock()
        self._node = node
        if node:
            Thread(target=self._report, daemon=True).start()

    def _report(self) -> None:
        """Let the driver see how the trials stand, for as long as the process lives."""
        while True:
            self.tell(_internal_kv_put)
            time.sleep(EVERY_S)

    def tell(self, put: Callable[..., object]) -> None:
        """Write how the trials stand where the driver looks for it, if any of them gives a sign.

        They take turns, so that whoever is not heard may wait for another who computes long: one's sign is a sign of
        all, and so is it that one begins, which may take its time.
        """
        news = dict(self._engine.signs())
        if not news:
            return
        begins = next((sign["phase"] for sign in news.values() if sign["phase"] in BEGINNING), None)
        with self._lock:
            known = {key for keys in self._trials.values() for key in keys}
            self._signs = {key: sign for key, sign in {**self._signs, **news}.items() if key in known}
            self._beats += 1
            of_all = {"count": self._beats, "pid": os.getpid(), "node": self._node}
            told = {key: {**sign, "phase": begins or sign["phase"], **of_all} for key, sign in self._signs.items()}
        for key, sign in told.items():
            with suppress(Exception):  # a head that is away is noticed by others; the trials go on
                put(key, json.dumps(sign), overwrite=True)

    def enter(self, ticket: str, alone: bool, patience_s: float) -> bool:
        """Wait for so many seconds until a trial may begin, and say whether it may; see `Admission`."""
        if self._engine.is_lost:  # this process ends as soon as all have heard of it
            time.sleep(patience_s)
            return False
        return self._admission.enter(ticket, alone=alone, patience_s=patience_s)

    def begin(self, ticket: str, config: Mapping[str, Any]) -> None:
        """Begin a trial that was let in.

        Raises:
            KeyError: it was not, by this process.
        """
        if not self._admission.has(ticket):
            raise KeyError(ticket)
        with self._lock:
            self._trials[ticket] = {each["pulse"]: each["number"] for each in (config, *config.get("mates", ()))}
        self._engine.begin(ticket, {**config, "fresh": False})  # nobody is beside it as it is, if that is asked for

    def take(self, ticket: str, patience_s: float) -> dict[str, Any] | None:
        """Return the next thing that a trial has to tell; None where there is nothing within so many seconds.

        Raises:
            KeyError: the trial is none of this process's.
        """
        told: dict[str, Any] | None = self._engine.take(ticket, patience_s)
        if told is not None and "measurement" in told:
            self._admission.settle(ticket)
        return told

    def end(self, ticket: str) -> None:
        """Let a trial go no further, whether it waits, trains or is gone already.

        Where the GPU's context is broken, the process ends with the last of its trials.
        """
        with self._lock:
            self._trials.pop(ticket, None)
        with suppress(KeyError):
            self._engine.end(ticket)
        self._admission.leave(ticket)
        if self._engine.is_lost and self._admission.is_empty:
            os._exit(1)  # to anything but an exit code of 0 Ray begins a new one

    def end_trial(self, number: int) -> None:
        """Let the study's trial of this number go no further; whoever waits for it hears that it is unknown."""
        with self._lock:
            tickets = [ticket for ticket, trials in self._trials.items() if number in trials.values()]
        for ticket in tickets:
            self.end(ticket)


def _engine(**given: Any) -> "Engine":
    from workers.engine.engine import Engine  # torch, which whoever only names this class does without

    return Engine(**given)
