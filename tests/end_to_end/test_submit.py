"""A study on a Ray cluster, sent there by its job server with a token; and what workers may see of a database."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import usual_signals
from tests.end_to_end.conftest import SMALL, Folder, wait_until, workers_of
from tests.end_to_end.invariants import check_whole

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

TOKEN = "token-of-a-test-that-is-long-enough-for-ray"
SECRET = "hunter2-that-nobody-else-says"
LONG = {
    "study": "long",
    "data": "digits",
    "budget": {"trials": 20},  # long enough for three commands on a busy machine
    "space": {**SMALL["space"], "depth": {"int": [1, 3]}},
    "scheduler": {"name": "fifo", "max_epochs": 24},
    "storage": "sqlite:///long.db",
}


def _end(process: psutil.Process | subprocess.Popen[str]) -> None:
    """End a process with all that it started."""
    try:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=240)
    if isinstance(process, subprocess.Popen):
        process.wait(240)


def environ_of(process: psutil.Process) -> dict[str, str]:
    """Return the environment that a process began with."""
    pairs = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def memory_holds(process: psutil.Process, text: str) -> bool:
    """Say whether a text stands anywhere in what a process may write to: its variables, its configuration, its heap."""
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            begin, end = (int(number, 16) for number in span.split("-"))
            if rights.startswith("rw") and "/dev/" not in line:
                try:
                    memory.seek(begin)
                    if text.encode() in memory.read(end - begin):
                        return True
                except (OSError, ValueError, OverflowError):  # gone meanwhile, or the kernel's own
                    continue
    return False


def training(process: psutil.Process | subprocess.Popen[str]) -> list[psutil.Process]:
    return [worker for worker in workers_of(process) if "NetworkTrainable" in " ".join(worker.cmdline())]  # type: ignore[arg-type]


@dataclass
class Head:
    """Hold a head of a Ray cluster on this machine, its home folder, and where studies are sent from."""

    home: Path
    address: str
    process: subprocess.Popen[str]
    desk: Path
    sent: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """Return where studies stand by default."""
        return self.home / "widefront"

    def command(self, *given: str) -> list[str]:
        return [sys.executable, "-m", "search.submit", *given, "--address", self.address]

    def ask(self, *given: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return subprocess.run(
            self.command(*given), cwd=self.desk, env=self.environment(), capture_output=True, text=True, check=False,
            timeout=360,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {**os.environ, "RAY_AUTH_TOKEN": TOKEN, "PYTHONWARNINGS": "default"}

    def answers(self) -> bool:
        """Say whether the job server is up."""
        asked = urllib.request.Request(f"{self.address}/api/version", headers={"Authorization": f"Bearer {TOKEN}"})
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def status(self, study: str) -> dict[str, Any]:
        (found,) = json.loads(self.ask("--status", study, "--json").stdout)
        assert isinstance(found, dict)
        return found

    def write(self, **content: Any) -> None:
        (self.desk / "space.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """Give a head that listens on this machine alone, asks for a token, and knows a secret."""
    home = Path(tempfile.mkdtemp(prefix="wf-"))  # short: Ray's sockets have long names
    port = _free_port()
    beside = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": f"{beside}:{os.environ['PATH']}",
        "HOME": str(home),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # 127.0.0.1 alone
        "RAY_USAGE_STATS_ENABLED": "0",
        "STUDY_FILE": f"{SECRET}.db",
        "PGPASSWORD": SECRET,
    }
    options = ["--head", "--port=0", "--block", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}",
               "--num-cpus=2", f"--temp-dir={home}/ray", "--dashboard-agent-listen-port=0", "--min-worker-port=0",
               "--max-worker-port=0"]  # fmt: skip
    with (home / "head.txt").open("w") as out:
        process = subprocess.Popen([f"{beside}/ray", "start", *options], env=environment, cwd=home, text=True,
                                   stdout=out, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
    started = Head(home, f"http://127.0.0.1:{port}", process, tmp_path_factory.mktemp("desk"))
    try:
        wait_until(started.answers)
        yield started
    finally:
        for sender in started.sent:
            _end(sender)
        _end(process)
        shutil.rmtree(home)


def test_a_study_is_sent_and_followed_and_only_its_driver_knows_its_database(head: Head) -> None:
    head.write(**{**SMALL, "storage": "sqlite:///${STUDY_FILE}", "data": "digits", "budget": {"trials": 8}})
    follower = subprocess.Popen(head.command("space.yaml"), cwd=head.desk, env=head.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    head.sent.append(follower)
    seen_training: list[psutil.Process] = []
    wait_until(lambda: bool(seen_training.extend(training(head.process)) or seen_training))
    worker = seen_training[0]
    seen = environ_of(worker)
    assert (seen["STUDY_FILE"], seen["PGPASSWORD"]) == ("", "")
    assert not memory_holds(worker, SECRET)
    said = follower.communicate(timeout=360)[0]
    assert follower.returncode == 0, said
    assert "in ~/widefront there" in said
    assert said.count("fully trained (4 epochs)") >= 1
    check_whole(f"sqlite:///{head.work}/{SECRET}.db", trials=8)
    assert (head.work / "small.html").exists()
    assert list((head.work / "runs").glob("small-*"))  # nothing of it lies elsewhere

    doctor = [sys.executable, "-m", "search.doctor", f"sqlite:///{head.work}/{SECRET}.db", "--address", head.address]
    seen_well = subprocess.run(
        doctor, cwd=head.work, env=head.environment(), capture_output=True, text=True, check=False
    )
    assert seen_well.returncode == 0, seen_well.stdout + seen_well.stderr

    known = head.status("small")
    assert (known["state"], known["exit_code"]) == ("done", 0)
    assert known["last"].startswith("8 trials: ")


@pytest.mark.very_slow
def test_what_only_the_head_can_know_is_said_in_one_line_with_the_exit_code(head: Head) -> None:
    (head.home / "widefront").mkdir(exist_ok=True)
    (head.home / "widefront" / "out").symlink_to("/etc")
    head.write(**{**SMALL, "study": "leaves", "checkpoints": "out"})
    left = head.ask("space.yaml")
    assert left.returncode == 2
    assert "error: checkpoints: 'out' leaves the working folder" in left.stdout
    assert "Traceback" not in left.stdout + left.stderr
    assert head.status("leaves")["exit_code"] == 2


def test_a_study_survives_its_terminal_is_stopped_by_name_and_goes_on(head: Head) -> None:
    head.write(**LONG)
    sender = subprocess.Popen(head.command("space.yaml"), cwd=head.desk, env=head.environment(), text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                              preexec_fn=usual_signals)  # fmt: skip
    head.sent.append(sender)
    wait_until(lambda: (head.work / "long.db").exists() and bool(training(head.process)))
    os.killpg(sender.pid, signal.SIGHUP)  # the terminal is closed
    sender.wait(240)
    time.sleep(1)
    assert head.status("long")["state"] == "running"

    stopped = head.ask("--stop", "long")
    assert stopped.returncode == 0, stopped.stderr
    assert head.ask("--logs", "long").stdout.rstrip().endswith("go on with: python -m search.submit --resume long")
    (head.desk / "space.yaml").unlink()
    resumed = head.ask("--resume", "long")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "going on from" in resumed.stdout
    check_whole(f"sqlite:///{head.work}/long.db", trials=20, name="long")


def test_ray_on_this_machine_is_this_machines_alone_knows_no_database_and_heeds_sigterm(folder: Folder) -> None:
    folder.environment |= {"STUDY_FILE": "study.db", "PGPASSWORD": SECRET}
    folder.write(storage="sqlite:///${STUDY_FILE}", data="digits", budget={"trials": 40})
    driver = folder.start("--no-report")
    wait_until(lambda: bool(training(driver)))
    family = psutil.Process(driver.pid).children(recursive=True)
    heard = [each.laddr.ip for process in [psutil.Process(driver.pid), *family]
             for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]  # fmt: skip
    assert heard
    assert {ip.removeprefix("::ffff:") for ip in heard} == {"127.0.0.1"}
    for worker in training(driver):
        assert not {"STUDY_FILE", "PGPASSWORD"} & environ_of(worker).keys()
        assert not memory_holds(worker, SECRET)

    driver.send_signal(signal.SIGTERM)
    assert driver.wait(240) == 130
    assert f"interrupted; nothing is lost, go on with: {sys.executable} -m search.launch space.yaml" in folder.said()
