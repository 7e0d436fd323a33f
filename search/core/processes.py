"""Have a job done by a module of workers in a process of its own, and read what it says: each line one of JSON."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from search.core.environment import without
from search.core.interrupts import interrupts
from spaces.cli import INTERRUPTED, WRONG
from spaces.errors import InputError, StudyError
from workers.command import last_line

Line = dict[str, Any]


class Ended(StudyError):
    """Say that such a process has failed, or was ended by a signal: its message tells how."""

    def __init__(self, message: str, signal: int = 0) -> None:
        """Take the message, and the number of the signal; 0: it ended by itself."""
        super().__init__(message)
        self.signal = signal


def lines_of(
    module: str, job: Mapping[str, Any], *, hidden: Collection[str] = (), arguments: Sequence[str] = ()
) -> Generator[Line, None, None]:
    """Yield what a module says of a job, run in a process that ends with this generator.

    Args:
        module: such as `workers.analyse`; it is given a file of the job.
        job: what it reads, plain values.
        hidden: variables of the environment that it does not see.
        arguments: behind the file.

    Raises:
        InputError: it refused the job.
        Ended: it failed, or was ended.
    """
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="widefront-") as folder, tempfile.TemporaryFile() as complaints:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        with without(hidden, environment):
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(path), *arguments],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints,
                encoding="utf-8", errors="replace",  # a library may print anything
            )  # fmt: skip
        with process:
            try:
                with interrupts.at_end(partial(shutil.rmtree, folder)), interrupts.at_end(process.kill):
                    yield from filter(None, map(line, process.stdout or ()))
                    process.wait()
            except BaseException:  # whoever reads has had enough, too
                process.kill()
                raise
        complaints.seek(0)
        check(process.returncode, last_line(complaints.read().decode(errors="replace")).removeprefix("error: "))


def line(text: str) -> Line | None:
    """Return what a line says; one that was broken off, or that a library has printed, says nothing."""
    try:
        told = json.loads(text) if text.endswith("\n") else None
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def check(code: int, said: str) -> None:
    """Take the exit code of a process for what it means.

    Args:
        code: negative of one that a signal has ended.
        said: its last complaint.

    Raises:
        KeyboardInterrupt: it was interrupted.
        InputError: it refused the job.
        Ended: it failed, or was ended.
    """
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == WRONG:
        raise InputError(said)
    if code < 0:
        raise Ended(f"was ended by signal {-code}", signal=-code)
    if code:
        raise Ended(said or f"exit code {code}")
