"""Let a signal such as SIGSEGV leave its name and the Python stack in a file, which is empty until then."""

import faulthandler
from contextlib import suppress
from pathlib import Path
from typing import IO


class LastWords:
    """One trial's file. A process hears signals for one trial at a time: the one that computes."""

    def __init__(self, path: str | None) -> None:
        """Make the file, if there is to be one; where there can be none, nobody will know how the process died."""
        self._file: IO[str] | None = None
        if path:
            with suppress(OSError):
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as the trial runs

    def listen(self) -> None:
        """Let signals be written there from now on."""
        if self._file is not None:
            faulthandler.enable(self._file, all_threads=False)

    def rest(self) -> None:
        """Let signals be written nowhere."""
        if self._file is not None:
            faulthandler.disable()

    def forget(self) -> None:
        """Take the file away in which no signal has written."""
        if self._file is not None:
            self.rest()  # its number may be another file's soon
            with suppress(OSError):
                self._file.close()
                Path(self._file.name).unlink(missing_ok=True)
            self._file = None
