"""Read what there is of a study, and take away what disagrees. No measurement is ever deleted."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from search.config.identity import searched
from search.config.stored import FOUND
from search.config.study import parse
from search.core.records import State, StudyRecord, TrialRecord
from search.integrity.checks import Fate, Files, Finding, Seen, needed, needless_files, on_front
from search.storage.damage import Lost
from search.storage.optuna_tables import OptunasTables
from search.storage.requests import notes, requests
from search.storage.store import Store
from search.study.checkpoints import (
    BEFORE,
    HALF_WRITTEN,
    NEWEST,
    OVER_LIMIT,
    before,
    folder_of,
    newest,
    numbers,
    over_limit,
    seeds_folder,
)
from search.study.recorder import Recorder
from search.study.retention import spare_of_seeds
from search.study.specs import spec_of
from spaces.errors import InputError, StudyError
from workers.checkpoint import is_whole, read_state
from workers.places import Folder, open_folder
from workers.trainer import is_of


def look(store: Store, optunas: OptunasTables, study: StudyRecord, strays: Collection[Lost] = ()) -> Seen:
    """Read both tables and the checkpoints.

    Args:
        store: what holds the study.
        optunas: Optuna's tables beside it.
        study: which one.
        strays: what is known to belong to no study or no trial.
    """
    # Theirs first: a launch writes ours first, so that ours are never behind what is read here.
    theirs = optunas.trials(study.name)
    trials = store.trials(study.name)
    hosts = store.hosts(study.name)
    for others in (store.sessions, store.rejections, partial(requests, store), partial(notes, store)):
        others(study.name)  # for what of them cannot be read
    return Seen(
        study=study,
        trials=trials,
        optunas=theirs,
        files=_files(study, trials),
        hosts=hosts,
        damaged=store.damage.taken(),
        strays=strays,
    )


def _files(study: StudyRecord, trials: Sequence[TrialRecord]) -> Files:
    folder, wanted = folder_of(study), needed(study, trials)
    states = {each.number: each.state for trial in trials for each in trial.replicates}
    with _one_line(folder):
        names = folder.sizes()
        newer, older = numbers(NEWEST, names), numbers(BEFORE, names)
        held = {number: _spec_in(folder, newest(number)) for number in newer & wanted}
        broken = {number for number, state in held.items() if state is None}
        alone = older & wanted - (newer - broken)  # where the one before is all there may be
        broken_before = {number for number in alone if not is_whole(folder, before(number))}
        return Files(
            folder=str(folder),
            exists=folder.exists(),
            whole=newer - broken,
            broken=broken,
            strange=_strange(study, trials, held),
            before=older - broken_before,
            over_limit=numbers(OVER_LIMIT, names),
            half_written=numbers(HALF_WRITTEN, names),
            seeds=spare_of_seeds(seeds_folder(folder).sizes(), states, math.inf),
        )


def _spec_in(folder: Folder, name: str) -> dict[str, Any] | None:
    """Return of a checkpoint's state what is little, or None where the file is damaged."""
    state = read_state(folder, name)
    return None if state is None else {key: state[key] for key in ("spec",) if key in state}


def _strange(
    study: StudyRecord, trials: Sequence[TrialRecord], held: Mapping[int, dict[str, Any] | None]
) -> Collection[int]:
    """Return the running trials whose checkpoint no worker would go on from."""
    known = {name: value for name, value in study.config.items() if name not in FOUND}
    try:
        config = parse({**known, "study": study.name})
        data = config.data_spec
    except InputError:  # of another version, or of variables that are not set here: nobody can tell
        return ()
    specs = {
        trial.number: spec_of(study, trial, config.full_recipe, data)
        for trial in trials
        if trial.state is State.RUNNING
    }
    return [
        number
        for number, state in held.items()
        if state is not None and number in specs and not is_of(specs[number], state)
    ]


@contextmanager
def _one_line(folder: Folder) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StudyError(f"{error.filename or folder}: {error.strerror}" if error.strerror else str(error)) from error


def mend(store: Store, seen: Seen, found: Sequence[Finding], *fates: Fate) -> list[Finding]:
    """Mend what is of these fates, and return it. The caller holds the study.

    Raises:
        StudyError: a file or the database refuses.
    """
    by_kind = defaultdict[str, list[Finding]](list)
    for finding in found:
        if finding.fate in fates:
            by_kind[finding.kind].append(finding)
    for kind, few in by_kind.items():
        MENDS[kind](store, seen, few)
    return [finding for finding in found if finding.fate in fates]


def _reconcile(store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    """Do what a launch would do first; for what a person has to decide, as if it were running still."""
    study, few = seen.study, _trials(found)
    ours = {
        number: trial if number in few else replace(trial, state=State.RUNNING) for number, trial in seen.ours.items()
    }
    try:
        space = searched(study).search_space
    except InputError as error:
        raise StudyError(str(error)) from error
    with closing(Recorder(store, study, space, seen.trials)) as recorder:
        recorder.reconcile(ours)


def _correct_digests(store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    for number in _trials(found):
        store.correct_digest(seen.study.name, number, seen.ours[number].architecture.digest)


def _put_in_place(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    """Move what is damaged aside, and let the one before take the place of a newest that is not there."""
    folder = open_folder(seen.files.folder)
    with _one_line(folder):
        for number in _trials(found):
            if number in seen.files.broken:
                folder.rename(newest(number), f"{newest(number)}.broken")
            if number in seen.files.before:
                folder.rename(before(number), newest(number))


def _remove(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    folder, needless = open_folder(seen.files.folder), needless_files(seen)
    with _one_line(folder):
        for name in (name for number in _trials(found) for name in needless[number]):
            folder.remove(name)


def _remove_of_seeds(_store: Store, seen: Seen, _found: Sequence[Finding]) -> None:
    folder = seeds_folder(open_folder(seen.files.folder))
    with _one_line(folder):
        for name in seen.files.seeds:
            folder.remove(name)


def _remove_half_written(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    folder, torn = open_folder(seen.files.folder), set(_trials(found))
    with _one_line(folder):
        for name in folder.sizes():
            if numbers(HALF_WRITTEN, [name]) & torn:
                folder.remove(name)


def _accept(_store: Store, seen: Seen, found: Sequence[Finding]) -> None:
    """Leave for each network of the front that has lost its weights what says that it has none."""
    folder, front = open_folder(seen.files.folder), on_front(seen.study, seen.trials)
    with _one_line(folder):
        folder.make()
        for number in _trials(found) or sorted(front):
            folder.write(over_limit(number), b"")


def _trials(found: Sequence[Finding]) -> list[int]:
    return [finding.trial for finding in found if finding.trial is not None]


MENDS: dict[str, Callable[[Store, Seen, Sequence[Finding]], None]] = {
    "unfinished": _reconcile,
    "digest": _correct_digests,
    "broken": _put_in_place,
    "behind": _put_in_place,
    "needless": _remove,
    "half-written": _remove_half_written,
    "seeds": _remove_of_seeds,
    "missing": _accept,
}
