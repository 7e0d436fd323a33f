"""Have commands measure networks while others train: one at a time on each device, each device in a thread here.

What exports the network and runs the command is a process of its own (`workers.bench`), since that needs torch. It ends
with this one, however this one dies.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import IO, Protocol, Self

from spaces.errors import WidefrontError
from workers.command import Answer, Request, last_line

END_S = 10.0  # that a process has for ending what it runs


class Unmeasured(WidefrontError):
    """Raised where a command gave no number: one line, and of which objective, where that is known."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class Measures(Protocol):
    """Finds out what networks cost, later."""

    def ask(self, request: Request) -> "Future[Answer]":
        """Return what will hold the answer, or Unmeasured."""


class Bench:
    """Measures, device by device."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Take the environment that commands see."""
        self._environment = dict(environment)
        self._devices: dict[str, _Device] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for device in self._devices.values():
            device.close()

    def ask(self, request: Request) -> "Future[Answer]":
        """Return what will hold the answer, or Unmeasured."""
        device = self._devices.setdefault(request.command.place, _Device(self._environment))
        return device.queue.submit(device.measure, request)


class _Device:
    """A process that measures, begun when it is first asked, and again where it has died."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bench")
        self._environment = environment
        self._lock = Lock()
        self._closed = False
        self._process: subprocess.Popen[str] | None = None
        self._complaints: IO[bytes] | None = None

    def measure(self, request: Request) -> Answer:
        """Ask the process, and wait for it.

        Raises:
            Unmeasured: the command gave no number, or the process has died.
        """
        line = self._answer(self._living(), request.to_line())
        if not line:
            raise Unmeasured(f"what runs it has died{self._why()}")
        told = json.loads(line)
        if "error" in told:
            raise Unmeasured(str(told["error"]))
        return Answer(**told)

    def _living(self) -> "subprocess.Popen[str]":
        with self._lock:
            if self._closed:
                raise Unmeasured("the launch ends")
            if self._process is None or self._process.poll() is not None:
                self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed at the end
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "workers.bench"],
                    env=dict(self._environment),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._complaints,
                    text=True,
                    start_new_session=True,  # Ctrl-C is for the launch, and what it means is said by stdin's end
                )
            return self._process

    @staticmethod
    def _answer(process: "subprocess.Popen[str]", line: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            print(line, file=process.stdin, flush=True)
            return process.stdout.readline()
        except (OSError, ValueError):  # it has died, or was closed in this moment
            return ""

    def _why(self) -> str:
        with suppress(OSError, ValueError):
            if self._complaints is not None:
                self._complaints.seek(0)
                if said := last_line(self._complaints.read().decode(errors="replace")):
                    return f": {said}"
        return ""

    def close(self) -> None:
        """End the process, and with it the command that runs."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            with suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.queue.shutdown(cancel_futures=True)
        for each in (process.stdout if process else None, self._complaints):
            if each is not None:
                each.close()
