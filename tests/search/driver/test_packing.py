"""Trials of one plan are handed out together where all are trained in full, and the search is no other for it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.config.study import parse
from search.core.records import TrialRecord
from search.study.running import Nothing, RunningStudy
from spaces.domains import Scalar
from spaces.errors import StorageAway
from tests.search.bench import FILE, Bench, record_of
from workers.packs import check_alike
from workers.sources import DataSpec
from workers.trainer import TrialSpec

SPACE: dict[str, Any] = {
    "block": "basic",
    "depth": {"int": [1, 2]},
    "widening_factor": {"choice": [0.25, 1]},
    "dropout": {"choice": ["none", "between"]},
    "dropout_rate": {"float": [0.05, 0.5], "when": {"dropout": ["between"]}},
}
RATES = {"learning_rate": {"float": [0.01, 0.5], "log": True}, "batch_size": {"choice": [32, 64]}}
FULL = {"name": "fifo", "max_epochs": 3}
START = [
    {"depth": 1, "widening_factor": 1, "dropout": "between", "dropout_rate": 0.1},
    {"depth": 2, "widening_factor": 1, "dropout": "none"},
    {"depth": 1, "widening_factor": 1, "dropout": "between", "dropout_rate": 0.2},
    {"depth": 1, "widening_factor": 1, "dropout": "none"},
]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Bench]:
    """Give a study of few plans, of which every trial is trained in full."""
    config = parse({**FILE, "space": SPACE, "recipe": RATES, "scheduler": FULL, "constraints": {}})
    made = Bench(url=f"sqlite:///{tmp_path / 'full.db'}", config=config, record=record_of(config))
    yield made
    made.close()


def hand_out(running: RunningStudy, workers: float = 1) -> list[TrialRecord]:
    """Return who is trained together next; nobody where there is nothing now."""
    first = running.hand_out()
    return [] if isinstance(first, Nothing) else [first, *running.mates(first, workers)]


def hand_out_all(running: RunningStudy) -> list[list[TrialRecord]]:
    packs = []
    while pack := hand_out(running):
        packs.append(pack)
    return packs


def chosen(packs: list[list[TrialRecord]]) -> set[frozenset[tuple[str, Scalar]]]:
    return {frozenset(trial.params.items()) for pack in packs for trial in pack}


def sizes(bench: Bench, **changes: Any) -> list[int]:
    return sorted(len(pack) for pack in hand_out_all(bench.open(**changes)))


@pytest.fixture
def plain(full: Bench) -> Bench:
    """Give the same study with a recipe that is not searched."""
    return replace(full, config=parse({**full.config.plain(), "recipe": {}}))


def beginning(bench: Bench, start: list[dict[str, Scalar]], **changes: Any) -> RunningStudy:
    """Open a study that begins with networks."""
    running = bench.open(**changes)
    running.proposer._first.extend(start)  # type: ignore[attr-defined]  # as `open_running` is given them
    return running


def test_what_is_handed_out_together_can_be_trained_as_one(full: Bench) -> None:
    running = beginning(full, START * 4, budget={"trials": 40})  # whose rates and batches are drawn
    recipe = full.config.full_recipe
    packs = hand_out_all(running)
    assert max(map(len, packs)) > 2
    for pack in packs:
        check_alike(
            [
                TrialSpec(
                    architecture=each.architecture, recipe=recipe.chosen(each.params), data=DataSpec(name="digits"),
                    seed=each.seed,
                )
                for each in pack
            ]
        )  # fmt: skip
        assert len({each.number for each in pack}) == len({each.seed for each in pack}) == len(pack)


def test_a_study_that_draws_at_random_has_the_same_trials_for_it_and_not_one_more(full: Bench, tmp_path: Path) -> None:
    together = hand_out_all(full.open(budget={"trials": 24}))
    alone = Bench(url=f"sqlite:///{tmp_path / 'alone.db'}", config=full.config, record=full.record)
    apart = hand_out_all(alone.open(budget={"trials": 24}, resources={"packed": "never"}))
    assert (sum(map(len, together)), len(apart)) == (24, 24)
    assert len(together) < 16
    alone.close()
    assert chosen(together) == chosen(apart)


def test_what_a_study_begins_with_is_packed_whatever_its_sampler_and_the_sampler_is_asked_one_at_a_time(
    plain: Bench,
) -> None:
    packs = hand_out_all(beginning(plain, START, sampler={"name": "tpe"}))
    assert [len(pack) for pack in packs] == [2, *[1] * 6]
    assert [trial.params["dropout_rate"] for trial in packs[0]] == [0.1, 0.2]
    assert [pack[0].params for pack in packs[1:3]] == [START[1], START[3]]  # who drops nothing is of another plan


@pytest.mark.parametrize(
    "changes",
    [
        {"resources": {"packed": "never"}},
        {"resources": {"gpus_per_trial": 1}},
        {"scheduler": {"name": "median", "max_epochs": 3}},
        {"recipe": {**RATES, "compile": "always"}},
        {"sampler": {"name": "tpe"}},
    ],
)
def test_trials_are_alone_where_that_is_asked_or_somebody_is_stopped_early_or_learned_from(
    full: Bench, changes: Mapping[str, Any]
) -> None:
    assert sizes(full, **changes) == [1] * 8


def test_no_worker_is_left_without_work_for_a_pack(full: Bench) -> None:
    running = full.open(budget={"trials": 16})
    assert [len(hand_out(running, workers=16 - place)) for place in range(4)] == [1] * 4
    assert max(map(len, hand_out_all(running))) > 1


def test_a_study_without_a_number_of_trials_looks_ahead_all_the_same(full: Bench) -> None:
    running = full.open(budget={"epochs": 300})
    assert max(len(hand_out(running, workers=8)) for _ in range(4)) > 2
    assert len(running.proposer.certain) < 64  # type: ignore[attr-defined]


@pytest.mark.parametrize(("epochs", "most"), [(3, 1), (6, 2), (7, 3)])
def test_a_budget_of_epochs_is_not_overdrawn_by_a_pack(plain: Bench, epochs: int, most: int) -> None:
    rates = [{**START[0], "dropout_rate": rate} for rate in (0.1, 0.15, 0.2, 0.25, 0.3)]
    running = beginning(plain, rates, budget={"epochs": epochs})  # of three for each trial
    assert len(hand_out(running)) == most


def test_what_a_launch_left_is_taken_up_together_wherever_each_stands(full: Bench) -> None:
    before = hand_out_all(full.open(resources={"packed": "never"}))
    after = hand_out_all(full.open())
    assert chosen(after) == chosen(before)
    assert max(map(len, after)) > 1


def test_a_network_that_was_trained_is_in_no_pack_again(plain: Bench) -> None:
    running = beginning(plain, [START[0], START[2], START[2], START[2]])
    (pack, *_) = hand_out_all(running)
    assert [trial.params.get("dropout_rate") for trial in pack][:2] == [0.1, 0.2]
    assert len({trial.identity for trial in pack}) == len(pack)


def test_what_the_database_could_not_take_is_trained_later(plain: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    running = beginning(plain, [START[0], START[2]])
    first = running.hand_out()
    assert not isinstance(first, Nothing)

    def away(*_given: object) -> TrialRecord:
        raise StorageAway("gone")

    with monkeypatch.context() as patched:
        patched.setattr(running.recorder, "start", away)
        assert running.mates(first, 1) == []
    plain.clock.advance(60)
    assert START[2] in [trial.params for pack in hand_out_all(running) for trial in pack]


def test_other_launches_of_a_study_are_asked_before_anything_is_begun(full: Bench) -> None:
    running = full.open()
    running.launches.shared = True  # type: ignore[misc]
    first = running.hand_out()
    assert not isinstance(first, Nothing)
    assert running.mates(first, 1) == []
