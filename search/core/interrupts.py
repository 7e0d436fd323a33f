"""End a launch when it is asked to: Ctrl-C, SIGTERM or SIGHUP, once or twice, at any moment.

A thread hears of signals, as Python's own handlers wait for the main thread, which may be importing a library, waiting
for a database or be inside Ray. Until there is something to end with care, and again from the second signal on, a
signal ends the process at once: nothing that counts is in its memory alone.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from spaces.cli import INTERRUPTED

GRACE_S = 4.0  # for an end with care; a service manager's patience is not known
FLUSH_S = 0.5
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHOW_CURSOR, FIRST_SCREEN = b"\x1b[?25h", b"\x1b[?1049l"


class Interrupts:
    """Whether somebody has asked this process to end, and what is done then."""

    def __init__(self) -> None:
        self._asked = Event()
        self._over = Event()  # the end with care has come
        self._ending = Event()
        self._heeded = False
        self._stderr = 2
        self._careful = False
        self._last: list[Callable[[], object]] = []
        self.drawing = False  # on the terminal's other screen, where a line that is said would go with it
        self.line: Callable[[], str] = lambda: "interrupted"  # what is said on stderr at the end

    @property
    def asked(self) -> bool:
        """Whether a signal has come."""
        return self._asked.is_set()

    def heed(self) -> None:
        """Hear signals from now on; those that were ignored at the start, as SIGHUP is below nohup, stay so."""
        self._heeded, self._stderr = True, os.dup(2)  # others may let theirs lead elsewhere for a while
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        Thread(target=self._listen, args=(reader,), daemon=True).start()
        self.listen_again()

    def listen_again(self) -> None:
        """Put the handlers in place, also after a library has put its own there."""
        for number in ASKING:
            if self._heeded and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _nothing)

    def _listen(self, reader: int) -> None:
        while told := os.read(reader, 1):
            if told[0] in map(int, ASKING):
                self._hear()

    def _hear(self) -> None:
        self._quieten()
        if not self._careful or self.asked:
            self.end()
        self._asked.set()
        Thread(target=self._end_late, daemon=True).start()

    def _quieten(self) -> None:
        """Let nobody but this write on stderr from now on: Ray has much to say of processes that the signal ended."""
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    def _end_late(self) -> None:
        if not self._over.wait(GRACE_S):
            self.end()

    @contextmanager
    def careful(self) -> Iterator[None]:
        """Let the first signal only set `asked` meanwhile: whoever is inside looks, and has some seconds to come out.

        Where it was asked, coming out ends the process.
        """
        self._careful = True
        try:
            yield
        finally:
            self._careful = False
            if self.asked:
                self._over.set()
                self.end()

    @contextmanager
    def at_end(self, call: Callable[[], object]) -> Iterator[None]:
        """Call this too, should a signal end the process meanwhile."""
        self._last.append(call)
        try:
            yield
        finally:
            self._last.remove(call)

    def stand_back(self, patience_s: float) -> None:
        """Do not come back where the process is being ended, or is within so many seconds.

        A signal to the whole group ends other processes too, and what became of them is then no news.
        """
        if self._ending.wait(patience_s):
            Event().wait()

    def end(self) -> None:
        """End this process: without Python's own way out, which waits for threads and crashes in those of Ray."""
        self._ending.set()
        for say in (_flush, self._show_cursor, self._say):  # whoever reads may have stopped, and nobody waits for that
            saying = Thread(target=say, daemon=True)
            saying.start()
            saying.join(FLUSH_S)
        for call in reversed(self._last):  # last, as the main thread goes on meanwhile
            with suppress(Exception):
                call()
        os._exit(INTERRUPTED)

    def _show_cursor(self) -> None:
        with suppress(OSError):  # the terminal may be gone
            if os.isatty(1):
                os.write(1, (FIRST_SCREEN if self.drawing else b"") + SHOW_CURSOR + b"\r\n")

    def _say(self) -> None:
        with suppress(OSError):
            os.write(self._stderr, f"{self.line()}\n".encode(errors="replace"))


def _nothing(_number: int, _frame: object) -> None:
    """Be a handler in Python, so that the number comes to the thread that listens."""


def _flush() -> None:
    with suppress(Exception):
        sys.stdout.flush()


interrupts = Interrupts()  # of this process: signals are
