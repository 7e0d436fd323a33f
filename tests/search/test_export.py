"""`python -m search.export` writes a folder that stands alone: what the study measured is what the folder computes."""

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from search.core.records import State
from search.export import main
from tests.search.bench import Bench
from tests.search.small import EPOCHS, Small, study
from workers import checkpoint, measure
from workers.exported import load as open_folder
from workers.pictures import read_folder

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def small(make_bench: Callable[..., Bench], tmp_path: Path) -> Small:
    return study(make_bench, tmp_path, {"name": "digits", "limit": 200})


ODD = ("a b", "é", "|*_x")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give a folder of coloured pictures of several sizes, in classes of odd names."""
    random = np.random.default_rng(0)
    for number, name in enumerate(ODD):
        (tmp_path / "images" / name).mkdir(parents=True)
        for each in range(12):
            size = (10 + each, 12, 3)
            pixels = random.integers(0, 120, size, dtype=np.uint8) + np.uint8(60) * np.eye(3, dtype=np.uint8)[number]
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / name / f"{each}.png")
    return tmp_path / "images"


def test_what_the_study_measured_is_what_the_folder_computes(small: Small, tmp_path: Path, capsys: Capture) -> None:
    assert main([small.url, "--study", "bench", "--trial", "0", "-o", str(tmp_path / "export")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    trial = small.running.trials[0]
    assert trial.state is State.COMPLETE
    told = json.loads((tmp_path / "export" / "card.json").read_text())
    assert (told["trial"], told["epochs"], told["full_epochs"], told["seed"]) == (0, EPOCHS, EPOCHS, trial.seed)
    assert told["network"]["digest"] == trial.digest
    assert told["data"]["fingerprint"] == small.data.fingerprint
    assert trial.last is not None
    assert told["measured"]["accuracy"] == trial.last.metrics["accuracy"]
    assert told["checks"]["accuracy"] == pytest.approx(trial.last.metrics["accuracy"], abs=0.01)
    assert f"tried on {len(small.data.val_labels)} validation images" in out
    with torch.inference_mode():
        found = open_folder(tmp_path / "export")(small.data.val_images).argmax(dim=1)
    assert float((found == small.data.val_labels).float().mean()) == pytest.approx(told["checks"]["accuracy"])


@pytest.mark.slow
def test_a_picture_is_told_alike_by_torch_and_onnxruntime_in_a_folder_of_its_own(
    make_bench: Callable[..., Bench], pictures: Path, tmp_path: Path, capsys: Capture
) -> None:
    small = study(make_bench, tmp_path, {"folder": str(pictures), "size": [14, 16]})
    folder = tmp_path / "export"
    assert main([small.url, "--trial", "0", "-o", str(folder), "--onnx", "--torch-export"]) == 0
    out = capsys.readouterr().out
    assert "onnx opset" in out
    assert "torch.export: largest relative difference" in out
    picture = str(pictures / ODD[1] / "3.png")
    told = [json.loads(predicted(folder, *option, picture)) for option in ((), ("--onnx",))]
    read = read_folder(pictures, (14, 16), train=True)
    number = 12 * sorted(ODD).index(ODD[1]) + sorted(f"{each}.png" for each in range(12)).index("3.png")
    images = torch.from_numpy(read.images[number : number + 1])
    with torch.inference_mode():
        by_torch = open_folder(folder)(images)[0].tolist()
    by_onnx = onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"images": images.numpy()})[0][0].tolist()
    for each, expected in zip(told, (by_torch, by_onnx), strict=True):
        assert each["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert told[0]["class"] in sorted(ODD)
    assert told[0]["probabilities"] == pytest.approx(told[1]["probabilities"], abs=1e-5)
    assert json.loads((folder / "preprocess.json").read_text())["class_names"] == sorted(ODD)
    assert measure.main([str(folder), "--runtime", "onnxruntime", "--batch", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runtime"] == "onnxruntime"


def predicted(folder: Path, *given: str) -> str:
    done = subprocess.run(
        [sys.executable, str(folder / "predict.py"), *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_trial_that_was_not_trained_in_full_is_exported_and_it_is_said(
    small: Small, tmp_path: Path, capsys: Capture
) -> None:
    small.train(2, 1)
    assert main([small.url, "--trial", "2", "-o", str(tmp_path / "export")]) == 0
    assert "warning: trial 2 is running: what is exported was trained 1 of 2 epochs\n" in capsys.readouterr().err
    assert "not what full training comes to" in (tmp_path / "export" / "README.md").read_text()


def test_an_export_is_replaced_and_nothing_else_is(small: Small, tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "export"
    for _ in range(2):
        assert main([small.url, "--trial", "0", "-o", str(folder)]) == 0
    (folder / "notes.txt").write_text("mine")
    capsys.readouterr()
    assert main([small.url, "--trial", "0", "-o", str(folder)]) == 2
    assert capsys.readouterr().err == (
        f"error: {folder} holds notes.txt, which is not of the export; move it away, or name another folder\n"
    )
    assert (folder / "notes.txt").read_text() == "mine"
    assert main([small.url, "--trial", "0", "-o", str(tmp_path / "runs")]) == 2
    assert "holds no card.json of an export" in capsys.readouterr().err


def test_weights_that_were_moved_are_found_where_they_are_said_to_be(
    small: Small, tmp_path: Path, capsys: Capture
) -> None:
    small.runs.rename(tmp_path / "moved")
    given = [small.url, "--trial", "0", "-o", str(tmp_path / "export")]
    assert main(given) == 2
    assert "error: --checkpoints: there is no" in capsys.readouterr().err
    assert not (tmp_path / "export").exists()
    assert main([*given, "--checkpoints", str(tmp_path / "moved")]) == 0


def test_weights_of_an_earlier_version_are_exported_with_the_data_of_the_study(
    small: Small, tmp_path: Path, capsys: Capture
) -> None:
    state = checkpoint.load(small.runs / "0.pt")
    assert state is not None
    del state["preprocess"]
    written = io.BytesIO()
    torch.save(state, written)
    (small.runs / "0.pt").write_bytes(hashlib.sha256(written.getvalue()).digest() + written.getvalue())
    given = [small.url, "--trial", "0", "-o", str(tmp_path / "export")]
    assert main([*given, "--no-data"]) == 2
    assert "the weights are of an earlier version" in capsys.readouterr().err
    assert main(given) == 0
    assert open_folder(tmp_path / "export").preprocess == small.data.preprocess


def test_without_the_data_random_images_are_tried_and_it_is_said(small: Small, tmp_path: Path, capsys: Capture) -> None:
    assert main([small.url, "--trial", "0", "-o", str(tmp_path / "export"), "--no-data"]) == 0
    assert "tried on 256 random images: the data were not to be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "--trial: name a trial; on the front are 0"),
        (["--trial", "9"], "--trial: bench has no trial 9; on the front are 0"),
        (["--trial", "2"], "--trial: trial 2 is running and has no checkpoint yet"),
        (["--trial", "0", "--study", "benches"], "--study: unknown study 'benches'"),
        (["--trial", "0", "--checkpoints", "${NOWHERE_AT_ALL}"], "NOWHERE_AT_ALL"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    small: Small, tmp_path: Path, given: list[str], said: str, capsys: Capture
) -> None:
    assert main([small.url, *given, "-o", str(tmp_path / "export")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "export").exists()


def test_a_url_is_no_folder(small: Small, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        main([small.url, "--trial", "0", "-o", "s3://bucket/export"])
    assert left.value.code == 2
    assert "is a URL; a folder of this machine is required" in capsys.readouterr().err


def test_passes_with_dropout_are_said_to_become_one_without(
    make_bench: Callable[..., Bench], tmp_path: Path, capsys: Capture
) -> None:
    small = study(make_bench, tmp_path, {"name": "digits", "limit": 200}, recipe={"monte_carlo": 3})
    assert main([small.url, "--trial", "0", "-o", str(tmp_path / "export")]) == 0
    assert "measured 3 passes with dropout; what is exported computes one pass without" in capsys.readouterr().err
