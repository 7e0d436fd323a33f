"""From Python (`widefront.py`) everything is called as the commands call it, and reads the database as it is now."""

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import widefront
from search.core.records import Replicate, State, TrialRecord
from search.storage.replicates import Replicates
from search.storage.store import Store
from spaces.errors import InputError, StudyError
from tests import factories
from tests.search.bench import Bench
from widefront import Study

ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(make_bench: Callable[..., Bench]) -> Study:
    """Give a study of three networks that were trained in full."""
    bench = make_bench()
    with Store.open(bench.url) as store:
        store.add_study(factories.study("three <b>"))
        for number, (accuracy, macs) in enumerate([(0.90, 10_000), (0.97, 20_000), (0.99, 90_000)]):
            store.add_trial("three <b>", factories.complete(number, [accuracy] * 9, macs=macs))
    return Study.open(bench.url)


def test_the_front_is_a_table_with_a_row_for_each_network(study: Study) -> None:
    front = study.front()
    assert front["trial"].tolist() == [0, 1, 2]
    assert front["accuracy"].tolist() == [0.90, 0.97, 0.99]
    assert len(study.trials()) == 3
    assert [network.trial for network in study.networks()] == [0, 1, 2]


def test_what_is_found_elsewhere_meanwhile_is_seen(study: Study) -> None:
    with Store.open(study.url) as store:
        store.add_trial("three <b>", factories.complete(3, [0.995] * 9, macs=80_000))
    assert study.front()["trial"].tolist() == [0, 1, 3]


def test_a_network_is_picked_under_a_bound_above_one_or_at_the_knee(study: Study) -> None:
    assert study.pick(under="macs <= 50k").trial == 1
    assert study.pick(above="accuracy >= 85 %").trial == 0
    assert study.pick().trial == 1
    picked = study.pick(under="macs <= 50k, params <= 1k")
    assert picked["accuracy"] == 0.97
    assert repr(picked).startswith("Network(trial=1, name='basic-2x1', accuracy=0.97, macs=20000")
    with pytest.raises(StudyError, match="nothing keeps macs <= 1"):
        study.pick(under="macs <= 1")
    with pytest.raises(InputError, match="is not a bound"):
        study.pick(under="macs")


def test_confirmed_networks_have_means_and_intervals(study: Study) -> None:
    with Store.open(study.url) as store:
        replicates = Replicates(store, study.name)
        for number, accuracy in enumerate((0.95, 0.96)):
            replicates.add(Replicate(number=number, trial=1, seed=number))
            replicates.add_measurement(number, factories.measurement(1, accuracy=accuracy))
            ending = {"reason": "", "failure_kind": "", "failure_details": "", "ended_at": factories.STARTED}
            replicates.end(number, state=State.COMPLETE, **ending)
    row = study.front().set_index("trial").loc[1]
    assert row["accuracy"] == pytest.approx(0.955)
    assert row["confirmed_accuracy_low"] < 0.955 < row["confirmed_accuracy_high"]
    assert " ± " in study._repr_html_()


@pytest.mark.parametrize("kind", ["front", "curves", "progress", "importance", "edf", "depth"])
def test_every_figure_of_the_report_can_be_had(study: Study, kind: str) -> None:
    assert study.figure(kind).layout.title.text


def test_a_figure_that_is_not_there_is_named(study: Study) -> None:
    with pytest.raises(InputError, match=r"unknown figure 'fornt' \(did you mean 'front'"):
        study.figure("fornt")


def test_a_notebook_shows_the_front_and_obeys_nothing_in_a_name(study: Study) -> None:
    shown = study._repr_html_()
    assert "three &lt;b&gt;: 3 on the front of 3 trials" in shown
    assert shown.count("<tr>") == 4
    assert "not launched yet" in Study(study.url, "else")._repr_html_()


def test_the_report_is_written(study: Study, tmp_path: Path) -> None:
    assert "three &lt;b&gt;" in study.report(tmp_path / "r.html").read_text()


def test_a_study_that_is_not_there_is_said(study: Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown study 'four'"):
        Study.open(study.url, "four")
    with pytest.raises(InputError, match="there is no study in"):
        Study.open(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_a_study_that_was_opened_is_only_looked_at(study: Study) -> None:
    with pytest.raises(StudyError, match=r"Study\.load takes the file that runs it"):
        study.run()


def test_leaves_of_a_file_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text((ROOT / "space.yaml").read_text())
    study = Study.load(tmp_path / "space.yaml", study="other", budget__trials=7, checkpoints__limit="none")
    assert study.config is not None
    assert (study.config.study, study.config.budget.trials, study.config.checkpoints.limit) == ("other", 7, "none")
    with pytest.raises(InputError, match="trails"):
        Study.load(tmp_path / "space.yaml", budget__trails=7)


def test_a_callback_that_fails_is_said_once_and_ends_nothing(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(scheduler={"name": "fifo", "max_epochs": 2}, budget={"trials": 2})
    heard: list[object] = []

    def fail(trial: TrialRecord) -> None:
        heard.append(trial)
        raise RuntimeError("no\nlines")

    running = bench.open()
    running.listeners += [widefront._Calls(None, fail), widefront._Calls(lambda *told: heard.append(told), None)]
    bench.train_all(running)
    assert len([each for each in heard if isinstance(each, TrialRecord)]) == 1
    assert len([each for each in heard if isinstance(each, tuple)]) == 4
    assert running.news() == ["warning: a callback failed and is called no more (RuntimeError: no)"]
    assert running.over


def test_nothing_below_imports_it() -> None:
    for folder in ("spaces", "workers", "search", "dashboards"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"^\s*(import|from) widefront\b", path.read_text(), re.MULTILINE), path


def cells() -> list[str]:
    notebook = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.slow
@pytest.mark.cluster
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text((ROOT / "space.yaml").read_text())
    known: dict[str, object] = {}
    shown = []
    for cell in cells():
        *before, last = ast.parse(cell).body
        exec(compile(ast.Module(before, []), "cell", "exec"), known)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), known))
        else:
            exec(compile(ast.Module([last], []), "cell", "exec"), known)
    assert shown[0] == 8
    assert list(shown[-1]) == [1, 10]
    assert {path.name for path in (tmp_path / "best").iterdir()} >= {"model.onnx", "weights.safetensors", "predict.py"}
