"""A network of a study is trained once more, outside of it, by its own recipe or a longer one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from search import retrain
from search.storage.store import Store
from tests.search.bench import Bench
from workers.datasets import load
from workers.job import Job

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    bench = make_bench(data={"name": "digits", "limit": 100}, scheduler={"name": "fifo", "max_epochs": 2})
    record = bench.record
    config = {**record.config, "fingerprint": load(bench.config.data_spec).fingerprint}
    object.__setattr__(record, "config", config)
    bench.train_all(bench.open())
    return bench


def test_the_job_is_the_trials_own_recipe_with_seeds_that_no_trial_has(bench: Bench, tmp_path: Path) -> None:
    given = [bench.url, "--trial", "1", "--seeds", "3", "-o", str(tmp_path / "again"), "--write-only"]
    assert retrain.main(given) == 0
    job = Job.read(tmp_path / "again" / "job.json")
    with Store.open(bench.url) as store:
        trials = store.trials("bench")
    assert job.architecture == trials[1].architecture
    assert job.recipe == bench.config.full_recipe
    assert len({*job.seeds} - {trial.seed for trial in trials}) == 3
    assert job.told == {"study": "bench", "trial": 1, "digest": trials[1].digest}


def test_it_trains_longer_and_on_all_images(bench: Bench, tmp_path: Path, capsys: Capture) -> None:
    given = [bench.url, "--trial", "1", "--epochs", "3", "--all-data", "-o", str(tmp_path / "again")]
    assert retrain.main(given) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "epoch   3  train loss" in out
    assert "accuracy" not in out
    assert (tmp_path / "again" / "seed-0.pt").exists()


def test_another_training_does_not_take_a_folder_over(bench: Bench, tmp_path: Path, capsys: Capture) -> None:
    given = [bench.url, "--trial", "1", "-o", str(tmp_path / "again"), "--write-only"]
    assert retrain.main(given) == 0
    before = json.loads((tmp_path / "again" / "job.json").read_text())
    assert retrain.main([*given, "--epochs", "5"]) == 2
    assert "is another training; name another folder" in capsys.readouterr().err
    assert json.loads((tmp_path / "again" / "job.json").read_text()) == before
    assert retrain.main(given) == 0


def test_other_images_are_a_warning(bench: Bench, tmp_path: Path, capsys: Capture) -> None:
    with Store.open(bench.url) as store:
        study = store.study("bench")
        assert study is not None
        object.__setattr__(study, "config", {**study.config, "fingerprint": "0" * 16})
        store.update_config("bench", study)
    assert retrain.main([bench.url, "--trial", "1", "-o", str(tmp_path / "again"), "--write-only"]) == 0
    assert "warning: the images are not those that 'bench' was begun with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--trial", "99"], "error: --trial: bench has no trial 99"),
        ([], "error: --trial: name a trial; on the front are "),
        (["--trial", "1", "--weights", "nowhere.pt"], "nowhere.pt"),
        (["--trial", "1", "--weights", "other.pt"], "error: --weights: they are of another network"),
    ],
)
def test_what_is_wrong_is_one_line(
    bench: Bench, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, given: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.zeros(3)}, "other.pt")
    assert retrain.main([bench.url, *given, "-o", str(tmp_path / "again")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "again").exists()
