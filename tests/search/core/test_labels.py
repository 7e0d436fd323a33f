"""A trial reads the same wherever it is told in words."""

from collections.abc import Callable

import pytest

from search.core.labels import failures_line, name_of, outside_line, trial_line
from search.core.records import State, TrialRecord
from spaces.architecture import Architecture

MakeTrial = Callable[..., TrialRecord]


def test_who_is_outside_is_counted_by_reason(make_trial: MakeTrial) -> None:
    reasons = [
        "oversteps params by 5%, macs by 1,200%",
        "oversteps params by 7%, macs by 3%",
        "the space lacks depth 9",
    ]
    trials = [make_trial(number, outside=why) for number, why in enumerate([*reasons, ""])]
    assert outside_line(trials) == (
        "outside: 3 trials on no front, as space or constraints have changed: "
        "oversteps params, macs (2), the space lacks depth 9 (1)"
    )
    assert outside_line(trials[3:]) == ""
    many = [make_trial(number, outside=f"the space lacks depth {number}") for number in range(9)]
    assert outside_line(many).endswith(" and 5 more reasons")


RESNEXT = Architecture(block="resnext", depths=(2, 2, 2), cardinality=8, widening_factor=0.5)


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        (Architecture(), "basic-1x1"),
        (Architecture(block="preact", depths=(4, 4, 4), widening_factor=0.25), "preact-4x0.25"),
        (Architecture(depths=(3, 4, 6, 3), widths=(64, 128, 256, 512)), "basic-3.4.6.3x1"),
        (RESNEXT, "resnext-2x0.5-C8"),
        (
            Architecture(block="resnext", depths=(3, 3, 3), widths=(64, 128, 256), cardinality=8, base_width=64),
            "resnext-3x1-C8-d64",
        ),
        (Architecture(widening_factor=10.0, depths=(4, 4, 4)), "basic-4x10"),
    ],
)
def test_a_name_tells_block_depth_width_and_groups(architecture: Architecture, name: str) -> None:
    assert name_of(architecture) == name


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"state": State.COMPLETE, "accuracies": (0.5, 0.75)},
            "fully trained (2 epochs) at 75.00 %, 10.0k macs, 1.00k params",
        ),
        (
            {"state": State.STOPPED, "accuracies": (0.5,), "reason": "epoch 1: place 3 of 4"},
            "stopped in epoch 1 at 50.00 %, 10.0k macs, 1.00k params (epoch 1: place 3 of 4)",
        ),
        (
            {"state": State.FAILED, "reason": "out-of-memory: CUDA out of memory"},
            "failed in epoch 0, 10.0k macs, 1.00k params (out-of-memory: CUDA out of memory)",
        ),
    ],
)
def test_a_trial_that_has_ended_is_one_line(make_trial: MakeTrial, changes: dict[str, object], line: str) -> None:
    assert trial_line(make_trial(4, **changes)) == f"trial 4 basic-1x1 {line}"


def failed(make_trial: MakeTrial, *reasons: str) -> list[TrialRecord]:
    """Return a failed trial for each reason, which begins with its kind."""
    return [
        make_trial(number, state=State.FAILED, reason=reason, failure_kind=reason.partition(":")[0])
        for number, reason in enumerate(reasons)
    ]


def test_failures_are_counted_by_kind_the_commonest_first_with_what_helps(make_trial: MakeTrial) -> None:
    trials = failed(make_trial, "lost: gone", "not-finite: the loss is nan in epoch 1", "not-finite: the loss is inf")
    assert failures_line([*trials, make_trial(9, state=State.COMPLETE)]) == (
        "failures: 2 not-finite (the loss is nan in epoch 1; a smaller recipe.learning_rate helps), 1 lost (gone)"
    )


def test_reasons_that_differ_in_their_numbers_are_one(make_trial: MakeTrial) -> None:
    trials = failed(make_trial, "lost: of 1", "lost: node 10.0.0.7 died", "lost: node 10.0.0.8 died")
    assert failures_line(trials) == "failures: 3 lost (node 10.0.0.7 died)"


def test_a_long_reason_is_shortened(make_trial: MakeTrial) -> None:
    line = failures_line(failed(make_trial, "data: " + "word " * 100))
    assert len(line) < 150
    assert line.endswith("word [...])")


def test_a_study_without_failures_says_nothing_of_them(make_trial: MakeTrial) -> None:
    assert failures_line([make_trial(0), make_trial(1, state=State.STOPPED, reason="low")]) == ""


def test_a_failure_of_no_kind_or_reason_is_counted(make_trial: MakeTrial) -> None:
    assert failures_line([make_trial(0, state=State.FAILED)]) == "failures: 1 of no known kind"
