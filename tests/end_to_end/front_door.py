"""Dry runs by the hundred: one process that has imported the product, and a fork of it for each case.

python -m tests.end_to_end.front_door FOLDER

Each folder inside FOLDER is a case. It is run in its own folder with the arguments that its `arguments.json` holds, or
with `space.yaml --dry-run`; what it said and how it ended goes to `ended.json`.
"""

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import search.driver.launching  # noqa: F401  # so that no case has to import it
from search.launch import main

LONGEST_S = 20.0
MOST_BYTES = 2_000_000_000
TICK_S = 0.02
ESCAPED = 99  # the exit code of an exception that the product let through
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _child(case: Path) -> None:
    """Run a case in this process, which then is over."""
    os.setsid()
    os.chdir(case)
    for name, number in (("out.txt", 1), ("err.txt", 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    given = case / "arguments.json"
    arguments = json.loads(given.read_text()) if given.exists() else ["space.yaml", "--dry-run"]
    code = ESCAPED
    try:
        code = main(arguments)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def run(case: Path) -> dict[str, Any]:
    """Return how a case ended: its exit code, seconds and bytes; a case that takes too much of either is killed."""
    pid = os.fork()
    if pid == 0:
        _child(case)
    began, most = time.monotonic(), 0
    while True:
        most = max(most, _resident(pid))
        ended, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - began
        if ended:
            return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "bytes": most}
        if seconds > LONGEST_S or most > MOST_BYTES:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return {"code": -signal.SIGKILL, "seconds": seconds, "bytes": most}
        time.sleep(TICK_S)


if __name__ == "__main__":
    for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
        (folder / "ended.json").write_text(json.dumps(run(folder.resolve())))
