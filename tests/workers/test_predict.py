"""`predict.py` of a folder reads a picture as the study did, and needs no more than it says."""

import json
import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.workers.handed import card, renamed, trained
from workers.exported import load
from workers.handover import images_of, write
from workers.images import read_npz
from workers.pictures import read_folder
from workers.trainer import Trainer

ODD = ("é", "a\nb", "\udcff")


def script(**given: Any) -> Any:
    """Return what `predict.py` is beside a `preprocess.json`."""
    text = files("workers").joinpath("templates", "predict.py").read_text()
    made = ModuleType("predict")
    made.__file__ = str(given.pop("beside") / "predict.py")
    (Path(made.__file__).parent / "preprocess.json").write_text(json.dumps(given))
    exec(compile(text, made.__file__, "exec"), made.__dict__)
    return SimpleNamespace(**made.__dict__)


def drawn(mode: str, size: tuple[int, int] = (13, 9)) -> Image.Image:
    """Return a picture of a mode."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    picture = Image.fromarray(pixels, "RGBA")
    return picture.quantize(16) if mode == "P" else picture.convert(mode)


def rotated(path: Path, orientation: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    drawn("RGB").save(path, exif=tags)


GREY = ("1", "L", "LA", "I;16")


@pytest.mark.filterwarnings("ignore:Palette images with Transparency")  # of Pillow's, which reading for a study hides
@pytest.mark.parametrize(
    ("mode", "channels"),
    [
        *((mode, 4) for mode in ("L", "LA", "I;16", "P", "RGB", "RGBA", "CMYK", 3, 6)),
        *((mode, 1) for mode in GREY),
        *((mode, 3) for mode in (*GREY, "P", "RGB", "RGBA", "CMYK", *range(1, 9))),
    ],
)
def test_a_picture_is_read_as_the_study_read_it(tmp_path: Path, mode: str | int, channels: int) -> None:
    for number in (0, 1):
        path = tmp_path / "images" / "a" / f"{number}.{'tif' if mode == 'CMYK' else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rotated(path, mode) if isinstance(mode, int) else drawn(mode).save(path)
    if channels == 3:
        drawn("RGB").save(tmp_path / "images" / "a" / "coloured.png")
    read = read_folder(tmp_path / "images", (7, 5), train=True, channels=4 if channels == 4 else None)
    assert read.images.shape[1] == channels
    predict = script(beside=tmp_path, height=7, width=5, channels=channels, class_names=["a"], white=read.white)
    expected = read.images[0].transpose(1, 2, 0).tobytes()
    assert bytes(predict.pixels(str(path))) == expected


@pytest.mark.parametrize("white", [4095, 1000.5])
def test_grey_of_16_bits_has_the_white_of_the_study(tmp_path: Path, white: float) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    for number in (0, 1):
        values = np.random.default_rng(number).integers(0, int(white), (9, 13), dtype=np.uint16)
        Image.fromarray(values).save(path := tmp_path / "images" / "a" / f"{number}.png")
    read = read_folder(tmp_path / "images", (7, 5), train=True, scale=white)
    assert read.white == white
    predict = script(beside=tmp_path, height=7, width=5, channels=1, class_names=["a"], white=read.white)
    assert bytes(predict.pixels(str(path))) == read.images[1].transpose(1, 2, 0).tobytes()


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize(("kind", "scale"), [(np.uint8, None), (np.uint16, 4095), (np.float32, 1.0)])
def test_an_array_is_read_as_the_study_read_it(tmp_path: Path, order: str, kind: Any, scale: float | None) -> None:
    images = (np.random.default_rng(0).random((4, 5, 7, 6)) * (scale or 255)).astype(kind)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([0, 1, 0, 1]))
    read = read_npz(tmp_path / "a.npz", train=True, scale=scale, order=order)
    _, c, h, w = read.images.shape
    predict = script(beside=tmp_path, height=h, width=w, channels=c, class_names=["a"], white=None, scale=read.scale)
    np.save(path := tmp_path / "one.npy", images[3])
    assert bytes(predict.pixels(str(path))) == read.images[3].transpose(1, 2, 0).tobytes()


def test_what_no_picture_can_have_and_another_size_are_one_line(tmp_path: Path) -> None:
    predict = script(beside=tmp_path, height=7, width=6, channels=5, class_names=["a"], white=None)
    with pytest.raises(SystemExit, match=r"^a.png: no picture has 5 channels; give an array.npy$"):
        predict.pixels("a.png")
    np.save(path := tmp_path / "one.npy", np.zeros((5, 7, 7)))
    with pytest.raises(SystemExit, match=r"one.npy: is 5x7x7, not 7x6x5$"):
        predict.pixels(str(path))


GUARD = """
import sys
from importlib.abc import MetaPathFinder

FORBIDDEN = {forbidden!r}


class Guard(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{{name}} is not here", name=name)


sys.meta_path.insert(0, Guard())
"""
NEVER = (
    "ray", "optuna", "sqlalchemy", "alembic", "pydantic", "yaml", "pandas", "scipy", "sklearn", "plotly", "rich",
    "safetensors", "onnx", "onnxscript", "torchvision", "search", "dashboards", "threadpoolctl", "psutil",
)  # fmt: skip
WITHOUT = {  # what an environment lacks that has only what `predict.py` says it needs
    "": [*NEVER, "onnxruntime", "numpy", "fsspec"],
    "--onnx": [*NEVER, "torch", "spaces", "workers"],
}


@pytest.fixture(scope="module")
def made() -> Trainer:
    return renamed(trained(), *ODD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, made: Trainer) -> Path:
    path = tmp_path_factory.mktemp("handed")
    write(path, made.state(), card(made), images_of(made.spec, made.data.preprocess), onnx=True)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("option", WITHOUT)
def test_it_runs_where_only_what_it_names_is_installed(
    folder: Path, made: Trainer, tmp_path: Path, option: str
) -> None:
    (tmp_path / "guard").mkdir()
    # torch itself looks for numpy and fsspec, and does without.
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD.format(forbidden=WITHOUT[option]))
    images = made.data.val_images[:3]
    for number, each in enumerate(images):
        Image.fromarray(each[0].numpy()).save(tmp_path / f"{number}.png")
    given = [*([option] if option else []), *(str(tmp_path / f"{number}.png") for number in range(3))]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(folder / "predict.py"), *given], capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'guard'}{os.pathsep}{root}", "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    with torch.inference_mode():
        expected = load(folder)(images)
    for each, row in zip(told, expected, strict=True):
        assert each["probabilities"] == pytest.approx(row.tolist(), abs=1e-5)
        assert each["class"] == made.data.class_names[int(row.argmax())]
        assert each["probability"] == max(each["probabilities"])


def test_without_a_picture_it_says_how_it_is_used(folder: Path) -> None:
    done = subprocess.run([sys.executable, str(folder / "predict.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python predict.py [--onnx] picture.png array.npy ..." in done.stderr
