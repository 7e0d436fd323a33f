"""Gather what a study needs on a cluster: what a wheel of Widefront holds, and the study's file; nothing else."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spaces.errors import StudyError
from spaces.packages import copy_to

PACKAGES = ("spaces", "workers", "search", "dashboards")
TYPED = "py.typed"  # tells type checkers that the annotations of a package are for them
DATA = {  # beside its modules
    "spaces": ("examples/*.yaml", "published.csv", TYPED),
    "workers": ("clusters/*", "templates/*", TYPED),
    "search": (TYPED, "claims/claims.toml"),
    "dashboards": (TYPED, "live/static/*", "live/templates/*"),
}
FILE = "space.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was gathered."""

    files: int
    size_bytes: int


def pack(text: str, folder: Path, packages: Iterable[str] = ()) -> Packed:
    """Write the sources and a study's file into an empty folder, and return how much it is.

    Args:
        text: the study's file, without anything secret.
        folder: an empty one.
        packages: of a person's own, that were loaded.

    Raises:
        StudyError: the sources are not in files.
    """
    (folder / FILE).write_text(text, encoding="utf-8")
    for package in PACKAGES:
        home = _home(package)
        for source in sources(package, home):
            target = folder / package / source.relative_to(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    copy_to(folder, packages)
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return Packed(files=len(sizes), size_bytes=sum(sizes))


def _home(package: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise StudyError(f"the sources of {package} are not in a folder, so they cannot be sent")
    return Path(found.origin).parent


def sources(package: str, home: Path) -> Iterator[Path]:
    """Yield the files of a package: its modules, those of the packages in it, and its data."""
    yield from _modules(home)
    for pattern in DATA.get(package, ()):
        yield from (file for file in sorted(home.glob(pattern)) if _is_own(file))


def _modules(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.glob("*.py")) if _is_own(file))
    for inner in sorted(folder.iterdir()):
        if not inner.is_symlink() and (inner / "__init__.py").is_file():
            yield from _modules(inner)


def _is_own(file: Path) -> bool:
    """Whether it is a file itself, and no link to what may lie anywhere."""
    return file.is_file() and not file.is_symlink()
