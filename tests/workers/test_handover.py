"""A folder holds all that is needed to use a network without its study, and nothing of the machine that wrote it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.errors import InputError
from spaces.settings import load_architecture
from tests.workers.handed import DIGITS, SMALL, card, renamed, trained
from workers.exported import CARD, load, read_weights
from workers.handover import images_of, why_not_ours, write
from workers.preprocess import Preprocess
from workers.trainer import Trainer

PLAIN = {"README.md", "architecture.json", "card.json", "predict.py", "preprocess.json", "weights.safetensors"}
ODD = ("é", "a b", "\udcff", "| *x* <b>\n#", '"')  # a folder may have any name


@pytest.fixture(scope="module")
def made() -> Trainer:
    return renamed(trained(), *ODD)


def handed(made: Trainer, folder: Path, **options: Any) -> Path:
    folder.mkdir()
    write(folder, made.state(), card(made), images_of(made.spec, made.data.preprocess), **options)
    return folder


def test_the_folder_holds_what_stands_alone(made: Trainer, tmp_path: Path) -> None:
    folder = handed(made, tmp_path / "export")
    assert {each.name for each in folder.iterdir()} == PLAIN
    told = Preprocess.from_json(json.loads((folder / "preprocess.json").read_text(encoding="utf-8")))
    assert told == made.data.preprocess
    assert told.class_names[:5] == ODD
    assert load_architecture(folder / "architecture.json") == (SMALL, made.data.image)
    assert load(folder).preprocess == told


def test_the_card_says_how_it_was_trained_and_what_was_tried(made: Trainer, tmp_path: Path) -> None:
    folder = handed(made, tmp_path / "export")
    told = json.loads((folder / CARD).read_text())
    assert (told["study"], told["trial"], told["seed"]) == ("digits-front", 18, 3)
    assert told["data"]["fingerprint"] == made.data.fingerprint
    assert told["checks"]["tried on"] == f"{len(made.data.val_labels)} validation images"
    assert told["checks"]["accuracy"] == pytest.approx(made.history[-1].metrics["accuracy"])
    assert told["files"].keys() == PLAIN - {CARD}
    assert "intervals" not in told
    assert "test" not in told
    page = (folder / "README.md").read_text(encoding="utf-8")
    for said in ("# digits-front, trial 18", "1 of 1", made.data.fingerprint, "a processor", "\\udcff"):
        assert said in page
    for later in ("Intervals", "test split"):
        assert later not in page


def test_what_comes_later_has_a_place(made: Trainer, tmp_path: Path) -> None:
    told = card(made, intervals={"accuracy": "0.91 to 0.95"}, test={"2026-01-02": "accuracy 0.93"})
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder, made.state(), told, images_of(made.spec, made.data.preprocess))
    page = (folder / "README.md").read_text(encoding="utf-8")
    assert "## Intervals\n\n| | |\n|---|---|\n| accuracy | 0.91 to 0.95 |" in page
    assert "## Looks at the test split" in page
    assert json.loads((folder / CARD).read_text())["intervals"] == {"accuracy": "0.91 to 0.95"}


def test_where_the_images_cannot_be_read_random_ones_are_tried_and_it_is_said_why(made: Trainer) -> None:
    gone = replace(made.spec, data=replace(DIGITS, name="npz", path="/nowhere/images.npz"))
    others = replace(made.spec, fingerprint="0123456789abcdef")
    for spec, read, why in (
        (gone, True, "/nowhere/images.npz: cannot be read"),
        (others, True, "the images of digits are not those that it was trained on"),
        (made.spec, False, "the data were not to be read"),
    ):
        found = images_of(spec, made.data.preprocess, read=read)
        assert found.labels is None
        assert why in found.why
        assert found.images.shape[1:] == made.data.val_images.shape[1:]
        assert found.preprocess == made.data.preprocess


def test_weights_of_an_earlier_version_take_from_the_data_what_pictures_go_through(made: Trainer) -> None:
    assert images_of(made.spec, None).preprocess == trained().data.preprocess
    with pytest.raises(InputError, match=r"of an earlier version.*: the data were not to be read"):
        images_of(made.spec, None, read=False)


def test_several_passes_with_dropout_become_one_without_and_the_page_says_so(tmp_path: Path) -> None:
    made = trained(replace(SMALL, dropout="between", dropout_rate=0.3), monte_carlo=4)
    folder = handed(made, tmp_path / "export")
    with torch.inference_mode():
        module, images = load(folder), made.data.val_images[:8]
        assert torch.equal(module(images), module(images))
    assert "mean probabilities of 4 passes" in (folder / "README.md").read_text()


def test_what_was_trained_in_bfloat16_and_groups_is_handed_over_in_float32(tmp_path: Path) -> None:
    grouped = replace(SMALL, block="resnext", cardinality=4)
    made = trained(grouped, precision="bfloat16", epochs=2)
    assert made.numerics.bfloat16
    folder = handed(made, tmp_path / "export")
    assert {each.dtype for each in read_weights(folder / "weights.safetensors").values()} == {
        torch.float32,
        torch.int64,
    }
    told = json.loads((folder / CARD).read_text())
    assert told["numerics"].startswith("bfloat16")
    assert told["checks"]["accuracy"] == pytest.approx(made.history[-1].metrics["accuracy"], abs=0.03)


def test_only_an_export_as_it_was_written_may_be_replaced(made: Trainer, tmp_path: Path) -> None:
    folder = handed(made, tmp_path / "export")
    assert why_not_ours(folder) == ""
    (folder / "notes.txt").write_text("mine")
    assert why_not_ours(folder) == "holds notes.txt, which is not of the export"
    (folder / "notes.txt").unlink()
    (folder / "predict.py").write_text("mine")
    assert why_not_ours(folder) == "holds predict.py, which was changed"
    (folder / CARD).write_text("{}")
    assert why_not_ours(folder) == "holds no card.json of an export"
    (tmp_path / "empty").mkdir()
    assert why_not_ours(tmp_path / "empty") == ""
    assert why_not_ours(folder / CARD) == "is no folder"


@pytest.mark.slow
def test_no_file_names_a_place_on_this_machine(made: Trainer, tmp_path: Path) -> None:
    folder = handed(made, tmp_path / "export", onnx=True, program=True)
    assert {each.name for each in folder.iterdir()} == PLAIN | {"model.onnx", "model.pt2"}
    here = str(Path(__file__).resolve().parents[2]).encode()
    for each in folder.iterdir():
        content = each.read_bytes()
        assert here not in content, each.name
        assert b"site-packages" not in content, each.name
