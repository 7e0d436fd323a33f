"""Trainings are kept by what they depend on, verdicts by claim, images and epochs; the latest holds."""

from dataclasses import replace
from datetime import UTC, datetime
from math import inf, isnan, nan
from pathlib import Path

import pytest
from sqlalchemy import text

from search.core.claims import Effect, Kind, Outcome, Training, Unit, Verdict
from search.storage.claims import Claims
from search.storage.store import Store

AT = datetime(2026, 1, 2, tzinfo=UTC)
TRAINED = Training(
    key="a" * 64, network="plain-14", digest="d" * 64, seed=2, epochs=5, values={"error": 0.1, "skip": 0.8},
    refused={"swap": "no two blocks"},    seconds=3.5, machine={"device": "a processor"}, at=AT,
)  # fmt: skip
FOUND = Verdict(
    claim="plain", says="Plain is worse.", source="He", kind=Kind.TRAINED, of="error", unit=Unit.POINTS,
    range="above 0", networks=("plain-26", "plain-14"), form="small", data="digits", fingerprint="0123", epochs=5,
    outcome=Outcome.HOLDS, effect=Effect(value=0.2, low=0.1, high=0.3, test="paired", seeds=4), start=0, seconds=12.5,
    machine={"device": "a processor"}, at=AT,
)  # fmt: skip


def test_what_was_found_is_read_as_it_went(store_url: str) -> None:
    with Store.open(store_url) as store:
        known = Claims(store)
        known.add_training(TRAINED)
        known.add_verdict(FOUND)
        assert known.trainings(["a" * 64, "b" * 64]) == {"a" * 64: TRAINED}
        assert known.verdicts() == [FOUND]
        assert known.verdicts()[0].end == inf


def test_the_latest_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        for seconds in (1.0, 2.0):
            known.add_training(replace(TRAINED, seconds=seconds))
            known.add_verdict(replace(FOUND, seconds=seconds))
        known.add_verdict(replace(FOUND, epochs=9))
        assert known.trainings([TRAINED.key])[TRAINED.key].seconds == 2
        assert [(each.epochs, each.seconds) for each in known.verdicts()] == [(5, 2.0), (9, 12.5)]


def test_a_verdict_by_more_seeds_stays_where_it_asks_the_same(tmp_path: Path) -> None:
    fewer = replace(FOUND, effect=replace(FOUND.effect, seeds=2), outcome=Outcome.UNKNOWN)
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        assert known.add_verdict(FOUND) == FOUND
        assert known.add_verdict(fewer) == FOUND
        assert known.verdicts() == [FOUND]
        other = replace(fewer, networks=("plain-44", "plain-14"))  # the claim was changed in its file
        assert known.add_verdict(other) == other
        assert known.verdicts() == [other]


def test_a_verdict_of_other_trainings_gives_way_however_many_seeds_it_had(tmp_path: Path) -> None:
    fewer = replace(FOUND, asked="by another recipe", effect=replace(FOUND.effect, seeds=2))
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        known.add_verdict(FOUND)  # as verdicts of before: nobody knows of which trainings
        assert known.add_verdict(fewer) == fewer
        assert known.verdicts() == [fewer]


def test_what_is_not_known_comes_back_as_such(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        nothing = Effect(value=nan, low=nan, high=nan, test="paired")
        known.add_verdict(replace(FOUND, effect=nothing, outcome=Outcome.UNKNOWN))
        (found,) = known.verdicts()
        assert isnan(found.effect.value)
        assert isnan(found.effect.low)


@pytest.mark.parametrize(
    "damage", ["found = '[1]'", "found = '{\"error\": []}'", "seconds = 'long'", "at = 'noon'", "epochs = -1"]
)
def test_a_training_that_cannot_be_read_was_not_done(tmp_path: Path, damage: str) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        known.add_training(TRAINED)
        with store.transaction() as connection:
            connection.execute(text(f"UPDATE nas_training SET {damage}"))
        assert known.trainings([TRAINED.key]) == {}


@pytest.mark.parametrize("damage", ["told = '{}'", "outcome = 'maybe'", "low = 'x'", "told = '3'"])
def test_a_verdict_that_cannot_be_read_was_not_found(tmp_path: Path, damage: str) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        known = Claims(store)
        known.add_verdict(FOUND)
        with store.transaction() as connection:
            connection.execute(text(f"UPDATE nas_verdict SET {damage}"))
        assert known.verdicts() == []
