"""Tell the time of a launch."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def steady_clock(
    now: Callable[[], datetime] = lambda: datetime.now(UTC), monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], datetime]:
    """Return a clock that begins with the machine's and then goes on at an even pace.

    Whoever moves the machine's clock, a person or a time server, neither spends a budget nor makes a trial wait.
    """
    began, at = now(), monotonic()
    return lambda: began + timedelta(seconds=monotonic() - at)
