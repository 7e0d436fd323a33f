"""The command asks a study's launch for something, in one line, and refuses in one line."""

import io
import json
import platform
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from search.control import main
from search.core.records import Event, EventKind
from search.core.requests import RequestState, latest
from search.storage.answering import answer
from search.storage.requests import notes, requests
from search.storage.store import Store
from tests.search.bench import Bench, sql

VALUES = '{"block": "basic", "depth": 2, "widening_factor": 0.5, "dropout": "none"}'
Capture = pytest.CaptureFixture[str]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Give a study of one trial whose launch lives: this process."""
    made = make_bench()
    running = made.open()
    running.hand_out()
    running.recorder.store.open_session("bench", started_at=datetime.now(UTC), machine={})  # type: ignore[attr-defined]
    return made


@pytest.fixture
def run(bench: Bench, capsys: Capture) -> Run:
    """Give `run("pause")`: the exit code, and what the command says."""

    def run(*given: str, url: str = bench.url) -> tuple[int, str]:
        code = main([url, "--study", "bench", *given])
        out, err = capsys.readouterr()
        return code, (out + err).strip()

    return run


def kept(bench: Bench) -> list[str]:
    with Store.open(bench.url) as store:
        return [str(each) for each in requests(store, "bench")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["pause"], "pause"),
        (["resume"], "resume"),
        (["end"], "end"),
        (["stop", "0"], "stop trial 0"),
        (["promote", "0"], "promote trial 0"),
        (["add", "--trials", "20", "--hours", "1.5"], "add 20 trials, 1.5 hours"),
        (["train", "--values", VALUES], "train block=basic, depth=2, widening_factor=0.5, dropout=none"),
    ],
)
def test_each_is_asked_by_one_row_and_said_in_one_line(given: list[str], told: str, run: Run, bench: Bench) -> None:
    assert run(*given) == (0, f"request 1 of bench: {told}; the launch takes it at once")
    assert kept(bench) == [told]


def test_values_are_read_as_yaml_on_standard_input_and_who_asks_is_named(
    run: Run, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "block: basic\ndepth: 2\nwidening_factor: 0.5\ndropout: none\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    told = "train block=basic, depth=2, widening_factor=0.5, dropout=none"
    asked = f"request 1 of bench: {told}; the launch takes it at once"
    assert run("--by", "the page", "train", "--values", "-") == (0, asked)
    with Store.open(bench.url) as store:
        assert [each.by for each in requests(store, "bench")] == ["the page"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depth: [", "error: values line 1: is not YAML: "),
        ("- depth", "error: values: lines of the form `depth: 3` are required"),
        ("1: 2", "error: values line 1: key 1 is not a word"),
        ("", "error: values: lines of the form `depth: 3` are required"),
        ("deepth: 9", "the space has no deepth"),
    ],
)
def test_lines_that_are_no_values_are_refused(
    text: str, said: str, run: Run, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code, told = run("train", "--values", "-")
    assert code == 2
    assert said in told
    assert "\n" not in told
    assert kept(bench) == []


def test_values_like_a_trials_leave_out_what_no_longer_exists(run: Run) -> None:
    changed = ("--set", "block=basic", "depth=1", "dropout=none", "--set", "widening_factor=0.25")
    told = "train block=basic, depth=1, widening_factor=0.25, dropout=none"
    assert run("train", "--like", "0", *changed) == (0, f"request 1 of bench: {told}; the launch takes it at once")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["stop", "7"], "error: 'bench' has no trial 7"),
        (["add"], "error: add needs trials or epochs or hours"),
        (["add", "--trials", "-3"], "error: trials: -3 is no whole number above 0"),
        (["train"], "error: values are required"),
        (["train", "--values", "{"], "error: --values: is no JSON"),
        (["train", "--values", "[1]"], "error: --values: is no object"),
        (["train", "--values", '{"depth": 9}'], "error: values: "),
        (["train", "--values", '{"deepth": 9}'], "the space has no deepth"),
        (["train", "--like", "0", "--set", "depth"], "error: --set: 'depth' is not of the form name=value"),
        (["train", "--like", "9"], "error: --like: 'bench' has no trial 9"),
        (["train", "--values", VALUES, "--set", "depth=4", "widening_factor=2"], "oversteps the constraint on params"),
        (["note", "0", "x" * 2001], "error: note: a note has at most 2,000 characters"),
    ],
)  # fmt: skip
def test_what_the_study_would_not_do_is_refused_before_it_is_sent(
    given: list[str], said: str, run: Run, bench: Bench
) -> None:
    code, told = run(*given)
    assert code == 2
    assert said in told
    assert "\n" not in told
    assert kept(bench) == []


def test_where_no_launch_runs_a_pause_is_refused_and_a_stop_waits(run: Run, bench: Bench) -> None:
    with sql(bench.url) as connection:
        gone = {"gone": 2**22 + 7, "here": platform.node()}
        connection.execute(sa.text("UPDATE nas_session SET process = :gone, host = :here"), gone)
    assert run("pause") == (2, "error: no launch of 'bench' is running, so there is none to pause")
    code, said = run("stop", "0")
    assert (code, said) == (0, "request 1 of bench: stop trial 0; no launch is running: the next one takes it")
    assert run("stop", "0", "--wait")[0] == 1


def test_stars_and_notes_are_kept_as_they_are_written(run: Run, bench: Bench) -> None:
    for given in (["star", "0"], ["note", "0", "<b>try it longer</b>"], ["unstar", "0"], ["star", "0"]):
        assert run(*given) == (0, "")
    with Store.open(bench.url) as store:
        held = latest(notes(store, "bench"))[0]
    assert (held.star, held.text) == (True, "<b>try it longer</b>")


def test_who_waits_hears_the_answer_and_the_list_tells_it(
    run: Run, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launch_answers(_seconds: float) -> None:
        with Store.open(bench.url) as store:
            (waiting,) = [each for each in requests(store, "bench") if each.state is RequestState.WAITING]
            state = RequestState.DONE if waiting.kind == "pause" else RequestState.REFUSED
            now = datetime.now(UTC)
            event = Event(at=now, kind=EventKind.ASKED, text="x")
            answer(store, "bench", waiting, state=state, text=f"{waiting.kind}: well", at=now, event=event)

    monkeypatch.setattr("search.control.time.sleep", launch_answers)
    assert run("pause", "--wait") == (0, "request 1 of bench: pause; the launch takes it at once\npause: well")
    code, said = run("--wait", "end")
    assert (code, said.splitlines()[-1]) == (1, "error: end: well")
    listed = run("requests")[1].splitlines()
    assert [line.rpartition("  ")[2] for line in listed] == ["done: pause: well", "refused: end: well"]
    assert [row["state"] for row in json.loads(run("requests", "--json")[1])] == ["done", "refused"]


def test_a_database_that_may_only_be_read_or_is_not_there_takes_nothing(run: Run, bench: Bench) -> None:
    path = bench.url.removeprefix("sqlite:///")
    code, said = run("pause", url=f"sqlite:///file:{path}?mode=ro&uri=true")
    assert (code, "may only be read, so nothing can be asked there" in said) == (2, True)
    code, said = run("pause", url=f"{bench.url}.not-there")
    assert (code, "there is no study in" in said) == (2, True)
