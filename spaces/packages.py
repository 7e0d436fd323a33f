"""Load packages of a person's own, which bring blocks and other parts, and know them again where they are missing.

A package is any Python module or package. What it brings stands in tables of its own by name, such as
`BLOCKS = {"se_basic": Block(build=SqueezeExcite)}`. Its source is hashed: a block's key holds the hash, so that the
digest of a network tells one version of its block from another.
"""

import hashlib
import importlib
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from spaces.errors import InputError, unknown
from spaces.kinds import KINDS
from spaces.plan import BlockSpec

TABLES = ("BLOCKS", "OBJECTIVES", "DATASETS", "AUGMENTATIONS")  # of parts that a training needs
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block kind of somebody else's.

    Args:
        build: returns the module that reads `n in_width h w` and puts out `n out_width h/stride w/stride`, given the
            `BlockSpec`; it may be a class, perhaps one derived from those in `spaces.blocks`.
        like: the kind whose widths, fields and shortcuts it has: one that is residual or a chain.
    """

    build: Callable[[BlockSpec], Any]
    like: str = "basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What there is to know of a package, to tell whether it is the same."""

    name: str
    version: str  # empty where it has none
    source: str  # of its files: 16 hexadecimal digits
    blocks: Mapping[str, str] = field(default_factory=dict)  # by name, the kind that each is like
    trains: bool = True  # a training needs it; else it only decides what is trained

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "blocks": dict(self.blocks)}


LOADED: dict[str, Package] = {}
BUILDERS: dict[str, Callable[[BlockSpec], Any]] = {}  # by what `BlockSpec.kind` is
_OWNERS: dict[str, str] = {}  # the package of each block


def load(name: str) -> tuple[Package, ModuleType]:
    """Import a package, take up its blocks, and return what is known of it; a second time does nothing more.

    Raises:
        InputError: this is no name, it cannot be imported, or a block of it is none or has the name of another.
    """
    if _checked(name) in LOADED:  # its files are not hashed again for each training
        return LOADED[name], importlib.import_module(name)
    module = _imported(name)
    blocks = table(module, "BLOCKS", Block)
    known = Package(
        name=name, version=_version(name, module), source=source_of(name),
        blocks={each: block.like for each, block in blocks.items()},
        trains=any(hasattr(module, each) for each in TABLES),
    )  # fmt: skip
    know(known)
    BUILDERS.update({_key(each, known): block.build for each, block in blocks.items()})
    LOADED[name] = known
    return known, module


def know(package: Package) -> None:
    """Let the blocks of a package be laid out and told apart, whether it is here or not.

    Raises:
        InputError: a block has the name of another, or is like none that it can be like.
    """
    if package.name in LOADED:
        return
    for name, like in package.blocks.items():
        _check_block(name, like, package.name)
        KINDS[name] = replace(KINDS[like], makes=_key(name, package))
        _OWNERS[name] = package.name


def _check_block(name: str, like: str, package: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"block {name!r} of {package} is no name of small letters, digits and underscores")
    if name in KINDS and _OWNERS.get(name) != package:
        raise InputError(f"block {name!r} of {package} has the name of another")
    allowed = [each for each, kind in KINDS.items() if kind.makes in ("residual", "chain")]
    if like not in allowed:
        raise InputError(f"block {name!r} of {package}: {unknown('like', like, allowed)}")


def _key(block: str, package: Package) -> str:
    return f"{block}@{package.source}"


def builder(kind: str) -> Callable[[BlockSpec], Any]:
    """Return what builds a block of a package.

    Raises:
        InputError: its package is not loaded, or it is another version of it.
    """
    if kind not in BUILDERS:
        name, _, source = kind.partition("@")
        owner = _OWNERS.get(name, "its package")
        raise InputError(f"block {name} is of {owner}, source {source}, which is not loaded here")
    return BUILDERS[kind]


def package_of(network: object) -> str | None:
    """Return the package of `package:function`, or nothing where it is not of that form."""
    name, colon, function = network.partition(":") if isinstance(network, str) else ("", "", "")
    return name if colon and _MODULE.fullmatch(name) and function.isidentifier() else None


def function_of(network: str, source: str) -> Callable[..., Any]:
    """Return the function of a loaded package that builds a whole network.

    Args:
        network: `package:function`.
        source: the hash of the source that is meant.

    Raises:
        InputError: it is of no such form, its package is not loaded in that source, or has no such function.
    """
    name, _, function = network.partition(":")
    if name not in LOADED or LOADED[name].source != source:
        raise InputError(f"network {network} is of {name}, source {source}, which is not loaded here")
    found = getattr(importlib.import_module(name), function, None)
    if not callable(found):
        raise InputError(f"package {name} has no function {function!r}")
    return cast("Callable[..., Any]", found)


def table(module: ModuleType, name: str, kind: Any) -> dict[str, Any]:
    """Return a table of a package, by name; empty where it has none.

    Raises:
        InputError: it is no mapping from names to parts of that kind.
    """
    found = getattr(module, name, {})
    if not isinstance(found, Mapping):
        raise InputError(f"{module.__name__}.{name} is no mapping from names")
    for key, each in found.items():
        fits = isinstance(each, type) and issubclass(each, kind) if name == "SCHEDULERS" else isinstance(each, kind)
        if not isinstance(key, str) or not fits:
            raise InputError(f"{module.__name__}.{name}[{key!r}] is no {kind.__name__}")
    return dict(found)


def _imported(name: str) -> ModuleType:
    files_of(name)  # what is not there is told so before its own imports can be blamed
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"there is no package {name} here: install it, or start where it lies") from error
        raise InputError(f"package {name} cannot be imported: there is no module {error.name}") from error
    except (Exception, SystemExit) as error:  # whatever a person's code raises; a script may end itself
        raise InputError(f"package {name} cannot be imported: {type(error).__name__}: {error}") from error


def copy_to(folder: Path, names: Iterable[str]) -> list[Path]:
    """Copy the files of packages into a folder, from which they can be imported, and return their places there.

    Raises:
        InputError: there is no such package, or its source is not in files.
    """
    found = list[Path]()
    for root in dict.fromkeys(each.partition(".")[0] for each in names):
        files = files_of(root)
        alone = [inner for inner, _ in files] == [f"{root}.py"]
        home = folder if alone else folder / root
        for inner, file in files:
            (home / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, home / inner)
        found.append(folder / f"{root}.py" if alone else home)
    return found


def source_of(name: str) -> str:
    """Return the hash of the source that an import of a package would take, without importing it.

    Raises:
        InputError: as for `files_of`.
    """
    return hash_of(files_of(name))


def files_of(name: str) -> list[tuple[str, Path]]:
    """Return the files of the package that holds a module, by their names in it, in order.

    What Python or an editor leaves there is none of it. Nothing is imported.

    Raises:
        InputError: there is no such package, or it lies in no folder, or in several.
    """
    root = _checked(name).partition(".")[0]
    try:
        spec = find_spec(root)
    except (ImportError, ValueError) as error:
        raise InputError(f"package {root} cannot be found: {error}") from error
    if spec is None:
        raise InputError(f"there is no package {root} here: install it, or start where it lies")
    origin = Path(spec.origin or "")
    folders = list(spec.submodule_search_locations or ())
    if origin.suffix != ".py" or len(folders) > 1:
        raise InputError(f"package {root} lies in no single folder with an __init__.py, nor in one file")
    if not folders:
        return [(origin.name, origin)]
    return sorted((file.relative_to(folders[0]).as_posix(), file) for file in _own_files(Path(folders[0])))


def _checked(name: object) -> str:
    if not isinstance(name, str) or not _MODULE.fullmatch(name):
        raise InputError(f"{name!r} is no name of a Python package")
    return name


def _own_files(home: Path) -> Iterator[Path]:
    for file in home.rglob("*"):
        parts = file.relative_to(home).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if file.is_file() and not hidden and file.suffix not in (".pyc", ".pyo"):
            yield file


def hash_of(files: list[tuple[str, Path]]) -> str:
    """Return 16 hexadecimal digits of names and contents; how a system ends lines does not count."""
    found = hashlib.sha256()
    for name, file in files:
        content = file.read_bytes()
        text = content.replace(b"\r\n", b"\n") if b"\0" not in content else content
        found.update(f"{name}\0{len(text)}\0".encode() + text)
    return found.hexdigest()[:16]


def _version(name: str, module: ModuleType) -> str:
    own = getattr(module, "__version__", None)
    if isinstance(own, str):
        return own
    try:
        return metadata.version(name.partition(".")[0])
    except metadata.PackageNotFoundError:
        return ""
