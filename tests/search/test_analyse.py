"""`python -m search.analyse` tells of kept weights what there is to know, and asks no question twice."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.analyse import main
from search.core.analyses import Analysis
from search.storage.analyses import Analyses
from search.storage.store import Store
from search.study import analysing
from spaces.architecture import OwnNetwork
from spaces.errors import InputError
from tests.search.bench import Bench
from tests.search.small import EPOCHS, Small, study
from widefront import Study
from workers import analyse, checkpoint
from workers.trainer import Trainer, train

Capture = pytest.CaptureFixture[str]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def small(make_bench: Callable[..., Bench], tmp_path: Path) -> Small:
    """Give a study whose three trials are trained in full; whatever they came to, all of them are on the front."""
    made = study(make_bench, tmp_path, {"name": "digits", "limit": 200})
    for number in (1, 2):
        made.train(number, EPOCHS)
    return made


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """Compute here what a process would, which takes seconds to import torch; give the jobs that were computed."""
    jobs = list[dict[str, Any]]()

    def computed(
        job: dict[str, Any], _hidden: object, heard: Callable[[dict[str, Any]], object]
    ) -> list[dict[str, Any]]:
        jobs.append(job)
        path = tmp_path / "job.json"
        path.write_text(json.dumps(job))
        asked = analyse.Asked.read(path)
        rows = []
        for row in analyse.KINDS[asked.kind](asked):
            rows.append(json.loads(json.dumps(row)))
            heard(rows[-1])
        images = asked.looked_at if asked.kind != "filters" else 0
        return [*rows, {"images": images, "machine": {"device": "a processor", "torch": "2"}}]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(analysing, "computed", computed)
    monkeypatch.setattr(analyse, "_tell", lambda *_how_far: None)  # a process says it on a stream of its own
    return jobs


def kept(small: Small) -> list[Analysis]:
    small.running.recorder.close()
    with Store.open(small.url, create=False) as store:
        return Analyses(store, "bench").all()


def told(capsys: Capture) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_the_error_of_a_single_network_is_what_the_study_measured(small: Small, capsys: Capture) -> None:
    assert main(["lesion", small.url, "--trial", "0", "--json"]) == 0
    (found,) = told(capsys)
    trial = small.running.trials[0]
    assert trial.last is not None
    assert found["rows"][0]["what"] == "whole"
    assert found["rows"][0]["error"] == pytest.approx(1 - trial.last.metrics["accuracy"])
    assert found["images"] == len(small.data.val_labels)
    assert found["fingerprint"] == small.running.record.fingerprint
    assert found["units"]["error"] == "fraction of images"


def test_what_was_found_is_read_again_until_it_is_asked_anew(
    small: Small, capsys: Capture, in_process: list[dict[str, Any]]
) -> None:
    given = ["lesion", small.url, "--trial", "0", "--json"]
    assert main(given) == 0
    (first,) = told(capsys)
    assert main(given) == 0
    (second,) = told(capsys)
    assert len(in_process) == 1
    assert second == {**first, "kept": True}
    assert main([*given, "--again"]) == 0
    assert main([*given, "--blocks", "1", "--draws", "2"]) == 0
    assert len(in_process) == 3
    assert len(kept(small)) == 2


def test_other_weights_are_another_question(small: Small, in_process: list[dict[str, Any]]) -> None:
    given = ["filters", small.url, "--trial", "0"]
    assert main(given) == 0
    state = checkpoint.load(small.runs / "0.pt")
    assert state is not None
    state["network"]["stem.0.weight"] += 1
    checkpoint.save(small.runs / "0.pt", state)
    assert main(given) == 0
    assert len(in_process) == 2


def test_a_table_says_of_which_images_and_data_it_is(small: Small, capsys: Capture) -> None:
    assert main(["lesion", small.url, "--trial", "0", "--blocks", "1"]) == 0
    out = capsys.readouterr().out
    assert f"{len(small.data.val_labels)} validation images" in out
    assert "can be taken out one by one" in out
    assert "at random" in out
    assert main(["filters", small.url, "--trial", "0"]) == 0
    out = capsys.readouterr().out
    assert "no images" in out
    assert "near negatives" in out


def test_ensembles_are_of_the_front(small: Small, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.study.questions.front_trials", lambda _study, trials: list(trials))
    assert main(["ensemble", small.url, "--json"]) == 0
    (found,) = told(capsys)
    assert found["trials"] == [0, 1, 2]
    assert len(found["rows"]) == 3 + 3 + 1
    assert (found["settings"]["cost"], found["settings"]["unit"]) == ("macs", "count per image")
    costs = [small.running.trials[number].cost.macs for number in range(3)]
    assert next(row for row in found["rows"] if row["trials"] == [0, 1, 2])["cost"] == sum(costs)
    assert main(["ensemble", small.url]) == 0
    assert "4 ensembles of 2 to 4 networks" in capsys.readouterr().out


def test_a_front_that_is_cut_is_said_to_be(small: Small, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.study.questions.front_trials", lambda _study, trials: list(trials))
    monkeypatch.setattr("search.study.questions.COMBINED", 2)
    assert main(["ensemble", small.url]) == 0
    assert "of the front's 3 networks the 2 best are combined" in capsys.readouterr().out


def test_weights_that_are_gone_are_left_out_and_said(
    small: Small, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.study.questions.front_trials", lambda _study, trials: list(trials))
    (small.runs / "1.pt").unlink()
    (small.runs / "1.before.pt").unlink(missing_ok=True)
    assert main(["ensemble", small.url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["trials"] == [0, 2]
    assert "warning: left out: " in err
    (small.runs / "0.pt").unlink()
    (small.runs / "0.before.pt").unlink(missing_ok=True)
    assert main(["ensemble", small.url]) == 2
    assert "an ensemble takes 2 networks of the front whose weights are kept; there is 1" in capsys.readouterr().err


REFUSED = (
    (["ensemble", "--trial", "0"], "--trial: ensemble does not read it; it reads --front"),
    (["lesion"], "--trial: name a trial; on the front are"),
    (["marginals", "--trial", "0"], "--trial: marginals does not read it; it is of the whole study"),
    (["lesion", "--trial", "0", "--draws", "3"], "--draws: is how often --blocks are taken out"),
    (["lesion", "--trial", "0", "--seed", "3"], "--seed: is of what --blocks and --paths draw"),
    (["surface", "--trial", "0", "--steps", "10"], "--steps: 10 points have none in the middle; 9 or 11 have"),
    (["surface", "--trial", "0", "--blocks", "1"], "--blocks: surface does not read it"),
    (["speed", "--trial", "0"], "one network has no ratio; name two or more"),
    (["speed"], "no network is named; name two or more"),
    (["speed", "--networks", "wrn-16-1", "wrn-16-1"], "--networks: wrn-16-1 is named twice"),
    (["speed", "--networks", "wrn-16-1", "wrn-17-1"], "--networks: WRN depth must be 6N+4"),
    (["speed", "--networks", "wrn-16-1", "alexnet"], "--networks: an image of 8x8 is too small"),
    (["lesion", "--trial", "9"], "--trial: bench has no trial 9"),
    (["lesion", "--trial", "0", "--blocks", "99"], "blocks can be taken out, not 99"),
    (["filters", "--trial", "0", "--study", "benches"], "--study: unknown study"),
    (["filters", "--trial", "0", "--checkpoints", "nowhere"], "--checkpoints: there is no"),
    (["filters", "--trial", "0", "--checkpoints", "${NOWHERE_AT_ALL}"], "NOWHERE_AT_ALL"),
)


def test_what_cannot_be_analysed_is_one_line(small: Small, capsys: Capture) -> None:
    for (kind, *rest), said in REFUSED:
        assert main([kind, small.url, *rest]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert said in err
        assert err.count("\n") == 1
    assert kept(small) == []


def test_a_training_that_is_not_over_is_analysed_and_it_is_said(
    make_bench: Callable[..., Bench], tmp_path: Path, capsys: Capture
) -> None:
    small = study(make_bench, tmp_path, {"name": "digits", "limit": 200})
    small.train(2, 1)
    assert main(["filters", small.url, "--trial", "2"]) == 0
    assert "trial 2 is running: what is analysed was trained 1 of 2 epochs" in capsys.readouterr().err


def test_while_a_launch_has_the_study_it_is_told_and_not_kept(small: Small, capsys: Capture) -> None:
    with Store.open(small.url, create=False) as store, store.hold("bench"):
        assert main(["filters", small.url, "--trial", "0"]) == 0
    out, err = capsys.readouterr()
    assert "filters of the stem of trial 0" in out
    assert "warning: what was found is not kept: another launch" in err
    assert kept(small) == []


def test_an_interrupt_leaves_nothing(small: Small, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(analysing, "computed", interrupted)
    assert main(["filters", small.url, "--trial", "0"]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
    assert kept(small) == []


def test_marginals_need_no_weights_and_are_kept(
    small: Small, capsys: Capture, in_process: list[dict[str, Any]]
) -> None:
    shutil.rmtree(small.runs)
    assert main(["marginals", small.url, "--json"]) == 0
    (first,) = told(capsys)
    assert first["trials"] == [0, 1, 2]
    assert main(["marginals", small.url, "--json"]) == 0
    assert told(capsys) == [{**first, "kept": True}]
    assert in_process == []
    assert main(["marginals", small.url]) == 0
    assert "3 trials trained in full" in capsys.readouterr().out


def test_a_network_that_a_function_builds_is_refused_for_its_parts(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    own = OwnNetwork(network="mine:net", source="0" * 64, options=())
    trials = [replace(trial, architecture=own) for trial in small.running.trials.values()]
    monkeypatch.setattr("search.analyse.assessed", lambda _study, _trials: trials)
    assert main(["lesion", small.url, "--trial", "0"]) == 2
    assert capsys.readouterr().err == "error: --trial: trial 0 is built by mine:net: nobody knows its blocks\n"
    assert main(["filters", small.url, "--front"]) == 2
    assert "warning: left out: trial" in capsys.readouterr().err


def test_flow_is_what_training_recorded(make_bench: Callable[..., Bench], tmp_path: Path, capsys: Capture) -> None:
    small = study(make_bench, tmp_path, {"name": "digits", "limit": 200}, recipe={"record": "flow"})
    spec = small.spec(1)
    for measurement in train(spec, small.data, flow=True):
        small.running.measured(1, measurement)
    assert not any(each.flow for each in small.running.trials[1].measurements)
    assert main(["flow", small.url, "--trial", "1", "--json"]) == 0
    (found,) = told(capsys)
    blocks = sum(spec.architecture.depths)
    assert [row["epoch"] for row in found["rows"]] == [1] * blocks + [EPOCHS] * blocks
    assert (found["rows"][0]["block"], found["rows"][0]["gradient"] > 0) == ("1.1", True)
    assert len(kept(small)) == 1
    assert main(["flow", small.url, "--trial", "1"]) == 0
    assert "the gradient at the first block is, times that at the last" in capsys.readouterr().out
    assert main(["flow", small.url, "--trial", "0"]) == 2
    assert capsys.readouterr().err == (
        "error: --trial: it is not known what came through the blocks of trial 0: "
        "a study records it where its file says recipe: {record: flow}\n"
    )


LINE = ["--steps", "3", "--images", "20"]


def test_a_surface_has_a_point_for_each_step_and_the_loss_of_the_trained_weights_in_the_middle(
    small: Small, capsys: Capture
) -> None:
    assert main(["surface", small.url, "--trial", "0", *LINE, "--plain", "--json"]) == 0
    (found,) = told(capsys)
    points = [row for row in found["rows"] if row["what"] == "point"]
    assert [(row["network"], row["x"]) for row in points] == [
        (network, x) for network in ("whole", "plain") for x in (-1, 0, 1)
    ]
    assert found["images"] == 20
    assert [row["network"] for row in found["summary"]] == ["whole", "plain"]
    assert found["summary"][0]["loss"] == points[1]["loss"]
    assert main(["surface", small.url, "--trial", "0", *LINE, "--plain"]) == 0
    out = capsys.readouterr().out
    assert "20 training images" in out
    assert "loss, plain" in out
    assert main(["surface", small.url, "--trial", "0", *LINE, "--dimensions", "2", "--on", "validation"]) == 0
    assert "20 validation images" in capsys.readouterr().out


def test_a_surface_that_is_broken_off_goes_on_with_the_points_that_it_has(
    small: Small, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ["surface", small.url, "--trial", "0", "--steps", "5", "--images", "20", "--json"]
    looks, seen = list[int](), Trainer.seen

    def counted(trainer: Trainer, *what: Any) -> Any:
        looks.append(1)
        if len(looks) == 4:
            raise KeyboardInterrupt
        return seen(trainer, *what)

    monkeypatch.setattr(Trainer, "seen", counted)
    assert main(given) == 130
    assert kept(small) == []
    assert main(given) == 0
    assert len(looks) == 4 + 2
    (found,) = told(capsys)
    assert main([*given, "--again"]) == 0
    assert told(capsys)[0]["rows"] == found["rows"]
    assert list(Path(".widefront/analyses").glob("*.jsonl")) == []


def test_speeds_are_of_named_networks_and_trials_side_by_side(
    small: Small, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.speeds.peak", lambda _spec, _data: 1000)  # which takes a process each
    monkeypatch.setattr("workers.speeds.LEAST_S", 0.01)
    given = ["speed", small.url, "--networks", "resnet-8", "resnet-8 order=full", "--trial", "0", "--rounds", "2"]
    assert main([*given, "--threads", "1", "--batch", "4", "--json"]) == 0
    (found,) = told(capsys)
    assert [row["network"] for row in found["summary"]] == ["resnet-8", "resnet-8 order=full", "trial 0"]
    first, second, _ = found["summary"]
    assert first["step_ratio"] is None
    assert second["step_low"] < second["step_ratio"] < second["step_high"]
    assert first["steps"] == len(small.data.train_labels) // 4
    assert first["epoch_s"] == pytest.approx(first["step_ms"] * first["steps"] / 1000)
    assert first["params"] == second["params"]
    assert main([*given, "--batch", "4"]) == 0  # by the threads of the study's trials, so it is kept already
    assert "of the first's" in capsys.readouterr().out


def test_from_python_an_analysis_is_what_the_command_prints(small: Small, capsys: Capture) -> None:
    (found,) = Study.open(small.url, "bench").analyse("lesion", trial=0)
    assert main(["lesion", small.url, "--trial", "0", "--json"]) == 0
    assert told(capsys) == [{**found, "kept": True}]


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("lesions", {}, "unknown analysis 'lesions'"),
        ("lesion", {"trail": 0}, "unknown option 'trail'"),
        ("lesion", {"trial": 0, "blocks": 0}, "blocks: 0 is below 1"),
        ("surface", {"trial": 0, "dimensions": 3}, "--dimensions: unknown dimensions 3"),
        ("surface", {"trial": 0, "span": float("nan")}, "span"),
        ("filters", {"trial": 0, "front": True}, "--front: one trial or the front"),
    ],
)
def test_what_a_program_asks_wrong_is_said(small: Small, kind: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Study.open(small.url, "bench").analyse(kind, **given)
