"""Let an agent search within a budget that a person has set.

python -m search.mcp --trials 100 --hours 2 [--trainings 20] [--folder .]

A server of the Model Context Protocol on standard input and output. An agent can look over the files of a folder,
start, follow and stop a study, read its front, pick, confirm, export and analyse. The allowance is of all studies in
the folder's database together, read from what is recorded there, so that no other name, file or start raises it; one
thing is at work in a folder at a time, whoever has started it.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

from search import cli
from search.allowance import DATABASE, Allowance, Spent, allowed, path_of, spent_in
from search.core.arguments import number, whole
from search.core.columns import row_of
from search.core.confirmation import assessed
from search.core.environment import hide
from search.core.findings import KINDS
from search.core.fronts import front_trials
from search.core.labels import name_of
from search.core.picking import bounds_of, knee, pick
from search.core.records import State, StudyRecord, TrialRecord
from search.storage.finding import find
from search.storage.store import Store
from spaces.errors import InputError, StudyError, WidefrontError, unknown, visible

LOGS = Path(".widefront") / "agent"
LOCK = LOGS / "at-work"  # held by what is at work until it ends, also where its server has died
TOLD = ("trial", "name", "macs", "params", "seeds", "on_front")  # of a network, beside its objectives
WAIT_S = 10.0  # for a command to end that was asked to


@dataclass(slots=True)
class Desk:
    """What an agent can ask for; every answer is short plain values with units in their names.

    Args:
        allowance: of the person.
    """

    allowance: Allowance
    _at_work: subprocess.Popen[bytes] | None = None
    _log: Path | None = None
    _unkept_s: float = 0.0  # of analyses that came to nothing

    def look(self, file: str, settings: Sequence[str] = ()) -> dict[str, Any]:
        """Look over a study's file without training: size of the space, smallest and largest network, time of an epoch.

        Args:
            file: path of a YAML file in the folder.
            settings: leaves to replace, such as `scheduler.max_epochs=9` or `space.depth={int: [1, 4]}`.
        """
        config = allowed(file, settings)
        said = self._run("search.launch", path_of(file), "--dry-run", *_set(settings))
        return {"study": config.study, "preview": said.splitlines(), "left": self._left()}

    def start(self, file: str, settings: Sequence[str] = ()) -> dict[str, Any]:
        """Start a study, or go on with it, in the background; one at a time. What is left of the allowance bounds it.

        What the file says under `confirm` is left out: confirm, when the study has ended, counts against the allowance.

        Args:
            file: path of a YAML file in the folder.
            settings: leaves to replace, as for look.
        """
        config = allowed(file, settings)
        self._check_idle()
        spent = self._spent()
        left = self._allowed.left(spent)
        if left["trials"] <= 0 or left["hours"] <= 0:
            raise StudyError(f"the allowance is spent: {left['trials']} trials and {left['hours']:.2f} hours are left")
        bounds = self._allowed.bounds(config, spent)
        bounding = [f"{name}={value}" for name, value in bounds.items()]
        bounding += ["confirm.seeds=0"] if config.confirm.seeds else []
        arguments = [*_set(settings), *_set(bounding)]
        self._begin("search.launch", path_of(file), *arguments, "--report", f"{config.study}.html")
        return {"study": config.study, "budget": bounds, "log": str(self._log)}

    def follow(self, study: str | None = None, after: int = -1) -> dict[str, Any]:
        """Say how a study stands: trials by state, epochs, what happened since, the best network, if it is at work.

        Args:
            study: its name; the only one where there is one.
            after: the number of the last event that you have seen; only later ones are told, 20 at most.
        """
        try:
            with self._store() as store:
                record = find(store, study)
                trials = store.trials(record.name)
                events = store.events(record.name, after=after)
                spent = spent_in(store)
        except InputError:
            if not self._busy():
                raise
            return {"at_work": True, "said": self._said(3)}  # it has not come to its database yet
        front = front_trials(record, trials)
        return {
            "study": record.name,
            "at_work": self._busy(),
            "trials": {str(state): sum(trial.state is state for trial in trials) for state in State},
            "epochs": sum(trial.epochs for trial in trials),
            "front": len(front),
            "best": _told(record, front[-1]) if front else None,
            "events": [{"number": each.seq, "what": each.kind, "trial": each.trial, "text": each.text}
                       for each in events[-20:]],
            "left": self._allowed.left(spent),
            "said": self._said(3),
        }  # fmt: skip

    def front(self, study: str | None = None) -> dict[str, Any]:
        """Return the Pareto front, the cheapest network first; confirmed ones are means over seeds.

        Args:
            study: its name; the only one where there is one.
        """
        record, trials = self._read(study)
        units = {name: record.objective(name).unit for name in record.objectives}
        front = [_told(record, trial) for trial in front_trials(record, trials)]
        return {"study": record.name, "units": units, "front": front, "fully_trained_epochs": record.max_epochs}

    def pick(self, study: str | None = None, under: str = "", above: str = "") -> dict[str, Any]:
        """Say which network to take: the best under bounds, the cheapest above some, or the knee of the front.

        Args:
            study: its name; the only one where there is one.
            under: bounds such as `macs <= 200k, latency_ms <= 3`.
            above: bounds on quality such as `accuracy >= 98 %`.
        """
        record, trials = self._read(study)
        bounds = bounds_of([under, above], record.measures)
        if not bounds:
            return {"pick": _told(record, knee(record, trials))}
        found = pick(record, trials, bounds)
        roles = {"pick": found.chosen, "more": found.more, "nearest": found.nearest}
        return {role: _told(record, trial) for role, trial in roles.items() if trial}

    def confirm(self, study: str | None = None, seeds: int = 3) -> dict[str, Any]:
        """Train the front again with other seeds, in the background, so that means and intervals are known.

        Args:
            study: its name; the only one where there is one.
            seeds: for each network, at most.
        """
        with self._store() as store:
            record, spent = find(store, study), spent_in(store)
        self._check_idle()
        left = self._allowed.left(spent)
        if left["trainings"] <= 0:
            raise StudyError(f"the allowance of {self.allowance.trainings} trainings is spent")
        done = spent[record.name].trainings
        self._begin("search.confirm", DATABASE, "--study", record.name, "--seeds", str(seeds),
                    "--trainings", str(done + left["trainings"]), "--hours", str(max(left["hours"], 0.01)))  # fmt: skip
        return {"study": record.name, "trainings_at_most": left["trainings"], "log": str(self._log)}

    def export(self, trial: int, study: str | None = None, onnx: bool = False) -> dict[str, Any]:
        """Write a network as a folder that stands alone: weights, architecture, preprocessing, a card, ONNX if asked.

        Args:
            trial: its number.
            study: its name; the only one where there is one.
            onnx: write `model.onnx` too.
        """
        with self._store() as store:
            record = find(store, study)
        folder = Path("exports") / f"{record.label}-{trial}"
        more = ["--onnx"] if onnx else []
        which = ("--study", record.name, "--trial", str(trial))
        said = self._run("search.export", DATABASE, *which, "-o", str(folder), *more)
        files = sorted(each.name for each in folder.iterdir())
        return {"folder": str(folder), "files": files, "said": said.splitlines()}

    def analyse(
        self, kind: str, trial: int | None = None, study: str | None = None, networks: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Analyse what was found: ensemble, lesion, filters, surface, speed or marginals; what trains is a person's.

        What it computes counts in the hours of the allowance; what was found before is read.

        Args:
            kind: of analysis; lesion, filters and surface are of one trial.
            trial: its number.
            study: its name; the only one where there is one.
            networks: names such as `wrn-16-4` whose speed is compared.
        """
        asked = _analysis(kind, trial, networks)
        with self._store() as store:
            record, before = find(store, study), _hours(spent_in(store))
        left_s = 3600 * (self._allowed.hours - before)
        if left_s <= 0:
            raise StudyError("the hours of the allowance are spent")
        self._check_idle()
        lock, began = _held(), time.monotonic()
        try:
            said = self._run("search.analyse", asked[0], DATABASE, "--study", record.name, "--json", *asked[1:],
                             limit_s=left_s)  # fmt: skip
        finally:
            os.close(lock)
            counted_s = 3600 * (_hours(self._spent()) - before)
            self._unkept_s += max(0.0, time.monotonic() - began - counted_s)  # what failed has no row to count it
        found: dict[str, Any] = json.loads(said)[0]
        return found

    def stop(self) -> dict[str, Any]:
        """Let what is at work record everything and end; starting the same study again goes on with it."""
        if self._at_work is None or not self._busy():
            return {"stopped": False}
        self._at_work.send_signal(signal.SIGINT)
        try:
            self._at_work.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._at_work.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._at_work.wait(WAIT_S)
        return {"stopped": not self._busy(), "said": self._said(3)}

    @property
    def _allowed(self) -> Allowance:
        """Return the allowance without what nothing in the database counts."""
        return replace(self.allowance, hours=self.allowance.hours - self._unkept_s / 3600)

    def _left(self) -> dict[str, Any]:
        return self._allowed.left(self._spent())

    def _spent(self) -> Mapping[str, Spent]:
        if not Path(DATABASE.removeprefix("sqlite:///")).exists():
            return {}
        with self._store() as store:
            return spent_in(store)

    def _read(self, study: str | None) -> tuple[StudyRecord, list[TrialRecord]]:
        with self._store() as store:
            record = find(store, study)
            return record, assessed(record, store.trials(record.name))

    def _store(self) -> Any:
        return Store.reading(DATABASE, lambda _lines: None)

    def _busy(self) -> bool:
        return self._at_work is not None and self._at_work.poll() is None

    def _check_idle(self) -> None:
        if self._busy():
            raise StudyError("a study is at work; follow it, or stop it first")
        os.close(_held())

    def _begin(self, module: str, *arguments: str) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        lock = _held()
        self._log = LOGS / f"{module}-{len(list(LOGS.iterdir()))}.txt"
        try:
            with self._log.open("wb") as out:
                self._at_work = subprocess.Popen(
                    [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=out,
                    stderr=subprocess.STDOUT, start_new_session=True, pass_fds=(lock,),
                )  # fmt: skip
        finally:
            os.close(lock)

    def _run(self, module: str, *arguments: str, limit_s: float | None = None) -> str:
        try:
            done = subprocess.run(
                [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False, timeout=limit_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise StudyError(f"{module} was ended: it took all that was left of the hours") from late
        if done.returncode:
            raise StudyError(done.stderr.strip().removeprefix("error: ") or done.stdout.strip())
        return done.stdout.strip()

    def _said(self, lines: int) -> list[str]:
        """Return the last lines of what is at work, or was."""
        text = self._log.read_text(errors="replace") if self._log else ""
        return text.splitlines()[-lines:]


def _held() -> int:
    """Return an open file that says that something is at work in the folder, as long as any process holds it.

    Raises:
        StudyError: something is, of this server or of another.
    """
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    opened = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(opened)
        raise StudyError("another server's study is at work in this folder; it has to end first") from error
    return opened


def _analysis(kind: str, trial: int | None, networks: Sequence[str]) -> list[str]:
    """Return the kind of an analysis and what it is of, as the command is given it.

    Raises:
        InputError: there is no such kind, or a name is none of a network.
    """
    if kind not in KINDS:
        raise InputError(unknown("analysis", kind, KINDS))
    for name in networks:
        if name.startswith("-") or name.partition(" ")[0].endswith(".json"):  # an option, or somebody's file
            raise InputError(f"{name!r} is no name of a network")
    which = [] if trial is None else ["--trial", str(int(trial))]
    return [kind, *which, *(["--networks", *networks] if networks else [])]


def _hours(spent: Mapping[str, Spent]) -> float:
    return sum(each.hours for each in spent.values())


def _set(settings: Sequence[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def _told(record: StudyRecord, trial: TrialRecord | None) -> dict[str, Any] | None:
    """Return what is short to say of a network."""
    if trial is None:
        return None
    row = row_of(record, trial)
    known = {name: row.get(name) for name in (*record.objectives, *TOLD)} | {"name": name_of(trial.architecture)}
    confirmed = row.get("confirmed") if isinstance(row.get("confirmed"), Mapping) else {}
    return {name: value for name, value in {**known, **dict(confirmed or {})}.items() if value is not None}


def server(desk: Desk) -> Any:
    """Return the server, whose tools are what a desk can be asked for.

    Raises:
        InputError: the package `mcp` is not installed.
    """
    try:
        from mcp.server import MCPServer
    except ImportError as error:
        raise InputError("mcp is not installed: pip install 'widefront[agents]'") from error
    made = MCPServer("widefront", instructions=__doc__)
    for ask in (
        desk.look,
        desk.start,
        desk.follow,
        desk.front,
        desk.pick,
        desk.confirm,
        desk.export,
        desk.analyse,
        desk.stop,
    ):
        made.add_tool(_in_one_line(ask), structured_output=False)
    return made


def _in_one_line(ask: Callable[..., dict[str, Any]]) -> Callable[..., str]:
    """Return a tool that answers in JSON, and says what is wrong as a person is told it."""

    @wraps(ask)
    def answer(*args: Any, **kwargs: Any) -> str:
        try:
            return json.dumps(ask(*args, **kwargs), default=str)
        except (WidefrontError, OSError) as error:
            return json.dumps({"error": visible(hide(str(error)))})

    return answer


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until the agent closes standard input, and return the exit code."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    os.chdir(given.folder)
    desk = Desk(Allowance(trials=given.trials, hours=given.hours, trainings=given.trainings))
    try:
        server(desk).run("stdio")
    finally:
        desk.stop()
    return cli.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.mcp", description="Let an agent search within a budget (Model Context Protocol, stdio)."
    )
    parser.add_argument("--trials", type=whole(1, 10**9), required=True, help="that all studies may have together")
    parser.add_argument("--hours", type=number(0, 10**6), required=True, help="that launches may be alive, together")
    parser.add_argument("--trainings", type=whole(0, 10**6), default=20, help="of confirmations (default: 20)")
    parser.add_argument("--folder", type=Path, default=Path(), help="with the studies' files and the database")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
