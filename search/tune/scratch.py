"""Give a launch a folder for what nobody needs after it, and remove those of launches that were killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from search.core.interrupts import interrupts

PREFIX = "widefront-launch-"


@contextmanager
def scratch() -> Iterator[str]:
    """Make a folder that is removed at the end; whoever lives holds a lock on its own, so a killed one's is known."""
    place = Path(tempfile.gettempdir())
    _remove_abandoned(place)
    folder, held = _own()
    remove = partial(shutil.rmtree, folder, ignore_errors=True)
    try:
        with interrupts.at_end(remove):
            yield folder
    finally:
        remove()
        os.close(held)


def _own() -> tuple[str, int]:
    """Make a folder and lock it; another launch may have just taken it for abandoned."""
    while True:
        folder = tempfile.mkdtemp(prefix=PREFIX)
        if (held := _lock(folder)) is not None:
            return folder, held


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        held = _lock(str(folder))
        if held is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(held)


def _lock(folder: str) -> int | None:
    """Lock a folder for this process; None where another lives in it, where it is another person's, or gone."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with suppress(OSError):
        if os.fstat(opened).st_uid == os.getuid():
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(opened).st_nlink:
                return opened
    os.close(opened)
    return None
