"""Measure networks by commands, one after another: `python -m workers.bench`, which a launch starts and talks to.

A line on stdin is a request (`workers.command.Request`), a line on stdout its answer: `{"value": 3.1, ...}`, or
`{"error": "..."}`. What is exported needs torch, which is imported with the first network that has to be. When stdin
ends, so does this process, and with it the command that runs: a launch may have died in any way.
"""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from threading import Lock, Thread

from filelock import FileLock

from spaces.errors import WidefrontError, first_line
from workers.command import ARCHITECTURE, DIGEST, ONNX, PROGRAM, Answer, Request, last_line, read_answer

WAIT_S = 2.0  # before the second try, four times as long before each later one
GRACE_S = 2.0  # that a command has for an end of its own, once it is told to end
READ = 65_536  # bytes of what a command has said, its last ones


class CommandFailed(WidefrontError):
    """Raised where a command gave no number: one line."""


class Runner:
    """Runs one command at a time, in a session of its own, and ends all of it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def run(self, filled: list[str], limit_s: float) -> Answer:
        """Run a command once, and return what it has found.

        Args:
            filled: its words.
            limit_s: after which it is ended, with all that it has started.

        Raises:
            CommandFailed: it gave no number.
        """
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = self._wait(self._start(filled, out.fileno(), err.fileno()), limit_s)
            said, complained = _tail(out.fileno()), last_line(_tail(err.fileno()))
        behind = f": {complained}" if complained else ""
        if code is None:
            raise CommandFailed(f"took longer than {limit_s:g} s{behind}")
        if code:
            raise CommandFailed(f"{_ended(code)}{behind}")
        try:
            return replace(read_answer(said), took_s=time.monotonic() - began)
        except ValueError as error:
            raise CommandFailed(f"{error}{behind}") from error

    def _start(self, filled: list[str], out: int, err: int) -> "subprocess.Popen[bytes]":
        with self._lock:
            try:
                self._running = subprocess.Popen(
                    filled,
                    stdin=subprocess.DEVNULL,  # ssh would read the requests that are to come
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                raise CommandFailed(f"cannot be started: {filled[0]}: {why}") from error
            return self._running

    def _wait(self, process: "subprocess.Popen[bytes]", limit_s: float) -> int | None:
        """Return the exit code, or None where it took too long; what it has left behind is ended."""
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        with self._lock:
            _end(process, grace_s=GRACE_S if code is None else 0)
            self._running = None
        return code

    def end(self) -> None:
        """End what runs, and let nothing more start."""
        self._lock.acquire()
        if self._running is not None:
            _end(self._running, grace_s=GRACE_S)


def _end(process: "subprocess.Popen[bytes]", *, grace_s: float) -> None:
    """End a process and all of its session that kept to its group."""
    if grace_s:
        _signal(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    _signal(process.pid, signal.SIGKILL)
    process.wait()


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS has the latter for a group of the dead
        os.killpg(group, number)


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _tail(file: int) -> str:
    """Return the last that a file holds; a process that writes on does not matter any more."""
    size = os.fstat(file).st_size
    return os.pread(file, READ, max(0, size - READ)).decode(errors="replace")


@contextmanager
def device(place: str) -> Iterator[None]:
    """Wait until no other process of this user measures on a device, and have it until the end."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111  # may not be there
    folder = Path(caches) / "widefront" / "devices"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(folder / f"{place}.lock"):
        yield


def measure(request: Request, runner: Runner, pause: Callable[[float], None] = time.sleep) -> Answer:
    """Export a network and run its command, again where it fails, as often as it may be.

    Raises:
        WidefrontError: the network cannot be exported, or no try gave a number: what the last one said.
    """
    command = request.command
    with tempfile.TemporaryDirectory() as name:
        filled = command.filled(_values(request, Path(name)))
        for tries_left in reversed(range(command.tries)):
            try:
                with device(command.place):
                    return runner.run(filled, command.limit_s)
            except CommandFailed as error:
                if not tries_left:
                    often = f", {command.tries} times" if command.tries > 1 else ""
                    raise CommandFailed(f"{error}{often}") from error
                pause(WAIT_S * 4 ** (command.tries - tries_left - 1))
    raise CommandFailed("is never tried")


def _values(request: Request, folder: Path) -> Mapping[str, str]:
    """Return what is put into the command, the files of which are then there."""
    forms = request.command.forms
    values = {DIGEST: request.architecture.digest}
    if {ONNX, PROGRAM, ARCHITECTURE}.intersection(forms):
        from workers.untrained import FILES, write_untrained  # torch takes seconds

        write_untrained(request.architecture, request.image, forms, folder)
        values |= {form: str(folder / file) for form, file in FILES.items()}
    return values


def _load(packages: Mapping[str, str]) -> None:
    """Load the packages that a network needs."""
    if packages:
        from workers.packages import require  # torch, as above

        require(packages)


def answer(line: str, runner: Runner) -> str:
    """Return the line that answers a request."""
    try:
        _load(json.loads(line)["packages"])
        return json.dumps(asdict(measure(Request.of_line(line), runner)))
    except Exception as error:  # whatever it is, who asked waits for a line
        told = (
            first_line(error) if isinstance(error, WidefrontError) else f"{type(error).__name__}: {first_line(error)}"
        )
        return json.dumps({"error": told})


def main() -> int:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")  # what a library prints goes elsewhere
    os.dup2(2, 1)
    runner, requests = Runner(), queue.SimpleQueue[str]()
    tempfile.tempdir = tempfile.mkdtemp(prefix="widefront-")

    def listen() -> None:
        for line in sys.stdin:
            requests.put(line)
        runner.end()
        shutil.rmtree(tempfile.gettempdir(), ignore_errors=True)
        os._exit(0)

    Thread(target=listen, daemon=True).start()
    while True:
        print(answer(requests.get(), runner), file=answers, flush=True)


if __name__ == "__main__":
    sys.exit(main())
