"""A network is trained once with each seed, however many claims ask for it; what is known is not trained again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from search.claims.plan import Plan
from search.core.claims import Training
from spaces.architecture import ImageSpec
from spaces.errors import InputError
from workers.sources import DataSpec

PlanOf = Callable[..., Plan]
Done = Callable[..., dict[str, Training]]


def test_claims_share_what_they_compare_with(plan_of: PlanOf) -> None:
    plan = plan_of("plain-is-worse-deep", "residual-trains-deep", "residual-deeper-is-better")
    networks = [run.network for run in plan.runs.values()]
    assert len(networks) == 4 * 3
    assert networks[:4] == ["plain-26", "plain-14", "plain-26", "plain-14"]  # side by side, seed by seed
    read_off = {run.network: run.readings for run in plan.runs.values()}
    assert read_off == {"plain-26": ("train_error",), "plain-14": ("train_error",), "resnet-26": ("train_error",),
                        "resnet-14": ()}  # fmt: skip


def test_a_training_is_known_by_all_that_it_depends_on(plan_of: PlanOf) -> None:
    plan = plan_of("plain-is-worse-deep")
    keys = set(plan.runs)
    assert keys == set(plan_of("plain-is-worse-deep-unseen").runs)
    assert not keys & set(plan_of("plain-is-worse-deep", epochs=3).runs)
    others = replace(plan.images, fingerprint="4567")
    assert not keys & set(Plan.of(plan.claims, others, plan.recipe, plan.seeds).runs)
    here, there = (
        set(Plan.of(plan.claims, replace(plan.images, spec=DataSpec(name="folder", path=path)), plan.recipe, 3).runs)
        for path in ("here", "there")
    )
    assert here == there


def test_what_is_counted_is_not_trained(plan_of: PlanOf) -> None:
    assert not plan_of("shortcuts-cost-nothing").runs


def test_what_is_known_is_missing_no_more_unless_something_new_is_read_off_it(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("shallow-plain-is-as-good")
    known = done(plan, "error", [[0.1, 0.2], [0.1, 0.2, 0.3]])
    assert [(run.network, run.seed) for run in plan.missing(known)] == [("plain-14", 2)]
    lesion = plan_of("one-layer-out-kills-plain")
    assert [run.seed for run in lesion.missing(known)] == [0, 1, 2]


def test_what_was_read_off_a_training_for_other_claims_is_not_lost(plan_of: PlanOf, done: Done) -> None:
    lesion = plan_of("one-block-out-hurts-little")
    known = done(lesion, "skip", [[0.1, 0.2, 0.3]])
    swaps = plan_of("swapped-blocks-hurt-little")
    assert [run.readings for run in swaps.missing(known)] == [("swap", "skip")] * 3
    assert all(run.readings == ("swap",) for run in swaps.runs.values())


def test_what_failed_is_not_tried_again(plan_of: PlanOf, done: Done) -> None:
    plan = plan_of("one-layer-out-kills-plain")
    assert not plan.missing(done(plan, "skip", [[None, None, None]]))


def test_the_usual_form_is_built_for_images_of_usual_size(plan_of: PlanOf) -> None:
    small = plan_of("plain-is-worse-deep")
    large = Plan.of(small.claims, replace(small.images, image=ImageSpec()), small.recipe, 1)
    assert [run.network for run in large.runs.values()] == ["plain-56", "plain-20"]
    assert (small.form(small.claims[0]), large.form(large.claims[0])) == ("small", "usual")


def test_images_that_a_network_cannot_read_are_refused_by_the_claims_name(plan_of: PlanOf) -> None:
    plan = plan_of("early-width-matters-most")
    tiny = replace(plan.images, image=ImageSpec(channels=1, height=1, width=1))
    with pytest.raises(InputError, match="early-width-matters-most"):
        Plan.of(plan.claims, tiny, plan.recipe, 1)
