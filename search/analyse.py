"""Analyse what a study has found: what its networks are worth together, without a part, and what they have learned.

python -m search.analyse ensemble URL --study S [--json]
python -m search.analyse lesion URL --study S --trial 18 [--blocks 2 --draws 20]
python -m search.analyse filters URL --study S --front
python -m search.analyse marginals URL --study S
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from search import cli
from search.core.analyses import Analysis
from search.core.arguments import add_study, whole
from search.core.confirmation import assessed
from search.core.environment import expand
from search.core.findings import KINDS, heading, lines, table
from search.core.fronts import front_trials
from search.core.marginals import marginals
from search.core.picking import best_quality, first_cost
from search.core.records import StudyRecord, TrialRecord
from search.core.terminal import make_console
from search.storage.finding import find
from search.storage.store import Store
from search.study.analysing import Bench
from search.study.weights import pick
from spaces.architecture import OwnNetwork
from spaces.errors import InputError, visible
from workers.kept import Kept
from workers.objectives import OBJECTIVES, Objective

SUMMED = ("params", "macs", "activations", "weight_bytes", "latency_ms")  # costs that networks have one after another
COMBINED = 8  # networks of a front: 162 subsets of at most four
MEMBERS = 4  # of an ensemble


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return cli.run(_parser(), argv, _act)


def _act(given: argparse.Namespace) -> int:
    url = expand(given.url, os.environ)
    with Store.reading(url, cli.warn) as store:
        study = find(store, given.study)
        trials = assessed(study, store.trials(study.name))
        bench = Bench(
            store=store, study=study, trials=trials, checkpoints=given.checkpoints, device=given.device,
            anew=given.again,
        )  # fmt: skip
        found = list[Analysis]()
        for analysis in ASKED[given.kind](bench, given):
            cli.warn(bench.keep(analysis))
            found.append(analysis)
            if not given.json:
                _print(study, analysis)
    if given.json:
        print(json.dumps([each.to_json(study.name, KINDS[given.kind].units) for each in found], indent=2))
    return cli.DONE


def _print(study: StudyRecord, analysis: Analysis) -> None:
    console = make_console()
    for part in (heading(study.name, analysis), table(analysis), *lines(analysis)):
        told = visible(part) if isinstance(part, str) else part
        console.print(told, markup=False, highlight=False, soft_wrap=isinstance(part, str))


def _ensemble(bench: Bench, given: argparse.Namespace) -> Iterator[Analysis]:
    if given.trial is not None:
        raise InputError("an ensemble is of the front's networks, not of one", place="--trial")
    cost = summed(bench.study)
    front = sorted(front_trials(bench.study, bench.trials), key=lambda trial: _worth(bench.study, trial))
    networks = list(_kept_of(bench, front[:COMBINED], lambda trial: cost.value(trial.cost, trial.found)))
    if len(networks) < 2:
        raise InputError(f"{len(networks)} networks of the front have weights that are kept; an ensemble takes 2")
    told = {"most": MEMBERS, "cost": cost.name, "unit": cost.unit}
    cut = {"of": len(front)} if len(front) > len(networks) else {}
    yield bench.found("ensemble", sorted(networks, key=lambda each: each.trial), {**told, **cut})


def _worth(study: StudyRecord, trial: TrialRecord) -> float:
    quality = best_quality(study)
    return quality.minimised(quality.value(trial.cost, trial.found))


def summed(study: StudyRecord) -> Objective:
    """Return the first cost of a study, where those of several networks add up, else macs."""
    cost = first_cost(study)
    return cost if cost.name in SUMMED else OBJECTIVES["macs"]


def _kept_of(bench: Bench, trials: Sequence[TrialRecord], cost: Callable[[TrialRecord], float]) -> Iterator[Kept]:
    """Yield where the weights of trials are; where there are none, it is said, and they are left out."""
    for trial in trials:
        try:
            kept, said = bench.kept(trial, cost(trial))
        except InputError as error:
            if error.place == "--checkpoints":
                raise
            cli.warn([f"left out: {error.message}"])
        else:
            cli.warn(said)
            yield kept


def _lesion(bench: Bench, given: argparse.Namespace) -> Iterator[Analysis]:
    random = {"blocks": given.blocks, "draws": given.draws, "seed": given.seed}
    settings = random if given.blocks else dict.fromkeys(random)
    return _each(bench, given, settings)


def _filters(bench: Bench, given: argparse.Namespace) -> Iterator[Analysis]:
    return _each(bench, given, {})


def _each(bench: Bench, given: argparse.Namespace, settings: Mapping[str, Any]) -> Iterator[Analysis]:
    """Yield the analysis of the trial that was named, or of each network of the front that it can be asked of."""
    if not given.front:
        trial = pick(bench.study, bench.trials, given.trial)
        _check_ours(trial)
        kept, said = bench.kept(trial)
        cli.warn(said)
        yield bench.found(given.kind, [kept], settings)
        return
    refused = InputError("no network of the front can be analysed", place="--front")
    none = True
    for kept in _kept_of(bench, front_trials(bench.study, bench.trials), _check_ours):
        try:
            found = bench.found(given.kind, [kept], settings)
        except InputError as error:
            refused = error
            cli.warn([f"trial {kept.trial} is left out: {error}"])
        else:
            none = False
            yield found
    if none:
        raise refused


def _check_ours(trial: TrialRecord) -> float:
    """Refuse what a function of a person's own builds, and return that it costs nothing.

    Raises:
        InputError: of whose parts nobody knows.
    """
    if isinstance(trial.architecture, OwnNetwork):
        name = trial.architecture.network
        raise InputError(f"trial {trial.number} is built by {name}: nobody knows its blocks", place="--trial")
    return 0.0


def _marginals(bench: Bench, given: argparse.Namespace) -> Iterator[Analysis]:
    if given.trial is not None:
        raise InputError("marginals are of all that is trained in full, not of one", place="--trial")
    question, rows = marginals(bench.study, bench.trials)
    yield bench.known(question) or Analysis(question=question, rows=rows, at=datetime.now(UTC))


ASKED: dict[str, Callable[[Bench, argparse.Namespace], Iterator[Analysis]]] = {
    "ensemble": _ensemble,
    "lesion": _lesion,
    "filters": _filters,
    "marginals": _marginals,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m search.analyse",
        description="Analyse what a study has found: its trials and the weights that it keeps.",
    )
    parser.add_argument("kind", choices=list(ASKED), help="see docs/analyses.md")
    add_study(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--trial", type=int, help="its number, as search.front tells it")
    which.add_argument("--front", action="store_true", help="every network of the front")
    parser.add_argument("--blocks", type=whole(1, 10**4), metavar="K", help="lesion: also K blocks at random at a time")
    parser.add_argument("--draws", type=whole(1, 10**4), default=20, metavar="N", help="how often (default: 20)")
    parser.add_argument("--seed", type=whole(0, 2**32), default=0, help="of that (default: 0)")
    parser.add_argument("--again", action="store_true", help="compute anew what was found before")
    parser.add_argument("--checkpoints", metavar="FOLDER", help="where the study's weights lie now, or its URL")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="as JSON, every row")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
