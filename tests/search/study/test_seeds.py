"""Seeds are trained as trials are: nothing is lost, nothing is done twice, and they go where they decide something."""

import io
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rich.console import Console

from search.core.columns import row_of
from search.core.confirmation import Confidence, assessed
from search.core.fronts import front_trials, objective_values
from search.core.records import State, TrialRecord
from search.doctor import examine
from search.driver.confirming import Asked, Found, NothingToConfirm, Session, confirm
from search.storage.store import Store
from search.study.checkpoints import checkpoint_folder
from search.study.retention import spare_of_seeds
from search.study.running import Nothing, RunningStudy
from search.study.seeds import SeedPlan, SeedProposer, seed_of
from spaces.errors import InputError, StudyError, TrialFailure
from tests import factories
from tests.search.bench import NOON, Bench, learn, sql
from workers.kinds import FailureKind
from workers.measurement import Measurement

MakeBench = Callable[..., Bench]
FINISHED = {"scheduler": {"name": "fifo", "max_epochs": 4}, "budget": {"trials": 8}}


@pytest.fixture
def finished(make_bench: MakeBench) -> Bench:
    """Give a study of eight trials that were trained in full."""
    bench = make_bench(**FINISHED)
    bench.train_all(bench.open())
    bench.close()
    return bench


@contextmanager
def confirming(bench: Bench, **plan: Any):  # type: ignore[no-untyped-def]  # a generator of two
    """Give a session of the command, and its replicates as a running study."""
    with Store.open(bench.url) as store:
        record = store.study(bench.record.name)
        assert record is not None
        asked = Asked(url=bench.url, study=record.name, plan=SeedPlan(**plan))
        session = Session.open(store, record, asked, Console(file=io.StringIO()))
        yield session, session.running()


def noisy(trial: TrialRecord, epoch: int) -> Measurement:
    """Return what a seed shows: the network's own, and a little by the seed."""
    return learn(trial, epoch).showing(accuracy=min(learn(trial, epoch).get("accuracy") + (trial.seed % 7) / 1000, 1.0))


def train(running: RunningStudy, trial: TrialRecord, until: int | None = None) -> None:
    for epoch in range(running.trials[trial.number].epochs + 1, (until or running.record.max_epochs) + 1):
        running.measured(trial.number, noisy(trial, epoch))


def train_all(running: RunningStudy, most: int = 1000) -> None:
    for _ in range(most):
        trial = running.hand_out()
        if isinstance(trial, Nothing):
            assert trial is Nothing.LEFT
            return
        train(running, trial)


def stored(bench: Bench) -> list[TrialRecord]:
    with Store.open(bench.url) as store:
        return store.trials(bench.record.name)


def change(bench: Bench, line: str) -> None:
    with closing(sqlite3.connect(bench.url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(line)


def counts(bench: Bench) -> Counter[int]:
    return Counter({trial.number: len(trial.replicates) for trial in stored(bench) if trial.replicates})


def test_every_network_of_the_front_is_trained_again_and_none_more_often_than_asked(finished: Bench) -> None:
    front = {trial.number for trial in front_trials(finished.record, stored(finished))}
    with confirming(finished, seeds=4) as (_, running):
        train_all(running)
        assert running.over
    told = counts(finished)
    assert front <= told.keys()
    assert min(told[number] for number in front) >= 3
    assert max(told.values()) <= 4


def test_the_race_ends_when_the_front_is_known(finished: Bench) -> None:
    with confirming(finished, seeds=30, level=0.9) as (session, running):
        train_all(running)
        trials = session.store.trials(session.record.name)
    known = Confidence(finished.record, trials)
    undecided = [number for number, share in known.membership.items() if 0.1 < share < 0.9]
    spent = counts(finished)
    assert all(spent[number] == 30 for number in undecided)
    assert sum(spent.values()) < 2 * 30 * len(front_trials(finished.record, trials))


def test_what_is_asked_for_by_number_gets_all_its_seeds(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(3, 5)) as (_, running):
        train_all(running)
    assert counts(finished) == {3: 2, 5: 2}


def test_trainings_bound_all_together(finished: Bench) -> None:
    front = len(front_trials(finished.record, stored(finished)))
    with confirming(finished, seeds=9, level=1.0, trainings=3 * front + 2) as (_, running):
        train_all(running)
    assert sum(counts(finished).values()) == 3 * front + 2


def test_folds_are_each_measured_on_once(finished: Bench) -> None:
    with confirming(finished, folds=3, trials=(2,)) as (_, running):
        train_all(running)
    (trial,) = (each for each in stored(finished) if each.replicates)
    assert sorted(each.fold for each in trial.replicates if each.fold) == [(0, 3), (1, 3), (2, 3)]
    assert {each.seed for each in trial.replicates} == {trial.seed}


def test_whoever_is_measured_on_one_fold_is_measured_on_all(finished: Bench) -> None:
    with confirming(finished, folds=4) as (_, running):
        train_all(running)
    told = counts(finished)
    assert {trial.number for trial in front_trials(finished.record, stored(finished))} <= told.keys()
    assert set(told.values()) == {4}


def test_seeds_and_folds_are_not_mixed(finished: Bench) -> None:
    with confirming(finished, seeds=1, trials=(2,)) as (_, running):
        train_all(running)
    with (
        pytest.raises(InputError, match="is confirmed by seeds on the study's own split"),
        confirming(finished, folds=3, trials=(2,)),
    ):
        pass


def test_a_fold_that_diverged_is_spent_and_the_others_are_measured_on(finished: Bench) -> None:
    with confirming(finished, folds=3, trials=(2,)) as (_, running):
        running.failed(running.hand_out().number, TrialFailure(FailureKind.NOT_FINITE, "the loss is nan"))
        train_all(running)
    (trial,) = (each for each in stored(finished) if each.replicates)
    assert [(each.fold, each.state) for each in trial.replicates] == [
        ((0, 3), State.FAILED), ((1, 3), State.COMPLETE), ((2, 3), State.COMPLETE),
    ]  # fmt: skip


def test_a_seed_that_somebody_removed_is_trained_anew_and_no_other_twice(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(1,)) as (_, running):
        train_all(running)
    change(finished, "DELETE FROM nas_replicate_measurement WHERE replicate_id = 1")
    change(finished, "DELETE FROM nas_replicate WHERE id = 1")
    with confirming(finished, seeds=4, trials=(1,)) as (_, running):
        train_all(running)
    (trial,) = (each for each in stored(finished) if each.replicates)
    assert len({each.seed for each in trial.replicates}) == 4


@pytest.mark.parametrize("table", ["nas_replicate", "nas_trial"])
def test_a_row_that_cannot_be_read_is_said_before_anything_is_trained(finished: Bench, table: str) -> None:
    with confirming(finished, seeds=1) as (_, running):
        train_all(running)
    change(finished, f"UPDATE {table} SET state = 'odd' WHERE id = 1")  # of this file
    asked = Asked(url=finished.url, study=finished.record.name, plan=SeedPlan(seeds=2))
    with pytest.raises(StudyError, match=f"of {table}|row 1 of {table}"):
        confirm(asked, Console(file=io.StringIO()), NOON)


def test_a_mean_that_nobody_knows_has_no_rank_and_is_no_number_of_json(finished: Bench) -> None:
    with confirming(finished, seeds=2) as (_, running):
        train_all(running)
    change(finished, "UPDATE nas_replicate_measurement SET accuracy = NULL WHERE replicate_id = 1")
    trials = assessed(finished.record, stored(finished))
    (lost,) = (trial for trial in trials if isnan(objective_values(finished.record, trial)[0]))
    assert lost.number not in {trial.number for trial in front_trials(finished.record, trials)}
    assert row_of(finished.record, lost)["accuracy"] is None
    with confirming(finished, seeds=3) as (_, running):
        train_all(running)


def test_every_replicate_has_a_seed_of_its_own_and_always_the_same() -> None:
    trials = [factories.complete(number, [0.9] * 9) for number in range(20)]
    seeds = {seed_of(trial, place) for trial in trials for place in range(20)} | {trial.seed for trial in trials}
    assert len(seeds) == 20 * 20 + 20
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seed_of(trials[0], 0) == seed_of(replace(trials[0], state=State.RUNNING), 0) == 2128756133319485491


def test_a_command_that_is_killed_goes_on_where_it_was(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(1, 2)) as (_, running):
        first = running.hand_out()
        train(running, first)
        second = running.hand_out()
        train(running, second, until=2)
    with confirming(finished, seeds=2, trials=(1, 2)) as (_, running):
        again = running.hand_out()
        assert (again.number, again.epochs, again.seed) == (second.number, 2, second.seed)
        train(running, again)
        train_all(running)
    assert counts(finished) == {1: 2, 2: 2}
    assert all(each.complete for trial in stored(finished) for each in trial.replicates)


def test_a_second_run_of_the_command_trains_nothing_more(finished: Bench) -> None:
    for _ in range(2):
        with confirming(finished, seeds=3) as (session, running):
            train_all(running)
    with confirming(finished, seeds=3) as (session, running):
        assert session.is_over(running)


def test_more_seeds_go_on_from_those_that_are_there(finished: Bench) -> None:
    for seeds in (2, 4):
        with confirming(finished, seeds=seeds, trials=(1,)) as (_, running):
            train_all(running)
    (trial,) = (each for each in stored(finished) if each.replicates)
    assert len({each.seed for each in trial.replicates}) == 4


def test_a_seed_that_diverges_counts_as_spent_and_not_in_the_mean(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(1,)) as (_, running):
        trial = running.hand_out()
        running.failed(trial.number, TrialFailure(FailureKind.NOT_FINITE, "the loss is nan"))
        train_all(running)
    (known,) = (each for each in assessed(finished.record, stored(finished)) if each.replicates)
    assert known.confirmation is not None
    assert (known.confirmation.seeds, known.confirmation.failed) == (1, 1)


def test_where_every_seed_fails_that_is_said(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(1,)) as (session, running):
        for _ in range(2):
            running.failed(running.hand_out().number, TrialFailure(FailureKind.NOT_FINITE, "the loss is nan"))
    found = Found(study=session.record, trials=stored(finished), over=True, news=True)
    assert found.all_failed == "all 2 trainings failed; the last one: not-finite: the loss is nan"
    assert Found(study=session.record, trials=[], over=True, news=True).all_failed == ""


def test_a_lost_machine_costs_no_seed(finished: Bench) -> None:
    with confirming(finished, seeds=1, trials=(1,)) as (_, running):
        trial = running.hand_out()
        running.failed(trial.number, TrialFailure(FailureKind.LOST, "its machine went away"))
        assert running.trials[trial.number].state is State.RUNNING
        assert running.trials[trial.number].attempts == 1
        running.queue.discard(trial.number)
        train(running, trial)
    (known,) = (each for each in stored(finished) if each.replicates)
    assert [each.attempts for each in known.replicates] == [1]
    assert known.replicates[0].complete


def test_nobody_is_named_twice_while_workers_wait_for_what_decides(finished: Bench) -> None:
    with confirming(finished, seeds=3, trials=(1,)) as (_, running):
        under_way = [running.hand_out() for _ in range(3)]
        assert len({trial.seed for trial in under_way}) == 3
        assert running.hand_out() is Nothing.NOW  # a seed may fail by a machine's fault, and is due again then
        for trial in under_way:
            train(running, trial)
        assert running.hand_out() is Nothing.LEFT
        assert running.over


def test_replicates_are_no_trials(finished: Bench) -> None:
    before = stored(finished)
    with confirming(finished, seeds=2) as (_, running):
        train_all(running)
    after = [replace(trial, replicates=()) for trial in stored(finished)]
    assert after == before
    running = finished.open()
    assert len(running.trials) == len(before)
    assert running.over  # the budget of trials is spent as it was, no more


def test_the_sampler_is_taught_the_mean_of_a_network_and_nothing_of_its_seeds(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(1,)) as (_, running):
        train_all(running)
    running = finished.open()
    (known,) = (trial for trial in stored(finished) if trial.replicates)
    told = [row for row in running.proposer.mirror.get_trials() if row.values]  # type: ignore[attr-defined]
    mean = sum(each.get("accuracy") or 0.0 for each in known.confirmed) / 2
    assert [row.values[0] for row in told if row.params == known.params] == [pytest.approx(mean)]
    assert mean != known.last.get("accuracy")
    assert len(told) == 8


def test_optunas_tables_keep_what_the_trial_itself_came_to(finished: Bench) -> None:
    with confirming(finished, seeds=2, trials=(1,)) as (_, running):
        train_all(running)
    recorder = finished.open().recorder
    row = recorder.storage.get_all_trials(recorder._study_id)[1]  # type: ignore[attr-defined]
    (known,) = (trial for trial in stored(finished) if trial.replicates)
    assert row.values[0] == known.last.get("accuracy")


@pytest.mark.parametrize(
    ("plan", "said"),
    [({"trials": (99,)}, "there is no trial 99"), ({"trials": (0,)}, "trial 0 is not trained in full: it is running")],
)
def test_only_networks_that_were_trained_in_full_are_confirmed(
    make_bench: MakeBench, plan: dict[str, Any], said: str
) -> None:
    bench = make_bench(**FINISHED)
    running = bench.open()
    running.hand_out()
    with pytest.raises(InputError, match=said), confirming(bench, **plan):
        pass


def test_a_study_without_a_front_has_nothing_to_confirm(make_bench: MakeBench) -> None:
    bench = make_bench(**FINISHED)
    bench.open().hand_out()
    with pytest.raises(NothingToConfirm, match="no trial of bench is trained in full yet"), confirming(bench):
        pass


def test_a_study_whose_every_full_training_is_outside_by_now_says_so(make_bench: MakeBench) -> None:
    bench = make_bench(**FINISHED)
    bench.train_all(bench.open())
    with sql(bench.url) as connection:
        connection.execute(sa.text("UPDATE nas_trial SET outside = 'block preact is not in the space'"))
    said = r"^\d+ trials of bench trained in full, and none on its front, .*: block preact is not in the space \(\d+\)$"
    with pytest.raises(NothingToConfirm, match=said), confirming(bench):
        pass


def test_weights_of_seeds_stay_and_nothing_else_of_what_has_ended() -> None:
    states = {0: State.COMPLETE, 1: State.FAILED, 2: State.RUNNING, 3: State.COMPLETE}
    sizes = {"0.pt": 10, "0.before.pt": 10, "1.pt": 10, "2.pt": 10, "2.before.pt": 10, "3.pt": 10, "else.txt": 1}
    assert sorted(spare_of_seeds(sizes, states, 1000)) == ["0.before.pt", "1.pt"]
    assert "0.pt" in spare_of_seeds(sizes, states, 15)  # the oldest beyond the limit
    assert "3.pt" not in spare_of_seeds(sizes, states, 15)


def test_a_proposer_names_the_front_first_then_whoever_is_least_sure() -> None:
    trials = {
        0: factories.complete(0, [0.9] * 9, macs=10_000),
        1: factories.complete(1, [0.95] * 9, macs=20_000),
        2: factories.complete(2, [0.5] * 9, macs=30_000),
    }
    proposer = SeedProposer(study=factories.study(), trials=trials, plan=SeedPlan(seeds=2))
    named = []
    for number in range(4):
        proposal, _ = proposer.propose({})
        assert proposal is not None
        proposer.begun(proposal, number)
        named.append(proposal.trial)
    assert named == [0, 1, 0, 1]
    assert proposer.propose({}) == (None, [])
    assert proposer.waits


def test_of_networks_that_were_trained_as_often_the_slowest_is_first() -> None:
    epochs = {number: factories.measurement(9, accuracy=0.9, train_s=took_s) for number, took_s in enumerate((2, 5, 3))}
    trials = {number: factories.complete(number, measurements=(epoch,)) for number, epoch in epochs.items()}
    proposer = SeedProposer(study=factories.study(), trials=trials, plan=SeedPlan(seeds=2, trials=(0, 1, 2)))
    named = []
    for number in range(6):
        proposal, _ = proposer.propose({})
        assert proposal is not None
        proposer.begun(proposal, number)
        named.append(proposal.trial)
    assert named == [1, 2, 0, 1, 2, 0]


def test_weights_that_are_gone_are_said_and_ray_is_not_started_for_them(finished: Bench) -> None:
    with confirming(finished, seeds=1, trials=(1,)) as (session, running):
        train_all(running)
        session.asked = replace(session.asked, test=True)
        session.console.file = said = io.StringIO()
        assert session.train(NOON)
    assert said.getvalue().startswith("warning: the weights of 1 training are not in ")
    assert "starting Ray" not in said.getvalue()


def test_weights_of_seeds_and_of_trials_have_one_limit(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(**FINISHED, checkpoints={"folder": str(tmp_path / "runs"), "limit": "1k"})
    bench.train_all(bench.open())
    with confirming(bench, seeds=2, trials=(1,)) as (session, running):
        train_all(running)
        study = checkpoint_folder(session.config, session.record)
        for folder, name in ((study, "0.pt"), (session.folder, "0.pt"), (session.folder, "1.pt")):
            folder.make()
            folder.write(name, bytes(400))
        for _ in range(2):
            session._tidy(running)
        assert session.folder.sizes() == {"1.pt": 400}  # the oldest has gone
        said = session.console.file.getvalue()  # type: ignore[attr-defined]
        assert said.count("weights of seeds go, the oldest first: the limit of 1k is reached") == 1


def test_weights_that_were_moved_are_looked_for_where_they_are_said_to_be(finished: Bench, tmp_path: Path) -> None:
    with Store.open(finished.url) as store:
        record = store.study(finished.record.name)
        assert record is not None
        asked = Asked(url=finished.url, study=None, plan=SeedPlan(), checkpoints=str(tmp_path / "moved"))
        session = Session.open(store, record, asked, Console(file=io.StringIO()))
    assert str(session.folder) == str(tmp_path / "moved" / "seeds")


def test_the_doctor_takes_away_what_seeds_have_left_and_no_weights(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench(**FINISHED, checkpoints=str(tmp_path / "runs"))
    bench.train_all(bench.open())
    bench.close()
    with confirming(bench, seeds=2, trials=(1,)) as (session, running):
        train(running, running.hand_out())
        running.hand_out()  # and is still under way
        session.folder.make()
        for name in ("0.pt", "0.before.pt", ".0.pt.4711", "1.pt", "1.before.pt"):
            session.folder.write(name, b"x")
        record = session.record
    found = [each for each in examine(bench.url, record.name, fix=False).found if each.kind == "seeds"]
    assert [each.wrong for each in found] == ["2 files of seeds that have ended, which nothing needs"]
    examine(bench.url, record.name, fix=True)
    assert set(session.folder.sizes()) == {"0.pt", "1.pt", "1.before.pt"}
