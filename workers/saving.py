"""Write a training's checkpoints, where that pays in a thread while its next epoch trains.

On a GPU the host would wait for weights to arrive, put them into a file and wait for a disk, and the device with it.
On a processor they are written at once: docs/benchmarks.md has what a thread changes there.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import torch

from workers.checkpoint import Checkpoint
from workers.measurement import Measurement


def pays(device: torch.device) -> bool:
    """Return whether a checkpoint is written while the next epoch trains."""
    return device.type == "cuda"


class Saving:
    """Hold back what an epoch has shown until its checkpoint is written: whoever hears of it may kill this process."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Take where it is written; no more than one at a time."""
        self._checkpoint = checkpoint
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._written: tuple[Future[None], Measurement] | None = None

    def __enter__(self) -> Self:
        """Begin to save."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Wait until nothing is being written: another training may write there next."""
        self._threads.shutdown()

    def begin(self, state: dict[str, Any], arrived: Callable[[], None], measurement: Measurement) -> None:
        """Begin to write a state, once what it holds has arrived on the host."""

        def write() -> None:
            arrived()
            self._checkpoint.save(state)

        self._written = self._threads.submit(write), measurement

    def told(self) -> Iterator[Measurement]:
        """Yield what is held back, when its checkpoint is written; nothing where nothing is.

        Raises:
            OSError: it could not be written.
        """
        if self._written is not None:
            (writing, measurement), self._written = self._written, None
            writing.result()
            yield measurement
