"""Find a version of the project, by its folder or as git knows it, and say which one it is."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHORT = 7


def commit_of(folder: Path) -> str:
    """Return the commit that a folder is at, with a mark where its files are others by now."""
    told = _git(folder, "describe", "--always", "--dirty", f"--abbrev={SHORT}", "--exclude=*")
    return told.decode().strip()


def tree(given: str, places: Path) -> tuple[Path, str]:
    """Return the folder of a version and its commit; a revision is unpacked below `places`, once.

    Raises:
        SystemExit: it is neither a folder nor a revision.
    """
    if Path(given).is_dir():
        return Path(given).resolve(), commit_of(Path(given))
    try:
        commit = _git(ROOT, "rev-parse", "--verify", f"--short={SHORT}", f"{given}^{{commit}}").decode().strip()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"--base: {given!r} is neither a folder nor a revision of {ROOT}") from error
    folder = places / commit
    if not folder.exists():
        archive = _git(ROOT, "archive", commit)
        partial = folder.with_suffix(".partial")
        with tarfile.open(fileobj=BytesIO(archive)) as packed:
            packed.extractall(partial, filter="data")
        partial.rename(folder)
    return folder, commit


def _git(folder: Path, *command: str) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *command], capture_output=True, check=True).stdout
