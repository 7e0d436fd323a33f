"""`python -m workers.train` trains one network, tells every epoch, and refuses what is wrong in one line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from workers.measurement import Measurement
from workers.sources import DATASETS, DataSpec
from workers.train import main

SMALL = ["--set", "depths=1,1", "--set", "widths=4,8", "--set", "stem_width=4", "--threads", "1", "--device", "cpu"]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Give `--data` for an archive of a few images: quicker to read than the digits."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    pixels = rng.integers(0, 60, (120, 8, 8, 3), dtype=np.uint8) + (labels * 60)[:, None, None, None].astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=labels)
    return json.dumps({"npz": str(tmp_path / "images.npz")})


def test_every_epoch_is_a_line_and_the_first_line_tells_the_network(
    images: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "--data", images, "--epochs", "3"]) == 0
    out, err = capsys.readouterr()
    first, *lines = out.splitlines()
    network = Architecture(depths=(1, 1), widths=(4, 8), stem_width=4)
    counted = cost(network, ImageSpec(channels=3, height=8, width=8, classes=3))
    assert first == f"{network.digest}: {counted.params:,} params, {counted.macs:,} macs per image"
    assert [line.split()[:3] for line in lines] == [["epoch", str(epoch), "accuracy"] for epoch in (1, 2, 3)]
    assert err == ""


def test_json_is_a_measurement_a_line_and_nothing_else(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--data", images, "--epochs", "2", "--json"]) == 0
    found = [Measurement.from_json(json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert [each.epoch for each in found] == [1, 2]
    assert all(0 <= each.metrics["accuracy"] <= 1 for each in found)


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{name: line[name] for name in ("epoch", "accuracy", "loss", "train_loss")} for line in lines]


def test_a_seed_makes_the_run(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for seed in ("3", "3", "4"):
        assert main([*SMALL, "--data", images, "--epochs", "1", "--json", "--seed", seed]) == 0
        runs.append(told(capsys))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_run_goes_on_from_its_checkpoint(images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [*SMALL, "--data", images, "--epochs", "2", "--json"]
    path = tmp_path / "kept" / "run.pt"
    assert main([*given, "--checkpoint", str(path)]) == 0
    first = capsys.readouterr().out
    written = path.stat().st_mtime_ns
    assert main([*given, "--checkpoint", str(path)]) == 0
    assert capsys.readouterr().out == first  # times included: nothing was trained again
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["--set", "block"], "--set: 'block' is not of the form field=value"),
        (["--set", "block=basik"], "--set: unknown block 'basik' (did you mean 'basic'?); known are basic, "),
        (["--set", "blok=basic"], "--set: unknown field 'blok' (did you mean 'block'?); known are depth, block, "),
        (["--set", "block=[1]"], "--set: a value is of the wrong kind for its field (block=[1])"),
        (["--set", "widening_factor=wide"], "--set: widening_factor 'wide' is not a number"),
        (["--set", "depths=2,x,2"], "--set: depths '2,x,2' is not a list of whole numbers such as 3,3"),
        (["--set", "depths=2"], "--set: depths [2] and widths [16, 32, 64] must name the same stages"),
        (["--set", "block=resnext", "--set", "cardinality=7"], "--set: cardinality 7 does not divide width 16 (block "),
        (["--data", "digit"], "--data: unknown data set 'digit' (did you mean 'digits'?)"),
        (["--data", "{digits"], "--data: '{digits' is not JSON: "),
        (["--data", '{"npz": "no.npz"}'], "no.npz: cannot be read: No such file or directory"),
        (["--data", '{"npz": "no.npz", "limits": 3}'], "--data: unknown key 'limits' (did you mean 'limit'?)"),
        (["--device", "gpu"], "unknown device 'gpu'; known are auto, cpu, cuda, cuda:N"),
        (["--threads", "0"], "--threads: 0 is below 1"),
        (["--epochs", "0"], "epochs: 0 is below 1"),
        (["--batch-size", "1"], "batch_size: 1 is below 2"),
        (["--learning-rate", "nan"], "learning_rate: nan is not a number of at least 0"),
        (["--seed", "-1"], "--seed: -1 is not a whole number from 0 to 2^63 - 1"),
        (["--seed", str(2**63)], f"--seed: {2**63} is not a whole number from 0 to 2^63 - 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_ends_with_2(
    given: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1
    assert out == ""


def test_a_network_that_the_images_are_too_small_for_ends_with_2(
    images: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main([*SMALL, "--data", images, "--set", "stem=large", "--set", "depths=1,1,1", "--set", "widths=4,4,4"]) == 2
    )
    assert capsys.readouterr().err == (
        "error: an image of 8x8 is too small for stem large and 3 stages: at least 16 pixels are needed\n"
    )


def test_a_checkpoint_that_cannot_be_written_ends_with_1(
    images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, "--data", images, "--epochs", "1", "--checkpoint", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert str(tmp_path) in err
    assert err.count("\n") == 1


def test_a_network_that_cannot_be_trained_ends_with_1(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--data", images, "--epochs", "1", "--learning-rate", "1e30"]) == 1
    assert capsys.readouterr().err == "error: not-finite: the loss is nan in epoch 1\n"


def test_the_test_split_is_never_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    source, asked = DATASETS["digits"], []

    def read(given: DataSpec, is_train: bool) -> Any:
        asked.append(is_train)
        return source.read(given, is_train)

    monkeypatch.setitem(DATASETS, "digits", replace(source, read=read))
    assert main([*SMALL, "--epochs", "1"]) == 0
    assert "epoch   1" in capsys.readouterr().out
    assert asked == [True]


ALONE = """
import sys
from workers.train import main
code = main(sys.argv[1:])
foreign = {"ray", "optuna", "sqlalchemy", "alembic", "pydantic", "yaml", "plotly", "search", "dashboards"}
print(code, sorted(foreign & sys.modules.keys()))
"""


@pytest.mark.slow
def test_a_network_trains_without_ray_optuna_and_sql(images: str) -> None:
    given = [sys.executable, "-c", ALONE, *SMALL, "--data", images, "--epochs", "1", "--json"]
    done = subprocess.run(given, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.slow
def test_the_command_runs_as_a_module(images: str) -> None:
    command = [sys.executable, "-m", "workers.train"]
    done = subprocess.run(
        [*command, *SMALL, "--data", images, "--epochs", "1"], check=True, capture_output=True, text=True
    )
    assert len(done.stdout.splitlines()) == 2
    refused = subprocess.run([*command, "--set", "block=basik"], check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n"), refused.stdout) == (2, 1, "")


def test_what_comes_through_each_block_is_told_where_it_is_asked_for(
    images: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [*SMALL, "--data", images, "--epochs", "1", "--record", "flow"]
    assert main(asked) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("  block 2.1: gradient ")
    assert last.endswith(" of its shortcut")
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["block"] for each in told["blocks"]] == ["1.1", "2.1"]
    assert Measurement.from_json(told).flow == ()


def test_seeds_are_trained_together_and_each_keeps_a_checkpoint_to_go_on_from_alone(
    images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*SMALL, "--data", images, "--epochs", "2", "--json"]
    together = [*given, "--checkpoint", str(tmp_path / "net.pt"), "--seeds", "3,5-6"]
    assert main(together) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["seed"], line["epoch"]) for line in lines] == [(s, e) for e in (1, 2) for s in (3, 5, 6)]
    assert main([*given, "--checkpoint", str(tmp_path / "net.5.pt"), "--seed", "5"]) == 0  # as it is: nothing is left
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["loss"] for line in again] == [line["loss"] for line in lines if line["seed"] == 5]


@pytest.mark.parametrize("seeds", ["", "3-1", "x", "1,1", "0-64", "-1", "9223372036854775808", "1.5"])
def test_seeds_that_are_none_are_refused(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--seeds", seeds])
    assert ended.value.code == 2
    assert "--seeds" in capsys.readouterr().err.splitlines()[-1]


def test_one_seed_that_fails_fails_alone_and_is_told(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--data", images, "--epochs", "1", "--seeds", "0-1", "--learning-rate", "1e30"]) == 1
    assert "error: not-finite: seed 0: the " in capsys.readouterr().err
