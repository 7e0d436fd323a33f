"""Find what disagrees between Optuna's tables, ours and the checkpoints. Pure: from what was read to a list.

Ours are the truth, so what --fix does is bring the others to them; it never takes a measurement away. What contradicts
ours in a way that cannot be a crash between two writes, only a person can decide.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice

from search.core.fronts import run_front
from search.core.records import Host, State, StudyRecord, TrialRecord
from search.core.units import format_number_of
from search.storage.damage import Lost
from search.storage.optuna_tables import Counterpart
from search.storage.tables import HOST, MEASUREMENT, TRIAL
from search.study.checkpoints import before, newest, over_limit
from search.study.retention import either_front
from workers.recipe import identity

OURS, OPTUNAS = TRIAL.name, "trials"
# Optuna lets nobody change a row that has ended, nor delete one alone.
ACCEPTED = "--accept keeps what is on the front without them"
SHOWN = 8  # numbers in a line
REWRITE = "where ours is right, delete the study from Optuna's tables, and --fix writes it there anew"


class Fate(StrEnum):
    """Who takes a finding away."""

    FIX = "fix"
    LAUNCH = "launch"  # the next one, as it goes on with the study: nothing is wrong
    PERSON = "person"
    ACCEPT = "accept"  # a person too, who may take it as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Tell one disagreement."""

    kind: str
    study: str  # empty: the whole database
    trial: int | None = None  # none: the whole study
    wrong: str  # one line
    remedy: str  # one line: what --fix or the next launch does, or that only a person can decide
    fate: Fate = Fate.PERSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What lies in the folder of a study's checkpoints."""

    folder: str  # absolute
    exists: bool = True
    whole: Collection[int] = ()  # trials with their newest; of those that need their checkpoint, only what can be read
    broken: Collection[int] = ()  # trials whose newest is damaged
    strange: Collection[int] = ()  # running trials whose newest is of another training
    before: Collection[int] = ()  # trials with the one before, only a whole one where it is all there is
    over_limit: Collection[int] = ()  # trials whose checkpoint was removed for the limit
    half_written: Collection[int] = ()
    seeds: Collection[str] = ()  # names of files of seeds that nothing needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of one study."""

    study: StudyRecord
    trials: Sequence[TrialRecord]
    optunas: Mapping[int, Counterpart]
    files: Files
    hosts: Sequence[Host] = ()
    damaged: Mapping[str, Lost] = field(default_factory=dict)  # a line for each row that cannot be read
    strays: Collection[Lost] = ()  # what belongs to no study or no trial, and may be this one's

    @property
    def ours(self) -> dict[int, TrialRecord]:
        """Return our trials by number."""
        return {trial.number: trial for trial in self.trials}

    def lost(self, *tables: str) -> list[Lost]:
        """Return what is left out of tables."""
        return [lost for lost in (*self.damaged.values(), *self.strays) if lost.table in tables]

    def unread(self, *tables: str) -> set[int]:
        """Return the numbers of the trials that are left out of tables, where they are known."""
        return {lost.trial for lost in self.lost(*tables) if lost.trial is not None}

    @property
    def all_numbered(self) -> bool:
        """Whether the number of every trial is known, of those that cannot be read too."""
        return all(lost.trial is not None for lost in self.lost(OURS, OPTUNAS))

    def finding(self, kind: str, trial: int | None, wrong: str, remedy: str, fate: Fate = Fate.PERSON) -> Finding:
        """Return a finding in this study; what only a person can decide says so."""
        decide = "only a person can decide: "
        said = f"{decide if fate in (Fate.PERSON, Fate.ACCEPT) else ''}{remedy}"
        return Finding(kind=kind, study=self.study.name, trial=trial, wrong=wrong, remedy=said, fate=fate)


def schema(behind: tuple[str, str] | None) -> list[Finding]:
    """Find tables of an older version; until they are migrated, nothing else can be looked at."""
    if behind is None:
        return []
    found, newest = behind
    wrong = f"the tables are at version {found}, this program knows {newest}"
    remedy = "migrates them; the rest is looked at after that"
    return [Finding(kind="schema", study="", wrong=wrong, remedy=remedy, fate=Fate.FIX)]


def orphans(seen: Seen) -> list[Finding]:
    """Find trials that run in both tables while no launch holds the study."""
    return [
        seen.finding("orphan", number, "running, but no launch is", "the next launch goes on with it", Fate.LAUNCH)
        for number, trial in seen.ours.items()
        if trial.state is State.RUNNING and number in seen.optunas and not _ended(seen.optunas[number])
    ]


def _ended(optunas: Counterpart) -> bool:
    return optunas.state is not State.RUNNING


def strangers(seen: Seen) -> list[Finding]:
    """Find what keeps a launch from bringing the two tables together: rows of others, and numbers that cannot be.

    A row that cannot be read is there too: where its number is known, it counts.
    """
    ours, optunas = seen.ours.keys() | seen.unread(OURS), seen.optunas.keys() | seen.unread(OPTUNAS)
    found = []
    for number, row in seen.optunas.items():
        if number not in ours and not row.described:
            found.append(
                seen.finding("stranger", number, "its row in Optuna's table was not created by Widefront", REWRITE)
            )
        elif number not in ours and _ended(row) and seen.all_numbered:
            wrong = f"{row.state} in Optuna's table, unknown in ours"
            found.append(
                seen.finding("stranger", number, wrong, "its measurements are nowhere; a backup may have them")
            )
    missing = sorted(ours - optunas)
    after = range(len(optunas), len(optunas) + len(missing))
    if missing != list(after) and seen.all_numbered:  # Optuna numbers a row by how many came before it
        wrong = f"rows are missing in the midst of Optuna's table ({_listed(missing)})"
        found.append(seen.finding("stranger", None, wrong, REWRITE))
    return found


def recordings(seen: Seen) -> list[Finding]:
    """Find trials that one table knows, or knows as ended, and the other does not, of those that can be read."""
    blocked = _blocked(seen)
    found = []
    for number in sorted((seen.ours.keys() | seen.optunas.keys()) - seen.unread(OURS, OPTUNAS)):
        ours, theirs = seen.ours.get(number), seen.optunas.get(number)
        if not (ours and theirs) and not seen.all_numbered:  # the other may be the one whose number nobody knows
            continue
        if ours and theirs and _ended(theirs) and ours.state is not theirs.state and State.COMPLETE is not theirs.state:
            wrong = f"{theirs.state} in Optuna's table, {ours.state} in ours"
            found.append(seen.finding("unfinished", number, wrong, REWRITE))
        elif told := _unfinished(ours, theirs):
            why_not = "Optuna should not hear of it as complete" if ours and _short(seen.study, ours) else blocked
            fate = Fate.PERSON if why_not else Fate.FIX
            found.append(seen.finding("unfinished", number, told[0], why_not or told[1], fate))
    return found


def _blocked(seen: Seen) -> str:
    """Return why nothing can bring the two tables together, if anything keeps from it."""
    if seen.lost(OURS, OPTUNAS, MEASUREMENT.name):
        return "what cannot be read stands in the way"
    return "what no launch wrote stands in the way" if strangers(seen) else ""


def _unfinished(ours: TrialRecord | None, theirs: Counterpart | None) -> tuple[str, str] | None:
    """Return what a crash between two writes left and what `Recorder.reconcile` does about it, if there is anything."""
    if ours and not theirs:
        return f"{ours.state} in ours, missing in Optuna's table", "writes Optuna's row again"
    if theirs and not ours and theirs.described and not _ended(theirs):
        return "begun in Optuna's table, missing in ours", "records it in ours, where the next launch goes on with it"
    if ours and theirs and ours.state is not State.RUNNING and not _ended(theirs):
        return f"{ours.state} in ours, running in Optuna's table", f"tells Optuna that it is {ours.state}"
    return None


def fidelity(seen: Seen) -> list[Finding]:
    """Find trials that count as complete without full training."""
    full = seen.study.max_epochs
    found = []
    for trial in seen.trials:
        theirs = seen.optunas.get(trial.number)
        if _short(seen.study, trial) and not seen.lost(MEASUREMENT.name):
            reached = trial.last.epoch if trial.last else 0
            wrong = f"complete after {reached} of {format_number_of('epoch', full)}"
            found.append(seen.finding("fidelity", trial.number, wrong, "it stands among networks trained in full"))
        if theirs and theirs.state is State.COMPLETE and trial.state is not State.COMPLETE:
            wrong = f"complete in Optuna's table, {trial.state} in ours"
            found.append(seen.finding("fidelity", trial.number, wrong, REWRITE))
    return found


def _short(study: StudyRecord, trial: TrialRecord) -> bool:
    return trial.state is State.COMPLETE and (trial.last is None or trial.last.epoch < study.max_epochs)


def epochs(seen: Seen) -> list[Finding]:
    """Find gaps and doubles among the epochs of a trial."""
    if seen.lost(MEASUREMENT.name):  # they may be those of any gap
        return []
    told = {trial.number: _uneven(trial) for trial in seen.trials}
    remedy = "every measurement stays as it is"
    return [seen.finding("epochs", number, wrong, remedy) for number, wrong in told.items() if wrong]


def _uneven(trial: TrialRecord) -> str:
    counted = Counter(measurement.epoch for measurement in trial.measurements)
    last = max(counted, default=0)
    missing = _few((epoch for epoch in range(1, last) if epoch not in counted), last - len(counted))
    double = [epoch for epoch, times in counted.items() if times > 1]
    parts = [
        f"{missing} missing" if missing else "",
        f"{_listed(double)} recorded twice" if double else "",
    ]
    told = " and ".join(filter(None, parts))
    return told and f"of {format_number_of('epoch', last)} {told}"


def _listed(numbers: Sequence[int]) -> str:
    return _few(numbers, len(numbers))


def _few(numbers: Iterable[int], count: int) -> str:
    """Return the first of so many numbers: of a damaged epoch's gap there are more than anyone can count."""
    shown = ", ".join(map(str, islice(numbers, min(count, SHOWN))))
    return shown if count <= SHOWN else f"{shown} and {count - SHOWN} more"


def digests(seen: Seen) -> list[Finding]:
    """Find digests that are not those of the architectures they stand beside."""
    return [
        seen.finding("digest", trial.number, f"digest {trial.digest} is not its network's", f"writes {right}", Fate.FIX)
        for trial in seen.trials
        if trial.digest != (right := trial.architecture.digest)
    ]


def duplicates(seen: Seen) -> list[Finding]:
    """Find networks that one recipe trained twice, whatever digest is stored; a lost worker's trial may come again."""
    first: dict[str, int] = {}
    found = []
    for trial in seen.trials:
        digest = trial.architecture.digest
        same = identity(digest, trial.params)
        if not trial.failed_transiently and first.setdefault(same, trial.number) != trial.number:
            wrong = f"the same network as trial {first[same]} (digest {digest})"
            found.append(seen.finding("duplicate", trial.number, wrong, "both were measured, and both stay"))
    return found


def damaged(seen: Seen) -> list[Finding]:
    """Find rows that nobody can read."""
    return [replace(unreadable(line), study=seen.study.name, trial=lost.trial) for line, lost in seen.damaged.items()]


def unreadable(line: str) -> Finding:
    """Return the finding of a row that nobody can read."""
    return Finding(kind="damaged", study="", wrong=line, remedy="only a person can decide: a backup may have it whole")


def on_front(study: StudyRecord, trials: Sequence[TrialRecord]) -> set[int]:
    """Return the trials on the front by their own trainings: whose seeds brought them there may have no weights."""
    return {trial.number for trial in run_front(study, trials)}


def _sound(study: StudyRecord, trial: TrialRecord) -> bool:
    return not _uneven(trial) and not _short(study, trial)


def needed(study: StudyRecord, trials: Sequence[TrialRecord]) -> set[int]:
    """Return the trials whose checkpoints must stay: running ones, the front's, and all with something wrong.

    A checkpoint holds measurements too, perhaps those that are missing; and a trial that is wrongly complete may have
    taken a sound one's place on the front.
    """
    unsound = {trial.number for trial in trials if not _sound(study, trial)}
    running = {trial.number for trial in trials if trial.state is State.RUNNING}
    sound = [trial for trial in trials if trial.number not in unsound]
    either = {trial.number for trial in either_front(study, trials)}
    return running | unsound | either | on_front(study, sound)


def checkpoints(seen: Seen) -> list[Finding]:
    """Find checkpoints that are missing, broken, needless or half-written."""
    # One that cannot be read may dominate what seems to be on the front: of that, nobody knows what is missing.
    front = on_front(seen.study, seen.trials) if not seen.lost(OURS, MEASUREMENT.name) else set()
    wanted = {trial.number for trial in seen.trials if trial.number in front or _begun(trial)}
    if wanted and not seen.files.exists:
        have = "has its" if len(wanted) == 1 else "have their"
        wrong = f"there is no {seen.files.folder}, where {format_number_of('trial', len(wanted))} {have} checkpoints"
        remedy = f"is this the folder that the study was launched in? If it is, their weights are lost; {ACCEPTED}"
        return [seen.finding("missing", None, wrong, remedy, Fate.ACCEPT)]
    absent = wanted - set(seen.files.whole) - set(seen.files.broken)
    behind = absent & set(seen.files.before)
    lost = absent - behind - (front & set(seen.files.over_limit))
    return [
        *(_missing(seen, number) for number in sorted(lost)),
        *(_behind(seen, number) for number in sorted(behind)),
        *_broken(seen),
        *_strange(seen),
        *_needless(seen),
        *_seeds(seen),
    ]


def _begun(trial: TrialRecord) -> bool:
    return trial.state is State.RUNNING and trial.epochs > 0


def _missing(seen: Seen, number: int) -> Finding:
    trial = seen.ours[number]
    if trial.state is State.RUNNING:
        wrong = f"its checkpoint is missing after {format_number_of('epoch', trial.epochs)}"
        return seen.finding("missing", number, wrong, "the next launch trains it again from the start", Fate.LAUNCH)
    wrong = "on the front, but its checkpoint is missing"
    return seen.finding("missing", number, wrong, f"its weights are lost; {ACCEPTED}", Fate.ACCEPT)


def _behind(seen: Seen, number: int) -> Finding:
    """Tell what a writer leaves that is killed between two names, or what is left of two files."""
    wrong = "of its checkpoints only the one before the newest is there"
    if seen.ours[number].state is State.RUNNING:
        return seen.finding("behind", number, wrong, "the next launch goes on from it", Fate.LAUNCH)
    return seen.finding("behind", number, wrong, f"renames {before(number)} to {newest(number)}", Fate.FIX)


def _broken(seen: Seen) -> list[Finding]:
    return [_damaged(seen, number) for number in sorted(seen.files.broken)]


def _strange(seen: Seen) -> list[Finding]:
    wrong, remedy = "its checkpoint is of another training", "the next launch trains it again from the start"
    return [seen.finding("strange", number, wrong, remedy, Fate.LAUNCH) for number in sorted(seen.files.strange)]


def _damaged(seen: Seen, number: int) -> Finding:
    wrong, remedy = "its checkpoint is damaged", f"renames it to {newest(number)}.broken"
    if number in seen.files.before:
        wrong = "its newest checkpoint is damaged; the one before it is whole"
        remedy += f" and {before(number)} to {newest(number)}"
    return seen.finding("broken", number, wrong, remedy, Fate.FIX)


def needless_files(seen: Seen) -> dict[int, list[str]]:
    """Return what tidying would have removed, by trial; files of trials that are not ours are left alone."""
    files, wanted = seen.files, needed(seen.study, seen.trials)
    held = {newest: files.whole, before: files.before, over_limit: files.over_limit}
    found: dict[int, list[str]] = {}
    for number, trial in seen.ours.items():
        if number not in wanted:
            found[number] = [name(number) for name, there in held.items() if number in there]
        elif trial.state is not State.RUNNING and _sound(seen.study, trial) and number in files.whole:
            found[number] = [name(number) for name in (before, over_limit) if number in held[name]]
    return {number: names for number, names in found.items() if names}


def _needless(seen: Seen) -> list[Finding]:
    wrong = "its checkpoint is left, and nothing needs it"
    torn = "a writer was killed and left a half-written checkpoint"
    return [
        *(
            seen.finding("needless", number, wrong, f"removes {' and '.join(names)}", Fate.FIX)
            for number, names in sorted(needless_files(seen).items())
        ),
        *(
            seen.finding("half-written", number, torn, f"removes .{number}.pt.*", Fate.FIX)
            for number in sorted(set(seen.files.half_written))
        ),
    ]


def _seeds(seen: Seen) -> list[Finding]:
    """Find files of seeds that have ended; their weights may stay."""
    if not seen.files.seeds:
        return []
    left = format_number_of("file", len(seen.files.seeds))
    wrong = f"{left} of seeds that have ended, which nothing needs"
    return [seen.finding("seeds", None, wrong, "removes them; the weights of seeds stay", Fate.FIX)]


def on_cluster(seen: Seen, states: Sequence[str], *, held: bool) -> list[Finding]:
    """Find what a cluster's job server and the study disagree about.

    Args:
        seen: what was read of the study.
        states: of its submissions there, the latest last: `waiting`, `running`, `done`, `failed`, `stopped`.
        held: whether a launch holds the study.
    """
    name, last = seen.study.name, states[-1] if states else ""
    if last == "running" and not held:
        wrong = "a launch on the cluster is running, but none holds the study"
        remedy = f"it is about to begin, or hangs: python -m search.submit --stop {name}"
        return [seen.finding("cluster", None, wrong, remedy)]
    if last in ("failed", "stopped") and not held and any(trial.state is State.RUNNING for trial in seen.trials):
        remedy = f"python -m search.submit --resume {name} goes on with it"
        return [seen.finding("cluster", None, f"its launch on the cluster is {last}", remedy, Fate.LAUNCH)]
    return []


def processors(seen: Seen) -> list[str]:
    """Return a line for each machine of the study, whether it computes right, and one where nobody knows."""
    found = [_processor(host) for host in seen.hosts]
    sessions = {host.session for host in seen.hosts}
    unknown = [trial.number for trial in seen.trials if trial.epochs and trial.session not in sessions]
    if unknown and not seen.lost(HOST.name):
        found.append(
            f"not known whether what trained trials {_listed(unknown)} computed right, as nobody looked then; "
            "to find out, begin a study of another name with `start: [{study: ...}]` and compare the fronts"
        )
    return list(dict.fromkeys(found))  # one machine in many launches


def _processor(host: Host) -> str:
    wrong = "; ".join(f"{name} ({why})" for name, why in host.wrong.items())
    where = f"{host.host} ({host.kind}, torch {host.torch})"
    said = f"{where} computes wrong in {wrong}" if wrong else f"{where} computes right"
    if not host.step_ms:
        said = f"not known whether {where} computes right: it could not be looked at"
    return f"{said}; trials train there in {host.numerics}"


Check = Callable[[Seen], list[Finding]]

ALWAYS: tuple[Check, ...] = (fidelity, epochs, digests, duplicates)
# While a launch holds the study these are no disagreements: it is between two writes, and tidies its own files.
AT_REST: tuple[Check, ...] = (orphans, strangers, recordings, checkpoints)


def find_all(seen: Seen, *, held: bool) -> list[Finding]:
    """Return everything that is wrong with a study, by trial; what concerns the whole of it comes first."""
    checks = ALWAYS if held else (*AT_REST, *ALWAYS)
    found = [finding for check in (damaged, *checks) for finding in check(seen)]
    return sorted(found, key=lambda finding: -1 if finding.trial is None else finding.trial)
