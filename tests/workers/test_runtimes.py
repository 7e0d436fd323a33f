"""A folder is timed as each runtime computes it, and what cannot be is refused in one line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.workers.handed import card, trained
from workers import latency
from workers.handover import images_of, write
from workers.measure import main
from workers.runtimes import RUNTIMES

Capture = pytest.CaptureFixture[str]
KEYS = [
    "runtime", "file", "file_bytes", "device", "threads", "batch", "latency_ms_batch1", "latency_p90_ms_batch1",
    "latency_p99_ms_batch1", "latency_ms_batch", "latency_p90_ms_batch", "latency_p99_ms_batch", "images_per_s",
]  # fmt: skip

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Time for a moment only, and give the threads back."""
    for name in ("WARM_S", "TIMED_S"):
        monkeypatch.setattr(latency, name, 0.0)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Give a folder with ONNX and one without."""
    made, found = trained(), {}
    for onnx in (True, False):
        found[onnx] = tmp_path_factory.mktemp("handed")
        write(found[onnx], made.state(), card(made), images_of(made.spec, made.data.preprocess), onnx=onnx)
    return found


def told(capsys: Capture, *given: str | Path) -> dict[str, Any]:
    assert main([*map(str, given), "--threads", "1", "--device", "cpu", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("runtime", [each for each in RUNTIMES if each != "torch-compile"])
def test_each_runtime_times_the_file_that_it_reads(folders: dict[bool, Path], runtime: str, capsys: Capture) -> None:
    found = told(capsys, folders[True], "--runtime", runtime, "--batch", "4")
    assert list(found) == KEYS
    assert (found["runtime"], found["batch"], found["threads"]) == (runtime, 4, 1)
    assert found["file_bytes"] == (folders[True] / found["file"]).stat().st_size
    assert 0 < found["latency_ms_batch1"] <= found["latency_p90_ms_batch1"] <= found["latency_p99_ms_batch1"]
    assert found["images_per_s"] == pytest.approx(4_000 / found["latency_ms_batch"])


def test_where_none_is_named_it_is_onnxruntime_if_there_is_a_file_for_it(
    folders: dict[bool, Path], capsys: Capture
) -> None:
    assert [told(capsys, folders[onnx])["runtime"] for onnx in (True, False)] == ["onnxruntime", "torch"]


def test_the_table_says_percentiles(folders: dict[bool, Path], capsys: Capture) -> None:
    assert main([str(folders[False]), "--batch", "4"]) == 0
    out = capsys.readouterr().out
    for said in ("weights.safetensors", "ms for 1 image, 90 % within", "99 % within", "per second, 4 at once"):
        assert said in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--runtime", "tensorrt"], "--runtime: unknown runtime 'tensorrt'"),
        (["--runtime", "onnxruntime"], "there is no model.onnx: export with --onnx"),
        (["--data", "digits"], "--data: is what the folder says it is"),
        (["--set", "depths=1,1"], "--set: is what the folder says it is"),
        (["--precision", "float32"], "--precision: is what the folder says it is"),
    ],
)
def test_what_cannot_be_timed_is_refused(
    folders: dict[bool, Path], given: list[str], said: str, capsys: Capture
) -> None:
    assert main([str(folders[False]), "--device", "cpu", *given]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_runtime_is_of_a_folder(capsys: Capture) -> None:
    assert main(["resnet-20", "--runtime", "torch"]) == 2
    assert "--runtime: is of a folder that search.export has written" in capsys.readouterr().err


def test_another_folder_is_refused(tmp_path: Path, capsys: Capture) -> None:
    assert main([str(tmp_path)]) == 2
    assert f"{tmp_path}: holds no card.json" in capsys.readouterr().err


def test_a_damaged_file_is_not_timed(folders: dict[bool, Path], capsys: Capture) -> None:
    path = folders[True] / "model.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert main([str(folders[True]), "--runtime", "onnxruntime"]) == 2
    assert "model.onnx: is damaged" in capsys.readouterr().err
    path.write_bytes(whole)
