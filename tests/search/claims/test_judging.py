"""A verdict is of the seeds that are known: paired where they pair, of one machine where it is about time."""

from collections.abc import Callable
from dataclasses import replace
from math import isnan, log

import pytest

from search.claims.judging import verdict
from search.claims.plan import Plan
from search.core.claims import Outcome, Training, Verdict
from tests.search.claims.conftest import AT

PlanOf = Callable[..., Plan]
Done = Callable[..., dict[str, Training]]


def judged(plan: Plan, known: dict[str, Training]) -> Verdict:
    return verdict(plan.claims[0], plan, known, AT)


def test_seeds_pair(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("plain-is-worse-deep-unseen")
    found = judged(plan, done(plan, "error", [[0.5, 0.2, 0.9], [0.4, 0.1, 0.81]]))
    assert (found.outcome, found.effect.test, found.effect.seeds) == (Outcome.HOLDS, "paired", 3)
    assert found.effect.value == pytest.approx(0.29 / 3)
    assert (found.seconds, found.form, found.note) == (12.0, "small", "")


def test_an_effect_the_other_way_does_not_hold(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("plain-is-worse-deep-unseen")
    assert judged(plan, done(plan, "error", [[0.1, 0.1, 0.1], [0.5, 0.51, 0.5]])).outcome is Outcome.FAILS


def test_what_is_still_to_be_done_is_said(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("plain-is-worse-deep-unseen")
    found = judged(plan, done(plan, "error", [[0.5], [0.4, 0.3]]))
    assert (found.outcome, found.effect.seeds, found.note) == (Outcome.UNKNOWN, 1, "3 trainings still to be done")
    lesion = plan_of("one-layer-out-kills-plain")
    assert judged(lesion, done(lesion, "error", [[0.5, 0.4]])).note == "3 trainings still to be done"
    nothing = judged(plan, {})
    assert isnan(nothing.effect.value)
    assert nothing.outcome is Outcome.UNKNOWN


def test_those_that_did_not_fail_are_no_fair_sample(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("plain-is-worse-deep-unseen")
    found = judged(plan, done(plan, "error", [[0.5, 0.5, None], [0.1, 0.11, 0.1]]))
    assert found.outcome is Outcome.UNKNOWN
    assert found.note == "plain-26 failed (not finite: the loss is nan)"


def test_equal_errors_of_few_images_are_equal_to_their_rounding(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("shallow-plain-is-as-good")
    found = judged(plan, done(plan, "error", [[0.02, 0.02, 0.02], [0.02, 0.02, 0.02]]))
    assert found.outcome is Outcome.HOLDS
    assert 0 < found.effect.high < 0.01


def test_times_of_two_machines_are_not_compared(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("wide-is-faster")
    times = [[1.0, 1.1, 1.05], [2.0, 2.1, 2.05]]
    one = judged(plan, done(plan, "train_s", times))
    assert (one.outcome, one.effect.test) == (Outcome.HOLDS, "Welch")
    two = judged(plan, done(plan, "train_s", times, machine=lambda seed: "fast" if seed == 0 else "slow"))
    assert (two.effect.seeds, two.note) == (2, "2 trainings timed on another machine, or with other threads")


def test_a_value_alone_is_a_mean(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("one-layer-out-kills-plain")
    found = judged(plan, done(plan, "skip", [[0.8, 0.85, 0.78]]))
    assert (found.outcome, found.effect.test) == (Outcome.HOLDS, "mean")
    assert found.effect.high <= 1


def test_what_is_counted_is_exact(plan_of: PlanOf) -> None:
    found = judged(plan_of("residual-paths-double"), {})
    assert (found.outcome, found.effect.value, found.effect.low) == (Outcome.HOLDS, 2.0**54, 2.0**54)
    assert (found.fingerprint, found.epochs, found.seconds) == ("", 0, 0)


def test_how_many_times_nothing_something_is_nobody_knows(plan_of: PlanOf) -> None:
    plan = plan_of("paths-are-half-as-deep")
    (claim,) = plan.claims
    none = replace(claim, by="ratio", second="plain-110", lengths=(0, 1))  # of a length that no path has
    found = verdict(none, replace(plan, claims=(none,)), {}, AT)
    assert (found.outcome, isnan(found.effect.value)) == (Outcome.UNKNOWN, True)


def diverging(known: dict[str, Training], network: str) -> dict[str, Training]:
    """Return trainings of which those of one network diverge."""
    return {
        key: replace(each, values={}, failure="not-finite: the loss is nan") if each.network == network else each
        for key, each in known.items()
    }


def test_a_training_that_diverges_counts_as_chance_where_the_claim_says_so(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("dropout-on-shortcut-hurts")
    worse, usual = dict.fromkeys(run.network for run in plan.runs.values())
    known = diverging(done(plan, "error", [[0.5, 0.5, 0.5], [0.1, 0.12, 0.11]]), worse)
    found = judged(plan, known)
    assert (found.outcome, found.effect.seeds) == (Outcome.HOLDS, 3)
    assert found.effect.value == pytest.approx(0.9 - 0.11)  # of ten classes
    assert found.note == f"{worse} diverged with 3 seeds, which counts as chance"
    assert judged(plan, diverging(known, usual)).outcome is Outcome.UNKNOWN  # both guess: within the rounding


def test_a_loss_by_chance_is_that_of_classes_that_are_all_as_likely(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("normalisation-bears-high-rates")
    _, without = dict.fromkeys(run.network for run in plan.runs.values())
    known = diverging(done(plan, "train_loss", [[0.1, 0.12, 0.11], [0.0, 0.0, 0.0]]), without)
    found = judged(plan, known)
    assert (found.outcome, found.effect.value) == (Outcome.HOLDS, pytest.approx(0.11 - log(10)))


def test_a_training_that_fails_otherwise_is_no_outcome(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("dropout-on-shortcut-hurts")
    known = done(plan, "error", [[0.5, 0.5, 0.5], [0.1, 0.12, 0.11]])
    key = next(iter(known))
    found = judged(plan, {**known, key: replace(known[key], values={}, failure="out-of-memory: of 1 GB")})
    assert found.outcome is Outcome.UNKNOWN
    assert "failed (out-of-memory" in found.note


def test_a_claim_that_trains_otherwise_or_takes_failures_otherwise_asks_something_else(plan_of: PlanOf) -> None:
    plan, more = plan_of("dropout-on-shortcut-hurts"), plan_of("dropout-on-shortcut-hurts", seeds=5)
    (claim,) = plan.claims
    changed = (claim, replace(claim, diverged=""), replace(claim, recipe={"learning_rate": 0.01}))
    asked = [verdict(each, replace(plan, claims=(each,)), {}, AT).asked for each in changed]
    assert len(set(asked)) == 3
    assert verdict(claim, more, {}, AT).asked == asked[0]  # however many seeds
