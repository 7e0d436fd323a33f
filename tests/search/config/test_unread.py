"""Keys that the file's scheduler does not read are never silently ignored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.config.replay import load_replay
from search.config.study import load, parse, parted
from search.config.unread import unread
from search.core.records import StudyRecord
from search.schedulers.base import keys
from search.schedulers.registry import SCHEDULERS
from search.simulation.curves import form_of
from spaces.errors import InputError
from tests.search.bench import FILE

ALL_KEYS = {
    "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3.0, "measure": "all",
    "keep": 0.5, "floor": 0.1, "share": 0.3, "min_trials": 3,
}  # fmt: skip


def refusals(**scheduler: Any) -> list[str]:
    return [str(error) for error in unread(parse({**FILE, "scheduler": scheduler}).scheduler)]


@pytest.mark.parametrize(
    ("scheduler", "line"),
    [
        ({"name": "fifo", "keep": 0.5}, "scheduler.keep: fifo does not read keep; pareto-asha and asha do"),
        ({"name": "auto", "keep": 0.5}, "scheduler.keep: auto does not read keep; pareto-asha and asha do"),
        ({"name": "gain", "floor": 0.1}, "scheduler.floor: gain does not read floor; pareto-asha and asha do"),
        ({"name": "asha", "share": 0.5}, "scheduler.share: asha does not read share; gain does"),
        ({"share": 0.5, "min_trials": 3}, "scheduler.min_trials: auto does not read min_trials; median does"),
    ],
)
def test_a_key_that_is_not_read_is_named_with_what_reads_it(scheduler: dict[str, Any], line: str) -> None:
    assert refusals(**scheduler) == [line]


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_whatever_a_scheduler_reads_may_be_given_and_is_what_it_gets(name: str) -> None:
    own = {key: ALL_KEYS[key] for key in keys(SCHEDULERS[name].options_class)}
    assert refusals(name=name, **own) == []
    options = parse({**FILE, "scheduler": {"name": name, **own}}).scheduler.plan(None).options
    assert {key: getattr(options, key) for key in own} == own


@pytest.mark.parametrize("name", sorted(SCHEDULERS))
def test_a_study_stores_what_its_scheduler_reads_alone(name: str) -> None:
    stored = parse({**FILE, "scheduler": {"name": name, "max_epochs": 5, "keep": 0.5, "share": 0.3}}).plain()
    assert stored["scheduler"].keys() <= {"name", *keys(SCHEDULERS[name].options_class)}
    assert stored["scheduler"]["max_epochs"] == 5
    again = parse({**stored, "storage": FILE.get("storage", "sqlite:///a.db")})
    assert unread(again.scheduler) == []
    assert again.plain() == stored


@pytest.fixture
def file(tmp_path: Path) -> Path:
    text = (Path(__file__).parents[3] / "space.yaml").read_text(encoding="utf-8")
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_another_name_by_set_drops_what_only_the_files_own_scheduler_reads_and_says_so(file: Path) -> None:
    config = load(file, ["scheduler.name=asha"])
    assert config.dropped == ["scheduler.share of the file is left out: asha does not read share; gain does"]
    assert unread(config.scheduler) == []
    assert '"share"' not in parted(file, ["scheduler.name=asha"])[0]
    assert load(file, ["scheduler.name=gain"]).dropped == []


def test_what_set_itself_gives_in_vain_is_not_dropped_but_refused(file: Path) -> None:
    config = load(file, ["scheduler.name=asha", "scheduler.share=0.2"])
    assert config.dropped == []
    assert [error.place for error in unread(config.scheduler)] == ["scheduler.share"]


@pytest.mark.parametrize("settings", [["scheduler.name=nonsense"], ["scheduler.name=asha", "scheduler.kep=1"]])
def test_what_nobody_knows_is_refused_as_ever(file: Path, settings: list[str]) -> None:
    with pytest.raises(InputError, match="unknown"):
        load(file, settings)


def test_a_replay_drops_them_too(file: Path) -> None:
    assert load_replay(file, ["scheduler.name=fifo"]).scheduler.unread == []


def test_a_study_of_before_whose_keys_were_all_written_out_is_replayed(make_study: Callable[..., StudyRecord]) -> None:
    whole = {"name": "auto", "max_epochs": 9, "share": 0.5, "floor": 0.02, "keep": 0.4}
    study = make_study(config={**FILE, "scheduler": whole}, space=FILE["space"])
    assert unread(form_of(study, []).scheduler) == []
    assert unread(form_of(study, ["scheduler.name=asha"]).scheduler) == []
    assert [error.place for error in unread(form_of(study, ["scheduler.keep=0.3"]).scheduler)] == ["scheduler.keep"]
