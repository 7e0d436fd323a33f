"""Every exception in a trial is a failure of one kind, told in one line."""

import errno
import os
import pickle
import socket
from email.message import Message
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
import torch

from spaces.errors import InfeasibleArchitecture, InputError, TrialFailure
from workers.failures import MOST_CHARACTERS, MOST_DETAILS, breaks_context, classify

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
        (InputError("not enough memory: 4 images would", place="a"), "out-of-memory", "a: not enough memory: 4 images"),
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


CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.20 GiB is "
    "free. Including non-PyTorch memory, this process has 77.9 GiB memory in use. {allowed}Of the allocated memory "
    "9.10 GiB is allocated by PyTorch, and 1.00 MiB is reserved by PyTorch but unallocated. If reserved but "
    "unallocated memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid fragmentation."
)


@pytest.mark.parametrize(("allowed", "told"), [("", ""), ("19.78 GiB allowed; ", ", of which 19.78 GiB allowed")])
def test_memory_is_told_as_how_much_of_how_much(allowed: str, told: str) -> None:
    found = classify(torch.OutOfMemoryError(CUDA.format(allowed=allowed)))
    assert str(found) == (
        f"out-of-memory: CUDA: asked for 2.00 GiB; 1.20 GiB of 79.11 GiB free{told}, 9.10 GiB held by this trial"
    )


def test_memory_that_ran_out_without_a_word_has_one() -> None:
    assert str(classify(MemoryError())) == "out-of-memory: the process got no more memory"


@pytest.mark.parametrize(
    "said",
    [
        "MPS backend out of memory (MPS allocated: 3.00 GB)",
        "HIP out of memory. Tried to allocate 2 GiB",
        "CUDA driver error: out of memory",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "GET was unable to find an engine to execute this computation",
        "FIND was unable to find an engine to execute this computation",
        "Unable to find a valid cuDNN algorithm to run convolution",
        "std::bad_alloc",
        "unable to mmap 4096 bytes from file </x>: Cannot allocate memory (12)",
        "[enforce fail at alloc_cpu.cpp:75] . DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes.",
    ],
)
def test_memory_runs_out_in_many_words(said: str) -> None:
    assert classify(RuntimeError(said)).kind == "out-of-memory"


AWAY = ("ESTALE", "ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ETIMEDOUT")


@pytest.mark.parametrize("name", AWAY)
def test_a_network_or_a_file_system_of_one_that_is_away_is_a_connection(name: str) -> None:
    number = getattr(errno, name)
    found = classify(OSError(number, os.strerror(number), "/net/images/1.png"))
    assert found.kind == "connection"
    assert os.strerror(number) in found.message
    assert classify(RuntimeError(f"cannot open: {os.strerror(number)}")).kind == "connection"  # of C++


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("broken"),
        TimeoutError(),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        IncompleteRead(b"half"),
        URLError(ConnectionRefusedError(111, "Connection refused")),
        HTTPError("http://x", 503, "Service Unavailable", Message(), None),
        HTTPError("http://x", 429, "Too Many Requests", Message(), None),
    ],
)
def test_what_may_be_reached_later_is_a_connection(error: Exception) -> None:
    found = classify(error)
    assert found.kind == "connection"
    assert found.message.startswith(f"{type(error).__name__}: ") or isinstance(error, URLError)


@pytest.mark.parametrize(
    "error",
    [
        HTTPError("http://x", 404, "Not Found", Message(), None),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        PermissionError(errno.EACCES, "Permission denied"),
        URLError("unknown url type: x"),
    ],
)
def test_what_is_not_there_later_either_is_a_crash(error: Exception) -> None:
    assert classify(error).kind == "crash"


def test_a_disk_that_cannot_be_read_or_written_is_not_a_full_one() -> None:
    assert classify(OSError(errno.EIO, os.strerror(errno.EIO))).kind == "io"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_without_room_is_not_the_trials_fault(number: int) -> None:
    assert classify(OSError(number, os.strerror(number))).kind == "disk"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("count", [10, 1_000_000])
def test_what_torch_really_raises_on_a_full_disk_is_known(count: int) -> None:
    with pytest.raises(RuntimeError) as by_name:
        torch.save(torch.zeros(count), "/dev/full")
    assert classify(by_name.value).kind == "disk"
    with pytest.raises((RuntimeError, OSError)) as opened, Path("/dev/full").open("wb", buffering=0) as file:
        torch.save(torch.zeros(count), file)
    assert classify(opened.value).kind == "disk"


def test_a_device_that_broke_is_lost_as_a_worker_is() -> None:
    assert classify(RuntimeError("CUDA error: uncorrectable ECC error encountered")).kind == "lost"


# What was raised for something else


def raised(outer: Exception, inner: BaseException, *, how: str) -> Exception:
    """Return an exception that was raised from another, while handling it, or in spite of it."""
    try:
        try:
            raise inner
        except BaseException:
            if how == "from":
                raise outer from inner
            if how == "from none":
                raise outer from None
            raise outer  # noqa: B904  # as the handler of one error breaks with another
    except type(outer) as error:
        return error


@pytest.mark.parametrize("how", ["from", "while handling"])
@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        (OSError(errno.ESTALE, "Stale file handle"), "connection"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (MemoryError(), "out-of-memory"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "data"),
        (ValueError("not a picture"), "data"),
    ],
)
def test_data_that_cannot_be_read_may_hide_what_will_pass(inner: Exception, kind: str, how: str) -> None:
    error = raised(InputError("cannot be read", place="a.npz"), inner, how=how)
    found = classify(error)
    assert found.kind == kind
    assert "cannot be read" in found.details
    assert type(inner).__name__ in found.details


def test_what_was_set_aside_on_purpose_does_not_count() -> None:
    assert classify(raised(ValueError("x"), ConnectionError("y"), how="from none")).kind == "crash"


def test_a_failure_inside_another_exception_keeps_its_kind() -> None:
    found = classify(raised(RuntimeError("x"), TrialFailure("not-finite", "the loss is nan"), how="from"))
    assert (found.kind, found.message) == ("not-finite", "the loss is nan")


def test_the_outermost_of_a_kind_speaks() -> None:
    inner = raised(ConnectionError("outer"), ConnectionError("inner"), how="from")
    assert classify(inner).message == "ConnectionError: outer"


def test_a_group_is_of_the_kind_of_what_it_holds() -> None:
    assert classify(ExceptionGroup("two", [ValueError("x"), TimeoutError("late")])).kind == "connection"


def test_exceptions_in_a_circle_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert str(classify(first)) == "crash: ValueError: first"


def test_an_exception_that_cannot_speak_is_a_crash_too() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

    found = classify(Mute())
    assert (found.kind, found.message) == ("crash", "Mute: ")
    assert "Mute" in found.details


def test_a_message_and_a_traceback_stay_of_a_size_for_a_table() -> None:
    found = classify(ValueError("x" * 100_000))
    assert len(found.message) == MOST_CHARACTERS
    assert len(found.details) == MOST_DETAILS
    assert found.details.startswith("ValueError: x")


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


@pytest.mark.parametrize("said", ["device-side assert triggered", "an illegal memory access was encountered"])
def test_a_context_breaks_by_what_cuda_says_and_not_by_memory(said: str) -> None:
    assert breaks_context(torch.AcceleratorError("CUDA error: unknown error"))
    assert breaks_context(RuntimeError(f"CUDA error: {said}"))
    assert not breaks_context(RuntimeError(f"a block of a package: {said}"))
    assert not breaks_context(torch.OutOfMemoryError("CUDA out of memory"))
    assert not breaks_context(torch.AcceleratorError("CUDA error: out of memory"))
