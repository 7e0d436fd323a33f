"""Share a device among this user's trainings on a machine, and let one have it alone for as long as it measures.

By locks on two files, which end with their process however it dies. Whoever trains holds the device's together with
others, and looks at each step whether the gate is closed. Whoever measures closes the gate and waits until the others
have let go. What is not a training of Widefront's, or has another folder for temporary files, is not kept away.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

WAIT_S = 60.0  # for others to let go, who may hang; and for somebody who measures
LOOK_S = 0.01  # between two looks while waiting
Wait = Callable[[], object]


class Sharing:
    """One training's part in a device."""

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        """Take part, where files can be locked; else nobody is waited for, and nothing is alone."""
        self.device = device
        self.waited_s = 0.0
        self._hangs = False  # whoever closed the gate, who is not waited for again until it is open
        files: tuple[int | None, int | None] = _opened(device, folder) or (None, None)
        self._gate, self._held = files

    def __del__(self) -> None:
        """Let go."""
        for file in (self._gate, self._held):
            if file is not None:
                os.close(file)

    @contextmanager
    def training(self, wait: Wait) -> Iterator[None]:
        """Hold the device with others; `wait` is called again and again while somebody measures."""
        self._take(wait)
        try:
            yield
        finally:
            self._unlock(self._held)

    def give_way(self, wait: Wait) -> None:
        """Let go of the device for as long as somebody measures: between two steps."""
        if self._gate is None:
            return
        is_open = _lock(self._gate, fcntl.LOCK_SH)
        if is_open:
            self._unlock(self._gate)
        if is_open != self._hangs:
            return
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # what it was given is computed
        self._unlock(self._held)
        self._take(wait)

    @contextmanager
    def alone(self, wait: Wait) -> Iterator[bool]:
        """Have the device alone, and say whether it is so; others wait meanwhile."""
        self._unlock(self._held)  # somebody else may wait for it, with the gate closed
        is_alone = self._lock(self._gate, fcntl.LOCK_EX, wait) and self._lock(self._held, fcntl.LOCK_EX, wait)
        try:
            yield is_alone
        finally:
            self._unlock(self._held)
            self._unlock(self._gate)
            self._take(wait)

    def _take(self, wait: Wait) -> None:
        """Hold the device with others, once the gate is open."""
        began = time.monotonic()
        self._hangs = not self._lock(self._gate, fcntl.LOCK_SH, wait, 0.0 if self._hangs else WAIT_S)
        if not self._hangs:
            self._lock(self._held, fcntl.LOCK_SH, wait)
            self._unlock(self._gate)
        self.waited_s += time.monotonic() - began

    def _lock(self, file: int | None, how: int, wait: Wait, patience_s: float | None = None) -> bool:
        """Lock a file, and say whether it could be within a while."""
        if file is None:
            return False
        began = time.monotonic()
        while not _lock(file, how):
            if time.monotonic() - began >= (WAIT_S if patience_s is None else patience_s):
                return False
            wait()
            time.sleep(LOOK_S)
        return True

    @staticmethod
    def _unlock(file: int | None) -> None:
        if file is not None:
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(device: torch.device, folder: Path | None) -> tuple[int, int] | None:
    """Return the gate's file and the device's, or nothing where there can be none, or none that can be locked."""
    files = list[int]()
    try:
        folder = folder or _folder()
        files += [_open(folder / f"{_name(device)}.gate")]
        files += [_open(folder / f"{_name(device)}.device")]
        _lock(files[0], fcntl.LOCK_SH)  # some network file systems refuse it
        fcntl.flock(files[0], fcntl.LOCK_UN)
    except OSError:
        for file in files:
            os.close(file)
        return None
    return files[0], files[1]


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _name(device: torch.device) -> str:
    """Name what is shared: a GPU by what it alone is called, whatever its number here."""
    return str(torch.cuda.get_device_properties(device).uuid) if device.type == "cuda" else "cpu"


def _folder() -> Path:
    """Return a folder on this machine that nobody else writes to.

    Raises:
        OSError: there can be none.
    """
    folder = Path(tempfile.gettempdir()) / f"widefront-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} is somebody else's")
    return folder
