"""Send a study to a Ray cluster, and look after it there by its name.

python -m search.submit space.yaml --address http://head:8265 [--detach]
python -m search.submit --address http://head:8265 --status [STUDY] | --logs STUDY | --stop STUDY | --resume STUDY
"""

import argparse
import getpass
import json
import os
import re
import shlex
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from search import cli
from search.config import unread
from search.config.paths import check_named
from search.config.plugins import load_plugins
from search.config.study import StudyConfig, load, parted
from search.core.commands import command
from search.core.terminal import make_console
from search.core.units import format_bytes
from search.jobs.bundle import FILE, pack
from search.jobs.client import Cluster, Submission, connect, is_open
from search.jobs.status import DONE, INTERRUPTED, exit_code, folder_of, plain, state_of, table_of
from search.storage.url import holds_secret
from spaces.errors import InputError, StudyError

MOST_BYTES = 64_000  # of a file: it travels in an environment variable too, which Linux ends at 128 kB
HOME = "~/widefront"  # of whoever runs Ray on the head
HOW = "name the variable instead, ${NAME}, and set it where Ray is started on the head"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; of a study that is followed, the study's own."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    _check_usage(given)
    sent = _read(given) if given.file else None
    cluster = connect(given.address)
    if (sent or given.resume) and is_open(cluster):
        cli.warn([f"{cluster.address} asks for no token: who reaches it can read what is sent and run anything there"])
    if sent:
        return _send(cluster, *sent, given)
    if given.status is not None:
        return _show(cluster, given)
    if given.resume:
        return _resume(cluster, given)
    return _stop(cluster, given.stop) if given.stop else _log(cluster, given)


def _check_usage(given: argparse.Namespace) -> None:
    wanted = [given.file, given.resume, given.logs, given.stop, given.status]
    if sum(each is not None for each in wanted) != 1:
        raise InputError("one of a study's file, --status, --logs, --stop, --resume is required")
    if given.set and not given.file:
        raise InputError("goes with a study's file", place="--set")
    if not given.address:
        raise InputError("is required, such as http://head:8265", place="--address")


def _read(given: argparse.Namespace) -> tuple[str, str, list[str]]:
    """Return the study's name, its file's text, and how to launch it: all that can be checked here is checked."""
    config = load(given.file, given.set, environment=None)
    cli.warn(config.dropped)
    cli.warn(map(str, unread.unread(config.scheduler)))  # the launch there knows whether the study is under way
    _check_secrets(given.file, config, given.set)
    folder = given.folder if given.folder.startswith(("/", "~")) else f"~/{given.folder}"
    check_named(config, folder)
    text, storage = parted(given.file, given.set)
    if len(json.dumps(text)) > MOST_BYTES:
        raise InputError(f"is longer than the {format_bytes(MOST_BYTES)} that can be sent", place=str(given.file))
    command = [given.python, "-m", "search.launch", FILE, "--address", "auto", "--within", folder]
    command += ["--sqlite-on-driver"] if given.sqlite_on_driver else []
    command += ["--grow"] if given.grow else []
    command += ["--report", f"{config.study}.html", "--set", f"storage={json.dumps(storage)}"]
    return config.study, text, command


def _check_secrets(file: Path, config: StudyConfig, settings: Sequence[str]) -> None:
    """Refuse a password in a file that others on the cluster can read, in whatever line."""
    if holds_secret(config.storage):
        raise InputError(f"a password in the file would be readable on the cluster; {HOW}", place="storage")
    for number, line in enumerate([*file.read_text(encoding="utf-8").splitlines(), *settings], start=1):
        if re.search(r"://[^\s/@]*:(?!\$\{\w+\}@)[^\s/@]+@", line):
            raise InputError(f"holds an address with a password; {HOW}", place=f"{file} line {number}")


def _send(cluster: Cluster, study: str, text: str, command: list[str], given: argparse.Namespace) -> int:
    _check_free(cluster, study)
    sections = json.loads(text)
    packages = load_plugins(sections)
    if packages:  # by name, as what offers them here is not sent
        text = json.dumps({**sections, "plugins": list(packages)}, ensure_ascii=False, indent=1) + "\n"
    with tempfile.TemporaryDirectory(prefix="widefront-") as made:
        packed = pack(text, Path(made), packages)
        entry = f"exec {shlex.join(command)}"
        id_ = cluster.submit(study, by=_who(), file=text, command=entry, folder=Path(made))
    size = format_bytes(packed.size_bytes)
    print(f"{study}: sent {packed.files} files, {size}, to {cluster.address}; it stands in {folder_of(command)} there")
    if given.detach:
        print(_hints(cluster, study))
        return DONE
    return _follow(cluster, cluster.submission(id_))


def _check_free(cluster: Cluster, study: str) -> None:
    for each in cluster.submissions():
        if each.study == study and each.is_open:
            since = f"{each.started_at:%Y-%m-%d %H:%M} UTC" if each.started_at else "now"
            raise InputError(
                f"{study} is {each.state} there since {since}, sent by {each.by}; see it with --status {study}, "
                f"end it with --stop {study}"
            )


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name
        return f"someone@{socket.gethostname()}"


def _hints(cluster: Cluster, study: str) -> str:
    at = command("search.submit", "--address", cluster.address)
    return f"see it: {at} --status {study}\nfollow: {at} --logs {study} --follow\nend it: {at} --stop {study}"


def _follow(cluster: Cluster, sent: Submission) -> int:
    """Show what the driver says until it ends, and return the study's exit code."""
    try:
        ended = cluster.follow(sent.id, _write)
    except KeyboardInterrupt:
        print(f"\nno longer followed; the study goes on\n{_hints(cluster, sent.study)}", file=sys.stderr)
        return INTERRUPTED
    return exit_code(ended)


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(DONE) from None


def _show(cluster: Cluster, given: argparse.Namespace) -> int:
    """Show the last submission of each study, or of one."""
    latest = {each.study: each for each in cluster.submissions()}
    shown = [cluster.latest(given.status)] if given.status else list(latest.values())
    rows = [(each, cluster.last_word(each.id)) for each in shown]
    if given.json:
        print(json.dumps([plain(each, said) for each, said in rows], indent=2))
    elif given.status:
        print(f"{shown[0].study} is {state_of(shown[0])}: {rows[0][1] or 'it has not spoken yet'}")
    elif rows:
        make_console().print(table_of(rows))
    else:
        print(f"nothing was submitted to {cluster.address} since it was started")
    return DONE


def _log(cluster: Cluster, given: argparse.Namespace) -> int:
    latest = cluster.latest(given.logs)
    if given.follow:
        return _follow(cluster, latest)
    _write(cluster.log(latest.id))
    return DONE


def _stop(cluster: Cluster, study: str) -> int:
    latest = cluster.latest(study)
    if not latest.is_open:
        raise InputError(f"{study} is not running there: it is {state_of(latest)}")
    ended = cluster.stop(latest.id)
    if ended.is_open:
        raise StudyError(f"{study} was asked to stop and still runs; ask again, or see --logs {study}")
    again = command("search.submit", "--address", cluster.address, "--resume", study)
    print(f"{study} is {state_of(ended)}; go on with it: {again}")
    return DONE


def _resume(cluster: Cluster, given: argparse.Namespace) -> int:
    """Send the file of the last submission again, with the sources that are here now."""
    try:
        latest = cluster.latest(given.resume)
    except InputError as error:
        raise InputError(f"{error}; a head that was started anew knows of none: send the file again") from error
    sent = shlex.split(latest.command.removeprefix("exec "))
    return _send(cluster, latest.study, latest.file, sent, given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m search.submit", description="Send a study to a Ray cluster.")
    parser.add_argument("file", type=Path, nargs="?", help="the study's file, such as space.yaml")
    parser.add_argument("--address", help="of the head's job server, such as http://head:8265")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="override one leaf")
    parser.add_argument("--folder", default=HOME, help=f"where the study stands on the cluster (default: {HOME})")
    parser.add_argument("--sqlite-on-driver", action="store_true", help="let the database be a file of the head's")
    parser.add_argument("--grow", action="store_true", help="let a study's space and constraints be changed")
    parser.add_argument("--python", default="python", help="the Python of the head that has what Widefront needs")
    parser.add_argument("--status", nargs="?", const="", metavar="STUDY", help="say how a study is, or all")
    parser.add_argument("--logs", metavar="STUDY", help="show what a study has said")
    parser.add_argument("--stop", metavar="STUDY", help="end a study; nothing that was recorded is lost")
    parser.add_argument("--resume", metavar="STUDY", help="go on with a study, with the file it was last sent with")
    parser.add_argument("--json", action="store_true", help="--status as JSON")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--follow", action="store_true", help="show what the study says until it ends (usual)")
    how.add_argument("--detach", action="store_true", help="return as soon as it is sent")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
