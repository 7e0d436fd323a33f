"""The command says in a line which network to take, and what is beside it."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from search import pick
from search.core.records import Replicate, State
from search.storage.replicates import Replicates
from search.storage.store import Store
from tests import factories
from tests.search.bench import Bench
from workers.objectives import OBJECTIVES, Objective

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def url(make_bench: Callable[..., Bench]) -> str:
    """Give a database with a study of three networks that were trained in full."""
    bench = make_bench()
    with Store.open(bench.url) as store:
        store.add_study(factories.study("three"))
        for number, (accuracy, macs) in enumerate([(0.90, 10_000), (0.97, 20_000), (0.99, 90_000)]):
            store.add_trial("three", factories.complete(number, [accuracy] * 9, macs=macs))
    return bench.url


def confirm(url: str, trial: int, *accuracies: float) -> None:
    with Store.open(url) as store:
        replicates = Replicates(store, "three")
        for accuracy in accuracies:
            number = len(replicates.all())
            replicates.add(Replicate(number=number, trial=trial, seed=number))
            replicates.add_measurement(number, factories.measurement(1, accuracy=accuracy))
            replicates.end(
                number, state=State.COMPLETE, reason="", failure_kind="", failure_details="", ended_at=factories.STARTED
            )


def said(capsys: Capture, *given: str) -> tuple[int, str, str]:
    code = pick.main(list(given))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_best_under_a_bound_and_what_a_little_more_buys(url: str, capsys: Capture) -> None:
    code, out, _ = said(capsys, url, "--under", "macs <= 50k")
    assert code == 0
    first, second = out.splitlines()
    assert first.startswith("take trial 1: ")
    assert "accuracy 97.00 %, macs 20.0k (one run)" in first
    assert second.startswith("with 80 % more macs: trial 2: ")


def test_what_a_study_bounds_by_a_count_of_its_own_can_be_picked_by(url: str, capsys: Capture) -> None:
    size = Objective(name="size", title="size", unit="1", direction="minimize", static=True, count=len)  # type: ignore[arg-type]
    measures, config = {**OBJECTIVES, "size": size}, {"constraints": {"size": "<= 9"}}
    with Store.open(url) as store:
        store.add_study(factories.study("bounded", measures=measures, config=config))
        for number, more in enumerate([{"size": 3.0}, {"size": 8.0}]):
            cost = replace(factories.trial(number).cost, more=more)
            store.add_trial("bounded", replace(factories.complete(number, [0.9 + number / 100] * 9), cost=cost))
    assert said(capsys, url, "--study", "bounded", "--under", "size <= 5")[1].startswith("take trial 0: ")
    assert said(capsys, url, "--study", "bounded", "--under", "size <= 8")[1].startswith("take trial 1: ")


def test_bounds_on_what_is_no_objective_are_shown_too(url: str, capsys: Capture) -> None:
    _, out, _ = said(capsys, url, "--under", "params <= 300")
    assert "params 250 (one run)" in out


def test_a_confirmed_network_is_told_with_its_interval_and_its_rivals(url: str, capsys: Capture) -> None:
    confirm(url, 1, 0.975, 0.985, 0.98)
    confirm(url, 2, 0.98, 0.99, 0.975)
    _, out, _ = said(capsys, url)
    first, rival = out.splitlines()
    assert first.startswith("take trial 2: ")
    assert " ± " in first
    assert "(mean of 3 seeds)" in first
    assert rival.startswith("may be as good for less (")
    assert ": trial 1: " in rival


def test_the_knee(url: str, capsys: Capture) -> None:
    assert said(capsys, url, "--knee")[1].startswith("take trial 1: ")


def test_where_nothing_fits_the_nearest_is_said_and_the_exit_code_is_1(url: str, capsys: Capture) -> None:
    code, out, err = said(capsys, url, "--under", "macs <= 5k")
    assert (code, out) == (1, "")
    assert err.startswith("error: nothing keeps macs <= 5k; the nearest, with 100 % more macs, is trial 0 (")
    assert len(err.splitlines()) == 1


def test_json_holds_whole_rows(url: str, capsys: Capture) -> None:
    code, out, _ = said(capsys, url, "--under", "macs <= 50k", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["pick"]["trial"], told["more"]["trial"], told["nearest"]) == (1, 2, None)
    code, out, err = said(capsys, url, "--under", "macs <= 5k", "--json")
    assert code == 1
    assert json.loads(out)["nearest"]["trial"] == 0
    assert err.startswith("error: nothing keeps")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--under", "mac <= 3"], "error: --under: unknown objective 'mac'"),
        (["--above", "accuracy"], "error: --above: 'accuracy' is not a bound"),
        (["--knee", "--under", "macs <= 3"], "error: --knee: the knee is that of the whole front"),
        (["--study", "four"], "error: --study: unknown study 'four'"),
    ],
)
def test_what_is_wrong_is_one_line(url: str, capsys: Capture, given: list[str], message: str) -> None:
    code, _, err = said(capsys, url, *given)
    assert code == 2
    assert err.startswith(message)
    assert len(err.splitlines()) == 1
