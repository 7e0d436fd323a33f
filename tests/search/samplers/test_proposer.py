"""A proposal can be built, keeps every constraint and is new; what is rejected is counted with its reason."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from search.config.study import parse
from search.core.costs import cost_of
from search.core.records import Rejection
from search.samplers.catalogue import SpaceCatalogue, coordinate
from search.samplers.proposer import RANDOM_TRIES, SAMPLER_TRIES, Proposal, Proposer
from search.samplers.registry import distribution, make_sampler
from search.simulation.recordings import RecordedCatalogue
from spaces.architecture import ImageSpec
from spaces.cost import Cost
from spaces.domains import Choice, Domain, Float, Int, Scalar
from spaces.errors import InfeasibleArchitecture
from spaces.space import SearchSpace
from tests.search.bench import FILE
from tests.search.tables import read
from workers.objectives import OBJECTIVES

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)

TINY: dict[str, Any] = {
    "block": {"choice": ["basic", "resnext"]},
    "depth": {"int": [1, 2]},
    "widening_factor": {"choice": [0.25, 0.5]},
    "cardinality": {"choice": [1, 8], "when": {"block": "resnext"}},
    "dropout": {"choice": ["none", "head"]},
    "dropout_rate": {"choice": [0.0, 0.1], "when": {"dropout": "head"}},
}
ENDLESS: dict[str, Any] = {"dropout_rate": {"float": [0.1, 0.5]}, "depth": {"int": [1, 4]}}


def make(
    space: Mapping[str, Any] = FILE["space"],
    constraints: Mapping[str, str] | None = None,
    sampler: str = "random",
    seed: int = 0,
) -> Proposer:
    config = parse({**FILE, "space": space, "constraints": constraints or {}})
    ways = ["maximize", "minimize"]
    catalogue = SpaceCatalogue(config.search_space, DIGITS, config.violations)
    known = [None, coordinate(OBJECTIVES["macs"])]
    return Proposer(catalogue, make_sampler(sampler, seed, catalogue, known), ways, seed)


def space_of(proposer: Proposer) -> SearchSpace:
    assert isinstance(proposer.catalogue, SpaceCatalogue)
    return proposer.catalogue.space


def violations_of(proposer: Proposer, counted: Cost) -> Mapping[str, float]:
    assert isinstance(proposer.catalogue, SpaceCatalogue)
    return proposer.catalogue.violations(counted)


def propose_all(proposer: Proposer, most: int = 1000) -> tuple[list[Proposal], list[Rejection]]:
    """Ask until nothing is left, or so many times; every proposal is known from then on."""
    known: dict[str, int] = {}
    proposals: list[Proposal] = []
    rejections: list[Rejection] = []
    while len(proposals) < most:
        found, rejected = proposer.propose(known)
        rejections += rejected
        if found is None:
            break
        known[found.digest] = len(proposals)
        proposals.append(found)
    return proposals, rejections


def rows(proposer: Proposer) -> list[FrozenTrial]:
    return proposer.mirror.get_trials()


# What is proposed


def test_a_proposal_keeps_every_constraint() -> None:
    bounds = {"params": "<= 40k", "activations": ">= 5k"}
    proposer = make(constraints=bounds)
    proposals, _ = propose_all(proposer, 40)
    assert len(proposals) == 40
    for proposal in proposals:
        assert proposal.cost == cost_of(proposal.architecture, DIGITS)
        assert proposal.cost.params <= 40_000
        assert proposal.cost.activations >= 5_000
        assert proposal.constraints == violations_of(proposer, proposal.cost)
        assert max(proposal.constraints.values()) <= 0


def test_a_proposal_is_a_member_of_the_space_and_can_be_built() -> None:
    proposer = make({**FILE["space"], "cardinality": {"choice": [2, 8, 32], "when": {"block": ["resnext"]}}})
    proposals, rejections = propose_all(proposer, 60)
    assert len(proposals) == 60
    for proposal in proposals:
        assert space_of(proposer).contains(proposal.params)
        assert proposal.architecture == space_of(proposer).architecture(proposal.params)
        assert proposal.digest == proposal.architecture.digest
    assert any("buildable" in rejection.violations for rejection in rejections)


def test_values_that_are_certain_may_come_before_their_turn_and_what_is_refused_waits_for_it() -> None:
    proposer = make({**ENDLESS, "dropout": "between"})
    proposer.draw_ahead(3)
    one, two, three = proposer.certain
    assert proposer.propose_now(two, lambda _found: False, {}) is None
    found = proposer.propose_now(two, lambda found: found.params == two, {})
    assert found is not None
    assert (found.params, proposer.certain) == (two, [one, three])
    known = {space_of(proposer).architecture(one).digest: 7}
    assert proposer.propose_now(one, lambda _found: True, known) is None
    assert proposer.certain == [one, three]
    proposer.take_back(found)
    assert proposer.certain == [two, one, three]
    assert [each.params for each in propose_all(proposer, 3)[0]] == [two, one, three]


def test_a_proposal_is_never_a_network_that_is_known() -> None:
    proposer = make({"depth": {"int": [1, 4]}, "widening_factor": {"choice": [0.5, 1]}})
    known = {space_of(proposer).architecture(params).digest: 7 for params in list(space_of(proposer).members())[:5]}
    for _ in range(20):
        found, _ = proposer.propose(known)
        assert found is not None
        assert found.digest not in known
        proposer.forget(found.mirror)


def test_choices_that_name_the_same_network_are_proposed_once() -> None:
    space = {
        "dropout": {"choice": ["none", "head"]},
        "dropout_rate": {"choice": [0.0, 0.5], "when": {"dropout": "head"}},
    }
    proposals, rejections = propose_all(make(space))
    assert len(proposals) == 2  # without dropout, and with: a rate of 0 is none
    assert any(rejection.reason.startswith("the same network as trial") for rejection in rejections)


def test_the_same_seed_proposes_the_same() -> None:
    first, again = (propose_all(make(sampler="tpe", seed=5), 15) for _ in range(2))
    assert [proposal.params for proposal in first[0]] == [proposal.params for proposal in again[0]]
    assert first[1] == again[1]


def test_a_proposal_carries_what_the_sampler_wants_remembered() -> None:
    found, _ = make(sampler="nsga2").propose({})
    assert found is not None
    assert found.system_attrs == {"NSGAIISampler:generation": 0}


# What is rejected


def test_every_rejection_is_told_with_its_reason() -> None:
    proposer = make(constraints={"params": "<= 20k"})
    proposals, rejections = propose_all(proposer, 30)
    assert len(rows(proposer)) == len(proposals) + len(rejections)
    kinds = Counter(_check_rejection(proposer, rejection) for rejection in rejections)
    assert kinds["constraint"] > 10


def _check_rejection(proposer: Proposer, rejection: Rejection) -> str:
    """Return why a rejection was right, found out anew."""
    try:
        counted = cost_of(space_of(proposer).architecture(rejection.params), DIGITS)
    except InfeasibleArchitecture as error:
        reason = str(error)
        counted = None
    if counted is None:
        assert rejection == Rejection(params=rejection.params, violations={"buildable": 1.0}, reason=reason)
        return "buildable"
    over = {name: value for name, value in violations_of(proposer, counted).items() if value > 0}
    assert rejection.violations == over
    if over:
        assert rejection.reason == f"oversteps params by {counted.params / 20_000 - 1:.0%}"
        return "constraint"
    assert rejection.reason.startswith("the same network as trial ")
    return "known"


def test_a_rejection_names_the_trial_that_has_trained_its_network() -> None:
    proposer = make({"depth": {"int": [1, 2]}})
    digest = space_of(proposer).architecture({"depth": 1}).digest
    for _ in range(10):
        found, rejected = proposer.propose({digest: 42})
        assert found is not None
        assert {rejection.reason for rejection in rejected} <= {"the same network as trial 42"}
        proposer.forget(found.mirror)
        if rejected:
            return
    pytest.fail("ten proposals of two, and never the known one")


def test_the_sampler_is_told_of_broken_constraints_and_not_of_known_networks() -> None:
    proposer = make(constraints={"params": "<= 20k"})
    _, rejections = propose_all(proposer, 30)
    told = [row for row in rows(proposer) if row.state is TrialState.PRUNED]
    assert [row.constraints for row in told] == [each.violations for each in rejections if each.violations]
    silent = [row for row in rows(proposer) if row.state is TrialState.FAIL]
    assert len(silent) == sum(not each.violations for each in rejections)


# What there is in place of a choice


def of_table(frame: pd.DataFrame, sampler: str = "random") -> Proposer:
    """Return a proposer of a table's networks, by width and depth from 1 to 9."""
    space = {"width": {"int": [1, 9]}, "depth": {"int": [1, 9]}}
    catalogue = RecordedCatalogue(read(frame, space=space))
    made = make_sampler(sampler, 0, catalogue, catalogue.coordinates())
    return Proposer(catalogue, made, ["maximize", "minimize"], 0)


CORNERS = pd.DataFrame({"width": [1, 9, 9], "depth": [1, 1, 9], "cost": [1.0, 2.0, 3.0], "acc": [0.5, 0.6, 0.7]})


def asked_for(proposer: Proposer, **params: int) -> Proposal:
    """Return what is proposed where the sampler has chosen so."""
    proposer.mirror.enqueue_trial(params)
    found, rejected = proposer.propose({})
    assert found is not None
    assert rejected == []
    return found


def test_the_nearest_that_there_is_is_proposed_and_the_sampler_learns_of_that() -> None:
    proposer = of_table(CORNERS)
    found = asked_for(proposer, width=8, depth=2)
    assert found.params == {"width": 9, "depth": 1}
    proposer.complete(found.mirror, [0.6, 2.0])
    assert [(row.state, row.params) for row in rows(proposer)] == [
        (TrialState.FAIL, {"width": 8, "depth": 2}),  # which no sampler sees
        (TrialState.COMPLETE, {"width": 9, "depth": 1}),
    ]
    assert rows(proposer)[found.mirror].values == [0.6, 2.0]


@pytest.mark.parametrize("end", [Proposer.stop, Proposer.forget])
def test_what_is_there_in_place_of_a_choice_may_come_to_any_end(end: Callable[[Proposer, int], None]) -> None:
    proposer = of_table(CORNERS)
    found = asked_for(proposer, width=8, depth=2)
    end(proposer, found.mirror)
    assert rows(proposer)[found.mirror].state.is_finished()


def test_a_choice_that_is_there_is_what_the_sampler_learns_of() -> None:
    proposer = of_table(CORNERS)
    assert asked_for(proposer, width=9, depth=9).mirror == 0
    assert [row.state for row in rows(proposer)] == [TrialState.RUNNING]


def test_what_the_sampler_wants_remembered_goes_over_to_what_is_there() -> None:
    proposer = of_table(CORNERS, "nsga2")
    found, _ = proposer.propose({})
    assert found is not None
    assert found.mirror == 1  # of 81 choices three are there
    assert found.system_attrs == {"NSGAIISampler:generation": 0}
    assert rows(proposer)[1].system_attrs["NSGAIISampler:generation"] == 0


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2", "auto"])
def test_every_network_of_a_table_is_proposed_once(sampler: str) -> None:
    proposals, _ = propose_all(of_table(CORNERS, sampler))
    assert sorted(tuple(each.params.values()) for each in proposals) == [(1, 1), (9, 1), (9, 9)]


# What is left


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
def test_a_small_space_is_exhausted_exactly(sampler: str) -> None:
    proposer = make(TINY, {"params": "<= 12k"}, sampler)
    allowed: set[str] = set()
    for params in space_of(proposer).members():
        try:
            architecture = space_of(proposer).architecture(params)
        except InfeasibleArchitecture:
            continue
        if cost_of(architecture, DIGITS).params <= 12_000:
            allowed.add(architecture.digest)
    assert 5 < len(allowed) < (space_of(proposer).size or 0)
    proposals, _ = propose_all(proposer)
    assert Counter(proposal.digest for proposal in proposals) == Counter(allowed)


def test_an_exhausted_space_stays_so() -> None:
    proposer = make({"depth": {"int": [1, 2]}})
    known = {space_of(proposer).architecture(params).digest: 0 for params in space_of(proposer).members()}
    for _ in range(2):
        found, rejected = proposer.propose(known)
        assert found is None
        assert len(rejected) == SAMPLER_TRIES + RANDOM_TRIES


def test_the_one_network_that_chance_would_hardly_find_is_found() -> None:
    proposer = make({"dropout": "head", "dropout_rate": {"float": [0.0, 0.8], "step": 0.0005}})
    members = list(space_of(proposer).members())
    known = {space_of(proposer).architecture(params).digest: 0 for params in members}
    wanted = space_of(proposer).architecture(members[1234]).digest
    del known[wanted]
    found, _ = proposer.propose(known)
    assert found is not None
    assert (found.digest, found.params) == (wanted, members[1234])
    assert rows(proposer)[found.mirror].params == found.params
    assert rows(proposer)[found.mirror].state is TrialState.RUNNING


def test_an_endless_space_is_not_exhausted() -> None:
    proposals, _ = propose_all(make({**ENDLESS, "dropout": "head"}), 60)
    assert len({proposal.digest for proposal in proposals}) == 60


def test_no_proposal_comes_of_a_space_too_large_to_list_and_all_forbidden() -> None:
    rates = {"dropout": "head", "dropout_rate": {"float": [0.0, 0.8], "step": 0.0001}}
    proposer = make({**rates, "depth": {"int": [1, 4]}}, {"params": "<= 10"})
    assert space_of(proposer).product > 20_000
    found, rejected = proposer.propose({})
    assert found is None
    assert len(rejected) == SAMPLER_TRIES + RANDOM_TRIES


# What the sampler knows


def play(proposer: Proposer, ends: list[str]) -> list[tuple[str, Proposal]]:
    """Ask for a proposal per end, and tell the sampler of it."""
    played = []
    for number, end in enumerate(ends):
        found, _ = proposer.propose({})
        assert found is not None
        played.append((end, found))
        if end == "complete":
            proposer.complete(found.mirror, (number / 100, 1000.0 * number))
        elif end == "stopped":
            proposer.stop(found.mirror)
        elif end == "failed":
            proposer.penalise(found.mirror, {"crash": 1.0})
        elif end == "lost":
            proposer.forget(found.mirror)
    return played


def remember(proposer: Proposer, played: list[tuple[str, Proposal]]) -> list[int]:
    """Tell another proposer the same, as a later launch does."""
    return [
        proposer.remember(
            proposal.params,
            values=(number / 100, 1000.0 * number) if end == "complete" else None,
            violations={"crash": 1.0} if end == "failed" else None,
            running=end == "running",
            system_attrs=proposal.system_attrs,
        )
        for number, (end, proposal) in enumerate(played)
        if end != "lost"
    ]


def knowledge(proposer: Proposer) -> list[Any]:
    """Return all that a sampler reads of the trials it sees."""
    seen = [row for row in rows(proposer) if row.state is not TrialState.FAIL]
    attrs = [{k: v for k, v in row.system_attrs.items() if not k.startswith(("constraints", "fixed"))} for row in seen]
    return [
        (row.state, row.params, row.distributions, row.values, row.constraints, attr)
        for row, attr in zip(seen, attrs, strict=True)
    ]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_later_launch_gives_the_sampler_the_same_knowledge(sampler: str) -> None:
    before, after = make(sampler=sampler), make(sampler=sampler)
    ends = ["complete", "stopped", "failed", "lost", "running", "complete"] * 4
    played = play(before, ends)
    numbers = remember(after, played)
    states = Counter(row.state for row in rows(after))
    assert states == {TrialState.COMPLETE: 8, TrialState.PRUNED: 8, TrialState.RUNNING: 4}
    assert knowledge(after) == knowledge(before)
    assert numbers == list(range(20))


def test_a_remembered_trial_that_runs_can_still_come_to_any_end() -> None:
    proposer = make()
    params = next(space_of(proposer).members())
    first, second, third, fourth = (proposer.remember(params, running=True) for _ in range(4))
    proposer.complete(first, (0.5, 100.0))
    proposer.stop(second)
    proposer.penalise(third, {"crash": 1.0})
    proposer.forget(fourth)
    states = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL]
    assert [row.state for row in rows(proposer)] == states
    assert [row.constraints for row in rows(proposer)] == [{}, {}, {"crash": 1.0}, {}]


def played_by(tell: Callable[[Proposer, Proposal], None], proposals: int, seed: int) -> list[dict[str, Scalar]]:
    proposer = make(sampler="tpe", seed=seed)
    played = []
    for _ in range(proposals):
        found, _ = proposer.propose({})
        assert found is not None
        if int(found.params["depth"]) >= 3:
            tell(proposer, found)
        else:
            proposer.complete(found.mirror, (1 - 1 / (2 + found.cost.params), found.cost.macs))
        played.append(found.params)
    return played


def share_deep(played: list[dict[str, Scalar]]) -> float:
    later = played[len(played) // 2 :]
    return sum(int(params["depth"]) >= 3 for params in later) / len(later)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_corner_that_always_fails_comes_to_be_avoided(seed: int) -> None:
    played = played_by(lambda proposer, found: proposer.penalise(found.mirror, {"out-of-memory": 1.0}), 100, seed)
    assert share_deep(played) < 0.35  # half of the space is that deep


@pytest.mark.parametrize("seed", [0, 1])
def test_a_lost_worker_is_not_held_against_its_architecture(seed: int) -> None:
    lost = played_by(lambda proposer, found: proposer.forget(found.mirror), 100, seed)
    assert share_deep(lost) > 0.5


def test_a_lost_trial_leaves_nothing_that_a_sampler_sees() -> None:
    proposer = make(sampler="tpe")
    found, _ = proposer.propose({})
    assert found is not None
    proposer.forget(found.mirror)
    row = rows(proposer)[found.mirror]
    assert (row.state, row.constraints, row.values) == (TrialState.FAIL, {}, None)


# Domains in Optuna's words


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (Choice(options=("a", 1, 0.5, True)), CategoricalDistribution(("a", 1, 0.5, True))),
        (Int(low=1, high=4), IntDistribution(1, 4)),
        (Int(low=1, high=9, step=4), IntDistribution(1, 9, step=4)),
        (Int(low=1, high=64, log=True), IntDistribution(1, 64, log=True)),
        (Float(low=0.05, high=0.5), FloatDistribution(0.05, 0.5)),
        (Float(low=0.1, high=0.5, step=0.1), FloatDistribution(0.1, 0.5, step=0.1)),
        (Float(low=1e-4, high=1.0, log=True), FloatDistribution(1e-4, 1.0, log=True)),
    ],
)
def test_a_distribution_is_its_domain(domain: Domain, expected: BaseDistribution) -> None:
    made = distribution(domain)
    assert made == expected
    assert all(made._contains(made.to_internal_repr(value)) for value in domain.values())


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_what_is_suggested_fits_the_distributions_that_are_remembered(sampler: str) -> None:
    space = {
        "stem_width": {"int": [4, 64], "log": True},
        "depth": {"int": [1, 7], "step": 2},
        "dropout": "head",
        "dropout_rate": {"float": [0.1, 0.7], "step": 0.2},
        "widening_factor": {"float": [0.25, 4], "log": True},
    }
    proposer = make(space, sampler=sampler)
    for _ in range(15):
        found, _ = proposer.propose({})
        assert found is not None
        assert rows(proposer)[found.mirror].distributions == proposer.distributions
        proposer.complete(found.mirror, (0.5, 1.0))
        proposer.remember(found.params, values=(0.5, 1.0))


def test_the_mirror_is_in_memory_and_minimises_and_maximises_as_asked() -> None:
    proposer = make()
    assert [way.name for way in proposer.mirror.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert isinstance(proposer.mirror._storage, optuna.storages.InMemoryStorage)
