"""The sampler of known costs: an ordinary one of Optuna's, that finds fronts in fewer trials than chance."""

import pickle
import random
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any, cast

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import TrialState
from scipy.stats import spearmanr

from search.config.study import parse
from search.models.pareto import hypervolume
from search.models.surrogate import MOST_FITTED, Surrogate
from search.samplers.catalogue import Coordinate, SpaceCatalogue, coordinate
from search.samplers.front_sampler import N_STARTUP_TRIALS, FrontSampler, _Error, rung_attr, rung_of
from search.samplers.proposer import Proposer
from search.samplers.registry import distributions
from spaces.architecture import ImageSpec
from spaces.domains import Scalar, Suggests
from spaces.errors import InfeasibleArchitecture
from tests.search.bench import FILE
from workers.objectives import OBJECTIVES
from workers.recipe import identity

SPACE = {
    "block": {"choice": ["basic", "bottleneck", "resnext", "preact"]},
    "depth": {"int": [1, 6]},
    "widening_factor": {"choice": [0.25, 0.5, 1, 2, 4]},
    "cardinality": {"choice": [2, 4, 8], "when": {"block": ["resnext"]}},
    "dropout": {"choice": ["none", "between"]},
    "dropout_rate": {"float": [0.05, 0.5], "when": {"dropout": ["between"]}},
}
CONFIG = parse({**FILE, "space": SPACE, "constraints": {}})
CATALOGUE = SpaceCatalogue(CONFIG.search_space, ImageSpec(channels=1, height=8, width=8, classes=10), CONFIG.violations)
MACS, PARAMS = coordinate(OBJECTIVES["macs"]), coordinate(OBJECTIVES["params"])
Values = Callable[[dict[str, Scalar], random.Random], list[float]]


def sampler(seed: int = 0, known: Sequence[Coordinate | None] = (None, MACS)) -> FrontSampler:
    return FrontSampler(CATALOGUE, distributions(CATALOGUE.parameters), known, seed)


def learn(params: dict[str, Scalar], rng: random.Random, noise: float = 0.003) -> list[float]:
    """Return a made-up accuracy with noise, and the cost: some blocks are better for the same cost."""
    macs = CATALOGUE.describe(params).cost.macs
    good = {"basic": 0.0, "bottleneck": -0.02, "resnext": 0.02, "preact": 0.03}[str(params["block"])]
    rate = float(cast(float, params.get("dropout_rate", 0.0)))
    return [0.99 - 2.0 / macs**0.25 + good - 0.1 * (rate - 0.2) ** 2 + rng.gauss(0, noise), macs]


def study_of(asked: BaseSampler, *ways: str) -> optuna.Study:
    return optuna.create_study(
        directions=[StudyDirection[way.upper()] for way in ways or ("maximize", "minimize")], sampler=asked
    )


def suggest(study: optuna.Study) -> tuple[optuna.Trial, dict[str, Scalar]]:
    trial = study.ask()
    return trial, dict(CATALOGUE.suggest(cast(Suggests, trial)))


def play(
    asked: BaseSampler, trials: int, seed: int = 0, learned: Values = learn, ways: tuple[str, ...] = ()
) -> list[dict[str, Scalar]]:
    study, rng, seen = study_of(asked, *ways), random.Random(seed), []
    for _ in range(trials):
        trial, params = suggest(study)
        while not buildable(params):
            study.tell(trial, state=TrialState.FAIL)
            trial, params = suggest(study)
        study.tell(trial, learned(params, rng))
        seen.append(params)
    return seen


def buildable(params: dict[str, Scalar]) -> bool:
    try:
        CATALOGUE.describe(params)
    except InfeasibleArchitecture:
        return False
    return True


def volume(seen: list[dict[str, Scalar]]) -> float:
    """Return the hypervolume of the true values, up to those of a bad and dear network."""
    rows = [learn(params, random.Random(0), noise=0.0) for params in seen]
    return hypervolume(np.array([[-accuracy, np.log10(macs)] for accuracy, macs in rows]), [-0.85, 8.5])


def digest(params: dict[str, Scalar]) -> str:
    return CATALOGUE.describe(params).digest


def test_thirty_trials_are_worth_more_than_twice_as_many_by_chance() -> None:
    ours = mean(volume(play(sampler(seed), 30, seed)) for seed in range(3))
    chance = mean(volume(play(RandomSampler(seed=seed), 75, seed)) for seed in range(3))
    assert ours > chance


def test_the_first_trials_are_spread_over_all_costs() -> None:
    macs = sorted(CATALOGUE.describe(params).cost.macs for params in play(sampler(), N_STARTUP_TRIALS))
    pool = sampler()._pool
    pool.refresh()
    quarters = np.quantile([network.costs[0] for network in pool.networks], [0.25, 0.5, 0.75])
    assert set(np.searchsorted(quarters, np.log(macs)).tolist()) == {0, 1, 2, 3}


def test_no_network_is_proposed_twice() -> None:
    seen = play(sampler(), 40)
    assert len({digest(params) for params in seen}) == 40


def test_the_same_seed_proposes_the_same_and_another_one_does_not() -> None:
    assert play(sampler(3), 16) == play(sampler(3), 16)
    assert play(sampler(3), 16) != play(sampler(4), 16)


def test_trials_that_run_at_the_same_time_are_different_ones() -> None:
    study, rng = study_of(sampler()), random.Random(0)
    for _ in range(14):
        trial, params = suggest(study)
        study.tell(trial, learn(params, rng))
    batch = [suggest(study)[1] for _ in range(8)]
    assert len({digest(params) for params in batch}) == 8
    macs = [CATALOGUE.describe(params).cost.macs for params in batch]
    assert max(macs) > 2 * min(macs)


@pytest.mark.parametrize(
    ("ways", "known"),
    [
        (("maximize", "minimize", "minimize"), (None, MACS, PARAMS)),
        (("maximize", "minimize", "minimize"), (None, None, MACS)),
        (("maximize", "minimize"), (None, None)),
        (("minimize", "maximize"), (MACS, None)),
        (("maximize",), (None,)),
    ],
)
def test_any_objectives_known_or_learned_in_any_order(
    ways: tuple[str, ...], known: tuple[Coordinate | None, ...]
) -> None:
    def learned(params: dict[str, Scalar], rng: random.Random) -> list[float]:
        accuracy, macs = learn(params, rng)
        described = CATALOGUE.describe(params)
        slow = iter([-1.0 / macs**0.1, 0.0])
        values = []
        for way, how in zip(ways, known, strict=True):
            if how is not None:
                values.append(float(described.cost.macs if how is MACS else described.cost.params))
            else:
                values.append(accuracy if way == "maximize" else next(slow))
        return values

    seen = play(sampler(known=known), 20, learned=learned, ways=ways)
    assert len({digest(params) for params in seen}) == 20


def test_a_sampler_can_be_pickled_and_goes_on() -> None:
    first = sampler(5)
    study, rng = study_of(first), random.Random(0)
    for _ in range(12):
        trial, params = suggest(study)
        study.tell(trial, learn(params, rng))
    study.sampler = pickle.loads(pickle.dumps(first))
    assert suggest(study)[1]


def test_where_all_is_tried_any_network_is_proposed() -> None:
    config = parse({**FILE, "space": {"depth": {"int": [1, 2]}}, "constraints": {}})
    small = SpaceCatalogue(config.search_space, CATALOGUE.image, config.violations)
    study = study_of(FrontSampler(small, distributions(small.parameters), (None, MACS), 0))
    depths = []
    for _ in range(4):
        trial = study.ask()
        depths.append(small.suggest(cast(Suggests, trial))["depth"])
        study.tell(trial, [0.5, 1.0])
    assert sorted(depths[:2]) == [1, 2]


@pytest.mark.slow
def test_among_a_thousand_trials_a_proposal_fits_the_kernel_on_no_more_than_a_hundred_and_fifty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adjusted: list[int] = []
    adjust = Surrogate._adjusted

    def counting(model: Surrogate, features: Any, *given: Any) -> Any:
        adjusted.append(len(features))
        return adjust(model, features, *given)

    monkeypatch.setattr(Surrogate, "_adjusted", counting)
    study, rng = study_of(sampler()), random.Random(0)
    pool = sampler(1)._pool
    while len(pool.networks) < 1000:
        pool.refresh()
    for network in pool.networks[:1000]:
        params = dict(network.params)
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={name: distributions(CATALOGUE.parameters)[name] for name in params},
                values=learn(params, rng),
            )
        )
    for _ in range(7):
        trial, params = suggest(study)
        study.tell(trial, learn(params, rng))
    assert 0 < len(adjusted) <= 7
    assert max(adjusted) <= MOST_FITTED


def foreseen(seed: int, rung: Callable[[float], float] | None) -> float:
    """Return how well a sampler orders networks by quality: twelve were trained in full, forty were stopped early."""
    asked, rng = sampler(seed), random.Random(seed)
    study = study_of(asked)
    asked._pool.refresh()
    networks = asked._pool.networks
    for place, network in enumerate(rng.sample(networks, 52)):
        params = dict(network.params)
        accuracy, macs = learn(params, rng)
        study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.COMPLETE if place < 12 else TrialState.PRUNED,
                params=params,
                distributions={name: distributions(CATALOGUE.parameters)[name] for name in params},
                values=[accuracy, macs] if place < 12 else None,
                user_attrs={rung_attr(1): [rung(accuracy), macs]} if rung else {},
            )
        )
    suggest(study)
    assert asked._scale is not None
    assert asked._surrogate is not None
    believed = asked._surrogate.predict(asked._scale(networks)).mean
    truth = [-learn(dict(network.params), rng, noise=0.0)[0] for network in networks]
    return float(spearmanr(believed, truth).statistic)


@pytest.mark.parametrize(
    "rung",
    [
        pytest.param(lambda accuracy: 2 * accuracy - 1, id="twice the error"),
        pytest.param(lambda accuracy: 0.6 * accuracy - 0.1, id="far above"),
        pytest.param(lambda accuracy: accuracy / 50, id="hardly above nothing"),
    ],
)
def test_trials_that_were_stopped_at_a_rung_teach_what_is_good(rung: Callable[[float], float]) -> None:
    taught, untaught = (mean(foreseen(seed, each) for seed in range(3)) for each in (rung, None))
    assert taught > untaught + 0.03


def ordered(seed: int, spoiled: int) -> float:
    """Return how well a sampler orders networks by quality, of 30 that were trained some of which came to nothing."""
    asked, rng = sampler(seed), random.Random(seed)
    study = study_of(asked)
    asked._pool.refresh()
    networks = asked._pool.networks
    for place, network in enumerate(rng.sample(networks, 30)):
        params = dict(network.params)
        accuracy, macs = learn(params, rng)
        study.add_trial(
            optuna.trial.create_trial(
                params=params,
                distributions={name: distributions(CATALOGUE.parameters)[name] for name in params},
                values=[accuracy - 100 * (place < spoiled), macs],
            )
        )
    suggest(study)
    assert asked._scale is not None
    assert asked._surrogate is not None
    believed = asked._surrogate.predict(asked._scale(networks)).mean
    truth = [-learn(dict(network.params), rng, noise=0.0)[0] for network in networks]
    return float(spearmanr(believed, truth).statistic)


@pytest.mark.parametrize("seed", range(3))
def test_a_training_that_came_to_nothing_does_not_drown_what_the_others_teach(seed: int) -> None:
    assert ordered(seed, spoiled=1) > 0.8 * ordered(seed, spoiled=0) > 0.7


def test_of_two_networks_that_are_as_bad_at_their_worst_the_one_that_dominates_is_of_less_error() -> None:
    done = np.array([[0.0, 0.0], [1.0, 1.0]])  # both learned objectives, from best to worst
    error = _Error(done, np.array([1.0, 1.0]), [0, 1], np.array([1.0, 1.0]))
    dominating, dominated, worse = error(np.array([[0.5, 0.1], [0.5, 0.4], [0.6, 0.0]]))
    assert dominating < dominated
    assert dominated < worse  # the worst counts most


def test_what_a_trial_showed_at_rungs_is_in_its_attributes() -> None:
    proposer = Proposer(CATALOGUE, sampler(), ["maximize", "minimize"], 0)
    proposal, _ = proposer.propose({})
    assert proposal is not None
    proposer.begun(proposal, 0)
    proposer.showed(0, 1, (0.5, 1e6))
    proposer.showed(0, 3, (0.7, 1e6))
    proposer.stop(proposal.mirror)
    again = Proposer(CATALOGUE, sampler(), ["maximize", "minimize"], 0)
    again.remember(proposal.params, showed={1: (0.5, 1e6), 3: (0.7, 1e6)})
    for each in (proposer, again):
        (row,) = [row for row in each.mirror.get_trials() if row.params == proposal.params]
        showed = {rung_of(name): values for name, values in row.user_attrs.items()}
        assert (row.state, showed) == (TrialState.PRUNED, {1: [0.5, 1e6], 3: [0.7, 1e6]})


def test_what_breaks_a_constraint_of_now_teaches_and_is_no_rival() -> None:
    narrow = parse({**FILE, "space": SPACE, "constraints": {"macs": "<= 300k"}})
    catalogue = SpaceCatalogue(narrow.search_space, CATALOGUE.image, narrow.violations)
    rng, drawn = random.Random(0), random.Random(1)
    asked = FrontSampler(catalogue, distributions(catalogue.parameters), (None, MACS), 0)
    proposer = Proposer(catalogue, asked, ["maximize", "minimize"], 0)
    while len(proposer.mirror.trials) < 25:  # all of them trained when there was no bound
        params = CATALOGUE.draw(drawn)
        if buildable(params) and not catalogue.describe(params).allowed:
            over = {"macs": catalogue.describe(params).constraints["macs"]}
            proposer.remember(params, values=learn(params, rng), violations=over)
    proposals = []
    for number in range(8):
        proposal, _ = proposer.propose({})
        assert proposal is not None
        assert proposal.cost.macs <= 300_000
        proposals.append(proposal)
        proposer.begun(proposal, number)
    assert sum(each.params["block"] in ("preact", "resnext") for each in proposals) > 4  # as those were the better ones


def test_a_recipe_is_learned_beside_the_network() -> None:
    """Of a network's rates only one is good: the later half of what is proposed is nearer to it than chance."""
    space = {"block": {"choice": ["basic", "preact"]}, "depth": {"int": [1, 4]}, "widening_factor": 0.5}
    recipe = {"learning_rate": {"float": [0.001, 1.0], "log": True}}
    config = parse({**FILE, "space": space, "recipe": recipe, "constraints": {}})
    offered = SpaceCatalogue(config.search_space, CATALOGUE.image, config.violations)
    proposer = Proposer(
        offered, FrontSampler(offered, distributions(offered.parameters), (None, MACS), 0), ["maximize", "minimize"], 0
    )
    known: dict[str, int] = {}
    away = []
    for number in range(40):
        found, _ = proposer.propose(known)
        assert found is not None
        known[identity(found.digest, found.params)] = number
        off = abs(np.log10(float(found.params["learning_rate"])) + 1)  # decades from 0.1
        away.append(off)
        proposer.complete(found.mirror, [0.98 - 1 / found.cost.macs**0.25 - 0.2 * off**2, found.cost.macs])
    assert mean(away[20:]) < 0.5 * mean(away[:10])
