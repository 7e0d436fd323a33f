"""A trial stays what was trained, however the space around it changes; who is a member is told by what it is."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.config.study import StudyConfig, parse
from search.core.costs import cost_of
from search.core.records import Rejection, State, TrialRecord
from search.samplers.memory import MEMORY
from search.samplers.registry import recorded_distributions
from search.study.growth import Change
from spaces.architecture import ImageSpec
from spaces.domains import Choice, Float, Int, Parameter, Scalar
from spaces.errors import InfeasibleArchitecture, InputError
from tests import factories
from tests.search.bench import FILE, NOON
from workers.recipe import identity

DIGITS = ImageSpec(channels=1, height=8, width=8, classes=10)
BLOCK = {"choice": ["basic", "preact"]}
SPACE: dict[str, Any] = {"block": BLOCK, "depth": {"int": [1, 4]}}
BASIC = {"block": "basic", "depth": 2}
RATE = {"float": [0.02, 0.4], "log": True}


def config_of(space: Any = SPACE, **sections: Any) -> StudyConfig:
    return parse({**FILE, "space": space, "constraints": {}, **sections})


def trial_of(config: StudyConfig, params: Mapping[str, Scalar], number: int = 0, **fields: Any) -> TrialRecord:
    """Return a trial as a study of the file would have begun it."""
    architecture = config.search_space.architecture(params)
    counted = cost_of(architecture, DIGITS, batch=config.recipe_of(params).batch_size)
    return factories.trial(
        number, params=params, architecture=architecture, digest=architecture.digest, cost=counted, **fields
    )


def change(before: StudyConfig, now: StudyConfig) -> Change:
    return Change(before=before, now=now, image=DIGITS, at=NOON)


def retold(params: Mapping[str, Scalar], before: StudyConfig, now: StudyConfig, **fields: Any) -> TrialRecord:
    return change(before, now).retold(trial_of(before, params, **fields))


@pytest.mark.parametrize(
    ("space", "params", "outside"),
    [
        ({**SPACE, "block": {"choice": ["resnext", "preact", "basic"]}}, BASIC, ""),  # choices added, in any order
        ({**SPACE, "block": {"choice": ["preact"]}}, BASIC, "the space lacks block basic"),
        ({**SPACE, "depth": {"int": [2, 9]}}, BASIC, ""),
        ({**SPACE, "depth": {"int": [3, 9]}}, BASIC, "the space lacks depth 2"),
        ({**SPACE, "depth": {"int": [1, 9], "step": 2}}, BASIC, "the space lacks depth 2"),
        ({**SPACE, "depth": {"choice": [2, 8]}}, BASIC, ""),  # told otherwise
        ({"block": BLOCK, "depths": {"choice": [[2, 2, 2], [1, 2, 1]]}}, {"block": "basic", "depths": "2,2,2"}, ""),
        ({"block": BLOCK, "depths": {"choice": [[1, 2, 1], [3, 3, 3]]}}, BASIC, "the space lacks depths 2,2,2"),
        ({"depth": SPACE["depth"]}, {"depth": 2}, ""),  # what is fixed matches
        ({"depth": SPACE["depth"], "block": "preact"}, BASIC, "the space lacks block basic"),
        ({**SPACE, "activation": {"choice": ["crelu", "relu"]}}, {**BASIC, "activation": "relu"}, ""),  # by default
        ({**SPACE, "activation": {"choice": ["crelu"]}}, BASIC, "the space lacks activation relu"),
        ({**SPACE, "cardinality": {"choice": [4, 8]}}, {**BASIC, "cardinality": 4}, ""),  # basic reads none
        ({**SPACE, "cardinality": {"choice": [4, 8], "when": {"block": "preact"}}}, BASIC, ""),
        ({**SPACE, "shortcut": "A"}, BASIC, "the space lacks shortcut B"),
    ],
)  # fmt: skip
def test_who_is_a_member_and_by_which_values(space: Any, params: dict[str, Scalar], outside: str) -> None:
    told = retold(BASIC, config_of(), config_of(space))
    assert (dict(told.params), told.outside) == (params, outside)


def test_a_parameter_is_added_with_the_value_that_was_fixed() -> None:
    before = config_of({**SPACE, "widening_factor": 0.5})
    told = retold(BASIC, before, config_of({**SPACE, "widening_factor": {"choice": [0.25, 0.5]}}))
    assert (dict(told.params), told.outside) == ({**BASIC, "widening_factor": 0.5}, "")
    other = retold(BASIC, before, config_of({**SPACE, "widening_factor": {"choice": [0.25, 1]}}))
    assert other.outside == "the space lacks widening_factor 0.5"


def test_who_is_outside_has_the_value_of_an_added_parameter_too() -> None:
    space = {"block": {"choice": ["preact"]}, "depth": SPACE["depth"], "activation": {"choice": ["relu", "crelu"]}}
    told = retold(BASIC, config_of(), config_of(space, recipe={"learning_rate": RATE}))
    assert (dict(told.params), told.outside) == (
        {**BASIC, "activation": "relu", "learning_rate": 0.1}, "the space lacks block basic",
    )  # fmt: skip


def test_a_number_is_the_same_whatever_kind_of_domain_has_it() -> None:
    halves, wholes = {"float": [0.5, 4], "step": 0.5}, {"int": [1, 4]}
    before, now = (config_of({**SPACE, "widening_factor": domain}) for domain in (halves, wholes))
    told = retold({**BASIC, "widening_factor": 2.0}, before, now)
    assert (told.params["widening_factor"], type(told.params["widening_factor"]), told.outside) == (2, int, "")
    assert retold({**BASIC, "widening_factor": 1.5}, before, now).outside == "the space lacks widening_factor 1.5"


def test_a_parameter_with_its_default_is_the_same_network() -> None:
    now = config_of({**SPACE, "activation": {"choice": ["relu", "crelu"]}})
    told = retold(BASIC, config_of(), now)
    assert now.search_space.architecture(told.params).digest == told.digest == trial_of(config_of(), BASIC).digest
    assert told.identity == trial_of(now, {**BASIC, "activation": "relu"}).identity


@pytest.mark.parametrize(
    ("before", "now", "chosen", "params", "outside"),
    [
        ({"learning_rate": 0.1}, {"learning_rate": RATE}, {}, {"learning_rate": 0.1}, ""),
        ({"momentum": 0.5}, {"momentum": {"choice": [0.9]}}, {}, {"momentum": 0.5}, "the space lacks momentum 0.5"),
        ({"learning_rate": RATE}, {"learning_rate": 0.2}, {"learning_rate": 0.2}, {}, ""),
        ({"learning_rate": RATE}, {"learning_rate": 0.2}, {"learning_rate": 0.3}, {"learning_rate": 0.3},
         "the space lacks learning_rate 0.3"),
        ({"batch_size": {"choice": [32, 64]}}, {"batch_size": {"choice": [16, 32]}}, {"batch_size": 64},
         {"batch_size": 64}, "the space lacks batch_size 64"),
        ({}, {"crop": {"choice": [1, 2]}}, {}, {}, "the space lacks crop None"),  # what the data say is no number
    ],
)  # fmt: skip
def test_a_trials_recipe_stays_its_own(before: Any, now: Any, chosen: Any, params: Any, outside: str) -> None:
    old, new = config_of(recipe=before), config_of(recipe=now)
    told = retold({**BASIC, **chosen}, old, new)
    assert (dict(told.params), told.outside) == ({**BASIC, **params}, outside)
    assert new.recipe_of(told.params) == old.recipe_of({**BASIC, **chosen})
    assert outside or told.identity == identity(told.digest, params)


def test_a_constraint_keeps_its_networks_out_and_lets_them_in_again() -> None:
    wide, narrow = config_of(constraints={"params": "<= 1M"}), config_of(constraints={"params": "<= 100k"})
    large = trial_of(wide, {"block": "basic", "depth": 4}, accuracies=[0.5], state=State.COMPLETE)
    out = change(wide, narrow).retold(large)
    assert out == replace(large, outside=f"oversteps params by {large.cost.params / 1e5 - 1:.0%}")
    assert change(narrow, wide).retold(out) == large


def test_a_cost_that_was_not_known_is_counted_now() -> None:
    before, now = config_of(), config_of(constraints={"training_bytes": "<= 1M"})
    trial = trial_of(before, BASIC)
    older = replace(trial, cost=replace(trial.cost, training_bytes=0))  # from before it was estimated
    assert change(before, now).retold(older).outside == change(before, now).retold(trial).outside
    assert change(before, now).retold(older).outside.startswith("oversteps training_bytes")


def test_what_runs_and_is_no_member_is_stopped_and_what_has_ended_stays_as_it_was() -> None:
    now = config_of({**SPACE, "depth": {"int": [3, 4]}})
    stopped = retold(BASIC, config_of(), now, accuracies=[0.3])
    assert stopped.state is State.STOPPED
    assert stopped.reason == "the study has changed: the space lacks depth 2"
    assert stopped.ended_at is not None
    assert stopped.started_at is not None
    assert stopped.ended_at >= stopped.started_at
    assert retold(BASIC, config_of(), config_of(), accuracies=[0.3]).state is State.RUNNING
    failed = trial_of(config_of(), BASIC, state=State.FAILED, reason="crash: no", failure_kind="crash")
    assert change(config_of(), now).retold(failed) == replace(failed, outside="the space lacks depth 2")


def test_rejections_hold_only_as_far_as_they_still_would() -> None:
    before, now = config_of(constraints={"params": "<= 10k"}), config_of(constraints={"params": "<= 100k"})
    small, large, gone = BASIC | {"depth": 1}, BASIC | {"depth": 4}, BASIC | {"depth": 9}
    refused = [Rejection(params=each, violations={"params": 9.0}, reason="") for each in (small, large, gone)]
    doubted = Rejection(params=small, violations={MEMORY: 1.0}, reason="")
    growth = change(before, now).growth([], [], [*refused, doubted])
    (left, other) = growth.rejections
    assert other == doubted  # of one launch, and remembered by none
    over = trial_of(before, large).cost.params / 1e5 - 1
    assert left == Rejection(params=large, violations={"params": over}, reason=f"oversteps params by {over:.0%}")


def test_what_is_said_counts_members_reasons_and_what_is_stopped() -> None:
    before = config_of()
    now = config_of({**SPACE, "block": {"choice": ["basic"]}}, constraints={"params": "<= 100k"})
    given = [("basic", 1, "complete"), ("basic", 4, "complete"), ("preact", 1, "running"), ("basic", 3, "stopped")]
    trials = [
        trial_of(before, {"block": block, "depth": depth}, number, state=State(state))
        for number, (block, depth, state) in enumerate(given)
    ]
    growth = change(before, now).growth(["a -> b"], trials, [])
    assert growth.lines == [
        "  a -> b",
        "  1 of 4 trials stay members; 3 keep their numbers and measurements and stand on no front: "
        "oversteps params (2), the space lacks block preact (1); 1 of these, running or at rest, are stopped",
    ]
    assert change(before, before).growth([], trials[:1], []).told == "1 of 1 trial stay members"


# Any change of any space

PALETTE: dict[str, list[Any]] = {
    "block": [BLOCK, {"choice": ["preact", "resnext", "basic"]}, {"choice": ["resnext"]}, "basic"],
    "depth": [{"int": [1, 2]}, {"int": [2, 3]}, {"choice": [1, 3]}, 2],
    "widening_factor": [{"choice": [0.5, 1]}, {"choice": [1, 0.25]}, {"float": [0.25, 1], "step": 0.25}, 0.5, None],
    "cardinality": [{"choice": [2, 4]}, {"choice": [4, 8]}, 2, None],
    "activation": [{"choice": ["relu", "crelu"]}, {"choice": ["crelu"]}, None],
    "dropout": [{"choice": ["none", "between"]}, "none", None],
}  # fmt: skip
RECIPES: dict[str, list[Any]] = {
    "batch_size": [{"choice": [32, 64]}, {"int": [16, 64], "step": 16}, None],
    "momentum": [{"float": [0.8, 0.95]}, {"choice": [0.9, 0.5]}, None],
}
LIMITS = [{}, {"params": "<= 40k"}, {"params": "<= 150k", "macs": ">= 100k"}]


def any_config(rng: random.Random) -> StudyConfig:
    space = {name: form for name, forms in PALETTE.items() if (form := rng.choice(forms)) is not None}
    recipe = {name: form for name, forms in RECIPES.items() if (form := rng.choice(forms)) is not None}
    if not any(isinstance(form, dict) for form in space.values()):
        space["depth"] = {"int": [1, 3]}
    return config_of(space, recipe=recipe, constraints=rng.choice(LIMITS))


def any_trials(config: StudyConfig, rng: random.Random) -> list[TrialRecord]:
    found: list[TrialRecord] = []
    for params in config.search_space.sample(12, rng.randrange(1000)):
        try:
            found.append(trial_of(config, params, len(found), accuracies=[0.5], state=rng.choice([*State])))
        except InfeasibleArchitecture:
            continue
    return found


def check(trial: TrialRecord, told: TrialRecord, before: StudyConfig, now: StudyConfig) -> None:
    """Hold one trial to what a change may do to it."""
    assert now.recipe_of(told.params) == before.recipe_of(trial.params)
    over = any(by > 0 for by in now.violations(trial.cost).values())
    if not told.outside:
        assert now.search_space.contains(told.params)
        assert not over
        assert now.search_space.architecture(told.params).digest == trial.digest
    elif told.outside.startswith("oversteps"):
        assert over
        assert now.search_space.contains(told.params)
    else:
        assert told.params.items() >= trial.params.items()  # what it was chosen by stays
    kept = {"params": trial.params, "outside": ""}
    if trial.state is State.RUNNING and told.outside:
        assert told.state is State.STOPPED
        kept |= {"state": State.RUNNING, "reason": trial.reason, "ended_at": trial.ended_at}
    assert replace(told, **kept) == trial


@pytest.mark.parametrize("seed", range(25))
def test_any_change_of_any_space_keeps_every_trial(seed: int) -> None:
    rng = random.Random(seed)
    before, now = any_config(rng), any_config(rng)
    trials = any_trials(before, rng)
    told = [change(before, now).retold(trial) for trial in trials]
    for old, new in zip(trials, told, strict=True):
        check(old, new, before, now)
    for old, back in zip(trials, [change(now, before).retold(trial) for trial in told], strict=True):
        constrained = any(by > 0 for by in before.violations(old.cost).values())
        assert bool(back.outside) == constrained  # what was a member before is one again
        assert constrained or back.identity == old.identity
    wide = recorded_distributions(now.search_space.parameters, [trial.params for trial in told])
    for trial in told:
        for name, value in trial.params.items():
            assert wide[name].to_external_repr(wide[name].to_internal_repr(value)) == value


@pytest.mark.parametrize("seed", range(8))
def test_who_is_outside_is_no_network_of_the_space(seed: int) -> None:
    rng = random.Random(100 + seed)
    before, now = any_config(rng), any_config(rng)
    space = now.search_space.counting()
    digests = set()
    for params in space.members():
        try:
            digests.add(space.architecture(params).digest)
        except InfeasibleArchitecture:
            continue
    for trial in any_trials(before, rng):
        told = change(before, now).retold(trial)
        if told.digest in digests and told.outside.startswith("the space lacks"):
            lost = told.outside.removeprefix("the space lacks ").split()[0]
            assert lost in RECIPES, told.outside


# What Optuna is told that trials were chosen from


def recorded(domain: Any, *values: Scalar) -> Any:
    return recorded_distributions([Parameter(name="x", domain=domain)], [{"x": value} for value in values])["x"]


@pytest.mark.parametrize(
    ("domain", "values", "distribution"),
    [
        (Choice(options=("a", "b")), ("b",), CategoricalDistribution(["a", "b"])),
        (Choice(options=("b",)), ("a", "c", "b", "a"), CategoricalDistribution(["b", "a", "c"])),
        (Choice(options=(2,)), (True, 1, 2.0), CategoricalDistribution([2, True, 1])),
        (Int(low=2, high=6, step=2), (4,), IntDistribution(2, 6, step=2)),
        (Int(low=2, high=6, step=2), (3, 9), IntDistribution(2, 9)),
        (Int(low=2, high=6, log=True), (1,), IntDistribution(1, 6, log=True)),
        (Float(low=0.1, high=0.4, log=True), (0.5,), FloatDistribution(0.1, 0.5, log=True)),
        (Float(low=0.1, high=0.4, log=True), (0.0,), FloatDistribution(0.0, 0.4)),
        (Float(low=0.0, high=1.0, step=0.5), (0.25,), FloatDistribution(0.0, 1.0)),
    ],
)
def test_one_distribution_holds_what_may_be_chosen_and_what_was(domain: Any, values: Any, distribution: Any) -> None:
    assert recorded(domain, *values) == distribution


def test_what_is_searched_no_more_has_the_distribution_of_its_values() -> None:
    found = recorded_distributions([], [{"a": 3, "b": 0.5, "c": "x"}, {"a": 1, "b": 1, "c": True}])
    assert found == {
        "a": IntDistribution(1, 3), "b": FloatDistribution(0.5, 1.0), "c": CategoricalDistribution(["x", True]),
    }  # fmt: skip


def test_words_are_no_numbers() -> None:
    with pytest.raises(InputError, match=r"^space\.x: trials have chosen preserved, which is no number: let it stay"):
        recorded(Int(low=1, high=4), 2, "preserved")
