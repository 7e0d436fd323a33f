"""A study's own trials become a table of recorded trainings, which any replay can read again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.config.replay import parse_replay
from search.core.records import State, StudyRecord, TrialRecord
from search.simulation.curves import curves, form_of, write_curves
from search.simulation.tables import read_table, recordings_of
from spaces.errors import InputError
from tests.search.bench import Bench
from tests.search.simulation.test_tables import same
from workers.measurement import TRAIN_LOSS, Measurement

MakeTrial = Callable[..., TrialRecord]
MakeStudy = Callable[..., StudyRecord]


PLANE = parse_replay(
    {"table": {"objectives": {"accuracy": "maximize", "macs": {"direction": "minimize", "known": True}}}}
)


@pytest.fixture
def trials(make_trial: MakeTrial) -> list[TrialRecord]:
    """Give trials in full, stopped, failed before their first epoch, and running."""
    return [
        make_trial(2, accuracies=(0.5,), state=State.STOPPED, params={"block": "resnext", "cardinality": 8}),
        make_trial(0, accuracies=(0.5, 0.7), state=State.COMPLETE),
        make_trial(1, state=State.FAILED),
        make_trial(3, accuracies=(0.4,)),
    ]


def test_a_row_is_an_epoch_of_a_trial_in_their_order(trials: list[TrialRecord]) -> None:
    frame = curves(trials)
    assert frame["trial"].tolist() == [0, 0, 2, 3]
    assert frame["epoch"].tolist() == [1, 2, 1, 1]
    assert frame["accuracy"].tolist() == [0.5, 0.7, 0.5, 0.4]
    assert frame["state"].tolist() == ["complete", "complete", "stopped", "running"]
    assert frame["macs"].tolist() == [10_000, 10_000, 10_002, 10_003]
    assert frame["digest"].tolist() == [trials[1].digest] * 2 + [trials[0].digest, trials[3].digest]


def test_seconds_are_those_since_the_training_began(trials: list[TrialRecord]) -> None:
    assert curves(trials)["seconds"].tolist() == [0.375, 0.75, 0.375, 0.375]


def test_what_no_trial_has_has_no_column(trials: list[TrialRecord]) -> None:
    names = set(curves(trials).columns)
    assert {"block", "depth", "cardinality", "loss", "epoch_s", "peak_bytes"} < names
    assert "latency_ms" not in names
    assert curves(trials)["cardinality"].isna().tolist() == [True, True, False, True]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_file_of_curves_is_read_as_the_study_is(bench: Bench, ending: str, tmp_path: Path) -> None:
    running = bench.open()
    bench.train_all(running)
    trials = list(running.trials.values())
    write_curves(trials, tmp_path / f"curves.{ending}")
    form = form_of(bench.record, ())
    found = read_table(tmp_path / f"curves.{ending}", form)
    assert same(found, recordings_of("bench", curves(trials), form))
    assert found.left_out == 0
    assert list(found.networks) == [trial.params for trial in trials]


def test_a_file_of_curves_says_by_itself_what_its_parameters_are(trials: list[TrialRecord], tmp_path: Path) -> None:
    write_curves(trials[:2], tmp_path / "curves.csv")
    found = read_table(tmp_path / "curves.csv", parse_replay({}))
    assert {each.name for each in found.parameters} == {"block", "depth", "cardinality"}
    assert found.networks == ({"block": "basic", "depth": 1}, {"block": "resnext", "cardinality": 8})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbers_among_words_are_kept(make_trial: MakeTrial, ending: str, tmp_path: Path) -> None:
    space = {"base_width": {"choice": [4, 8, "preserved"]}}
    trials = [make_trial(n, accuracies=(0.5,), params={"base_width": w}) for n, w in enumerate((4, "preserved", 8))]
    write_curves(trials, tmp_path / f"curves.{ending}")
    found = read_table(tmp_path / f"curves.{ending}", parse_replay({"space": space}))
    assert [each["base_width"] for each in found.networks] == [4, "preserved", 8]


def test_a_file_of_curves_that_were_measured_at_rungs_is_replayed_as_the_study_itself_is(
    make_trial: MakeTrial, make_measurement: Any, tmp_path: Path
) -> None:
    def curve(*accuracies: float | None) -> tuple[Measurement, ...]:
        known = (make_measurement(epoch, accuracy=each or 0.0) for epoch, each in enumerate(accuracies, start=1))
        return tuple(
            found if each is not None else replace(found, metrics={TRAIN_LOSS: 1.0})
            for found, each in zip(known, accuracies, strict=True)
        )

    trials = [
        make_trial(0, measurements=curve(0.5, None, 0.7, None, 0.9), state=State.COMPLETE, params={"depth": 1}),
        make_trial(1, measurements=curve(0.4, None, 0.5), state=State.STOPPED, params={"depth": 2}),
    ]
    write_curves(trials, tmp_path / "curves.csv")
    found = read_table(tmp_path / "curves.csv", PLANE)
    assert found.epochs == (1, 3, 5)
    assert found.learned["accuracy"][0, 0].tolist() == [0.5, 0.7, 0.9]
    assert found.learned["accuracy"][1, 0, :2].tolist() == [0.4, 0.5]
    seconds = [each.wall_s for each in trials[0].measurements]
    assert found.seconds[0, 0].tolist() == pytest.approx([sum(seconds[:1]), sum(seconds[:3]), sum(seconds)])


def test_a_gap_in_a_table_of_other_trainings_is_a_training_that_failed(tmp_path: Path) -> None:
    frame = pd.DataFrame({"width": 1, "macs": 1, "epoch": [1, 2, 3], "accuracy": [0.5, None, 0.7]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    found = read_table(tmp_path / "table.csv", PLANE)
    assert found.epochs == (1, 2, 3)


def test_only_files_of_tables_are_written(trials: list[TrialRecord], tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        write_curves(trials, tmp_path / "curves.xlsx")
    assert refused.value.place == str(tmp_path / "curves.xlsx")
    assert refused.value.message == "is neither a .parquet nor a .csv file (.csv.gz too)"
    assert list(tmp_path.iterdir()) == []


def test_a_replay_of_a_study_goes_about_it_as_the_study_did(bench: Bench) -> None:
    form = form_of(bench.record, ())
    assert (form.study, form.table.classes, form.full_fidelity) == ("bench", 10, 9)
    assert (form.sampler.name, form.scheduler.name, form.budget.trials) == ("random", "pareto-asha", 8)
    assert list(form.columns) == ["accuracy", "macs"]
    assert list(form.space) == list(bench.config.plain()["space"])


def test_settings_change_the_replay_and_not_the_study(bench: Bench) -> None:
    form = form_of(bench.record, ["scheduler.keep=0.3", "table.classes=5", "objectives=[loss, params]"])
    assert (form.scheduler.keep, form.table.classes, list(form.columns)) == (0.3, 5, ["loss", "params"])
    assert form_of(bench.record, ()).scheduler.keep is None


@pytest.mark.parametrize(
    ("setting", "said"),
    [("scheduler.kep=1", "scheduler: unknown key 'kep'"), ("nonsense", "--set: 'nonsense' is not of the form")],
)
def test_a_wrong_setting_is_refused_with_its_place(bench: Bench, setting: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        form_of(bench.record, [setting])
    assert str(refused.value).startswith(said)


def test_a_parameter_that_no_trial_had_does_not_keep_a_study_from_its_replay(
    make_study: MakeStudy, make_trial: MakeTrial
) -> None:
    study = make_study()
    space = {**study.space, "cardinality": {"choice": [2, 4], "when": {"block": "bottleneck"}}}
    given = replace(study, config={**study.config, "space": space})
    trials = [make_trial(0, accuracies=(0.5, 0.7), state=State.COMPLETE)]
    frame: pd.DataFrame = curves(trials)
    assert recordings_of("own", frame, form_of(given, ())).networks == ({"block": "basic", "depth": 1},)
