"""`python -m search.front` prints the front of a study: of trials at full fidelity, and of no others."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from search.core.records import State, StudyRecord, TrialRecord
from search.front import main
from search.simulation.curves import read_frame
from search.storage.store import Store
from spaces.architecture import Architecture
from spaces.cost import Cost

MakeStudy = Callable[..., StudyRecord]
MakeTrial = Callable[..., TrialRecord]
Capture = pytest.CaptureFixture[str]

FULL = tuple(0.1 * epoch for epoch in range(1, 9))  # the first eight of nine epochs


def cost(macs: int) -> Cost:
    return Cost(params=1000, macs=macs, activations=500, weight_bytes=4000)


@pytest.fixture
def url(sqlite_url: str, make_study: MakeStudy, make_trial: MakeTrial) -> str:
    """Give a database with a study whose front is trials 2 and 0."""
    resnext = Architecture(block="resnext", cardinality=2)
    params = {"block": "resnext", "depth": 1, "cardinality": 2}
    with Store.open(sqlite_url) as store:
        store.add_study(make_study("digits-front"))
        for trial in (
            make_trial(
                0, accuracies=(*FULL, 0.95), state=State.COMPLETE, cost=cost(9000), architecture=resnext, params=params
            ),
            make_trial(1, accuracies=(*FULL, 0.90), state=State.COMPLETE, cost=cost(9500)),  # dominated by 0
            make_trial(2, accuracies=(*FULL, 0.80), state=State.COMPLETE, cost=cost(2000)),
            make_trial(3, accuracies=(0.99,), state=State.STOPPED, cost=cost(1000), reason="epoch 1"),
            make_trial(4, accuracies=(*FULL, 0.99), state=State.FAILED, cost=cost(1000), failure_kind="crash"),
            make_trial(5, accuracies=(*FULL, 0.99), state=State.RUNNING, cost=cost(1000)),
        ):
            store.add_trial("digits-front", trial)
    return sqlite_url


def test_only_trials_at_full_fidelity_are_on_the_front(url: str, capsys: Capture) -> None:
    assert main([url, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["trial"], row["state"], row["epochs"], row["accuracy"], row["macs"]) for row in rows] == [
        (2, "complete", 9, 0.80, 2000),
        (0, "complete", 9, 0.95, 9000),
    ]


def test_json_holds_what_builds_the_network_again(url: str, capsys: Capture) -> None:
    assert main([url, "--json", "--study", "digits-front"]) == 0
    for row in json.loads(capsys.readouterr().out):
        assert Architecture.from_json(row["architecture"]).digest == row["digest"]


def test_csv_has_one_heading_for_rows_of_different_choices(url: str, capsys: Capture) -> None:
    assert main([url, "--csv"]) == 0
    out = capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(out.splitlines()) == 3
    assert [(row["trial"], row["choice_block"], row["choice_cardinality"]) for row in rows] == [
        ("2", "basic", ""),
        ("0", "resnext", "2"),
    ]
    assert [float(row["accuracy"]) for row in rows] == [0.80, 0.95]
    assert "architecture" not in rows[0]


def test_the_table_has_the_best_accuracy_last(url: str, capsys: Capture) -> None:
    assert main([url]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert lines[0][:2] == ["trial", "name"]
    assert [line[:2] for line in lines[1:]] == [["2", "basic-3x1"], ["0", "resnext-1x1-C2"]]


def test_a_study_without_a_full_trial_says_so(sqlite_url: str, make_study: MakeStudy, capsys: Capture) -> None:
    with Store.open(sqlite_url) as store:
        store.add_study(make_study("young"))
    for form, out in (([], "no trial of young has reached 9 epochs yet\n"), (["--json"], "[]\n")):
        assert main([sqlite_url, *form]) == 0
        assert capsys.readouterr().out == out


def test_who_is_outside_is_said_below_the_front_and_in_its_place(
    sqlite_url: str, make_study: MakeStudy, make_trial: MakeTrial, capsys: Capture
) -> None:
    outside = "oversteps params by 5%"
    with Store.open(sqlite_url) as store:
        store.add_study(make_study("one"))
        store.add_trial("one", make_trial(0, [0.5] * 9, state=State.COMPLETE, outside=outside))
        assert main([sqlite_url]) == 0
        told = "outside: 1 trial on no front, as space or constraints have changed: oversteps params (1)"
        assert capsys.readouterr().out == f"{told}\n"
        store.add_trial("one", make_trial(1, [0.5] * 9, state=State.COMPLETE))
    assert main([sqlite_url]) == 0
    assert capsys.readouterr().out.rstrip().endswith(told)


def refusal(given: list[str], capsys: Capture) -> str:
    """Return the one line with which a command ended with 2."""
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").rstrip("\n")


def test_an_unknown_study_is_refused_with_the_nearest(url: str, capsys: Capture) -> None:
    said = refusal([url, "--study", "digit-front"], capsys)
    assert said == "--study: unknown study 'digit-front' (did you mean 'digits-front'?); known are digits-front"


def test_of_several_studies_one_has_to_be_named(url: str, make_study: MakeStudy, capsys: Capture) -> None:
    with Store.open(url) as store:
        store.add_study(make_study("other"))
    assert refusal([url], capsys) == "--study: name one of digits-front, other"
    assert main([url, "--study", "other"]) == 0


def test_a_database_without_a_study_says_so(sqlite_url: str, capsys: Capture) -> None:
    Store.open(sqlite_url).close()
    for given in ([sqlite_url], [sqlite_url, "--study", "front"]):
        assert refusal(given, capsys) == f"there is no study in {sqlite_url}"


def test_where_there_is_no_database_none_is_made(tmp_path: Path, capsys: Capture) -> None:
    url = f"sqlite:///{tmp_path}/none.db"
    assert refusal([url], capsys) == f"there is no study in {url}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "notes.db").write_text("dear diary, " * 100)
    assert str(tmp_path / "notes.db") in refusal([f"sqlite:///{tmp_path}/notes.db"], capsys)
    assert (tmp_path / "notes.db").read_text().startswith("dear diary")


def test_the_address_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("FRONT_STORAGE", url)
    assert main(["${FRONT_STORAGE}", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    monkeypatch.delenv("FRONT_STORAGE")
    assert refusal(["${FRONT_STORAGE}"], capsys) == "the environment variable FRONT_STORAGE is not set"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql+psycopg://ada:s3cret@127.0.0.1:1/db",
        "postgresql://ada@127.0.0.1:1/db?password=s3cret",
        "postgresql://ada:s3cret@home@127.0.0.1:1/db",
        "mysql://ada:s3cret@127.0.0.1/db",
        "postgresql://ada:s3cret@127.0.0.1:port/db",
    ],
)
def test_a_password_is_never_printed(address: str, capsys: Capture) -> None:
    assert "s3cret" not in refusal([address], capsys)


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz"])
def test_curves_hold_every_epoch_of_every_trial(url: str, ending: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / f"curves.{ending}"
    assert main([url, "--curves", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    frame = pd.read_parquet(path) if ending == "parquet" else pd.read_csv(path)
    assert frame.groupby("trial")["epoch"].max().to_dict() == {0: 9, 1: 9, 2: 9, 3: 1, 4: 9, 5: 9}
    assert frame.groupby("trial")["macs"].first().tolist() == [9000, 9500, 2000, 1000, 1000, 1000]
    last = frame[frame["epoch"] == 9].set_index("trial")
    assert last["accuracy"].to_dict() == {0: 0.95, 1: 0.90, 2: 0.80, 4: 0.99, 5: 0.99}
    assert last["state"].to_dict() == {0: "complete", 1: "complete", 2: "complete", 4: "failed", 5: "running"}
    assert last["cardinality"].dropna().to_dict() == {0: 2}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("curves.json", "is neither a .parquet nor a .csv file (.csv.gz too)"),
        ("file/curves.csv", "cannot write"),
        ("file/curves.parquet", "cannot write"),
        ("labels.csv", "is no table of these columns that could be written over"),
        ("labels.parquet", "is no table of these columns that could be written over"),
    ],
)
def test_curves_that_cannot_be_written_are_refused(
    url: str, name: str, said: str, tmp_path: Path, capsys: Capture
) -> None:
    for other in ("file", "labels.csv", "labels.parquet"):
        (tmp_path / other).write_text("image,label\na.png,cat\n")
    shown = refusal([url, "--curves", str(tmp_path / name)], capsys)
    assert str(tmp_path / name) in shown
    assert said in shown
    assert {each.read_text() for each in tmp_path.iterdir() if each.is_file() and each.suffix != ".db"} == {
        "image,label\na.png,cat\n"
    }


@pytest.mark.parametrize("name", ["curves.csv", "curves.csv.gz", "curves.parquet"])
def test_curves_take_the_place_of_earlier_ones(url: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / name
    assert main([url, "--curves", str(path)]) == 0
    before = read_frame(path)
    assert main([url, "--curves", str(path)]) == 0
    assert read_frame(path).equals(before)


def test_json_and_csv_exclude_each_other(url: str, capsys: Capture) -> None:
    for options in (["--json", "--csv"], ["--csv", "--curves", "curves.csv"]):
        with pytest.raises(SystemExit) as left:
            main([url, *options])
        assert left.value.code == 2
        assert "not allowed with" in capsys.readouterr().err
