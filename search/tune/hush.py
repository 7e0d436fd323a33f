"""Keep what a library writes past Python on stderr, such as Ray's C++ part, from being seen."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def hushed(*, verbose: bool = False) -> Iterator[Callable[[], str]]:
    """Let the process's stderr lead into a file meanwhile, and give what returns its text.

    Args:
        verbose: let everything be seen instead; the text is empty then.
    """
    if verbose:
        yield lambda: ""
        return
    sys.stderr.flush()
    seen = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lambda: os.pread(file.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            sys.stderr.flush()
            os.dup2(seen, 2)
            os.close(seen)
