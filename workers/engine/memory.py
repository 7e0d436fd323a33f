"""Keep account of what each trial holds of a GPU's memory: what the allocator gave out while it had its turn."""

from typing import Protocol

import torch

from workers.engine.room import Held


class Allocator(Protocol):
    """What gives out a device's memory, and counts it for the whole process."""

    def allocated(self) -> tuple[int, int]:
        """Return the bytes that are given out, and the most that were since `reset`."""

    def reset(self) -> None:
        """Let the most be what is given out now."""


class CudaAllocator:
    """Torch's, which counts on the host: memory is given out as work is enqueued, not as it is done."""

    def __init__(self, device: torch.device) -> None:
        """Take the device."""
        self._device = device

    def allocated(self) -> tuple[int, int]:
        """Return what is given out, and the most."""
        told = torch.cuda.memory.memory_stats_as_nested_dict(self._device)
        counted = told.get("allocated_bytes", {}).get("all", {})
        return counted.get("current", 0), counted.get("peak", 0)

    def reset(self) -> None:
        """Let the most be what is given out now."""
        torch.cuda.reset_peak_memory_stats(self._device)

    def free(self) -> int:
        """Return the bytes that nobody has, of any process."""
        return torch.cuda.mem_get_info(self._device)[0]


class Account:
    """One trial's, which counts between `begin` and `rest`."""

    def __init__(self, allocator: Allocator, held: Held) -> None:
        """Take what counts for all, and where this trial's is written."""
        self._allocator, self._held = allocator, held
        self._at = 0

    def begin(self) -> None:
        """Begin a turn."""
        self._allocator.reset()
        self._at = self._allocator.allocated()[0]

    def rest(self) -> None:
        """End a turn."""
        now, most = self._allocator.allocated()
        held = self._held
        held.peak = max(held.peak, held.now + max(0, most - self._at))
        held.now = max(0, held.now + now - self._at)

    def start_peak(self) -> None:
        """Forget the most that was held so far; within a turn."""
        self.rest()
        self._held.peak = self._held.now
        self.begin()

    def peak(self) -> int:
        """Return the most that was held; within a turn."""
        self.rest()
        self.begin()
        return self._held.peak
