"""Write commands as they can be typed again, on the terminal of whoever reads them."""

import re
import shlex
import sys
from collections.abc import Sequence

_PASSWORD = re.compile(r"(://[^:/@\s]*:)\S+(?=@)|(?<=password=)[^&\s]+")


def command(module: str, *arguments: str) -> str:
    """Return a command line that runs a module by the Python that runs now, named as it was when this was started."""
    return shlex.join([_python(), "-m", module, *arguments])


def again(module: str, argv: Sequence[str] | None) -> str:
    """Return the command line of this process, or with these arguments, without the passwords in it."""
    return command(module, *(_PASSWORD.sub(r"\1***", each) for each in argv or sys.argv[1:]))


def tool(name: str) -> str:
    """Return a command that was installed beside the Python that runs now, as it can be typed."""
    folder, slash, _ = _python().rpartition("/")
    return shlex.quote(f"{folder}{slash}{name}")


def _python() -> str:
    name = sys.orig_argv[0] if sys.orig_argv else ""
    return name if "python" in name.rpartition("/")[2] else "python"
