"""Keep a trial's progress in one file that is whole or absent."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state beside the file and rename it into place, so that a torn file is never found there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process is named, because a worker that outlives its driver may still write while its successor does.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(state, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any] | None:
    """Return the state, or None where there is no file or none that can be read.

    Only tensors and plain values are read: nothing in the file is executed.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError):
        return None  # damaged by a full disk or a power cut: the trial begins again, which costs time but no truth
    return state if isinstance(state, dict) else None
