"""Let the dashboards show a launch on a live page: a process of its own, since they stand above search.

It reads the database alone and ends with its standard input, so however a launch ends, its page ends too. Whatever
becomes of the page, the study goes on.
"""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from search.core.environment import hide

MODULE = "dashboards.live"
TOKEN = "WIDEFRONT_PAGE_TOKEN"  # whoever has it may ask for more than to look
END_S = 12.0  # in which it tells browsers that it ends, and ends what was started from it


@contextmanager
def live_page(
    storage: str, study: str, say: Callable[[str], object], *, written: str, port: int | None = None
) -> Iterator[None]:
    """Show a study on a page meanwhile; its address, or why there is none, is said as soon as it is known.

    The storage goes by the environment, as does the token of the address, since a process list shows command lines.

    Args:
        storage: the database, which need not be there yet.
        study: its name.
        say: takes a line, from another thread.
        written: the database as commands name it, without a password.
        port: to listen at; without it, a usual one that is free.
    """
    given = ["${WIDEFRONT_STORAGE}", "--study", study, "--written", written, "--until-eof"]
    given += [] if port is None else ["--port", str(port)]
    page = subprocess.Popen(
        [sys.executable, "-m", MODULE, *given],
        env={**os.environ, "WIDEFRONT_STORAGE": storage, TOKEN: secrets.token_urlsafe(24)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is the launch's: it ends the page when it has ended itself
    )
    ending = Event()
    telling = Thread(target=_tell, args=(page, say, ending), daemon=True)
    telling.start()
    try:
        yield
    finally:
        ending.set()
        _end(page)
        telling.join(END_S)


def _tell(page: subprocess.Popen[str], say: Callable[[str], object], ending: Event) -> None:
    """Say where the page is, and if it ends before it should, why."""
    assert page.stdout is not None
    last = "no error message"
    for line in map(str.strip, page.stdout):
        if line.startswith("http"):
            say(f"live page: {line.partition(' ')[0]}")
        last = line or last
    page.stdout.close()
    if page.wait() and not ending.is_set():
        say(f"warning: there is no live page: {hide(last.removeprefix('error: '))}")


def _end(page: subprocess.Popen[str]) -> None:
    assert page.stdin is not None
    with suppress(OSError):  # it may have ended before
        page.stdin.close()
    try:
        page.wait(END_S)
    except subprocess.TimeoutExpired:
        page.kill()
        page.wait()
