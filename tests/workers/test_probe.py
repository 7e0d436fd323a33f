"""A machine's verdict: whatever its library does, the probe ends, and what is right is picked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from workers import probe
from workers.checkpoint import load as load_checkpoint
from workers.datasets import load
from workers.device import cache_folder
from workers.numerics import CANDIDATES, PLAIN, Numerics, allowed, pick, recipe_with, usual
from workers.probe import Asked, Verdict, examine, lines, main
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.trainer import TrialSpec, train

CPU = torch.device("cpu")
IMAGE = ImageSpec(channels=1, height=8, width=8)
ASKED = Asked(image=(1, 8, 8), batch=16, threads=1)
FAST = {"bfloat16 channels_last": 1.0, "float32 channels_last": 2.0, "float32 channels_first": 3.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep verdicts in a folder of the test's."""
    monkeypatch.setattr(probe, "cache_folder", lambda: tmp_path)
    return tmp_path


class Processes:
    """Stand in for the probe's processes: what each tells, and its exit code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *ends: tuple[list[dict[str, Any]], int | None]) -> None:
        self.ends = list(ends)
        self.skipped: list[list[str]] = []
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, command: list[str], **_named: Any) -> subprocess.CompletedProcess[str]:
        self.skipped.append(command[command.index("--skip") + 1 :])
        told, code = self.ends.pop(0)
        out = "".join(json.dumps(line) + "\n" for line in told)
        if code is None:
            raise subprocess.TimeoutExpired(command, 1, output=out.encode())
        return subprocess.CompletedProcess(command, code, out, "")


def right(name: str, step_ms: float) -> list[dict[str, Any]]:
    return [{"begin": name}, {"name": name, "wrong": ""}, {"name": name, "step_ms": step_ms}]


def test_this_machine_computes_right_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--image", "1x8x8", "--batch", "16"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(f"1 threads, torch {torch.__version__}")
    assert {line.split(":")[0].removeprefix("  right  ") for line in said[1:]} == {
        each.name for each in CANDIDATES if each.onednn
    }


def test_one_that_kills_its_process_is_wrong_and_the_others_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = CANDIDATES[0].name, CANDIDATES[1].name
    processes = Processes(
        monkeypatch, ([*right(first, 5.0), {"begin": second}], -11), (right(first, 4.0), 0)
    )  # fmt: skip
    verdict = probe._probe(ASKED)
    assert verdict.wrong == {second: "ended by SIGSEGV"}
    assert verdict.step_ms == {first: 4.0}
    assert processes.skipped == [[], [second]]


def test_one_that_never_answers_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    name = CANDIDATES[0].name
    Processes(monkeypatch, ([{"begin": name}], None), (right(CANDIDATES[1].name, 4.0), 0))
    assert probe._probe(ASKED).wrong == {name: "no answer in 120 s"}


def test_wrong_numbers_are_kept_with_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    name = CANDIDATES[0].name
    Processes(monkeypatch, ([{"begin": name}, {"name": name, "wrong": "weights off by 0.8"}], 0))
    verdict = probe._probe(ASKED)
    assert verdict.wrong == {name: "weights off by 0.8"}
    assert lines(verdict)[-1] == f"  WRONG  {name}: weights off by 0.8"


def test_a_probe_that_cannot_run_tells_nothing_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    Processes(monkeypatch, ([], 1))
    verdict = probe._probe(ASKED)
    assert (verdict.step_ms, verdict.wrong) == ({}, {})
    assert pick(Recipe(), verdict.step_ms, verdict.wrong) == usual(Recipe(), CPU)


def test_a_machine_is_asked_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Processes(monkeypatch, (right(CANDIDATES[0].name, 1.0), 0))
    once, again = (examine(IMAGE, batch=16, threads=1) for _ in range(2))
    assert once == again
    assert len(list(folder.glob("*.json"))) == 1


def test_another_setting_is_another_question(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [(right(CANDIDATES[0].name, 1.0), 0)] * 3
    Processes(monkeypatch, *ends)
    examine(IMAGE, batch=16, threads=1)
    examine(IMAGE, batch=16, threads=2)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    found = examine(IMAGE, batch=16, threads=1)
    assert len(list(folder.glob("*.json"))) == 3
    assert "ONEDNN_MAX_CPU_ISA=AVX2" in found.kind


def test_a_damaged_verdict_is_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Processes(monkeypatch, *[(right(CANDIDATES[0].name, 1.0), 0)] * 2)
    examine(IMAGE, batch=16, threads=1)
    (kept,) = folder.glob("*.json")
    kept.write_text("{")
    assert examine(IMAGE, batch=16, threads=1).step_ms == {CANDIDATES[0].name: 1.0}


def test_verdicts_are_kept_where_nobody_else_may_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "widefront"
    assert cache_folder().stat().st_mode & 0o077 == 0


def test_without_a_place_for_verdicts_the_machine_is_asked_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    processes = Processes(monkeypatch, *[(right(CANDIDATES[0].name, 1.0), 0)] * 2)
    assert examine(IMAGE, batch=16, threads=1).step_ms == examine(IMAGE, batch=16, threads=1).step_ms
    assert processes.ends == []


def test_the_fastest_right_one_that_the_recipe_allows_is_picked() -> None:
    assert pick(Recipe(), FAST, {}).name == "bfloat16 channels_last"
    assert pick(Recipe(precision="float32"), FAST, {}).name == "float32 channels_last"
    assert pick(Recipe(memory_format="channels_first"), FAST, {}).name == "float32 channels_first"


def test_where_nothing_allowed_is_right_the_fastest_right_one_is_picked() -> None:
    wrong = {"float32 channels_last": "weights off by 0.8"}
    left = {name: step_ms for name, step_ms in FAST.items() if name not in wrong}
    asked = Recipe(precision="float32", memory_format="channels_last")
    assert pick(asked, left, wrong).name == "bfloat16 channels_last"
    plain = f"float32 channels_first {PLAIN}"
    assert pick(Recipe(), {plain: 9.0}, dict.fromkeys(FAST, "off")) == Numerics.named(plain)


def test_what_was_used_before_stays_unless_it_is_wrong_here() -> None:
    assert pick(Recipe(), FAST, {}, "float32 channels_first").name == "float32 channels_first"
    assert pick(Recipe(), FAST, {"float32 channels_first": "off"}, "float32 channels_first").name == (
        "bfloat16 channels_last"
    )


def test_a_recipe_that_names_both_leaves_one_and_one_that_names_none_all() -> None:
    for each in CANDIDATES[:4]:
        assert [found.name for found in allowed(recipe_with(Recipe(), each)) if found.onednn] == [each.name]
    assert allowed(Recipe()) == list(CANDIDATES)


def test_a_trial_that_goes_on_keeps_what_it_was_trained_in(tmp_path: Path) -> None:
    spec = DataSpec(name="digits", limit=100)
    data, path = load(spec), tmp_path / "0.pt"
    trial = TrialSpec(
        architecture=Architecture(depths=(1, 1), widths=(4, 8)), recipe=Recipe(epochs=2), data=spec, seed=0
    )
    begun = train(trial, data, checkpoint_path=path, pick=lambda _before: Numerics.named("float32 channels_first"))
    next(iter(begun))
    asked: list[str | None] = []

    def picked(before: str | None) -> Numerics:
        asked.append(before)
        return usual(trial.recipe, CPU, before)

    assert len(list(train(trial, data, checkpoint_path=path, pick=picked))) == 2
    assert asked == ["float32 channels_first"]
    state = load_checkpoint(path)
    assert state is not None
    assert state["numerics"] == "float32 channels_first"


def test_a_verdict_travels_as_plain_values() -> None:
    verdict = Verdict(kind="k", host="h", product="1", torch="2", step_ms=FAST, wrong={"a": "b"})
    assert Verdict(**json.loads(json.dumps(verdict.to_json()))) == verdict


@pytest.mark.slow
def test_a_machine_with_the_fault_of_onednn_trains_right_all_the_same() -> None:
    """The layers as torch has them, on processors with AVX2: the probe finds the fault, and picks something else."""
    program = """
import spaces.layers as layers, torch
layers.StridedPointwise.forward = torch.nn.Conv2d.forward
from workers.truth import wrong
from workers.numerics import Numerics
print(wrong(Numerics.named("float32 channels_last")))
"""
    environment = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "OMP_NUM_THREADS": "2",
                   "PYTHONPATH": str(Path(__file__).resolve().parents[2])}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode != 0 or done.stdout.startswith("weights of 1x1 "), done.stdout + done.stderr
