"""Whether a launch still runs, as far as its row and this machine can tell."""

import os
import platform
from collections.abc import Iterable
from datetime import datetime, timedelta

from search.core.records import Session
from search.storage.store import SEEN_S


def is_alive(session: Session, now: datetime) -> bool:
    """Whether a launch still runs: of this machine's processes that is known, of others by when they were seen."""
    if now - session.seen_at > timedelta(seconds=SEEN_S):
        return False
    if os.name != "posix" or session.process is None or session.host != platform.node():
        return True
    try:
        os.kill(session.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def living(sessions: Iterable[Session], now: datetime) -> int | None:
    """Return the newest launch that still runs, or None."""
    return max((session.id for session in sessions if is_alive(session, now)), default=None)
