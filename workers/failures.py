"""Tell what kind of failure an exception is, where it happened, before it is sent away."""

import traceback

import torch

from spaces.errors import InputError, TrialFailure

# Memory that runs out elsewhere than in torch's CUDA allocator: a processor's, and that of CUDA's own libraries.
_MEMORY = (
    "DefaultCPUAllocator", "not enough memory", "Cannot allocate memory", "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip


def classify(error: Exception) -> TrialFailure:
    """Return the failure that an exception in a trial is, with one line of message and the traceback."""
    if isinstance(error, TrialFailure):
        return error
    message = (str(error).strip().splitlines() or [""])[0]
    details = "".join(traceback.format_exception(error))
    if isinstance(error, InputError):
        return TrialFailure("data", message, details)
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(sign in str(error) for sign in _MEMORY):
        return TrialFailure("out-of-memory", message, details)
    return TrialFailure("crash", f"{type(error).__name__}: {message}", details)
