"""Write one self-contained page on a study: the live page's figures and tables, as they were at one moment.

python -m dashboards.report URL --study S -o report.html
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dashboards import sections
from dashboards.frames import StudyView
from dashboards.live import payload
from dashboards.live.details import details
from dashboards.live.frozen import Frozen
from dashboards.page import data, document, write_page
from search import cli
from search.core.claims import best
from search.core.commands import command
from search.core.environment import expand, hide, variables
from search.core.labels import outside_kind
from search.core.records import State, StudyRecord
from search.storage.analyses import Analyses
from search.storage.claims import Claims
from search.storage.store import Store
from search.storage.url import typed


def main(argv: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return cli.run(parser(), argv, lambda given: write(given, asked(given)))


def asked(given: argparse.Namespace) -> StudyView:
    """Return the study that is asked for."""
    with Store.reading(expand(given.url, os.environ), cli.warn) as store:
        return read(store, given.study)


def write(given: argparse.Namespace, view: StudyView) -> int:
    """Write the report that is asked for, and return the exit code."""
    path = write_report(view, given.output, given.written or typed(given.url, os.environ))
    print(f"{path}: {len(view.front)} on the front of {len(view.complete)} trained in full")
    return cli.DONE


def read(store: Store, name: str | None = None) -> StudyView:
    """Return a study with what its analyses have found, and what was found of claims in its database.

    Raises:
        InputError: there is no study of this name, or several and no name was given.
    """
    view = StudyView.read(store, name)
    analyses, verdicts = Analyses(store, view.study.name).all(), best(Claims(store).verdicts())
    return replace(view, analyses=tuple(analyses), verdicts=tuple(verdicts))


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(
        prog="python -m dashboards.report", description="Write one self-contained page on a study."
    )
    made.add_argument("url", metavar="URL", help="the database, such as sqlite:///widefront.db; ${NAME} is looked up")
    made.add_argument("--study", metavar="S", help="its name; not needed where the database holds one study")
    made.add_argument(
        "-o", "--output", metavar="FILE", type=Path, default=Path("report.html"), help="the page (default: %(default)s)"
    )
    made.add_argument("--written", metavar="TEXT", help="the database as commands on the page name it")
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


def write_report(view: StudyView, path: Path, written: str = "URL") -> Path:
    """Write the page, make its folder if need be, and return its path.

    Args:
        view: the study.
        path: where it goes.
        written: the database as commands on the page name it.

    Raises:
        InputError: the page cannot be written there.
    """
    return write_page(path, render(view, written, path))


def render(view: StudyView, written: str = "URL", path: Path | None = None) -> str:
    """Return the page; the same study gives the same bytes, as long as the same weights are there."""
    made = {"made by": f"widefront {_version()}".strip(), "command": _command(view.study, written, path)}
    parts = sections.everything(view, made, written)
    told = [data("study", _told(view, written, path))] if view.trials else []
    return document(f"{view.study.name}: the front", [*parts, *told])


def _version() -> str:
    try:
        return version("widefront")
    except PackageNotFoundError:  # the files alone are here
        return ""


def _command(study: StudyRecord, written: str, path: Path | None) -> str:
    return command("dashboards.report", written, "--study", study.name, "-o", str(path or "report.html"))


def _told(view: StudyView, written: str, path: Path | None) -> dict[str, Any]:
    """Return what the page's script draws: all trials in short, and in full those that may be chosen."""
    frozen = Frozen.of(view)
    where = _Weights.of(view.study, path)
    failed = (trial for trial in view.trials if trial.state is not State.COMPLETE or trial.outside)
    return {
        "seq": 0,
        "study": payload.about(frozen),
        "rows": payload.all_rows(frozen),
        "front": payload.front(frozen),
        "events": [],
        "head": {
            "counts": Counter(map(frozen.where, view.trials)),
            "wall": payload.alive_spans(view.sessions),
        },
        "details": {
            trial.number: {**details(frozen, trial, written), "weights": where.of_trial(trial.number)}
            for trial in frozen.named
        },
        "reasons": {
            trial.number: hide(why) for trial in failed if (why := trial.reason or outside_kind(trial.outside))
        },
    }


@dataclass(frozen=True, slots=True)
class _Weights:
    """Where a study's weights lie: a folder, or the address of one."""

    folder: str
    beside: Path | None  # the folder of the page, from which links lead

    @classmethod
    def of(cls, study: StudyRecord, path: Path | None) -> "_Weights":
        told = study.config.get("checkpoints")
        folder = told.get("folder", "") if isinstance(told, Mapping) else told
        return cls(f"{str(folder).rstrip('/')}/{study.label}" if folder else "", path and path.absolute().parent)

    def of_trial(self, number: int) -> dict[str, str] | None:
        """Return the file of a trial's weights with a link to it, or its address; None where there is none."""
        if not self.folder or self.beside is None:
            return None
        name = f"{self.folder}/{number}.pt"
        if "://" in name or variables(name):  # elsewhere; nobody is asked whether it is there
            return {"text": name}
        if not Path(name).is_file():
            return None
        try:
            way = os.path.relpath(Path(name).absolute(), self.beside)
        except ValueError:  # on another drive
            return {"text": name}
        return {"text": name, "href": quote(Path(way).as_posix())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
