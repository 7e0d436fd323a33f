"""`python -m search.claims` lists, prices, trains what is missing, goes on where it was interrupted, and tells."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.claims.__main__ import main
from search.claims.series import Series
from search.storage.claims import Claims
from search.storage.store import Store
from workers import series
from workers.datasets import load
from workers.sources import DataSpec

pytestmark = pytest.mark.usefixtures("one_thread")
Capture = pytest.CaptureFixture[str]
FILE = """
[narrow-is-worse]
says = "Narrow is worse."
source = "Nobody [2026]"
of = "error"
first = "wrn-10-0.25"
second = "wrn-10-0.5"
above = 0

[narrow-has-fewer]
says = "Narrow has fewer parameters."
source = "Nobody [2026]"
of = "params"
by = "ratio"
first = "wrn-10-0.25"
second = "wrn-10-0.5"
below = 0.5

[narrow-forgets]
says = "Narrow errs on what it has seen."
source = "Nobody [2026]"
of = "train_error"
first = "wrn-10-0.25"
above = 0
"""
SWAP = """
[narrow-bears-swaps]
says = "Narrow bears swaps."
source = "Nobody [2026]"
of = "swap"
first = "wrn-10-0.25"
below = 0.1
"""
DATA = ("--data", "{name: digits, limit: 100}", "--seeds", "2", "--epochs", "1")


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Train here what a process would, which takes seconds to import torch; give what was asked for."""
    asked = list[str]()

    def said(_self: Series, job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        spec = DataSpec.from_json(job["data"])
        yield {"machine": {"device": "a processor", "cores": "2", "torch": "2"}}
        for each in job["timed"]:
            yield {"key": each["key"], "epoch_s": 0.5}
        for each in job["trainings"]:
            asked.append(each["key"])
            yield from ({"key": each["key"], **line} for line in series._lines(each, spec, load(spec), tmp_path, 1))

    monkeypatch.setattr(Series, "said", said)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claims.toml").write_text(FILE)
    return asked


def run(*words: str) -> int:
    what, *more = words
    return main([what, *more, "--file", "claims.toml"])


def test_the_products_own_claims_are_listed_with_their_price(capsys: Capture) -> None:
    assert main(["list", "wide-is-faster", "shortcuts-cost-nothing", "--seeds", "3", "--json"]) == 0
    wide, shortcuts = json.loads(capsys.readouterr().out)
    assert (wide["trainings"], wide["form"], wide["networks"]) == (6, "small", ["wrn-10-2", "preact-resnet-26"])
    assert wide["macs"] == 3 * 3 * 1200 * 9 * (2_763_008 + 3_401_344)
    assert (shortcuts["trainings"], shortcuts["macs"]) == (0, 0)
    assert main(["list", "wide-is-faster"]) == 0
    assert "together 10 trainings" in capsys.readouterr().out


def test_nothing_is_trained_twice(trained: list[str], capsys: Capture) -> None:
    assert run("run", *DATA, "--json") == 0
    rows = {each["claim"]: each for each in json.loads(capsys.readouterr().out)}
    assert len(trained) == 4  # of two networks, though three claims ask for them
    assert rows["narrow-has-fewer"]["verdict"] == "holds"
    assert rows["narrow-forgets"]["seeds"] == rows["narrow-is-worse"]["seeds"] == 2
    assert rows["narrow-is-worse"]["machine"]["torch"] == "2"
    assert run("run", *DATA) == 0
    assert len(trained) == 4
    assert run("run", *DATA[:2], "--seeds", "3", "--epochs", "1") == 0
    assert len(trained) == 6


def test_a_reading_that_a_network_refuses_fails_no_other_claim(
    trained: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "claims.toml").write_text(FILE + SWAP)
    assert run("run", "narrow-forgets", "narrow-bears-swaps", *DATA, "--json") == 0
    rows = {each["claim"]: each for each in json.loads(capsys.readouterr().out)}
    assert rows["narrow-forgets"]["seeds"] == len(trained) == 2
    assert rows["narrow-bears-swaps"]["verdict"] == "not enough evidence"
    why = "not read: wrn-10-0.25: the network has not got two neighbouring blocks of equal shape"
    assert rows["narrow-bears-swaps"]["note"] == why
    assert run("run", "narrow-bears-swaps", *DATA) == 0
    assert len(trained) == 2  # it would be refused again
    assert run("run", "narrow-bears-swaps", *DATA, "--again") == 0
    assert len(trained) == 4


def test_a_run_that_was_interrupted_goes_on(
    trained: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    add = Claims.add_training

    def interrupted(self: Claims, training: Any) -> None:
        add(self, training)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Claims, "add_training", interrupted)
        assert run("run", *DATA) == 130
    assert "go on with: " in capsys.readouterr().err
    assert run("run", *DATA) == 0
    assert len(trained) == len(set(trained)) == 4


def test_what_was_begun_here_and_has_ended_elsewhere_goes(trained: list[str], tmp_path: Path) -> None:
    assert run("run", *DATA) == 0
    begun = tmp_path / ".widefront" / "claims" / "widefront.db" / f"{trained[0]}.pt"
    begun.parent.mkdir(parents=True)
    begun.touch()
    assert run("run", *DATA) == 0
    assert not begun.exists()


def test_what_may_be_spent_bounds_a_run(trained: list[str], capsys: Capture) -> None:
    assert run("run", *DATA, "--trainings", "1") == 0
    assert len(trained) == 1
    told = capsys.readouterr().out
    assert "3 trainings are left for another run" in told
    assert "still to be done" in told
    assert run("run", *DATA, "--hours", "0") == 0
    assert "the time is spent" in capsys.readouterr().out


def test_a_dry_run_trains_nothing_and_makes_no_database(trained: list[str], tmp_path: Path, capsys: Capture) -> None:
    assert run("run", *DATA, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "4 trainings of 4 to be done (0 are recorded)" in told
    assert "about 2.0 s" in told  # four epochs of half a second
    assert not trained
    assert not (tmp_path / "widefront.db").exists()


def test_what_was_found_is_shown_and_written(tmp_path: Path, capsys: Capture) -> None:
    assert run("show", "--storage", "sqlite:///none.db") == 2
    assert run("run", *DATA) == 0
    capsys.readouterr()
    assert run("show", "narrow-has-fewer") == 0
    assert "1 holds, 0 do not hold, 0 without enough evidence" in capsys.readouterr().out
    assert run("list") == 0
    assert "Nobody [2026]" in capsys.readouterr().out  # no markup of the terminal's
    assert run("show", "--markdown", "found.md", "--made-by", "make claims") == 0
    page = (tmp_path / "found.md").read_text()
    assert "Made by `make claims`." in page
    assert "n = 2" in page
    assert page.count("| **narrow") == 3
    (tmp_path / "other.md").write_text("# A diary\n")
    assert run("show", "--markdown", "other.md") == 2
    assert (tmp_path / "other.md").read_text() == "# A diary\n"


def test_a_page_is_not_replaced_by_one_of_nothing(tmp_path: Path, capsys: Capture) -> None:
    assert run("run", "narrow-has-fewer", *DATA) == 0
    assert run("show", "--markdown", "found.md") == 0
    page = (tmp_path / "found.md").read_text()
    capsys.readouterr()
    assert run("show", "narrow-forgets", "--markdown", "found.md") == 2
    assert "nothing was found of these claims in sqlite:///widefront.db" in capsys.readouterr().err
    assert (tmp_path / "found.md").read_text() == page


def test_what_a_database_holds_is_obeyed_by_no_terminal(capsys: Capture) -> None:
    assert run("run", "narrow-has-fewer", *DATA) == 0
    with Store.open("sqlite:///widefront.db") as store:
        (found,) = Claims(store).verdicts()
        Claims(store).add_verdict(replace(found, range="below \x1b[2J"))
    capsys.readouterr()
    assert run("show") == 0
    told = capsys.readouterr().out
    assert "\x1b[2J" not in told
    assert "\\x1b[2J" in told


def test_fewer_seeds_or_epochs_hide_no_better_verdict(capsys: Capture) -> None:
    assert run("run", "narrow-is-worse", *DATA) == 0
    assert run("run", "narrow-is-worse", *DATA[:2], "--seeds", "1", "--epochs", "1") == 0
    assert "the verdict by 2 seeds stands; this run has 1" in capsys.readouterr().out
    assert run("run", "narrow-is-worse", *DATA[:2], "--seeds", "1", "--epochs", "2") == 0
    capsys.readouterr()
    assert run("show") == 0
    assert "narrow-is-worse: also after 2 epochs, by 1 seed: not enough evidence" in capsys.readouterr().out
    assert run("show", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["epochs"], row["seeds"]) == (1, 2)


def test_where_every_training_fails_the_command_does(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text(FILE.replace("above = 0\n", "above = 0\nrecipe = {learning_rate = 1e30}\n"))
    assert run("run", *DATA) == 1
    told = capsys.readouterr()
    assert "every training failed: not-finite" in told.err
    with Store.open("sqlite:///widefront.db", create=False) as store:
        assert len(Claims(store).verdicts()) == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "narrow"), "unknown claim 'narrow'"),
        (("run", "--data", "digit"), "--data: "),
        (("run", "--data", "{folder: nowhere}"), "--data"),
        (("run", "--data", "{folder: ["), "--data: is not YAML"),
        (("run", "--data", "{name: digits, lmit: 3}"), "lmit"),
        (("run", *DATA, "--storage", "mysql://here"), "unsupported database"),
        (("list", "--seeds", "0"), "'0' is not a whole number from 1 to 1000"),
    ],
)
def test_what_is_given_wrong_is_one_line(capsys: Capture, words: tuple[str, ...], told: str) -> None:
    try:
        code = run(*words)
    except SystemExit as error:  # argparse's own
        code = error.code  # type: ignore[assignment]
    assert code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert told in last
    assert "Traceback" not in last


@pytest.mark.slow
def test_a_process_trains_for_real(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run("run", "narrow-forgets", *DATA, "--threads", "1", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["seeds"] == 2
    assert row["machine"]["threads"] == "1"
    assert not list((tmp_path / ".widefront").rglob("*.pt"))
