"""Read what there is of a study, and take away what disagrees. No measurement is ever deleted."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from search.config import StudyConfig, parse
from search.findings import Fate, Files, Finding, Seen, needed
from search.recorder import OptunasTables, Recorder
from search.store import Store
from search.study import checkpoint_folder
from search.trial import State, StudyRecord, TrialRecord
from spaces.errors import InputError, StudyError
from workers import checkpoint

_WHOLE, _HALF_WRITTEN = re.compile(r"(\d+)\.pt"), re.compile(r"\.(\d+)\.pt\..+")


def look(store: Store, optunas: OptunasTables, study: StudyRecord) -> Seen:
    """Read both tables and the checkpoints."""
    # Theirs first: a launch writes ours first, so that ours are never behind what is read here.
    theirs = optunas.trials(study.name)
    trials = store.trials(study.name)
    return Seen(study=study, trials=trials, optunas=theirs, files=_files(study, trials))


def folder_of(study: StudyRecord) -> Path:
    """Return the folder of a study's checkpoints, by the file it was last launched with."""
    told = study.config.get("checkpoints", StudyConfig.model_fields["checkpoints"].default)
    return checkpoint_folder(StudyConfig.model_construct(checkpoints=str(told)), study)  # the rest may be outdated


def _files(study: StudyRecord, trials: Sequence[TrialRecord]) -> Files:
    folder = folder_of(study)
    with _one_line(folder):
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    whole, wanted = _numbers(_WHOLE, names), needed(study, trials)
    broken = {number for number in whole & wanted if checkpoint.load(folder / f"{number}.pt") is None}
    return Files(
        folder=str(folder),
        exists=folder.is_dir(),
        whole=whole - broken,
        broken=broken,
        half_written=_numbers(_HALF_WRITTEN, names),
    )


def _numbers(pattern: re.Pattern[str], names: Sequence[str]) -> set[int]:
    return {int(found[1]) for name in names if (found := pattern.fullmatch(name))}


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StudyError(f"{error.filename or path}: {error.strerror}") from error


def mend(store: Store, seen: Seen, found: Sequence[Finding]) -> list[Finding]:
    """Mend what can be mended, and return it. The caller holds the study.

    Raises:
        StudyError: a file or the database refuses.
    """
    by_kind = defaultdict[str, list[Finding]](list)
    for finding in found:
        if finding.fate is Fate.FIX:
            by_kind[finding.kind].append(finding)
    for kind, few in by_kind.items():
        MENDS[kind](store, seen, few)
    return [finding for finding in found if finding.fate is Fate.FIX]


def _reconcile(store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    """Do what a launch would do first; for what a person has to decide, as if it were running still."""
    study, few = seen.study, _trials(found)
    ours = {
        number: trial if number in few else replace(trial, state=State.RUNNING) for number, trial in seen.ours.items()
    }
    try:  # of the file only the space matters; the images may be elsewhere
        space = parse({"study": study.name, "data": "digits", "space": study.space}).search_space
    except InputError as error:
        raise StudyError(f"the space of {study.name!r} is of another version: {error}") from error
    with closing(Recorder(store, study, space)) as recorder:
        recorder.reconcile(ours)


def _correct_digests(store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    for number in _trials(found):
        store.correct_digest(seen.study.name, number, seen.ours[number].architecture.digest)


def _move_aside(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    for number in _trials(found):
        file = Path(seen.files.folder) / f"{number}.pt"
        with _one_line(file):
            file.rename(file.with_name(f"{file.name}.broken"))


def _remove(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    for number in _trials(found):
        _unlink(seen, f"{number}.pt")


def _remove_half_written(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    for number in _trials(found):
        _unlink(seen, f".{number}.pt.*")


def _unlink(seen: Seen, pattern: str) -> None:
    folder = Path(seen.files.folder)
    with _one_line(folder):
        for file in folder.glob(pattern):
            file.unlink(missing_ok=True)


def _trials(found: Sequence[Finding]) -> list[int]:
    return [finding.trial for finding in found if finding.trial is not None]


MENDS: dict[str, Callable[[Store, Seen, Sequence[Finding]], None]] = {
    "unfinished": _reconcile,
    "digest": _correct_digests,
    "broken": _move_aside,
    "needless": _remove,
    "half-written": _remove_half_written,
}
