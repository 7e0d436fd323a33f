"""A study begins with the networks that its file names, by whatever a person knows them."""

from collections.abc import Iterator
from typing import Any

import pytest

from search.config.study import StudyConfig, parse
from search.core.records import State, TrialRecord
from search.driver.driver import begin, open_running
from search.driver.initial import Beginning, beginning, check_start
from search.driver.inspection import look
from search.driver.preview import lines
from search.storage.store import Store
from spaces.architecture import ImageSpec
from spaces.errors import InputError
from spaces.names import named
from tests.search.bench import Bench
from workers.datasets import Dataset

SPACE: dict[str, Any] = {
    "block": {"choice": ["basic", "preact"]},
    "depth": {"int": [1, 3]},
    "widening_factor": {"choice": [0.25, 0.5, 1]},
    "kernels": {"choice": [[3, 3], [3, 1, 3]]},
}
SMALL: dict[str, Any] = {
    "study": "small", "data": {"name": "digits", "limit": 60}, "space": SPACE, "scheduler": {"max_epochs": 3},
    "budget": {"trials": 4}, "sampler": "random",
}  # fmt: skip
CHOSEN: dict[str, Any] = {"block": "basic", "depth": 1, "widening_factor": 0.5, "kernels": [3, 1, 3]}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Give the images."""
    return look(config_of())[0]


def config_of(**sections: Any) -> StudyConfig:
    return parse({**SMALL, **sections})


def started(store: Store, config: StudyConfig, data: Dataset, count: int) -> list[TrialRecord]:
    """Return the first trials of a new study, or the next ones of one that goes on."""
    _, seen = look(config)
    record = begin(store, config, data, seen)
    running = open_running(store, config, record, first=beginning(config, data.image, store))
    try:
        trials = [running.hand_out() for _ in range(count)]
    finally:
        running.recorder.close()
    return [trial for trial in trials if isinstance(trial, TrialRecord)]


def test_named_and_chosen_networks_are_the_first_trials(store: Store, data: Dataset) -> None:
    first, second, third = started(store, config_of(start=["wrn-16-1", CHOSEN]), data, 3)
    assert first.digest == named("wrn-16-1").architecture.digest
    assert second.params == {**CHOSEN, "kernels": "3,1,3"}
    assert third.digest not in (first.digest, second.digest)


@pytest.mark.parametrize("sampler", ["auto", "tpe", "nsga2", "random"])
def test_every_sampler_begins_with_them(sampler: str, store: Store, data: Dataset) -> None:
    trials = started(store, config_of(start=["wrn-16-1", "wrn-10-1"], sampler=sampler), data, 4)
    assert [trial.digest for trial in trials[:2]] == [
        named(name).architecture.digest for name in ("wrn-16-1", "wrn-10-1")
    ]
    assert len({trial.digest for trial in trials}) == 4


def test_one_network_needs_no_list() -> None:
    assert config_of(start="wrn-16-1").starting == config_of(start=["wrn-16-1"]).starting
    assert config_of(start=CHOSEN).starting == config_of(start=[CHOSEN]).starting


def test_a_launch_that_goes_on_does_not_begin_again(store: Store, data: Dataset) -> None:
    config = config_of(start=["wrn-16-1", "wrn-10-1", "wrn-16-1"])
    assert [trial.number for trial in started(store, config, data, 1)] == [0]
    again = started(store, config, data, 3)
    assert [trial.number for trial in again] == [0, 1, 2]  # the first goes on
    assert again[1].digest == named("wrn-10-1").architecture.digest
    assert not store.rejections("small")


def test_more_networks_can_be_named_at_a_later_launch(store: Store, data: Dataset) -> None:
    started(store, config_of(), data, 1)
    (_, second) = started(store, config_of(start="wrn-22-1"), data, 2)
    assert second.digest == named("wrn-22-1").architecture.digest


@pytest.mark.parametrize(
    ("start", "refused"),
    [
        ("resnet-20", "start.resnet-20: is not in the space, which lacks shortcut A"),
        (["wrn-16-1", "wrn-17-1"], "start.wrn-17-1: WRN depth must be 6N+4: 17 is not"),
        ([{"block": "basic"}], "start.0: depth is missing"),
        ([7], "start: 7 is neither a network's name nor its values nor {study: name}"),
        ([{"study": "a", "block": "basic"}],
         'start: {"study": "a", "block": "basic"} is neither a network\'s name nor its values nor {study: name}'),
    ],
)  # fmt: skip
def test_what_the_space_has_not_is_refused_in_one_line(start: Any, refused: str) -> None:
    with pytest.raises(InputError) as caught:
        config_of(start=start)
    assert str(caught.value) == refused


def test_a_network_that_breaks_a_constraint_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match=r"^start\.wrn-16-1: oversteps the constraint on params by \d+%$"):
        look(config_of(start=["wrn-10-1", "wrn-16-1"], constraints={"params": "<= 100k"}))


def test_a_network_that_cannot_read_the_images_is_refused_with_its_place() -> None:
    space = {**SPACE, "stem": "large", "widths": [16, 32, 64]}
    config = config_of(space=space, start=[CHOSEN], data={"name": "digits", "limit": 60})
    with pytest.raises(InputError, match=r"^start\.0: an image of 8x8 is too small"):
        check_start(config, ImageSpec(channels=1, height=8, width=8, classes=10))


def test_what_the_database_could_not_take_is_proposed_again(store: Store, data: Dataset) -> None:
    config = config_of(start=["wrn-16-1", "wrn-10-1"])
    running = open_running(
        store, config, begin(store, config, *look(config)), first=beginning(config, data.image, store)
    )
    first, _ = running.proposer.propose({})
    assert first is not None
    running.proposer.take_back(first)
    again, _ = running.proposer.propose({})
    assert again is not None
    assert again.digest == first.digest == named("wrn-16-1").architecture.digest
    running.recorder.close()


def test_a_dry_run_says_what_a_study_starts_with() -> None:
    config = config_of(start=["wrn-16-1", CHOSEN, {"study": "other"}])
    (line,) = [line for line in lines(config, *look(config)) if line.startswith("start")]
    assert line == (
        "start      wrn-16-1, {block: basic, depth: 1, widening_factor: 0.5, kernels: 3,1,3}, {study: other}"
    )


# The fronts of other studies


@pytest.fixture
def other(bench: Bench) -> list[TrialRecord]:
    """Give the trials of another study, over a space of its own."""
    running = bench.open()
    bench.train_all(running)
    trials = list(running.trials.values())
    bench.close()
    return trials


def test_a_study_starts_with_the_front_of_another(bench: Bench, other: list[TrialRecord], data: Dataset) -> None:
    space = {**bench.config.plain()["space"]}
    config = config_of(space=space, start={"study": bench.record.name}, budget={"trials": 40})
    with Store.open(bench.url) as store:
        first = beginning(config, data.image, store)
        trials = started(store, config, data, len(first.params))
    digests = {trial.digest for trial in other if trial.state is State.COMPLETE}
    assert len(first.params) > 1
    assert first.left_out == 0
    assert {trial.digest for trial in trials} <= digests


@pytest.mark.usefixtures("other")
def test_what_the_space_lacks_of_another_front_is_left_out_and_counted(bench: Bench, data: Dataset) -> None:
    whole = config_of(space=bench.config.plain()["space"], start={"study": bench.record.name})
    part = config_of(start={"study": bench.record.name})
    with Store.open(bench.url) as store:
        all_of_them, some = (beginning(config, data.image, store) for config in (whole, part))
    assert 0 < some.left_out == len(all_of_them.params) - len(some.params)
    assert f"{some.left_out} of other studies' fronts cannot be proposed here" in str(some)


def test_another_study_has_to_be_there(store: Store, data: Dataset) -> None:
    with pytest.raises(InputError, match=r"^start\.1\.study: there is no study in sqlite"):
        beginning(config_of(start=["wrn-16-1", {"study": "other"}]), data.image, store)


def test_how_a_study_begins_is_said_in_a_line() -> None:
    assert str(Beginning()) == ""
    assert str(Beginning(({"depth": 1},))) == "starts with 1 network"
    assert str(Beginning(({"depth": 1},) * 2, 3)) == (
        "starts with 2 networks, 3 of other studies' fronts cannot be proposed here"
    )
