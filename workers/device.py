"""Choose a device and what is fast on it; say what it is."""

import os
import platform
import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from spaces.errors import InputError
from workers.recipe import Recipe


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Numerics:
    """Say in which precision and memory layout a network trains."""

    bfloat16: bool
    memory_format: torch.memory_format


def numerics(recipe: Recipe, device: torch.device) -> Numerics:
    """Return the recipe's precision and layout, with `auto` decided for the device.

    On processors with bfloat16 instructions autocast with channels_last was 1.05 (8x8 images) to 2.3 times as fast as
    float32 in torch's default layout, and never slower; without those instructions bfloat16 is emulated and slow.
    """
    layouts = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}
    return Numerics(
        bfloat16=recipe.precision == "bfloat16" or (recipe.precision == "auto" and has_bfloat16(device)),
        memory_format=layouts.get(recipe.memory_format, torch.channels_last),
    )


def has_bfloat16(device: torch.device) -> bool:
    """Say whether the device computes bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    flags = _processor_flags()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _processor_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(found.partition(":")[2].split())


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
