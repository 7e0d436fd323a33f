"""Hold every sampler to one contract: new ones in SAMPLERS are tested by being there."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.config.study import parse
from search.samplers.catalogue import SpaceCatalogue, coordinate
from search.samplers.registry import SAMPLERS, make_sampler, take_up
from spaces.architecture import ImageSpec
from spaces.domains import Scalar, Suggests
from spaces.errors import InputError
from tests.search.bench import FILE
from workers.objectives import OBJECTIVES

CONFIG = parse({**FILE, "constraints": {}})
SPACE = CONFIG.search_space
CATALOGUE = SpaceCatalogue(SPACE, ImageSpec(channels=1, height=8, width=8, classes=10), CONFIG.violations)
KNOWN = [None, coordinate(OBJECTIVES["macs"]), coordinate(OBJECTIVES["params"])]
TELL = Callable[[optuna.Study, optuna.Trial, dict[str, Scalar]], None]

NAMES = [name for name in SAMPLERS if name != "auto"]  # which is another's second name

every_sampler = pytest.mark.parametrize("name", NAMES)
every_sampler_in_time = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "gp" else name for name in NAMES]
)


def count(name: str) -> int:
    """Return how many proposals to look at: enough to leave the random beginning, few where they take long."""
    return 11 if name == "gp" else 25


def play(name: str, *, seed: int, proposals: int, tell: TELL, objectives: int = 2) -> Iterator[dict[str, Scalar]]:
    """Ask for proposals one after another, telling after each what came of it."""
    ways = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE][:objectives]
    study = optuna.create_study(directions=ways, sampler=make_sampler(name, seed, CATALOGUE, KNOWN[:objectives]))
    for _ in range(proposals):
        trial = study.ask()
        params = SPACE.suggest(cast(Suggests, trial))
        tell(study, trial, params)
        yield params


def values_of(params: dict[str, Scalar]) -> list[float]:
    """Return made-up objective values: accuracy, macs, params."""
    size = float(cast(Any, params["widening_factor"])) * float(cast(Any, params["depth"]))
    return [1 - 1 / (2 + size), 1000 * size**2, 100 * size**1.5]


def complete(study: optuna.Study, trial: optuna.Trial, params: dict[str, Scalar]) -> None:
    study.tell(trial, values_of(params)[: len(study.directions)])


def everything(study: optuna.Study, trial: optuna.Trial, params: dict[str, Scalar]) -> None:
    """Tell, behind ten complete trials and in turn, every end that a trial can have; some still run."""
    turn = trial.number % 5
    if trial.number < 10:
        complete(study, trial, params)
    elif turn == 0:
        study.tell(trial, state=TrialState.PRUNED)
    elif turn == 1:
        trial.set_constraint("crash", 1.0)
        study.tell(trial, state=TrialState.PRUNED)
    elif turn == 2:
        study.tell(trial, state=TrialState.FAIL)
    elif turn == 3:
        complete(study, trial, params)


def only_failures(study: optuna.Study, trial: optuna.Trial, _params: dict[str, Scalar]) -> None:
    trial.set_constraint("crash", 1.0)
    study.tell(trial, state=TrialState.PRUNED)


@every_sampler
def test_a_sampler_proposes_within_a_conditional_space(name: str) -> None:
    proposed = list(play(name, seed=0, proposals=count(name), tell=complete))
    assert all(SPACE.contains(params) for params in proposed)
    assert any("cardinality" in params for params in proposed)
    assert any("cardinality" not in params for params in proposed)


@every_sampler_in_time
def test_a_sampler_with_the_same_seed_proposes_the_same(name: str) -> None:
    first, again = (list(play(name, seed=7, proposals=min(15, count(name)), tell=complete)) for _ in range(2))
    assert first == again


@every_sampler
def test_a_sampler_with_another_seed_proposes_other_networks(name: str) -> None:
    first, other = (list(play(name, seed=seed, proposals=8, tell=complete)) for seed in (0, 1))
    assert first != other


@every_sampler_in_time
@pytest.mark.parametrize("objectives", [2, 3])
def test_a_sampler_goes_on_whatever_trials_come_to(name: str, objectives: int) -> None:
    proposals = 16 if name == "gp" else 40
    proposed = list(play(name, seed=0, proposals=proposals, tell=everything, objectives=objectives))
    assert len(proposed) == proposals
    assert all(SPACE.contains(params) for params in proposed)


@every_sampler
def test_a_sampler_goes_on_where_nothing_succeeds(name: str) -> None:
    proposed = list(play(name, seed=0, proposals=count(name), tell=only_failures))
    assert len({tuple(params.items()) for params in proposed}) > count(name) / 2


@every_sampler
def test_a_sampler_proposes_while_nothing_has_ended(name: str) -> None:
    def wait(_study: optuna.Study, _trial: optuna.Trial, _params: dict[str, Scalar]) -> None:
        """Tell nothing."""

    assert len(list(play(name, seed=0, proposals=12, tell=wait))) == 12


def share_of_good(proposed: Sequence[dict[str, Scalar]]) -> float:
    return sum(params["block"] == "preact" for params in proposed) / len(proposed)


@pytest.mark.parametrize("name", ["auto", "tpe", "nsga2"])
def test_a_sampler_that_learns_comes_to_prefer_the_block_that_is_better_at_everything(name: str) -> None:
    def favour(study: optuna.Study, trial: optuna.Trial, params: dict[str, Scalar]) -> None:
        good = params["block"] == "preact"
        accuracy, macs, *_ = values_of(params)
        study.tell(trial, [accuracy if good else accuracy - 1, macs if good else macs + 1e6])

    proposed = list(play(name, seed=0, proposals=60, tell=favour))
    assert share_of_good(proposed[40:]) > 0.5  # by chance it is a third


def test_auto_is_a_sampler_that_has_a_name() -> None:
    auto, front = (list(play(name, seed=3, proposals=14, tell=complete)) for name in ("auto", "front"))
    assert auto == front


def test_nsga2_breeds_from_the_twentieth_trial_on() -> None:
    generations: list[int] = []

    def note(study: optuna.Study, trial: optuna.Trial, params: dict[str, Scalar]) -> None:
        complete(study, trial, params)
        generations.append(study.trials[trial.number].system_attrs["NSGAIISampler:generation"])

    list(play("nsga2", seed=0, proposals=41, tell=note))
    assert [len(list(group)) for _, group in itertools.groupby(generations)] == [20, 20, 1]


def test_an_unknown_sampler_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"^sampler.name: unknown sampler 'nsga' \(did you mean 'nsga2'\?\)") as caught:
        make_sampler("nsga", 0, CATALOGUE, KNOWN)
    assert all(name in caught.value.message for name in SAMPLERS)


def test_making_a_sampler_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for name in SAMPLERS:
        list(play(name, seed=0, proposals=2, tell=complete))
    assert capfd.readouterr() == ("", "")


def test_nsga2_takes_up_hundreds_of_generations_at_once() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=make_sampler("nsga2", 0, CATALOGUE, KNOWN))
    for generation in range(400):
        row = optuna.create_trial(values=[0.5, 1.0], system_attrs={"NSGAIISampler:generation": generation})
        study.add_trial(row)
    take_up(study.sampler, study)
    assert SPACE.contains(SPACE.suggest(cast(Suggests, study.ask())))
