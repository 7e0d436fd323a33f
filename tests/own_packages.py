"""Write packages of a person's own for a test, and forget them after it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from search.samplers.registry import SAMPLERS
from search.schedulers.registry import SCHEDULERS
from spaces import architecture, counting, packages
from spaces.kinds import KINDS
from workers import packages as parts
from workers.augment import OWN
from workers.objectives import OBJECTIVES
from workers.sources import DATASETS

TABLES: tuple[dict[Any, Any], ...] = (
    KINDS, packages.LOADED, packages.BUILDERS, packages._OWNERS, OBJECTIVES, DATASETS, OWN, SAMPLERS, SCHEDULERS,
    parts._OWNERS,
)  # fmt: skip
EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "plugin"


@contextmanager
def forgetting() -> Iterator[None]:
    """Put every table back as it was, and let nothing that was loaded be imported again."""
    before, modules, path = [dict(each) for each in TABLES], set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        for table, was in zip(TABLES, before, strict=True):
            table.clear()
            table.update(was)
        for name in set(sys.modules) - modules:
            if not getattr(sys.modules[name], "__file__", None) or name in ("own", "green_nets", "other"):
                del sys.modules[name]
        sys.path[:] = path
        for cached in (architecture._digest, architecture.plan, counting._cost, counting._block_cost):
            cached.cache_clear()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Own"]:
    """Return what writes packages where they can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with forgetting():
        yield Own(tmp_path)


class Own:
    """Packages in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, text: str, name: str = "own") -> Path:
        """Write a package of one file, in a folder of its name."""
        path = self.folder / name / "__init__.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
