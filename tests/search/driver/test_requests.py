"""What people ask of a running study is done once, by whichever launch, and answered in a line that is an event."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from search.config.study import parse
from search.core.budget import Budget
from search.core.records import EventKind, State, TrialRecord
from search.core.requests import Request, RequestState
from search.driver.driver import desk_of
from search.driver.requests import Desk, budget_of
from search.storage import asking, requests
from search.storage.store import Store
from search.study.running import Nothing, RunningStudy
from spaces.errors import TrialFailure
from tests.factories import STARTED
from tests.search.bench import FILE, Bench, learn
from tests.search.study import test_launches as shared
from workers.kinds import FailureKind

MakeBench = Callable[..., Bench]
SESSION = 1
FULL = {"name": "fifo", "max_epochs": 3}
RESTS = {"name": "auto", "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3}
VALUES = {"block": "basic", "depth": 2, "widening_factor": 0.5, "dropout": "none"}


class Launch:
    """One launch of a study, with its desk."""

    def __init__(self, bench: Bench, session: int = SESSION, **changes: Any) -> None:
        self.bench = bench
        self.running: RunningStudy = bench.open(**changes)
        self.running.launches.session = session  # type: ignore[misc]
        self.store = self.running.recorder.store
        config = parse({**bench.config.plain(), **changes})
        self.desk: Desk = desk_of(self.store, config, self.running)
        self.desk.clock = self._tick
        self._now = 0.0

    def _tick(self) -> float:
        self._now += 1
        return self._now

    def ask(self, kind: str, **values: Any) -> int:
        """Ask as a command does, of this launch."""
        if not self.store.sessions("bench"):
            self.store.open_session("bench", started_at=datetime.now(UTC), machine={})
        return asking.ask(self.store, "bench", kind, values, by="dana").id

    def answer(self, asked: int) -> tuple[str, str]:
        """Let the launch take its next step, and return how a request stands then."""
        self.desk.look()
        found = next(each for each in requests.requests(self.store, "bench") if each.id == asked)
        return found.state.value, found.answer

    def next(self) -> TrialRecord | Nothing:
        return self.running.hand_out()

    def begin(self) -> TrialRecord:
        trial = self.running.hand_out()
        assert isinstance(trial, TrialRecord)
        return trial

    def measure(self, trial: TrialRecord, epoch: int) -> bool:
        return self.running.measured(trial.number, learn(trial, epoch)).stop

    def events(self, kind: EventKind) -> list[str]:
        return [event.text for event in self.store.events("bench") if event.kind == kind]


@pytest.mark.slow
def test_launches_that_share_a_study_all_pause_and_grow_and_one_of_them_stops_a_trial(
    make_bench: MakeBench, postgres_url: str
) -> None:
    bench = make_bench(postgres_url, budget={"trials": 3})
    launches = [shared.Launch.join(bench) for _ in range(2)]
    desks = [desk_of(each.store, bench.config, each.running) for each in launches]
    ticks = iter(range(1_000))
    for desk in desks:
        desk.clock = lambda: next(ticks)

    def ask(kind: str, **values: Any) -> str:
        asked = asking.ask(launches[0].store, "bench", kind, values)
        for desk in (*desks, *desks):
            desk.look()
        return next(each.answer for each in requests.requests(launches[0].store, "bench") if each.id == asked.id)

    trial = launches[1].begin()
    assert ask("pause").startswith("nothing new begins")
    assert [each.running.hand_out() for each in launches] == [Nothing.NOW] * 2
    assert ask("add", trials=2) == "the budget is 5 trials now"
    assert [each.running.account.budget.trials for each in launches] == [5, 5]
    assert ask("stop", trial=trial.number) == ""
    assert launches[1].running.measured(trial.number, learn(trial, 1)).stop
    assert ask("resume") == "the study goes on"
    assert ask("train", params=VALUES) == ""
    begun = [launches[0].begin(), launches[1].begin(), launches[0].begin()]
    assert [each.params == VALUES for each in begun] == [True, False, False]
    for each in launches:
        each.ends.close()
    with Store.open(bench.url) as store:
        assert requests.requests(store, "bench")[2].answer == "trial 0 is stopped"


@pytest.fixture
def launch(make_bench: MakeBench) -> Launch:
    return Launch(make_bench())


def test_a_pause_lets_what_trains_go_on_to_its_rung_and_nothing_begin_until_the_study_goes_on(
    make_bench: MakeBench,
) -> None:
    launch = Launch(make_bench(scheduler={**FILE["scheduler"], "grace_epochs": 2}))
    trial = launch.begin()
    assert launch.answer(launch.ask("pause")) == (
        "done",
        "nothing new begins; 1 trial at work goes on to the next rung",
    )
    assert launch.next() is Nothing.NOW
    assert not launch.measure(trial, 1)
    assert launch.measure(trial, 2)
    assert (launch.next(), launch.running.at_work, launch.running.over) == (Nothing.NOW, set(), False)
    assert launch.answer(launch.ask("resume")) == ("done", "the study goes on")
    assert launch.begin().number == trial.number
    assert [launch.events(kind) for kind in (EventKind.HELD, EventKind.RESUMED, EventKind.RESTED)] == [
        [""], [""], ["at epoch 2"],
    ]  # fmt: skip


def test_a_pause_keeps_trials_that_rest_where_they_are(make_bench: MakeBench) -> None:
    launch = Launch(make_bench(scheduler=RESTS, budget={"trials": 2}))
    for trial in (launch.begin(), launch.begin()):
        assert launch.measure(trial, 1)
    launch.answer(launch.ask("pause"))
    assert (launch.next(), launch.running.over, len(launch.running.resting)) == (Nothing.NOW, False, 2)
    launch.answer(launch.ask("resume"))
    assert launch.begin().epochs == 1


def test_an_end_is_of_the_launch_that_was_asked_and_of_no_later_one(launch: Launch) -> None:
    asked = launch.ask("end")
    later = Launch(launch.bench, session=SESSION + 1)
    assert later.answer(asked) == ("refused", "the launch that was asked is over")
    assert not later.running.wishes.ended
    again = Launch(launch.bench)
    assert again.answer(again.ask("end"))[0] == "done"
    assert again.running.wishes.ended
    assert not again.running.over


def test_a_trial_at_work_is_stopped_at_its_next_epoch(launch: Launch) -> None:
    trial = launch.begin()
    asked = launch.ask("stop", trial=0)
    assert launch.answer(asked) == ("waiting", "")
    assert launch.measure(trial, 1)
    assert launch.answer(asked) == ("done", "trial 0 is stopped")
    stored = launch.store.trial("bench", 0)
    assert stored is not None
    assert (stored.state, stored.reason, stored.epochs) == (State.STOPPED, "epoch 1: stopped by request", 1)


def test_a_trial_that_waits_is_stopped_at_once(make_bench: MakeBench) -> None:
    launch = Launch(make_bench(scheduler=RESTS))
    rests, lost = launch.begin(), launch.begin()
    launch.measure(rests, 1)
    launch.running.failed(lost.number, TrialFailure(FailureKind.LOST, "its machine went away"))
    for trial in (rests, lost):
        assert launch.answer(launch.ask("stop", trial=trial.number)) == ("done", f"trial {trial.number} is stopped")
    assert (len(launch.running.queue), launch.running.resting) == (0, {})


def test_a_trial_whose_worker_is_lost_before_it_could_be_stopped_is_stopped(launch: Launch) -> None:
    trial = launch.begin()
    launch.answer(asked := launch.ask("stop", trial=0))
    launch.running.failed(trial.number, TrialFailure(FailureKind.LOST, "its machine went away"))
    assert launch.answer(asked)[0] == "done"
    assert launch.running.trials[0].state is State.STOPPED


def test_a_stop_that_a_launch_did_not_live_to_do_is_done_by_the_next_and_one_that_it_did_is_told(
    launch: Launch,
) -> None:
    trial, other = launch.begin(), launch.begin()
    first, second = launch.ask("stop", trial=0), launch.ask("stop", trial=1)
    launch.desk.look()
    launch.measure(other, 1)  # and it is killed before it can say so
    later = Launch(launch.bench, session=SESSION + 1)
    later.begin()
    assert later.answer(second) == ("done", "trial 1 is stopped")
    assert later.answer(first) == ("waiting", "")
    assert later.measure(trial, 1)
    assert later.answer(first)[0] == "done"


def test_a_trial_that_is_promoted_goes_on_first_and_rests_no_more_at_that_rung_after_a_kill(
    make_bench: MakeBench,
) -> None:
    launch = Launch(make_bench(scheduler=RESTS))
    for _ in range(4):
        launch.measure(launch.begin(), 1)
    asked = launch.ask("promote", trial=2)
    assert launch.answer(asked) == ("done", "trial 2 goes on from epoch 1 when a worker is free")
    later = Launch(launch.bench, session=SESSION + 1)
    assert 2 not in later.running.resting
    assert later.begin().number == 2
    assert later.answer(asked)[0] == "done"
    assert later.events(EventKind.PROMOTED)[-1] == "from epoch 1, by request"


def test_what_does_not_rest_is_not_promoted(launch: Launch) -> None:
    launch.begin()
    asked = launch.ask("promote", trial=0)
    assert launch.answer(asked) == ("refused", "trial 0 does not rest at a rung: it goes on already")


def test_what_is_added_counts_at_once_and_in_later_launches_but_not_twice(launch: Launch) -> None:
    launch.bench.train_all(launch.running)
    assert (len(launch.running.trials), launch.running.over) == (8, True)
    assert launch.answer(launch.ask("add", trials=2)) == ("done", "the budget is 10 trials now")
    assert not launch.running.over
    later = Launch(launch.bench, session=SESSION + 1)
    assert later.running.account.budget.trials == 10
    assert later.answer(later.ask("add", trials=1)) == ("done", "the budget is 11 trials now")
    later.bench.train_all(later.running)
    assert len(later.running.trials) == 11


def test_a_file_whose_budget_has_changed_since_says_what_holds(launch: Launch) -> None:
    launch.answer(launch.ask("add", trials=2))
    changed = Launch(launch.bench, session=SESSION + 1, budget={"trials": 9})
    assert changed.running.account.budget.trials == 9


def test_trials_that_wait_for_more_hours_go_on_when_there_are_some(make_bench: MakeBench) -> None:
    launch = Launch(make_bench(scheduler={**FILE["scheduler"]}, budget={"hours": 1}))
    trial = launch.begin()
    launch.bench.clock.advance(7200)
    assert launch.measure(trial, 1)
    assert launch.running.over
    assert launch.answer(launch.ask("add", hours=2.5)) == ("done", "the budget is 3.5 hours now")
    assert not launch.running.over
    assert launch.begin().number == trial.number


def test_nothing_is_added_where_there_is_no_bound(launch: Launch) -> None:
    asked = launch.ask("add", hours=1)
    assert launch.answer(asked) == ("refused", "the budget has no bound on hours, so nothing can be added to it")


def test_values_are_trained_next_and_a_second_time_nobody_trains_them(launch: Launch) -> None:
    asked = launch.ask("train", params=VALUES)
    assert launch.answer(asked) == ("waiting", "")
    assert launch.begin().params == VALUES
    assert launch.answer(asked) == ("done", "trial 0 trains this network")
    assert launch.answer(launch.ask("train", params=VALUES)) == ("done", "trial 0 trains this network")
    assert launch.begin().params != VALUES


def test_values_that_a_launch_did_not_live_to_train_are_trained_by_the_next_once(launch: Launch) -> None:
    asked = launch.ask("train", params=VALUES)
    launch.answer(asked)
    later = Launch(launch.bench, session=SESSION + 1)
    assert later.answer(asked) == ("waiting", "")
    assert later.begin().params == VALUES
    last = Launch(launch.bench, session=SESSION + 2)  # the one before was killed before it could say so
    assert last.answer(asked) == ("done", "trial 0 trains this network")
    assert [last.begin().number, last.begin().params == VALUES] == [0, False]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({**VALUES, "depth": 9}, "depth"),
        ({**VALUES, "cardinality": 2}, "cardinality"),
        ({"block": "basic"}, "depth"),
        ({**VALUES, "depth": 4, "widening_factor": 2}, "oversteps params"),
    ],
)
def test_values_that_the_study_would_not_propose_are_refused(params: dict[str, Any], said: str, launch: Launch) -> None:
    state, answer = launch.answer(launch.ask("train", params=params))
    assert state == "refused"
    assert said in answer


def test_values_are_refused_where_the_budget_is_spent(launch: Launch) -> None:
    launch.bench.train_all(launch.running)
    params = {**VALUES, "dropout": "between", "dropout_rate": 0.123}
    assert launch.answer(launch.ask("train", params=params)) == ("refused", "the budget is spent; add to it first")


def test_every_answer_is_an_event_and_a_line_and_is_given_once(launch: Launch) -> None:
    launch.ask("pause")
    launch.ask("stop", trial=launch.begin().number)
    for _ in range(3):
        launch.desk.look()
    assert launch.events(EventKind.ASKED) == ["pause: nothing new begins; 1 trial at work goes on to the next rung"]
    assert launch.running.news() == launch.events(EventKind.ASKED)


def test_nobody_looks_more_than_once_a_second(launch: Launch) -> None:
    launch.desk.clock = lambda: 5.0
    launch.desk.look()
    launch.ask("pause")
    launch.desk.look()
    assert not launch.running.wishes.held


def test_a_budget_of_a_file_grows_by_what_was_added_while_it_said_the_same() -> None:
    def added(**effect: Any) -> Request:
        return Request(kind="add", asked_at=STARTED, state=RequestState.DONE, effect=effect)

    rows = [
        added(file={"trials": 60}, added={"trials": 20}),
        added(file={"trials": 50, "hours": 2}, added={"trials": 7, "hours": 0.5}),
        added(file={"cost": None}, added={"cost": 3}),
        replace(added(file={"trials": 60}, added={"trials": 1}), state=RequestState.REFUSED),
        added(),
    ]
    assert budget_of(Budget(trials=60, hours=2), rows) == Budget(trials=80, hours=2.5)
