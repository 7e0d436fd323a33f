"""What is measured on a GPU runs on a machine that has torch and little else, and says where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.benchmarks.gpu import SMALL, lines, main

ABSENT = ("ray", "optuna", "sqlalchemy", "pydantic", "pandas", "scipy", "sklearn", "rich", "psutil")  # torch has fsspec
BLOCKED = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT}))
from tests.benchmarks.gpu import main
main(["--help"])
"""
CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "error: device cuda was asked for, but torch sees none\n"


def test_it_needs_nothing_of_what_a_study_needs() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "measure what a gpu takes" in done.stdout.lower()


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_every_part_is_told_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rehearse", "--write", str(tmp_path / "speed.md")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 8
    assert "trials an hour" in told[-1]
    assert (tmp_path / "speed.md").read_text(encoding="utf-8").splitlines()[4:] == [f"- {line}" for line in told]


def test_what_there_is_no_time_for_is_left_out_by_name() -> None:
    _, *told = lines(CPU, SMALL, limit_s=-1)
    assert told == [f"{part}: left out, as -1 s were over" for part in ("waits", "large", "cifar", "throughput")]
