"""Start commands for a page, which does no work itself: each is a process of its own, and ends with the server."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from search.core.environment import hide
from spaces.errors import InputError, StudyError, shortened, visible

RUN = (sys.executable, "-m")
STORAGE = "WIDEFRONT_STORAGE"
CHECK_S = 120.0  # in which a network is built and counted
END_S = 5.0  # in which a command ends with care: a second longer than `search.core.interrupts` takes
MOST_LINE = 1_000  # characters
EXPORT, CONFIRM = "export", "confirm"
STARTED = {EXPORT: "export", CONFIRM: "confirmation"}


@dataclass(slots=True)
class _Running:
    what: str
    folder: str
    process: subprocess.Popen[str]
    line: str = ""  # the last that it said
    hearing: Thread = field(init=False)

    def __post_init__(self) -> None:
        self.hearing = Thread(target=self._hear, daemon=True)
        self.hearing.start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.line = line.strip() or self.line

    def ended(self) -> int | None:
        """Return the exit code, once all that it said is known."""
        code = self.process.poll()
        if code is not None:
            self.hearing.join(1.0)  # what it leaves behind may hold its output open
        return code


class Commands:
    """The commands that a page starts: one that runs and is looked at, one that is waited for."""

    def __init__(
        self, url: str, *, written: str = "", folder: Path | None = None, without: tuple[str, ...] = ()
    ) -> None:
        """Start nothing yet.

        Args:
            url: the database, which goes by the environment, since a process list shows command lines.
            written: the database as people read it.
            folder: where exports are written; the working folder where it is None.
            without: variables that no command is given.
        """
        self._environment = {name: value for name, value in os.environ.items() if name not in without}
        self._environment |= {STORAGE: url, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:replace"}
        self._written = written
        self._folder = folder or Path.cwd()
        self._running: _Running | None = None
        self._waited: subprocess.Popen[str] | None = None
        self._starting, self._asking = Lock(), Lock()
        self._over = False

    def start(self, kind: str, study: str, trial: int) -> str:
        """Start a command on a trial, and return what it is in words.

        Args:
            kind: one of STARTED.
            study: its name, as the database has it.
            trial: its number.

        Raises:
            InputError: one runs already.
            StudyError: it cannot be started.
        """
        what, folder = f"{STARTED[kind]} of trial {trial}", ""
        arguments = ["search.confirm", f"--study={study}", "--trials", str(trial)]
        if kind == EXPORT:
            folder = str(self._folder / f"export-{safe(study)}-{trial}")
            arguments = ["search.export", f"--study={study}", "--trial", str(trial), "-o", folder]
        with self._starting:
            if self._running and self._running.ended() is None:
                raise InputError(f"the {self._running.what} is running, and one runs at a time")
            process = self._started(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            self._running = _Running(what, folder, process)
        return what

    def told(self) -> Mapping[str, Any]:
        """Return what runs, or ran last: its last line, and in the end its exit code and the folder."""
        if (last := self._running) is None:
            return {}
        code = last.ended()
        folder = last.folder if code == 0 else ""
        return {"what": last.what, "code": code, "line": self._said(last.line), "folder": hide(visible(folder))}

    def train(self, study: str, text: str, by: str) -> str:
        """Let `search.control` check the values of a network and ask for it, and return its line.

        Raises:
            InputError: what is wrong with them, or another is checked now.
            StudyError: nothing was asked for another reason.
        """
        arguments = ["search.control", f"--study={study}", "--by", by, "train", "--values", "-"]
        if not self._asking.acquire(blocking=False):
            raise InputError("the values that were sent before are still being checked; send these again in a moment")
        try:
            with self._starting:
                self._waited = self._started(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            code, said, wrong = _waited_for(self._waited, text)
        finally:
            self._waited = None
            self._asking.release()
        if not code:
            return self._said(_last(said))
        why = self._said(_last(wrong)).removeprefix("error: ") or f"search.control ended with exit code {code}"
        raise (InputError if code == 2 else StudyError)(why)

    def _started(self, arguments: list[str], *, stdin: int, stderr: int) -> subprocess.Popen[str]:
        if self._over:
            raise StudyError("this page's server ends")
        module, *given = arguments
        try:
            return subprocess.Popen(
                [*RUN, module, f"${{{STORAGE}}}", *given], env=self._environment, stdin=stdin, stdout=subprocess.PIPE,
                stderr=stderr, text=True, encoding="utf-8", errors="replace", start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # no process, or a name that no argument can be
            raise StudyError(f"{module} cannot be started: {error}") from error

    def _said(self, line: str) -> str:
        return shortened(visible(hide(line).replace(f"${{{STORAGE}}}", self._written or "the database")), MOST_LINE)

    def close(self) -> None:
        """End what runs, first with care."""
        with self._starting:
            self._over = True
            running, waited = self._running, self._waited
        for process in (waited, running.process if running else None):
            if process is not None:
                _end(process, END_S)


def safe(name: str) -> str:
    """Return a study's name as a part of a folder's: another for each name, also where case is not told apart."""
    kept = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:60]
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return kept if kept and kept == name else f"{kept}-{mark}".strip("-")


def _waited_for(process: subprocess.Popen[str], text: str) -> tuple[int, str, str]:
    """Return the exit code of a process that is given a text, and what it has said on stdout and stderr."""
    try:
        said, wrong = process.communicate(text, CHECK_S)
    except subprocess.TimeoutExpired as error:
        _end(process, 0.0)
        process.communicate()
        raise StudyError(f"the values could not be checked within {CHECK_S:g} s") from error
    return process.returncode, said, wrong


def _last(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()


def _end(process: subprocess.Popen[str], within_s: float) -> None:
    """Let a process end with care, and then by force with all that it has started."""
    if process.poll() is not None:
        return
    process.terminate()  # it alone: what it has started, it ends
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
