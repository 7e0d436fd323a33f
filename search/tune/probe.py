"""Ask one node whether a trial could do its work there: checkpoints, data, device, versions. Free of Ray.

The driver writes a word into the folder of checkpoints; a node that reads it there, and whose answer the driver finds
there, has the same folder. The data are opened on the node as its workers will, and compared by their fingerprint.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import spaces
import workers
from spaces.errors import InputError
from workers.datasets import load
from workers.device import choose_device
from workers.packages import require
from workers.places import Folder, open_folder
from workers.sources import DataSpec

LAG_S = 10.0  # until what one machine wrote on shared storage is seen by another


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a node needs to answer; nothing secret."""

    folder: str  # of the checkpoints, as workers are told
    word: str
    data: DataSpec
    fingerprint: str
    gpu: bool
    versions: Mapping[str, str]
    packages: Mapping[str, str]  # of a person's own, with the hashes of their sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is wrong on a node, and under which key of the file; nothing, where all is well."""

    wrong: str = ""
    place: str = ""
    other: tuple[str, ...] = ()  # versions that differ


def question(
    folder: Folder, data: DataSpec, fingerprint: str, *, gpu: bool, packages: Mapping[str, str] | None = None
) -> Question:
    """Return what the nodes are to be asked, with a new word."""
    return Question(
        folder=str(folder), word=secrets.token_hex(16), data=data, fingerprint=fingerprint,
        gpu=gpu, versions=versions(), packages=packages or {},
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Name the versions that decide what a trial shows: torch's, and a digest of the sources."""
    digest = hashlib.sha256()
    for package in (spaces, workers):
        home = Path(str(package.__file__)).parent
        for source in sorted(home.rglob("*.py")):
            digest.update(f"{source.relative_to(home)}\n".encode() + source.read_bytes())
    return {"torch": version("torch"), "widefront": f"{version('widefront')} ({digest.hexdigest()[:8]})"}


def answer(asked: Question, node: str) -> Answer:
    """Return what one node finds; this is what executes there."""
    try:
        _read_word(asked, node)
        _load_packages(asked)
        if asked.gpu:
            _find_device()
        _compare_data(asked)
    except InputError as error:
        return Answer(wrong=error.message, place=error.place)
    here = versions()
    return Answer(other=tuple(f"{name} {here[name]}, not {asked.versions[name]}" for name in sorted(asked.versions)
                              if here[name] != asked.versions[name]))  # fmt: skip


def _load_packages(asked: Question) -> None:
    try:
        require(asked.packages)
    except InputError as error:
        raise error.at("plugins") from error


def drivers_file(word: str) -> str:
    """Return the name of the file with the driver's word."""
    return f".driver-{word[:8]}"


def nodes_file(word: str, node: str) -> str:
    """Return the name of the file with a node's answer."""
    return f".node-{node[:12]}-{word[:8]}"


def _read_word(asked: Question, node: str) -> None:
    """Read the driver's word, and write it back."""
    why = f"is not the folder that the driver sees{'' if '://' in asked.folder else '; every node must share it'}"
    try:
        folder = open_folder(asked.folder)
        if not appears(folder, drivers_file(asked.word), asked.word):
            raise InputError(f"{asked.folder} {why}", place="checkpoints")
        folder.write(nodes_file(asked.word, node), asked.word.encode())
    except OSError as error:
        raise InputError(f"{asked.folder} cannot be used: {error.strerror or error}", place="checkpoints") from error


def appears(folder: Folder, name: str, word: str) -> bool:
    """Wait a little for a file, and say whether it holds the word."""
    end = time.monotonic() + LAG_S
    while True:
        with suppress(FileNotFoundError, NotADirectoryError):
            if folder.read(name) == word.encode():
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.2)


def _find_device() -> None:
    try:
        choose_device("cuda")
    except InputError as error:
        raise error.at("resources.gpus_per_trial") from error


def _compare_data(asked: Question) -> None:
    try:
        found = load(asked.data).fingerprint
    except InputError as error:
        raise error.at("data") from error
    if found != asked.fingerprint:
        raise InputError(f"{asked.data.title} holds other images or labels than the driver sees", place="data")
