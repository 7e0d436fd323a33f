"""Choose a device and what is fast on it; say what it is."""

import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from spaces.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; `auto` takes CUDA where there is one.

    Raises:
        InputError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise InputError(f"unknown device {name!r}; known are auto, cpu, cuda, cuda:N")
    device, seen = torch.device(name), torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= seen:
        raise InputError(f"device {name} was asked for, but torch sees {seen or 'none'}")
    return device


def cache_folder() -> Path:
    """Return a folder among this user's caches: what is read from it decides how networks are trained.

    Raises:
        OSError: there can be none.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # may not be there
    folder = Path(caches) / "widefront"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def use_threads(count: int) -> None:
    """Let this process compute on so many threads; more than a trial's share of the cores slows all tenfold."""
    torch.set_num_threads(count)


def has_bfloat16(device: torch.device) -> bool:
    """Return whether a GPU computes bfloat16 in hardware. Of a processor that is measured (`workers.probe`)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    found = next((line for line in lines if line.startswith("model name")), "")
    return found.partition(":")[2].strip() or platform.processor() or platform.machine()


def fingerprint(device: torch.device) -> dict[str, str]:
    """Name the hardware and versions that measurements on this device depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {
        "device": name,
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def start_peak(device: torch.device) -> None:
    """Begin to measure peak memory anew, where the device can."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """Return the most bytes held: on CUDA by tensors since `start_peak`, on a CPU by the whole process ever."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError, StopIteration, ValueError):  # elsewhere than on Linux
        # What `getrusage` says there a process inherits from the one that started it, however much that held.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Laps:
    """Time what a device is given, part by part, without waiting for it between them."""

    def __init__(self, device: torch.device) -> None:
        """Begin the first part, on a device that has nothing to do."""
        self._device, self._cuda = device, device.type == "cuda"
        self._began = time.perf_counter()
        self._events = [self._event()]
        self._split = self._began

    def split(self) -> None:
        """End the first part, and begin the second."""
        self._split = time.perf_counter()
        self._events.append(self._event())

    def seconds(self) -> tuple[float, float]:
        """Return what both parts took, now that the device has done all that it was given."""
        whole = time.perf_counter() - self._began
        first = self._split - self._began
        if self._cuda:
            begun, split = self._events
            assert begun is not None
            assert split is not None
            first = max(first, begun.elapsed_time(split) / 1000)
        return first, max(0.0, whole - first)

    def _event(self) -> "torch.cuda.Event | None":
        if not self._cuda:
            return None
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's own
        event.record(torch.cuda.current_stream(self._device))  # of a device that need not be torch's current one
        return event


def leaving(held: Any, device: torch.device) -> tuple[Any, Callable[[], None]]:
    """Return copies of tensors, and of what holds them, in memory of their own on the host, and what waits for them.

    A GPU copies them in its turn: before anything that it is given later, which may change what they are copies of.

    Args:
        held: a mapping, list, tensor or plain value.
        device: that may hold the tensors.
    """
    copied = _copied(held)
    if device.type != "cuda":
        return copied, _at_once
    event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # torch's own; a wait that spins slows others
    event.record(torch.cuda.current_stream(device))
    return copied, event.synchronize


def _at_once() -> None:
    """Wait for nothing."""


def _copied(held: Any) -> Any:
    if isinstance(held, torch.Tensor):
        return held.to("cpu", non_blocking=True, copy=True)
    if isinstance(held, Mapping):
        return {name: _copied(value) for name, value in held.items()}
    return [_copied(value) for value in held] if isinstance(held, list) else held
