"""Be interrupted in one line while a command's modules are still imported, before `spaces.cli` can see to it."""

import sys
from types import TracebackType


def heed_early() -> None:
    """Say one line at Ctrl-C where `python -m` is about to run a module of the package that calls this."""
    if sys.argv[:1] == ["-m"]:  # as long as that module is looked for; a person's own program keeps its ways
        sys.excepthook = _in_one_line


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr)  # Python itself then ends as a process does that the signal has ended
