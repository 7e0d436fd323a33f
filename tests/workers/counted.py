"""Count what torch is asked to compute: on a GPU each of these is launched, or waited for."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

VIEWS = ("view", "slice", "select", "expand", "t", "transpose", "permute", "detach", "alias", "as_strided", "unsqueeze",
         "squeeze", "_unsafe_view", "split", "unbind")  # fmt: skip
# What reads a number of the device, or has to know how many there are; `item` and others are so named in inference.
WAITED_FOR = ("_local_scalar_dense", "item", "is_nonzero", "nonzero", "bincount", "_unique2", "masked_select")


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen = Counter[str]()

    def __torch_dispatch__(self, function: Any, _types: Any, given: Any = (), named: Any = None) -> Any:
        self.seen[function.overloadpacket.__name__] += 1
        return function(*given, **(named or {}))


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count operations by name, with those that a GPU is not asked for, such as views."""
    with _Counting() as counting:
        yield counting.seen


def launched(seen: Counter[str]) -> int:
    """Return how many operations compute something."""
    return sum(count for name, count in seen.items() if name not in VIEWS and not name.startswith("empty"))


def waits(seen: Counter[str]) -> int:
    """Return how often a GPU would have been waited for."""
    return sum(seen[name] for name in WAITED_FOR)


def transfers(monkeypatch: Any) -> list[int]:
    """Return a list that grows with every tensor that is read as numbers of Python's."""
    read: list[int] = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda given: (read.append(given.numel()), tolist(given))[1])
    return read
