"""A launch can be ended at any moment: by any of three signals, once or twice, and says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import usual_signals

LINE = "interrupted; go on with: it"
SCRIPT = f"""
import signal, sys, time
from search.core.interrupts import interrupts
interrupts.line = lambda: {LINE!r}
interrupts.heed()
{{body}}
"""
BUSY = "print('ready', flush=True)\ntime.sleep(60)"
CAREFUL = f"""
with interrupts.careful():
    print('ready', flush=True)
    while not interrupts.asked:
        time.sleep(.01)
    print('ended with care', flush=True)
{BUSY}
"""
DEAF = f"with interrupts.careful():\n    {BUSY.replace(chr(10), chr(10) + '    ')}"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def started(body: str, cwd: Path, *before: str) -> "subprocess.Popen[str]":
    command = [*before, sys.executable, "-c", SCRIPT.format(body=body)]
    process = subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": "."},
        preexec_fn=usual_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def root(pytestconfig: pytest.Config) -> Path:
    return pytestconfig.rootpath


@pytest.mark.parametrize("sent", SIGNALS)
def test_where_there_is_nothing_to_end_with_care_a_signal_ends_the_process_at_once(
    root: Path, sent: signal.Signals
) -> None:
    process = started(BUSY, root)
    process.send_signal(sent)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out, said) == (130, "", f"{LINE}\n")


@pytest.mark.parametrize("sent", SIGNALS)
def test_what_has_much_to_end_sees_the_signal_and_comes_out_by_itself(root: Path, sent: signal.Signals) -> None:
    process = started(CAREFUL, root)
    process.send_signal(sent)
    assert process.communicate(timeout=60) == ("ended with care\n", f"{LINE}\n")
    assert process.returncode == 130


def test_what_does_not_come_out_is_ended_after_some_seconds(root: Path) -> None:
    process = started(DEAF, root)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=50) == ("", f"{LINE}\n")  # it would sleep for 60
    assert process.returncode == 130


def test_a_second_signal_waits_for_nothing(root: Path) -> None:
    process = started(
        DEAF.replace("careful()", "careful(), interrupts.at_end(lambda: print('twice', flush=True))"), root
    )
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=50) == ("twice\n", f"{LINE}\n")


def test_a_signal_is_heard_while_the_main_thread_is_in_a_library(root: Path) -> None:
    body = "import ctypes\nprint('ready', flush=True)\nctypes.CDLL(None).sleep(60)\nctypes.CDLL(None).sleep(60)"
    process = started(body.replace("sleep(60)", "pause()", 1), root)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=50)[1] == f"{LINE}\n"


@pytest.mark.parametrize(("drawing", "codes"), [(True, "\x1b[?1049l\x1b[?25h"), (False, "\x1b[?25h")])
def test_the_line_stands_on_the_screen_that_stays(root: Path, drawing: bool, codes: str) -> None:
    master, slave = os.openpty()
    script = SCRIPT.format(body=f"interrupts.drawing = {drawing}\n{BUSY}")
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdout=slave, stderr=slave, preexec_fn=usual_signals
    ) as process:
        os.close(slave)
        said = os.read(master, 100).decode()  # ready
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        said += os.read(master, 1000).decode()
    os.close(master)
    assert said.split() == ["ready", codes, *LINE.split()]


def test_whoever_stands_back_says_nothing_of_what_the_signal_did_to_others(root: Path) -> None:
    body = "child = subprocess.Popen(['sleep', '60'])\nprint('ready', flush=True)\nchild.wait()\n"
    body = f"import subprocess\n{body}interrupts.stand_back(20.0)\nprint('the child has failed', flush=True)"
    process = started(body, root, "setsid")
    os.killpg(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=60) == ("", f"{LINE}\n")
    assert process.returncode == 130


def test_where_nobody_asks_whoever_stood_back_goes_on(root: Path) -> None:
    process = started("print('ready', flush=True)\ninterrupts.stand_back(0.1)\nprint('on', flush=True)", root)
    assert process.communicate(timeout=60) == ("on\n", "")


def test_below_nohup_a_closed_terminal_ends_nothing(root: Path) -> None:
    process = started(BUSY.replace("60", "1"), root, "nohup")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_whatever_must_not_stay_is_taken_away_and_what_libraries_say_of_the_end_is_not_heard(root: Path) -> None:
    body = "kept = interrupts.at_end(lambda: print('noise', file=sys.stderr, flush=True) or open('/dev/full'))\n"
    process = started(f"{body}kept.__enter__()\n{BUSY}", root)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[1] == f"{LINE}\n"


def test_a_stream_that_nobody_reads_keeps_no_process_alive(root: Path) -> None:
    process = started(f"print('ready', flush=True)\nprint('x' * 1_000_000)\n{BUSY}", root)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    process.communicate()


def test_signals_end_what_waits_to_write_and_nobody_reads(root: Path) -> None:
    reader, writer = os.pipe()
    script = SCRIPT.format(body="import os\nos.write(1, b'ready')\nprint('x' * 1_000_000, flush=True)")
    command, path = [sys.executable, "-c", script], {**os.environ, "PYTHONPATH": "."}
    with subprocess.Popen(
        command, cwd=root, stdout=writer, stderr=writer, env=path, preexec_fn=usual_signals
    ) as process:
        os.read(reader, 5)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    os.close(reader)
    os.close(writer)
