"""Keep a trial's progress in one file that is whole or absent."""

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch

_DIGEST = 32  # bytes of SHA-256 that stand before the state: torch does not notice a flipped bit


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state beside the file and rename it into place, so that a torn file is never found there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    torch.save(state, written)
    # The process is named, because a worker that outlives its driver may still write while its successor does.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(hashlib.sha256(written.getbuffer()).digest() + written.getbuffer())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load(path: Path) -> dict[str, Any] | None:
    """Return the state, or None where there is no file or none that can be read.

    Only tensors and plain values are read: nothing in the file is executed.
    """
    try:
        read = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(read[_DIGEST:]).digest() != read[:_DIGEST]:
        return None  # damaged by a full disk or a power cut: the trial begins again, which costs time but no truth
    try:
        state = torch.load(io.BytesIO(read[_DIGEST:]), map_location="cpu", weights_only=True)
    except Exception:  # whole, but not written by `save`: torch has no one error for that
        return None
    return state if isinstance(state, dict) else None
