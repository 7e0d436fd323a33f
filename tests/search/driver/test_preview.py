"""A dry run says what a study would do: the space, its cost, the rungs, the expected time."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from search.config.study import parse
from search.core.costs import cost_of
from search.core.units import format_count, format_duration
from search.driver import preview as dry_run
from search.driver.inspection import look
from spaces.architecture import ImageSpec
from tests.search.bench import FILE
from workers import timing
from workers.datasets import Dataset
from workers.measurement import Measurement
from workers.trainer import TrialSpec

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
SMALL: dict[str, Any] = {
    **FILE,
    "data": {"name": "digits", "limit": 60},
    "space": {"block": {"choice": ["basic", "preact"]}, "depth": {"int": [1, 3]}},
    "constraints": {"params": "<= 150k"},
}
EPOCH: dict[str, Any] = {
    "epoch": 2, "metrics": {"accuracy": 0.5, "loss": 1.0}, "train_s": 0.125, "eval_s": 0.125,
}  # fmt: skip
Make = Callable[..., dict[str, str]]
Measure = Callable[..., Measurement]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, make_measurement: Measure) -> list[tuple[TrialSpec, Dataset]]:
    """Let a warm epoch take 0.25 s whatever is trained, and note what was."""
    seen: list[tuple[TrialSpec, Dataset]] = []

    def second_epoch(spec: TrialSpec, data: Dataset, _device: torch.device) -> Measurement:
        seen.append((spec, data))
        return make_measurement(2, train_s=0.125, eval_s=0.125)

    monkeypatch.setattr(timing, "second_epoch", second_epoch)
    return seen


def lines(**sections: Any) -> dict[str, str]:
    """Return the lines by their first word."""
    config = parse({**SMALL, **sections})
    told = dry_run.lines(config, *look(config))
    return {line[:11].strip(): line[11:] for line in told}


@pytest.mark.usefixtures("trained")
def test_a_dry_run_says_what_there_is_to_know() -> None:
    told = lines()
    assert list(told) == [
        "study",
        "data",
        "warning",
        "space",
        "allowed",
        "smallest",
        "largest",
        "rungs",
        "budget",
        "time",
    ]
    assert told["study"] == "bench"
    assert told["data"] == "digits: 60 training and 300 validation images of 1x8x8, 10 classes"
    assert told["space"] == "6 choices of values"
    assert told["rungs"] == "pareto-asha, rungs at epochs 1, 3, full at 9"
    assert told["budget"] == "8 trials"


@pytest.mark.usefixtures("trained")
def test_the_share_that_is_allowed_is_that_of_the_constraints() -> None:
    config = parse(SMALL)
    data, seen = look(config)
    costs = [cost_of(config.search_space.architecture(params), data.image) for params in config.search_space.members()]
    share = sum(each.params <= 150_000 for each in costs) / len(costs)
    assert 0 < share < 1
    assert seen.share_allowed == share
    assert lines()["allowed"] == f"{share * 100:.2f} % of the 6 looked at (params <= 150k)"
    assert lines(constraints={})["allowed"] == "100.00 % of the 6 looked at"


@pytest.mark.usefixtures("trained")
def test_the_ends_of_the_space_are_named_with_their_cost() -> None:
    space = {"depth": {"int": [1, 3]}, "widening_factor": {"choice": [1, 0.5]}}
    told = lines(space=space, constraints={})
    space_of = parse({**SMALL, "space": space}).search_space
    for end, depth, k in (("smallest", 1, 0.5), ("largest", 3, 1)):
        batch = parse(SMALL).full_recipe.batch_size
        counted = cost_of(space_of.architecture({"depth": depth, "widening_factor": k}), DIGITS, batch=batch)
        texts = [f"{format_count(value)} {name}" for name, value in {**counted.to_json(), **counted.more}.items()]
        assert told[end] == f"basic-{depth}x{k:g}: {', '.join(texts)}"


@pytest.mark.usefixtures("trained")
def test_an_endless_space_is_called_so() -> None:
    told = lines(space={"dropout": "head", "dropout_rate": {"float": [0.1, 0.5]}, "depth": {"int": [1, 2]}})
    assert told["space"] == "endless (a float is searched); 4 networks looked at"


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("scheduler", "rungs"),
    [
        ({"name": "fifo", "max_epochs": 9}, "none: every trial is trained in full"),
        ({"name": "asha", "max_epochs": 1}, "asha, rungs at epochs none, full at 1"),
        (
            {"name": "asha", "grace_epochs": 2, "max_epochs": 9, "reduction_factor": 2},
            "asha, rungs at epochs 2, 4, 8, full at 9",
        ),
    ],
)
def test_the_rungs_are_those_of_the_scheduler(scheduler: dict[str, Any], rungs: str) -> None:
    assert lines(scheduler=scheduler)["rungs"] == rungs


def test_the_time_is_that_of_a_middling_network(trained: list[tuple[TrialSpec, Dataset]]) -> None:
    told = lines()["time"]
    spec, _ = trained[-1]
    assert told.startswith(f"an epoch of a middling network ({spec.architecture.block}-")
    assert told.endswith("takes 0.25 s here; 8 such trials in full, one after another: 18.0 s")


def test_of_many_images_a_part_is_timed_and_the_epoch_reckoned_from_it(
    trained: list[tuple[TrialSpec, Dataset]],
) -> None:
    told = lines(data="digits", recipe={"batch_size": 2})["time"]
    _, timed = trained[-1]
    whole, _ = look(parse({**SMALL, "data": "digits"}))
    assert len(timed.train_labels) < 50 < len(whole.train_labels)
    seconds = timing.scaled_s(Measurement(**EPOCH), timed, whole, batch=2)
    assert f"takes {format_duration(seconds)} here" in told


@pytest.mark.usefixtures("trained")
def test_without_a_budget_of_trials_no_end_is_promised() -> None:
    told = lines(budget={"hours": 1.5, "epochs": 100})
    assert told["budget"] == "100 epochs, 1.5 hours"
    assert told["time"].endswith("takes 0.25 s here")


@pytest.mark.usefixtures("trained")
def test_what_is_shown_is_every_line_whole() -> None:
    config = parse(SMALL)
    data, seen = look(config)
    file = io.StringIO()
    dry_run.show(config, data, seen, Console(file=file, width=40))
    assert file.getvalue().splitlines() == dry_run.lines(config, data, seen)


@pytest.mark.slow
def test_the_time_is_measured_by_training() -> None:
    told = lines(space={"depth": {"int": [1, 1]}, "widening_factor": {"choice": [0.25]}}, constraints={})["time"]
    assert told.startswith("an epoch of a middling network (basic-1x0.25) takes ")


@pytest.mark.usefixtures("trained")
def test_names_of_folders_and_classes_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    root = tmp_path / "da\x1b[31m\nta"
    for name in ("cat\x1b]0;title\x07", "dog"):
        (root / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (8, 8), number).save(root / name / f"{number}.png")
    (root / "dog" / "\r.txt").write_text("x")
    config = parse({**SMALL, "data": {"folder": str(root)}})
    console = Console(file=io.StringIO(), width=200)
    dry_run.show(config, *look(config), console)
    told = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line for line in told if not line.isprintable()] == []
    assert told[1].startswith(r"data       da\x1b[31m\nta: ")
    assert r"warning    1 file is not read: .txt is none of" in "".join(told)
    assert r"(dog/\r.txt)" in "".join(told)


def test_a_dry_run_trains_nothing_that_would_fill_the_memory(
    tmp_path: Path, trained: list[tuple[TrialSpec, Dataset]]
) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((4, 4096, 2048), np.uint8), labels=np.arange(4) % 2)
    told = lines(data={"npz": str(tmp_path / "a.npz")})
    assert re.fullmatch(r"not measured: a step of preact-1x1 takes up to \d+(\.\d+)? GB of memory", told["time"])
    assert trained == []


@pytest.mark.usefixtures("trained")
def test_what_is_searched_of_the_recipe_is_told_and_what_starts_has_of_it() -> None:
    rate = {"float": [0.01, 1], "log": True}
    start = [{"block": "basic", "depth": 1}]
    config = parse({**SMALL, "recipe": {"learning_rate": rate, "batch_size": {"choice": [8, 16]}}, "start": start})
    told = dry_run.lines(config, *look(config))
    assert "recipe     batch_size 8 or 16, learning_rate from 0.01 to 1 by its logarithm" in told
    assert "           trained with batch_size 8, learning_rate 0.1 where nothing is said" in told
    assert "endless" in next(line for line in told if line.startswith("space"))


def test_the_time_is_measured_with_the_networks_own_batch(trained: list[tuple[TrialSpec, Dataset]]) -> None:
    lines(recipe={"batch_size": {"choice": [8]}}, data="digits")
    assert {spec.recipe.batch_size for spec, _ in trained} == {8}
