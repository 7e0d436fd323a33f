"""Find what disagrees between Optuna's tables, ours and the checkpoints, and mend what can be mended.

python -m search.doctor URL [--study S] [--address http://head:8265] [--fix] [--accept] [--json]
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field

from search import cli
from search.core.environment import expand
from search.core.records import StudyRecord
from search.core.units import format_number_of
from search.integrity.checks import Fate, Finding, Seen, find_all, on_cluster, processors, schema, unreadable
from search.integrity.repair import look, mend
from search.jobs.client import connect
from search.storage.claims import Claims
from search.storage.damage import Lost
from search.storage.optuna_tables import OptunasTables
from search.storage.store import Store
from spaces.errors import HolderUnknown, InputError, StudyError, unknown, visible

WELL, ILL = 0, 1


@dataclass(slots=True)
class Report:
    """Gather what is found, study by study."""

    studies: int = 0
    trials: int = 0
    found: list[Finding] = field(default_factory=list)  # what was mended too
    mended: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # of processors: nothing is wrong, but it is worth knowing

    def add(self, found: Sequence[Finding], *, mended: bool = False) -> None:
        """Add what was found."""
        self.found += found
        self.mended += found if mended else ()

    @property
    def wrong(self) -> list[Finding]:
        """Return what is or was wrong; what merely waits for a launch is not."""
        return [finding for finding in self.found if finding.fate is not Fate.LAUNCH]


@dataclass(frozen=True, slots=True)
class Database:
    """What a study is read from."""

    store: Store
    optunas: OptunasTables
    strays: Mapping[str, Lost]  # what belongs to no study or no trial

    def look(self, study: StudyRecord) -> Seen:
        """Read a study."""
        return look(self.store, self.optunas, study, self.strays.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _examine)


def _examine(given: argparse.Namespace) -> int:
    states = states_at(given.address) if given.address else {}
    report = examine(expand(given.url, os.environ), given.study, fix=given.fix, accept=given.accept, states=states)
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    print(
        _json(report) if given.json else "\n".join([*_lines(report), _summary(report, tried=given.fix or given.accept)])
    )
    return WELL if report.wrong == report.mended else ILL


States = Mapping[str, Sequence[str]]


def states_at(address: str) -> States:
    """Return the states of what was sent to a cluster, by study, the latest last."""
    found = defaultdict[str, list[str]](list)
    for each in connect(address).submissions():
        found[each.study].append(each.state)
    return found


def examine(url: str, name: str | None, *, fix: bool, accept: bool = False, states: States | None = None) -> Report:
    """Look at one study or at all, and mend what can be mended if asked to.

    Args:
        url: the database.
        name: of the study; without it, all.
        fix: mend.
        accept: take networks of the front without the weights that are lost.
        states: of what was sent to a cluster, by study.

    Raises:
        InputError: the database cannot be read or is newer, there is no such study, or a launch holds one to mend.
    """
    report = Report()
    fates = (*((Fate.FIX,) if fix else ()), *((Fate.ACCEPT,) if accept else ()))
    with Store.open(url, create=False, migrate=False) as store:
        behind = schema(store.behind)
        if name is not None and name not in (names := store.names()):
            raise InputError(unknown("study", name, names), place="--study")
        if fates and store.is_copy:
            raise InputError(f"{_asked(fates)} is refused: {store.shown_url} may only be read")
        if fates:
            _refuse_running(store, store.names() if name is None or behind else [name], fates)
    report.add(behind, mended=fix)
    if fix or not behind:
        _examine_all(report, url, name, fates, states or {})
    return report


Fates = Sequence[Fate]  # that are to be mended


def _asked(fates: Fates) -> str:
    return " ".join(f"--{fate}" for fate in fates)


def _examine_all(report: Report, url: str, name: str | None, fates: Fates, states: States) -> None:
    with Store.open(url, create=False) as store, closing(OptunasTables(store)) as optunas:
        store.note_strays()
        database = Database(store, optunas, strays=store.damage.taken())
        studies = store.studies()
        Claims(store).note_damage()
        unread = {**database.strays, **store.damage.taken()}
        for study in studies:
            if name in (None, study.name):
                _examine_study(report, database, study, fates, states.get(study.name, ()))
        report.add([unreadable(line) for line in unread])


def _refuse_running(store: Store, names: Sequence[str], fates: Fates) -> None:
    for name in names:
        try:
            with store.hold(name):
                pass
        except StudyError as error:
            raise InputError(f"{_asked(fates)} is refused: {error}") from error


def _examine_study(report: Report, database: Database, study: StudyRecord, fates: Fates, states: Sequence[str]) -> None:
    with _held(database.store, study.name, fates) as held:
        seen = database.look(study)
        found = find_all(seen, held=held)
        if fates and (mended := mend(database.store, seen, found, *fates)):
            seen = database.look(study)
            found = find_all(seen, held=False)
            report.add([finding for finding in mended if finding not in found], mended=True)  # what is seen to be
    report.add([*on_cluster(seen, states, held=held), *found])
    report.notes += [f"{study.name}: processors: {line}" for line in processors(seen)]
    report.studies += 1
    report.trials += len(seen.trials)


@contextmanager
def _held(store: Store, study: str, fates: Fates) -> Iterator[bool]:
    """Keep anybody from launching the study meanwhile, and yield whether somebody has already, or may have."""
    with ExitStack() as stack:
        try:
            stack.enter_context(store.hold(study))
            held = False
        except StudyError as error:
            if fates:
                raise InputError(f"{_asked(fates)} is refused: {error}") from error
            held = True
            print(f"note: {visible(_why_not(study, error))}", file=sys.stderr)
        yield held


def _why_not(study: str, error: StudyError) -> str:
    """Return why what only a study at rest can be asked is not."""
    its = "its checkpoints and unfinished recordings are"
    if isinstance(error, HolderUnknown):
        return f"not known whether {study} is running ({error}); {its} not looked at"
    return f"{study} is running; {its} its own"


def _lines(report: Report) -> Iterator[str]:
    for finding in report.found:
        place = finding.study + ("" if finding.trial is None else f" trial {finding.trial}")
        yield f"{place or 'database'}: {finding.kind}: {finding.wrong}; {_told(finding, finding in report.mended)}"


def _told(finding: Finding, mended: bool) -> str:
    if mended:
        return f"mended: {finding.remedy}" if finding.fate is Fate.FIX else "accepted without its weights"
    return f"--fix {finding.remedy}" if finding.fate is Fate.FIX else finding.remedy


def _summary(report: Report, *, tried: bool) -> str:
    waiting = len({(finding.study, finding.trial) for finding in report.found if finding.fate is Fate.LAUNCH})
    tail = f"; {format_number_of('trial', waiting)} for the next launch to go on with" if waiting else ""
    if not report.wrong:
        seen = f"{format_number_of('study', report.studies)}, {format_number_of('trial', report.trials)}"
        return f"{seen}: nothing is wrong{tail}"
    mends = len(report.mended) if tried else sum(finding.fate is Fate.FIX for finding in report.wrong)
    done = f"{mends} of which are mended" if tried else f"{mends} of which --fix mends"
    return f"{format_number_of('finding', len(report.wrong))}, {done}{tail}"


def _json(report: Report) -> str:
    return json.dumps([{**asdict(finding), "mended": finding in report.mended} for finding in report.found], indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.doctor", description="Say what disagrees, and mend it.")
    parser.add_argument("url", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    parser.add_argument("--study", help="look at this one only")
    parser.add_argument("--address", help="compare with a cluster's job server too, such as http://head:8265")
    parser.add_argument("--fix", action="store_true", help="mend what can be mended; no measurement is ever deleted")
    parser.add_argument("--accept", action="store_true", help="keep networks whose weights are lost without them")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
