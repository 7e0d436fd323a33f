"""What a launch does with keys that its scheduler does not read."""

from argparse import Namespace
from pathlib import Path

import pytest
from rich.console import Console

from search import launch, submit
from search.config.study import load
from search.driver import course
from search.driver.driver import begin
from search.driver.inspection import look
from search.storage.store import Store
from spaces.errors import InputError
from tests.search.storage.test_engine import _make_tables

ROOT = Path(__file__).parents[3]
VAIN = ["--set", "scheduler.keep=0.5"]
LINE = "scheduler.keep: auto does not read keep; pareto-asha and asha do"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text((ROOT / "space.yaml").read_text(encoding="utf-8"), encoding="utf-8")


def test_a_new_study_is_refused_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.main(["space.yaml", "--dry-run", *VAIN]) == 2
    assert capsys.readouterr().err == f"error: {LINE}\n"
    assert [each.name for each in tmp_path.iterdir()] == ["space.yaml"]


def test_one_that_is_under_way_goes_on_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    config = load(Path("space.yaml"))
    with Store.open(config.storage) as store:
        begin(store, config, *look(config))
    assert launch.main(["space.yaml", "--dry-run", *VAIN]) == 0
    assert capsys.readouterr().err == f"warning: {LINE}\n"


def test_before_a_study_is_sent_they_are_a_warning_since_only_the_launch_there_knows_the_study(
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit.main(["space.yaml", "--address", "http://nowhere:8265", *VAIN])
    assert capsys.readouterr().err.startswith(f"warning: {LINE}\n")


def test_a_study_that_cannot_be_confirmed_as_its_file_asks_is_reported_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_given: object) -> None:
        raise InputError("it is confirmed by 3 folds; means of both cannot be compared", place="--folds")

    monkeypatch.setattr(course, "confirm", refuse)
    given = Namespace(address=None, verbose=False)
    assert course._confirm(given, load(Path("space.yaml"), ["confirm=5"]), Console(), []) == ([], True)
    assert capsys.readouterr().err.startswith("warning: nothing is confirmed: --folds: it is confirmed by 3 folds")


def test_a_dry_run_brings_no_tables_forward(capsys: pytest.CaptureFixture[str]) -> None:
    _make_tables("sqlite:///widefront.db", "0004")
    assert launch.main(["space.yaml", "--dry-run", *VAIN]) == 2
    assert capsys.readouterr().err == f"error: {LINE}\n"
    with Store.open("sqlite:///widefront.db", migrate=False) as store:
        assert store.behind is not None
