"""Commands of real processes: what they answer, how they fail, and that nothing of them is left."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import WidefrontError
from workers import bench
from workers.bench import CommandFailed, Runner, answer, measure
from workers.command import Command, Request

IMAGE = ImageSpec(channels=1, height=8, width=8, classes=3)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def script(folder: Path, body: str) -> str:
    """Write a Python program, and return the beginning of a command that runs it."""
    path = folder / "measure it.py"
    path.write_text(f"import json, os, pathlib, subprocess, sys, time\nhere = pathlib.Path({str(folder)!r})\n{body}\n")
    return f"{sys.executable} '{path}'"


def asked(text: str, **how: object) -> Request:
    return Request(command=Command(text=text, **how), architecture=Architecture(), image=IMAGE)  # type: ignore[arg-type]


def measured(text: str, **how: object) -> bench.Answer:
    return measure(asked(text, **how), Runner(), pause=lambda _s: None)


def test_a_command_reads_a_networks_file_and_answers_with_a_number(tmp_path: Path) -> None:
    text = script(
        tmp_path, "print(json.dumps({'value': len(json.load(open(sys.argv[1]))['architecture']), 'deviation': 1}))"
    )
    found = measured(f"{text} {{architecture}} {{digest}}")
    assert (found.value, found.deviation) == (len(Architecture().to_json()), 1.0)
    assert found.took_s > 0


def test_onnx_is_written_for_it_untrained_and_is_gone_afterwards(tmp_path: Path) -> None:
    text = script(tmp_path, "(here / 'seen').write_text(sys.argv[1])\nprint(os.stat(sys.argv[1]).st_size)")
    first = measured(f"{text} {{onnx}}")
    assert first.value > 1000
    assert not Path((tmp_path / "seen").read_text()).exists()
    assert measured(f"{text} {{onnx}}").value == first.value


def test_torchs_program_opens_with_torch_alone(tmp_path: Path) -> None:
    body = (
        "import torch\nmade = torch.export.load(sys.argv[1]).module()\n"
        "print(made(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).shape[1])"
    )
    assert measured(f"{script(tmp_path, body)} {{torch_export}}").value == 3


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("sys.exit('first\\nno route to host')", "ended with exit code 1: no route to host"),
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("print('fast'); print('odd', file=sys.stderr)", "its output is no number: fast: odd"),
        ("print('nan')", "its output is no number: nan"),
        ("print('NaN')", "its output is not finite: NaN"),
        ("print(-1)", "its output is below 0: -1"),
        ("sys.stdout.buffer.write(bytes(range(256)) * 1000)", "its output is no number"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_with_the_last_that_it_complained_of(
    tmp_path: Path, body: str, why: str
) -> None:
    with pytest.raises(CommandFailed) as failed:
        measured(script(tmp_path, body), tries=1)
    assert str(failed.value).startswith(why)
    assert "\n" not in str(failed.value)


def test_what_is_not_there_is_no_traceback() -> None:
    with pytest.raises(CommandFailed, match=r"cannot be started: \./nowhere\.sh: No such file or directory"):
        measured("./nowhere.sh {digest}")


def test_it_is_tried_again_and_no_more_often_than_it_may_be(tmp_path: Path) -> None:
    body = "calls = here / 'calls'\ncalls.open('a').write('.')\n"
    body += "print(7) if calls.stat().st_size > {0} else sys.exit('busy')"
    assert measured(script(tmp_path, body.format(2)), tries=3).value == 7
    (tmp_path / "calls").unlink()
    with pytest.raises(CommandFailed, match="ended with exit code 1: busy, 2 times"):
        measured(script(tmp_path, body.format(2)), tries=2)
    assert (tmp_path / "calls").read_text() == ".."


def test_a_command_that_hangs_is_ended_with_its_children_although_it_will_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "GRACE_S", 0.2)
    body = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '1000'])\n(here / 'pids').write_text(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(1000)"
    )
    with pytest.raises(CommandFailed, match="took longer than 3 s"):
        measured(script(tmp_path, body), tries=1, limit_s=3)
    assert not [pid for pid in map(int, (tmp_path / "pids").read_text().split()) if alive(pid)]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_a_command_leaves_behind_neither_delays_its_answer_nor_stays(tmp_path: Path) -> None:
    body = "child = subprocess.Popen(['sleep', '1000'])\n(here / 'pids').write_text(str(child.pid))\nprint(5)"
    assert measured(script(tmp_path, body)).value == 5
    assert not alive(int((tmp_path / "pids").read_text()))


def test_a_command_has_no_input_to_take_from_whoever_runs_it(tmp_path: Path) -> None:
    assert measured(script(tmp_path, "print(len(sys.stdin.read()))")).value == 0


def test_a_shell_runs_where_it_is_asked_for() -> None:
    assert measured("echo {digest} | wc -c", by_shell=True).value == 17
    with pytest.raises(CommandFailed, match="is no number"):
        measured("echo {digest} | wc -c")


def test_a_network_that_cannot_be_exported_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise WidefrontError("torch cannot write model.onnx: no")

    monkeypatch.setattr("workers.untrained.write_untrained", refuse)
    assert json.loads(answer(asked("time {onnx}").to_line(), Runner())) == {
        "error": "torch cannot write model.onnx: no"
    }


def test_a_network_of_a_package_s_needs_that_package_as_the_study_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_blocks_on_devices.py").write_text("BLOCKS = {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    request = replace(asked("echo 3"), packages={"my_blocks_on_devices": "0" * 16})
    said = json.loads(answer(request.to_line(), Runner()))
    assert said["error"].startswith("package my_blocks_on_devices has source ")
    right = said["error"].split()[4]
    assert (
        json.loads(answer(replace(request, packages={"my_blocks_on_devices": right}).to_line(), Runner()))["value"] == 3
    )


def start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "workers.bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def told(process: "subprocess.Popen[str]", *requests: Request) -> list[dict[str, object]]:
    assert process.stdin is not None
    assert process.stdout is not None
    for each in requests:
        print(each.to_line(), file=process.stdin, flush=True)
    return [json.loads(process.stdout.readline()) for _ in requests]


def test_a_bench_answers_line_by_line_whatever_commands_print_and_needs_torch_for_no_digest(tmp_path: Path) -> None:
    text = script(tmp_path, "os.write(2, b'noise\\n')\nprint(int(sys.argv[1], 16) % 1000)")
    with start() as process:
        found = told(process, asked(f"{text} {{digest}}"), asked("false", tries=1), asked(f"{text} {{digest}}"))
        torch = [each.path for each in psutil.Process(process.pid).memory_maps() if "libtorch" in each.path]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    assert found[0]["value"] == found[2]["value"] == int(Architecture().digest, 16) % 1000
    assert found[1] == {"error": "ended with exit code 1"}
    assert not torch


def test_a_bench_that_nobody_talks_to_any_more_ends_with_the_command_that_runs(tmp_path: Path) -> None:
    text = script(tmp_path, "(here / 'seen').write_text(f'{os.getpid()} {sys.argv[1]}')\ntime.sleep(1000)")
    with start() as process:
        assert process.stdin is not None
        print(asked(f"{text} {{architecture}}").to_line(), file=process.stdin, flush=True)
        wait_until(lambda: len((tmp_path / "seen").read_text().split()) == 2 if (tmp_path / "seen").exists() else False)
        process.stdin.close()
        assert process.wait(60) == 0
    pid, file = (tmp_path / "seen").read_text().split()
    assert not alive(int(pid))
    assert not Path(file).parent.parent.exists()


def test_two_benches_take_turns_on_one_device_and_none_on_others(tmp_path: Path) -> None:
    body = (
        "mine = here / f'on-{sys.argv[1]}'\nmine.mkdir()\n"  # fails where another has made it
        "time.sleep(0.5)\nmine.rmdir()\nprint(1)"
    )
    text = script(tmp_path, body)
    with start() as one, start() as other:
        for each in (one, other):
            assert each.stdin is not None
            for _ in range(2):
                print(asked(f"{text} pi", device="pi", tries=1).to_line(), file=each.stdin, flush=True)
        said = [json.loads(each.stdout.readline()) for each in (one, other) for _ in range(2) if each.stdout]
        for each in (one, other):
            assert each.stdin is not None
            each.stdin.close()
    assert [found["value"] for found in said] == [1.0] * 4
