"""Run real studies as a person does: a file, a command, an empty folder."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import usual_signals

SMALL: dict[str, Any] = {
    "study": "small",
    "data": {"name": "digits", "limit": 300},
    "space": {
        "block": {"choice": ["basic", "preact"]},
        "depth": {"int": [1, 2]},
        "widening_factor": {"choice": [0.25, 0.5]},
        "dropout": {"choice": ["none", "between"]},
        "dropout_rate": {"float": [0.05, 0.5], "when": {"dropout": ["between"]}},
    },
    "scheduler": {"name": "pareto-asha", "max_epochs": 4, "reduction_factor": 2},
    "budget": {"trials": 8},
    "storage": "sqlite:///study.db",
}


@dataclass
class Folder:
    """Hold a folder with a study's file, and launch it."""

    path: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)  # of its launches, beside this process's

    def write(self, **changes: Any) -> None:
        """Write the small study's file with some sections changed."""
        (self.path / "space.yaml").write_text(yaml.safe_dump({**SMALL, **changes}, sort_keys=False), encoding="utf-8")

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Launch and return at once."""
        return self.command("search.launch", "space.yaml", *options)

    def command(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and return at once; output goes to a file, so that nobody waits for a reader."""
        with (self.path / f"out-{len(self.started)}.txt").open("w") as out:
            driver = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=self.path,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "default", **self.environment},
                start_new_session=True,
                preexec_fn=usual_signals,
            )
        self.started.append(driver)
        return driver

    def launch(self, *options: str, within_s: float = 240) -> str:
        """Launch, wait for the end, and return what was said; the exit code is checked to be 0."""
        driver = self.start(*options)
        code = driver.wait(within_s)
        said = self.said()
        assert code == 0, said
        return said

    def said(self) -> str:
        """Return what the latest launch has said so far."""
        return (self.path / f"out-{len(self.started) - 1}.txt").read_text()

    @property
    def url(self) -> str:
        """Return the database's address."""
        return f"sqlite:///{self.path}/study.db"


def workers_of(driver: subprocess.Popen[str], titled: str = "Trainable") -> list[psutil.Process]:
    """Return the driver's processes that train, or those that Ray has given another title."""
    try:
        children = psutil.Process(driver.pid).children(recursive=True)
        return [child for child in children if titled in _title(child)]
    except psutil.NoSuchProcess:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def wait_until(true: Callable[[], bool], within_s: float = 300) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """Give an empty folder with the small study's file; whatever was launched there is ended."""
    made = Folder(tmp_path)
    made.write()
    yield made
    for driver in made.started:
        _end(driver)


def _end(driver: subprocess.Popen[str]) -> None:
    try:
        family = [*psutil.Process(driver.pid).children(recursive=True), psutil.Process(driver.pid)]
    except psutil.NoSuchProcess:
        family = []
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    driver.wait(240)
