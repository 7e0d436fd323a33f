"""The device is the one asked for, and `auto` is what was measured to be faster on it."""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from spaces.errors import InputError
from workers.device import Laps, choose_device, fingerprint, has_bfloat16, leaving, peak_bytes, start_peak

CPU = torch.device("cpu")


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture
def with_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.mark.usefixtures("without_cuda")
def test_auto_is_the_processor_where_there_is_no_gpu() -> None:
    assert choose_device("auto") == CPU
    assert choose_device() == CPU


@pytest.mark.usefixtures("with_one_gpu")
def test_auto_is_the_gpu_where_there_is_one() -> None:
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:0") == torch.device("cuda", 0)
    assert choose_device("cpu") == CPU


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "device cuda was asked for, but torch sees none"),
        ("cuda:0", "device cuda:0 was asked for, but torch sees none"),
        ("gpu", "unknown device 'gpu'; known are auto, cpu, cuda, cuda:N"),
        ("meta", "unknown device 'meta'; known are auto, cpu, cuda, cuda:N"),
        ("cuda:x", "unknown device 'cuda:x'; known are auto, cpu, cuda, cuda:N"),
        ("", "unknown device ''; known are auto, cpu, cuda, cuda:N"),
        ("cpu\ncuda", r"unknown device 'cpu\ncuda'; known are auto, cpu, cuda, cuda:N"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        choose_device(name)
    assert str(refused.value) == message


@pytest.mark.usefixtures("with_one_gpu")
def test_a_gpu_beyond_the_last_is_refused() -> None:
    with pytest.raises(InputError, match=r"device cuda:1 was asked for, but torch sees 1$"):
        choose_device("cuda:1")


def test_a_processors_bfloat16_is_measured_and_not_believed() -> None:
    assert not has_bfloat16(CPU)


def test_a_fingerprint_names_the_hardware_and_the_versions() -> None:
    found = fingerprint(CPU)
    assert list(found) == ["device", "cores", "python", "torch"]
    assert found["torch"] == torch.__version__
    assert found["python"] == platform.python_version()
    assert found["cores"] == str(os.cpu_count())
    assert found["device"].strip()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what is resident is read from Linux's /proc")
def test_peak_memory_on_a_processor_is_that_of_the_process_in_bytes() -> None:
    start_peak(CPU)
    held = torch.ones(2**24)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    assert held.nbytes < 0.9 * resident < peak_bytes(CPU) < 1000 * resident  # Linux counts with a little delay


def test_parts_of_a_time_are_timed_one_after_the_other() -> None:
    began = time.perf_counter()
    laps = Laps(CPU)
    time.sleep(0.02)
    laps.split()
    time.sleep(0.01)
    first, second = laps.seconds()
    assert first >= 0.02
    assert second >= 0.01
    assert first + second <= time.perf_counter() - began


def test_a_gpu_is_timed_by_its_own_work_also_where_it_is_not_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = list[str]()

    class Recorded:
        def __init__(self, **_how: bool) -> None:
            pass

        def record(self, stream: str = "of the current device") -> None:
            streams.append(stream)

    monkeypatch.setattr(torch.cuda, "Event", Recorded)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"of {device}")
    Laps(torch.device("cuda:1")).split()
    assert streams == ["of cuda:1"] * 2


def test_what_is_brought_to_the_host_is_a_copy_of_everything_that_it_holds() -> None:
    held = {"a": torch.zeros(2), "b": [torch.ones(3), {"c": torch.ones(1), "d": "text"}], "e": None}
    copied, arrived = leaving(held, CPU)
    arrived()
    held["a"].add_(1)  # type: ignore[union-attr]
    assert copied["a"].tolist() == [0, 0]
    assert copied["b"][0] is not held["b"][0]  # type: ignore[index]
    assert copied["b"][1] == {"c": torch.ones(1), "d": "text"}
    assert copied["e"] is None


def test_what_leaves_a_gpu_is_waited_for_by_an_event_of_the_stream_that_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []

    class Recorded:
        def __init__(self, **how: bool) -> None:
            assert how == {"blocking": True}

        def record(self, stream: str) -> None:
            steps.append(stream)

        def synchronize(self) -> None:
            steps.append("there")

    monkeypatch.setattr(torch.cuda, "Event", Recorded)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"of {device}")
    _, arrived = leaving({"a": torch.zeros(2)}, torch.device("cuda:1"))
    assert steps == ["of cuda:1"]
    arrived()
    assert steps == ["of cuda:1", "there"]


ASKED = "import torch; from workers.device import peak_bytes; print(peak_bytes(torch.device('cpu')))"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells it apart")
def test_a_process_has_not_held_what_the_one_that_started_it_held() -> None:
    held = b"x" * 2**30
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert 2**26 < int(told.stdout) < len(held)
