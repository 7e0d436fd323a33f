"""Be interrupted in one line while a command's modules are still imported, before `spaces.cli` can see to it.

And have somewhere to write, where whoever began the command has closed its output.
"""

import os
import sys
from types import TracebackType

OURS = ("spaces", "workers", "search", "dashboards")


def heed_early() -> None:
    """Say one line at Ctrl-C where `python -m` is about to run a module of ours."""
    if sys.argv[:1] != ["-m"]:  # as long as that module is looked for; a person's own program keeps its ways
        return
    module = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
    if module.partition(".")[0] in OURS:
        _open_closed()
        sys.excepthook = _in_one_line


def _open_closed() -> None:
    """Let what was closed lead nowhere: Python would print errors among the results, and a file be opened there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            held = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115  # the lowest number that is free
            os.set_inheritable(held.fileno(), True)
            setattr(sys, name, held)


def _in_one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("interrupted", file=sys.stderr)  # Python itself then ends as a process does that the signal has ended
