"""Keep data sets on the device for all trials that use them."""

from collections.abc import Callable, Hashable

import torch

from workers.datasets import Dataset, load
from workers.sources import DataSpec


def onto(spec: DataSpec, device: torch.device) -> Dataset:
    """Load a data set onto a device, where every stream may read it."""
    if device.type != "cuda":
        return load(spec).to(device)
    with torch.cuda.stream(torch.cuda.default_stream(device)):
        held = load(spec).to(device)
    torch.cuda.synchronize(device)
    return held


class Shelf:
    """Each data set once: as long as somebody uses it, and the last one until another is loaded."""

    def __init__(self, device: torch.device, load: Callable[[DataSpec, torch.device], Dataset] = onto) -> None:
        """Hold nothing yet."""
        self._device, self._load = device, load
        self._held: dict[DataSpec, Dataset] = {}
        self._users: dict[Hashable, DataSpec] = {}

    def take(self, spec: DataSpec, user: Hashable) -> Dataset:
        """Return a data set, loaded now where nobody uses it.

        Raises:
            Exception: whatever loading raises; then nobody has it.
        """
        if spec not in self._held:
            self._clear()
            self._held[spec] = self._load(spec, self._device)
        self._users[user] = spec
        return self._held[spec]

    def give_back(self, user: Hashable) -> None:
        """Hear that somebody uses it no more."""
        self._users.pop(user, None)

    def _clear(self) -> None:
        """Let go of what nobody uses."""
        idle = [spec for spec in self._held if spec not in self._users.values()]
        if idle and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)  # other streams than its own may still read it
        for spec in idle:
            del self._held[spec]
