"""`python -m workers.measure` tells what one network costs here, and refuses what is wrong in one line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from workers import latency, measure, timing
from workers.latency import Latency
from workers.measure import Measured, main, noise, table
from workers.measurement import Measurement
from workers.trainer import Trainer

SMALL = ["--set", "depths=1,1", "--set", "widths=4,8", "--set", "stem_width=4", "--threads", "1", "--device", "cpu"]
NETWORK = Architecture(depths=(1, 1), widths=(4, 8), stem_width=4)
IMAGE = ["--image", "2x8x6", "--classes", "5"]
CPU = torch.device("cpu")

KEYS = [
    "digest", "device", "precision", "batch", "latency_ms_batch1", "latency_p90_ms_batch1", "latency_ms_batch",
    "latency_p90_ms_batch", "images_per_s", "training_peak_bytes", "training_bytes_estimate", "epoch_s", "params",
    "macs", "activations",
]  # fmt: skip


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time for a moment only: what is told does not hang on how exact it is."""
    for name, value in (("WARM_S", 0.0), ("TIMED_S", 0.0)):
        monkeypatch.setattr(latency, name, value)


@pytest.fixture
def images(tmp_path: Path) -> str:
    """Give `--data` for an archive of 120 images in three classes, a fifth of them for validation."""
    pixels = np.random.default_rng(0).integers(0, 255, (120, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels, labels=np.arange(120) % 3)
    return json.dumps({"npz": str(tmp_path / "images.npz")})


def told(capsys: pytest.CaptureFixture[str], *given: str) -> dict[str, Any]:
    assert main([*SMALL, *given, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


# What is told


def test_json_is_one_object_of_these_keys(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, *IMAGE, "--batch", "16")
    assert list(found) == KEYS
    assert found["digest"] == NETWORK.digest
    assert found["batch"] == 16
    assert found["precision"] in ("float32", "bfloat16")
    assert found["epoch_s"] is None
    assert 0 < found["latency_ms_batch1"] <= found["latency_p90_ms_batch1"]
    assert 0 < found["latency_ms_batch"] <= found["latency_p90_ms_batch"]
    assert found["images_per_s"] == pytest.approx(16_000 / found["latency_ms_batch"])
    assert found["training_peak_bytes"] > 2**20


@pytest.mark.parametrize("batch", [2, 16])
def test_counts_are_those_of_the_image_and_the_batch(batch: int, capsys: pytest.CaptureFixture[str]) -> None:
    counted = cost(NETWORK, ImageSpec(channels=2, height=8, width=6, classes=5), batch=batch)
    found = told(capsys, *IMAGE, "--batch", str(batch))
    assert (found["params"], found["macs"], found["activations"]) == (counted.params, counted.macs, counted.activations)
    assert found["training_bytes_estimate"] == counted.training_bytes


def test_without_data_and_image_it_is_cifars(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--batch", "2")["macs"] == cost(NETWORK, ImageSpec(), batch=2).macs
    assert told(capsys, "--batch", "2", "--classes", "7")["params"] == cost(NETWORK, ImageSpec(classes=7)).params


def test_of_data_the_image_is_theirs_and_an_epoch_is_timed(images: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "--data", images, "--batch", "16")
    assert found["macs"] == cost(NETWORK, ImageSpec(channels=3, height=8, width=8, classes=3)).macs
    assert found["epoch_s"] > 0


def test_precision_is_the_one_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    for precision in ("float32", "bfloat16"):
        assert told(capsys, *IMAGE, "--batch", "2", "--precision", precision)["precision"] == precision


def test_one_image_and_a_batch_are_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def pretend(_network: object, image: ImageSpec, *, batch: int, **_given: object) -> Latency:
        assert image == ImageSpec(channels=2, height=8, width=6, classes=5)
        return Latency(batch=batch, median_ms=batch * 2.0, p90_ms=batch * 3.0, p99_ms=batch * 4.0, runs=20)

    monkeypatch.setattr(measure, "measure_latency", pretend)
    found = told(capsys, *IMAGE, "--batch", "16")
    assert [found[f"latency_{each}"] for each in ("ms_batch1", "p90_ms_batch1", "ms_batch", "p90_ms_batch")] == [
        2.0, 3.0, 32.0, 48.0,
    ]  # fmt: skip
    assert found["images_per_s"] == 500


def test_a_batch_is_trained_on_twice_so_that_there_is_a_momentum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step, seen = Trainer._loss, []

    def watched(self: Trainer, images: torch.Tensor, *given: Any) -> torch.Tensor:
        seen.append((len(images), self.optimizer.steps > 0))
        return step(self, images, *given)

    monkeypatch.setattr(Trainer, "_loss", watched)
    told(capsys, *IMAGE, "--batch", "16")
    assert seen == [(16, False), (16, True)]


def measured(**changes: Any) -> Measured:
    usual: dict[str, Any] = {
        **dict.fromkeys((item.name for item in fields(Measured)), 1.0),
        "digest": "0123456789abcdef",
        "device": "an abacus",
        "precision": "float32",
        "batch": 128,
        "training_peak_bytes": 3 * 2**20,
        "params": 1_234_567,
    }
    return Measured(**{**usual, **changes})


def test_the_table_is_aligned_and_says_whose_memory_it_is() -> None:
    for device, whose in (("cpu", "of the whole process so far"), ("cuda", "while training on one batch")):
        lines = table(measured(), torch.device(device)).splitlines()
        assert {len(line) - len(line[13:].lstrip()) for line in lines} == {13}
        assert all(line[12] == " " for line in lines)
        rows = {line[:13].strip(): line[13:] for line in lines}
        assert rows["network"] == "0123456789abcdef"
        assert rows["params"] == "1,234,567"
        assert rows["device"].startswith(f"an abacus ({device}")
        assert rows["peak memory"].startswith(f"3.0 MiB {whose}")
        assert rows["epoch"] == "1.00 s"


def test_the_table_says_why_an_epoch_is_not_known() -> None:
    assert table(measured(epoch_s=None), CPU).splitlines()[-1] == "epoch        not measured: give --data"


def test_without_json_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *IMAGE, "--batch", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"network      {NETWORK.digest}"
    assert "threads: 1" in out
    assert err == ""


# The architecture


def test_a_file_describes_the_network_and_set_changes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(NETWORK.to_json()), encoding="utf-8")
    given = [str(path), *IMAGE, "--batch", "2", "--threads", "1", "--device", "cpu", "--json"]
    found = []
    for changes in ([], ["--set", "block=preact"]):
        assert main([*given, *changes]) == 0
        found.append(json.loads(capsys.readouterr().out)["digest"])
    preact = Architecture(block="preact", depths=(1, 1), widths=(4, 8), stem_width=4)
    assert found == [NETWORK.digest, preact.digest]


# The epoch


def toy_measurement(train_s: float, eval_s: float) -> Measurement:
    return Measurement(epoch=2, metrics={"train_loss": 1.0, "peak_bytes": 2.0**20}, train_s=train_s, eval_s=eval_s)


@pytest.mark.parametrize(("batch_s", "steps"), [(0.0, [1, 1, 6, 6]), (1.0, [1, 1, 2, 2]), (60.0, [1, 1])])
def test_of_a_slow_network_less_is_timed(
    batch_s: float, steps: list[int], images: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[int] = []

    def pretend(self: Trainer) -> Measurement:
        taken.append(len(self.data.train_labels) // self.spec.recipe.batch_size)
        return toy_measurement(batch_s or 1e-9, 0.0)

    monkeypatch.setattr(Trainer, "run_epoch", pretend)
    found = told(capsys, "--data", images, "--batch", "16")
    assert taken == steps
    assert found["epoch_s"] == pytest.approx((batch_s or 1e-9) * 6 / steps[-1])


def test_data_of_fewer_images_than_is_timed_are_timed_whole(
    images: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timing, "TIMED_BATCHES", 1000)
    monkeypatch.setattr(Trainer, "run_epoch", lambda _self: toy_measurement(0.0005, 0.0005))
    assert told(capsys, "--data", images, "--batch", "96")["epoch_s"] == pytest.approx(0.001)


# What is wrong


WRONG = [
    (["--set", "block"], "--set: 'block' is not of the form field=value"),
    (["--set", "block=basik"], "--set: unknown block 'basik' (did you mean 'basic'?); known are basic, "),
    (["no.json"], "no.json: cannot be read: No such file or directory"),
    (["--data", "digit"], "--data: unknown data set 'digit' (did you mean 'digits'?)"),
    (["--data", "digits", "--image", "1x8x8"], "--image: is what the data say it is: give it without --data"),
    (["--data", "digits", "--classes", "3"], "--classes: is what the data say it is: give it without --data"),
    (["--data", "digits", "--batch", "1201"], "--batch: 1201 is above the 1200 training images"),
    (["--image", "32"], "--image: '32' is not channels, height and width such as 3x32x32"),
    (["--classes", "0"], "--classes: 0 is below 1"),
    (["--batch", "1"], "--batch: 1 is below 2"),
    (["--device", "gpu"], "unknown device 'gpu'; known are auto, cpu, cuda, cuda:N"),
    (["--threads", "0"], "--threads: 0 is below 1"),
    (["--precision", "half"], "precision: unknown precision 'half'; known are auto, float32, bfloat16"),
    (["--image", "3x1x1"], "an image of 1x1 is too small for stem small and 3 stages: at least "),
]


@pytest.mark.parametrize(("given", "error"), WRONG)
def test_what_is_wrong_is_said_in_one_line_and_ends_with_2(
    given: list[str], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "measure_latency", lambda *_args, **_kw: pytest.fail("it was measured"))
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1
    assert out == ""


def test_a_file_that_holds_no_architecture_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "network.json"
    path.write_text('{"depths": ', encoding="utf-8")
    assert main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}: is not JSON: ")
    assert err.count("\n") == 1


def test_a_network_that_does_not_fit_the_memory_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_args: object, **_kw: object) -> None:
        raise torch.OutOfMemoryError("Tried to allocate 9 GiB\nand more")

    monkeypatch.setattr(measure, "measure_latency", full)
    assert main([*SMALL, *IMAGE]) == 1
    assert capsys.readouterr() == ("", "error: out-of-memory: Tried to allocate 9 GiB\n")


def test_a_mistake_of_ours_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kw: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(measure, "measure_latency", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        main([*SMALL, *IMAGE])


# Noise


def test_noise_is_images_of_that_shape_and_every_class() -> None:
    image = ImageSpec(channels=2, height=8, width=6, classes=5)
    data = noise(image, 12)
    assert data.image == image
    assert data.train_images.shape == (12, 2, 8, 6)
    assert data.train_images.dtype == torch.uint8
    assert data.train_images.float().std() > 50
    assert set(data.train_labels.tolist()) == set(range(5))
    assert torch.equal(noise(image, 12).train_images, data.train_images)


ALONE = """
import sys
from workers.measure import main
code = main(sys.argv[1:])
foreign = {"ray", "optuna", "sqlalchemy", "alembic", "pydantic", "yaml", "plotly", "search", "dashboards"}
print(code, sorted(foreign & sys.modules.keys()))
"""


@pytest.mark.slow
def test_a_network_is_measured_without_ray_optuna_and_sql() -> None:
    given = [sys.executable, "-c", ALONE, *SMALL, *IMAGE, "--batch", "2", "--json"]
    done = subprocess.run(given, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.slow
def test_the_command_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "workers.measure"]
    given = [*command, *SMALL, *IMAGE, "--batch", "2", "--json"]
    done = subprocess.run(given, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["digest"] == NETWORK.digest
    refused = subprocess.run([*command, "--set", "block=basik"], check=False, capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n"), refused.stdout) == (2, 1, "")
