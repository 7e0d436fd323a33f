"""Every exception in a trial is a failure of one kind, told in one line."""

import pickle

import pytest
import torch

from spaces.errors import InfeasibleArchitecture, InputError, TrialFailure
from workers.failures import classify

ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nGPU 0"), "out-of-memory", "CUDA out"),
        (MemoryError(), "out-of-memory", ""),
        (MemoryError("Unable to allocate 3 TiB"), "out-of-memory", "Unable to allocate 3 TiB"),
        (RuntimeError(ALLOCATOR), "out-of-memory", "DefaultCPUAllocator: can't allocate memory"),
        (OSError(12, "Cannot allocate memory"), "out-of-memory", "[Errno 12] Cannot allocate memory"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors"), "out-of-memory", "CUDA error: out of memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "out-of-memory", "CUDA"),
        (InputError("cannot be read", place="a.npz"), "data", "a.npz: cannot be read"),
        (InfeasibleArchitecture("too small"), "data", "too small"),
        (RuntimeError("CUDA error: an illegal memory access"), "crash", "RuntimeError: CUDA error: an illegal memory"),
        (ZeroDivisionError("division by zero"), "crash", "ZeroDivisionError: division by zero"),
        (KeyError("spec"), "crash", "KeyError: 'spec'"),
        (ValueError("first line\nsecond line"), "crash", "ValueError: first line"),
        (ValueError(), "crash", "ValueError: "),
    ],
)
def test_an_exception_is_a_failure_of_its_kind(error: Exception, kind: str, message: str) -> None:
    found = classify(error)
    assert found.kind == kind
    assert found.message.startswith(message)
    assert "\n" not in found.message


def test_what_the_processors_allocator_really_raises_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert classify(raised.value).kind == "out-of-memory"


def test_a_failure_that_is_one_already_stays_as_it_is() -> None:
    failure = TrialFailure("not-finite", "the loss is nan in epoch 3")
    assert classify(failure) is failure


def test_the_details_say_where_it_happened() -> None:
    def deep_inside() -> None:
        raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError) as raised:
        deep_inside()
    details = classify(raised.value).details
    assert "deep_inside" in details
    assert details.rstrip().endswith("ZeroDivisionError: division by zero")


def test_a_failure_crosses_a_process_boundary_whole() -> None:
    sent = classify(RuntimeError("no such kernel"))
    received = pickle.loads(pickle.dumps(sent))
    assert isinstance(received, TrialFailure)
    assert (received.kind, received.message, received.details) == (sent.kind, sent.message, sent.details)
    assert str(received) == "crash: RuntimeError: no such kernel"
