"""A node that is asked tells whether it sees the checkpoints, the data and its device, and which versions it has."""

from dataclasses import replace
from pathlib import Path

import pytest

from search.tune import probe as inquiry
from search.tune.probe import Question, answer, drivers_file, nodes_file, question
from workers.datasets import load
from workers.places import open_folder
from workers.sources import DataSpec

DIGITS = DataSpec(name="digits", limit=60)


@pytest.fixture(autouse=True)
def no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what one machine writes be seen by another at once."""
    monkeypatch.setattr(inquiry, "LAG_S", 0.3)


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load(DIGITS).fingerprint


@pytest.fixture
def asked(tmp_path: Path, fingerprint: str) -> Question:
    """Give a question to which the driver's word lies ready."""
    made = question(open_folder(tmp_path), DIGITS, fingerprint, gpu=False)
    (tmp_path / drivers_file(made.word)).write_text(made.word)
    return made


def test_a_node_that_sees_everything_says_nothing_and_leaves_its_answer(asked: Question, tmp_path: Path) -> None:
    found = answer(asked, "abc")
    assert (found.wrong, found.other) == ("", ())
    assert (tmp_path / nodes_file(asked.word, "abc")).read_text() == asked.word


@pytest.mark.parametrize("folder", ["elsewhere", "nowhere/at/all"])
def test_a_node_with_another_folder_of_checkpoints_says_so(asked: Question, tmp_path: Path, folder: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    found = answer(replace(asked, folder=str(tmp_path / folder)), "abc")
    assert found.place == "checkpoints"
    assert str(tmp_path / folder) in found.wrong
    assert "every node must share it" in found.wrong
    assert not (tmp_path / "nowhere").exists()  # a node makes no folder that would hide what is missing


def test_a_folder_of_an_earlier_study_is_not_taken_for_the_drivers(asked: Question, tmp_path: Path) -> None:
    (tmp_path / drivers_file(asked.word)).write_text("the word of somebody else")
    assert answer(asked, "abc").place == "checkpoints"


def test_a_node_whose_folder_cannot_be_written_says_why(asked: Question, tmp_path: Path) -> None:
    (tmp_path / nodes_file(asked.word, "abc")).mkdir()  # as a full or read-only disk would, it refuses the file
    found = answer(asked, "abc")
    assert found.place == "checkpoints"
    assert found.wrong == f"{tmp_path} cannot be used: Is a directory"


def test_a_store_behind_a_url_whose_driver_is_missing_is_told_as_such(asked: Question) -> None:
    found = answer(replace(asked, folder="nosuch://bucket/x"), "abc")
    assert "nosuch" in found.wrong


def test_a_node_without_the_data_says_so_under_data(asked: Question, tmp_path: Path) -> None:
    there = DataSpec(name="npz", path=str(tmp_path / "there.npz"))
    found = answer(replace(asked, data=there), "abc")
    assert found.place.startswith("data")
    assert "there.npz" in f"{found.place} {found.wrong}"


def test_a_node_with_other_images_of_that_name_says_so(asked: Question) -> None:
    found = answer(replace(asked, fingerprint="0" * 16), "abc")
    assert (found.place, found.wrong) == ("data", "digits holds other images or labels than the driver sees")


def test_a_node_that_gives_gpus_to_ray_and_has_none_says_so(asked: Question, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    found = answer(replace(asked, gpu=True), "abc")
    assert found.place == "resources.gpus_per_trial"
    assert "torch sees none" in found.wrong


def test_other_versions_are_told_apart_and_are_no_fault(asked: Question) -> None:
    found = answer(replace(asked, versions={**asked.versions, "torch": "1.0"}), "abc")
    assert found.wrong == ""
    assert found.other == (f"torch {asked.versions['torch']}, not 1.0",)


def test_a_question_holds_no_address_of_a_database(asked: Question) -> None:
    assert set(Question.__slots__) == {"folder", "word", "data", "fingerprint", "gpu", "versions", "packages"}
    assert "sql" not in repr(asked)
