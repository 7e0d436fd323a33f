"""Each tool holds a run for each trial: what was chosen, what each epoch revealed, how it ended; also after a kill."""

import os
from pathlib import Path
from typing import Any

import pytest

from search.callbacks.registry import CALLBACKS, check, listeners
from search.core.records import State
from spaces.errors import InputError
from tests import factories

STUDY = factories.study()


def story(make: Any) -> None:
    """Tell a tool of one trial that ends in a second launch, and of one that fails."""
    trial = factories.trial(0, (0.5,))
    first = make()
    first.on_measurement(trial, factories.measurement(1))
    first.close()
    again = make()
    trial = factories.trial(0, (0.5, 0.75), state=State.COMPLETE)
    again.on_measurement(trial, factories.measurement(2))
    again.on_trial(trial)
    failed = factories.trial(1, (0.5,), state=State.FAILED, reason="crash: ValueError")
    again.on_measurement(failed, factories.measurement(1))
    again.on_trial(failed)
    again.close()


def test_tensorboard_has_event_files_for_each_trial(tmp_path: Path) -> None:
    story(lambda: CALLBACKS["tensorboard"].make(STUDY, folder=str(tmp_path)))
    homes = sorted((tmp_path / STUDY.label).iterdir())
    assert [home.name[:4] for home in homes] == ["0000", "0001"]
    written = b"".join(path.read_bytes() for path in homes[0].iterdir())
    for word in (b"accuracy", b"epoch_s", b"train_loss", b"complete", b"digest"):
        assert word in written
    assert b"crash: ValueError" in b"".join(path.read_bytes() for path in homes[1].iterdir())


def test_mlflow_has_a_run_for_each_trial_and_goes_on_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    story(lambda: CALLBACKS["mlflow"].make(STUDY, uri=uri))
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(STUDY.name)
    assert experiment is not None
    runs = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: str(run.info.run_name))
    assert [(run.info.run_name, run.info.status) for run in runs] == [("trial 0", "FINISHED"), ("trial 1", "FAILED")]
    history = client.get_metric_history(runs[0].info.run_id, "accuracy")
    assert [(each.step, each.value) for each in history] == [(1, 0.5), (2, 0.75)]
    assert runs[0].data.params["macs"] == str(factories.trial(0).cost.macs)
    assert runs[1].data.tags["reason"] == "crash: ValueError"


@pytest.mark.slow
def test_wandb_writes_a_run_for_each_trial_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    for name in [each for each in os.environ if each.startswith("WANDB_API")]:
        monkeypatch.delenv(name)
    story(lambda: CALLBACKS["wandb"].make(STUDY, mode="offline", folder=str(tmp_path)))
    runs = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    assert {path.stem.removeprefix("run-") for path in runs} == {f"{STUDY.label}-0", f"{STUDY.label}-1"}
    assert all(path.stat().st_size > 200 for path in runs)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("tensorbord", {}, "unknown callback 'tensorbord' .did you mean 'tensorboard'"),
        ("mlflow", {"url": "x"}, "unknown option 'url' .did you mean 'uri'"),
        ("nowhere_at_all:Mine", {}, "nowhere_at_all:Mine cannot be imported: ModuleNotFoundError"),
        ("math:pi", {}, "math:pi is no class or function of a study"),
    ],
)
def test_what_cannot_hear_is_refused_before_there_is_a_study(name: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check(name, options)


def test_a_tool_that_is_not_installed_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.callbacks.registry.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"wandb is not installed: pip install 'widefront\[wandb\]'"):
        check("wandb", {})


def test_a_tool_that_cannot_begin_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"callbacks.mlflow: cannot begin: "):
        listeners({"mlflow": {"uri": "nowhere://at/all"}}, STUDY)
