"""Blocks, objectives and an augmentation of a person's own, on a worker that has them because they were sent to it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

from search.core.records import State
from tests.end_to_end.conftest import Folder
from tests.end_to_end.invariants import check_whole, read
from tests.own_packages import EXAMPLE, forgetting
from workers.exported import load

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SECRET = "tk-2718281828"
HEARD = """
class Heard:
    def __init__(self, study):
        self.left = 3

    def on_measurement(self, trial, measurement):
        self.left -= 1
        if not self.left:
            raise RuntimeError("enough")

    on_trial = close = lambda self, *_: None
"""
MORE = """

# Where the module lies that a worker has imported: 1 where that is not the folder that the study was launched in.
OBJECTIVES["was_sent"] = Objective(
    name="was_sent", title="whether it was sent", unit="1", direction="maximize", static=False, ends=(0.1, 1.0),
    measure=lambda epoch: float("py_modules" in __file__),
)
"""


def test_parts_of_a_persons_own_are_trained_by_what_was_sent_and_read_without_it(folder: Folder) -> None:
    shutil.copytree(EXAMPLE / "green_nets", folder.path / "green_nets")
    source = folder.path / "green_nets" / "__init__.py"
    source.write_text(source.read_text() + MORE)
    example = yaml.safe_load((EXAMPLE / "space.yaml").read_text())
    folder.write(
        study="small", plugins=["green_nets"], data={**example["data"], "limit": 300},
        space={"block": {"choice": ["se_basic", "se_preact"]}, "depth": 1, "widening_factor": {"choice": [0.25, 0.5]}},
        objectives=["accuracy", "energy_uj", "was_sent"], constraints=example["constraints"],
        scheduler={"name": "fifo", "max_epochs": 2}, budget={"trials": 3},
    )  # fmt: skip
    folder.launch()
    with forgetting():
        check_whole(folder.url, trials=3)
        study, trials = read(folder.url)
    assert [trial.state for trial in trials] == [State.COMPLETE] * 3
    assert {trial.last.get("was_sent") for trial in trials if trial.last} == {1.0}
    assert all(0 < trial.cost.more["energy_uj"] <= 200 for trial in trials)
    digests = [trial.digest for trial in trials]

    folder.command("search.export", folder.url, "--trial", "0", "-o", "out", "--onnx").wait(240)
    assert json.loads((folder.path / "out" / "architecture.json").read_text())["packages"] == study.needed, (
        folder.said()
    )
    away = folder.path / "away"
    source.parent.rename(away)
    for module, *rest in (("dashboards.report",), ("search.front",), ("search.pick",), ("search.doctor",)):
        assert folder.command(module, folder.url, *rest).wait(240) == 0, folder.said()
        assert "Traceback" not in folder.said()
    assert "estimated" in next(folder.path.glob("*.html")).read_text()
    with forgetting():
        _, again = read(folder.url)
        assert [trial.architecture.digest for trial in again] == digests
    refused(folder, "plugins.0: there is no package green_nets here: install it, or start where it lies")
    away.rename(source.parent)
    source.write_text(source.read_text() + "\n# changed\n")
    refused(folder, f"plugins: green_nets: source {study.needed['green_nets']} (version 1.0) -> source ")


def refused(folder: Folder, why: str) -> None:
    """Launch, and be refused in one line."""
    assert folder.start().wait(240) == 2
    said = folder.said().strip()
    assert why in said
    assert said.count("\n") == 0


def test_the_worked_example_is_the_one_in_the_documentation() -> None:
    told = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
    for name in ("se_basic", "energy_uj", "noise", "green_nets"):
        assert name in told


@pytest.mark.very_slow
def test_networks_that_a_function_builds_are_searched_as_any_other(folder: Folder) -> None:
    shutil.copytree(EXAMPLE / "green_nets", folder.path / "green_nets")
    example = yaml.safe_load((EXAMPLE / "mixer.yaml").read_text())
    folder.write(
        space=example["space"], constraints=example["constraints"],
        scheduler={"name": "pareto-asha", "max_epochs": 2}, budget={"trials": 5},
        callbacks=["tensorboard", "heard:Heard"], notify={"urls": ["${HOOK}"]},
    )  # fmt: skip
    (folder.path / "heard.py").write_text(HEARD)
    folder.environment["HOOK"] = f"json://127.0.0.1:9/{SECRET}"  # where nobody is
    said = folder.launch()
    assert said.count("warning: a callback failed and is called no more") == 1
    assert "CallbackFailure: heard:Heard: RuntimeError: enough" in said
    assert "a notification could not be sent" in said
    assert SECRET not in said
    assert SECRET.encode() not in (folder.path / "study.db").read_bytes()
    assert len(list(folder.path.glob("tensorboard/*/*"))) == 5
    assert "mixer-kernel3-layers" in said
    with forgetting():
        check_whole(folder.url, trials=5)
        study, trials = read(folder.url)
    assert len({trial.digest for trial in trials}) == 5
    best = next(trial for trial in trials if trial.state is State.COMPLETE)
    out = folder.path / "out"
    code = folder.command("search.export", folder.url, "--trial", str(best.number), "-o", "out", "--onnx").wait(240)
    assert code == 0, folder.said()
    assert json.loads((out / "architecture.json").read_text())["packages"] == study.needed
    with forgetting():
        sys.path.insert(0, str(folder.path))
        module = load(out)
        assert module(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
