"""An engine: several trials in one process, each told of as if it were alone. docs/engine.md says what that means."""

import threading
from collections.abc import Mapping
from typing import Any

import torch

from workers.assignment import Told, failed
from workers.device import use_threads
from workers.engine.memory import CudaAllocator
from workers.engine.room import Room
from workers.engine.shelf import Shelf
from workers.engine.trial import Common, Trial
from workers.pulse import Sign


class Engine:
    """Train several trials in this process, each as if it were alone.

    All methods may be called from any thread at any time, and return at once but for `take`.
    """

    def __init__(self, *, device: str, threads: int, slots: int) -> None:
        """Begin with nothing.

        Args:
            device: `cuda` or `cpu`.
            threads: on which this process computes what no trial asks for.
            slots: trials that may train at once; on a GPU fewer do, where it has no memory for so many.
        """
        use_threads(threads)
        on = torch.device(device)
        if on.type == "cuda":
            on = torch.device("cuda", on.index or 0)
        allocator = CudaAllocator(on) if on.type == "cuda" else None
        room = Room(slots, None if allocator is None else allocator.free)
        self._common = Common(device=on, room=room, shelf=Shelf(on), allocator=allocator)
        self._trials: dict[str, Trial] = {}
        self._signs: dict[str, Sign] = {}
        self._lock = threading.Lock()

    @property
    def is_lost(self) -> bool:
        """Whether the GPU's context has broken, so that this process can compute nothing more."""
        return self._common.lost is not None

    def begin(self, ticket: str, config: Mapping[str, Any]) -> None:
        """Take up a trial: it trains once there is room, as far as `take` asks.

        Args:
            ticket: by which it is known from now on.
            config: as `workers.trainable.NetworkTrainable` is given it; one that is `fresh` trains while no other does.

        Raises:
            ValueError: the ticket is another trial's.
        """
        with self._lock:
            if ticket in self._trials:
                raise ValueError(f"ticket {ticket!r} is another trial's")
            trial = self._trials[ticket] = Trial(config, self._common, tell=self._hear, lose=self._lose)
        if self._common.lost is not None:
            self._lose()
        trial.thread.start()

    def take(self, ticket: str, patience_s: float) -> Told | None:
        """Return the next thing that a trial has to tell, or None where there is nothing within so many seconds.

        It is what `NetworkTrainable.step` returns; where that would raise, `{"raised": {kind, message, details}}`;
        where nothing more comes, `{"ended": True}`. A question stays asked: after None, the next call has its answer.

        Raises:
            KeyError: no trial has the ticket.
        """
        return self._trials[ticket].take(patience_s)

    def signs(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what trials said of themselves since the last call, the latest of each: its key, and the sign."""
        signs, self._signs = self._signs, {}
        return [(key, sign.to_json()) for key, sign in list(signs.items())]

    def end(self, ticket: str) -> None:
        """Let a trial go on no further, and give its memory back at its next step.

        Raises:
            KeyError: no trial has the ticket.
        """
        self._trials.pop(ticket).end()

    def close(self) -> None:
        """End all trials."""
        for ticket in list(self._trials):
            self.end(ticket)

    def _hear(self, key: str, sign: Sign) -> None:
        self._signs[key] = sign

    def _lose(self) -> None:
        """Let every trial be told that the context is gone, and nothing more."""
        assert self._common.lost is not None
        for trial in list(self._trials.values()):
            trial.post.close({"raised": failed(self._common.lost)})
