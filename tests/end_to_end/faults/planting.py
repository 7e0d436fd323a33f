"""Read the control file, and change modules as they are imported, so that nothing is imported before its time."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

CONTROL = Path(os.environ.get("WIDEFRONT_FAULTS", "faults.json"))


def ordered() -> dict[str, Any]:
    """Return what the control file asks for now; it is replaced in one step, never written in place."""
    try:
        found: dict[str, Any] = json.loads(CONTROL.read_text())
    except FileNotFoundError:
        return {}
    return found


def note(line: str) -> None:
    """Write down, beside the control file, what befell somebody: one line."""
    descriptor = os.open(f"{CONTROL}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def first(name: str) -> bool:
    """Say whether nobody has asked this before, in whatever process."""
    try:
        os.close(os.open(f"{CONTROL}.{name}.done", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class Planter(MetaPathFinder):
    """Call a function with each of some modules, right after it was imported."""

    def __init__(self, plants: Mapping[str, Callable[[ModuleType], None]]) -> None:
        self.plants = plants

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a module as usual, with a loader that changes it."""
        if name not in self.plants:
            return None
        others = [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None:
            self._wrap(spec.loader, self.plants[name])
        return spec

    @staticmethod
    def _wrap(loader: Any, plant: Callable[[ModuleType], None]) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            plant(module)

        loader.exec_module = exec_module
