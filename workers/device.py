"""Choose a device and what is fast on it; say what it is."""

import os
import platform
import re
import resource
import sys
from pathlib import Path

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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
