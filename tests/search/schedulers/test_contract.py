"""What every scheduler keeps to, whatever its arithmetic: a new one in the registry is tested by being there."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.core.records import TrialRecord
from search.schedulers.base import GO_ON, Decision, Options, PromotionState, Scheduler, Verdict
from search.schedulers.registry import SCHEDULERS, Plan, scheduler_class
from tests import factories
from workers.measurement import Measurement

STUDY = factories.study(max_epochs=9)
NAMES = sorted(SCHEDULERS)
relaxed = settings(deadline=None, max_examples=30)

# Of each trial its macs and how much it gains an epoch.
TRIALS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([0.05, 0.06, 0.07, 0.08])), min_size=1, max_size=12)


def scheduler(name: str, **options: float) -> Scheduler:
    given = scheduler_class(name).options_class(**options)  # type: ignore[arg-type]
    return Plan(name=name, options=given, levels=given.levels, chance=0.1).make(STUDY)


def trials(shapes: Sequence[tuple[int, float]]) -> list[TrialRecord]:
    """Return trials with a full curve each."""
    return [
        factories.trial(number, macs=10_000 * macs, accuracies=[0.2 + gain * epoch for epoch in range(1, 10)])
        for number, (macs, gain) in enumerate(shapes)
    ]


def until(trial: TrialRecord, epoch: int) -> TrialRecord:
    return replace(trial, measurements=trial.measurements[:epoch])


def train(made: Scheduler, trial: TrialRecord, first: int = 1) -> tuple[int, Decision | None]:
    """Train a trial as the course of a study does; return its last epoch, and what ended it."""
    for epoch in range(first, STUDY.max_epochs + 1):
        then = until(trial, epoch)
        assert then.last is not None
        made.observe(then, then.last)
        if epoch < STUDY.max_epochs and (decision := made.on_measurement(then, then.last)).stop:
            return epoch, decision
    return STUDY.max_epochs, None


def state(resting: dict[int, int], begun: int, epochs: int, *, last: bool) -> PromotionState:
    return PromotionState(
        resting=resting, active={}, trials=begun, trained_epochs=epochs, no_more_trials=last, force_one=True
    )  # fmt: skip


def course(made: Scheduler, all_trials: Sequence[TrialRecord]) -> Iterator[tuple[int, int, Decision | None]]:
    """Train all trials one after another, promotions last; yield each stretch of training and what ended it."""
    resting: dict[int, int] = {}
    trained = dict.fromkeys(range(len(all_trials)), 0)
    for trial in all_trials:
        trained[trial.number], ended = train(made, trial)
        yield trial.number, trained[trial.number], ended
        if ended and ended.verdict is Verdict.REST:
            resting[trial.number] = trained[trial.number]
    while resting:
        now = state(resting, len(all_trials), sum(trained.values()), last=True)
        promoted = made.promote(now)
        if promoted is None:
            for number, reason in made.finish(now).items():
                yield number, trained[number], Decision(Verdict.STOP, reason)
            return
        first = resting.pop(promoted) + 1
        trained[promoted], ended = train(made, all_trials[promoted], first)
        yield promoted, trained[promoted], ended
        if ended and ended.verdict is Verdict.REST:
            resting[promoted] = trained[promoted]


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(shapes=TRIALS)
def test_every_trial_comes_to_full_fidelity_or_is_stopped_with_a_reason(
    name: str, shapes: list[tuple[int, float]]
) -> None:
    ends: dict[int, tuple[int, Decision | None]] = {}
    for number, epoch, ended in course(scheduler(name), trials(shapes)):
        ends[number] = epoch, ended
    assert ends.keys() == set(range(len(shapes)))
    for epoch, ended in ends.values():
        assert ended is None or ended.verdict is Verdict.STOP
        assert epoch == STUDY.max_epochs or (ended is not None and ended.reason.startswith(f"epoch {epoch}: "))


@pytest.mark.parametrize("name", NAMES)
def test_some_trial_comes_to_full_fidelity(name: str) -> None:
    ends = [epoch for _, epoch, _ in course(scheduler(name), trials([(1, 0.08), (2, 0.05), (3, 0.06)]))]
    assert STUDY.max_epochs in ends


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(shapes=TRIALS)
def test_it_decides_only_at_epochs_that_it_reads(name: str, shapes: list[tuple[int, float]]) -> None:
    made = scheduler(name)
    for trial in trials(shapes):
        for epoch in range(1, STUDY.max_epochs):
            then = until(trial, epoch)
            assert then.last is not None
            made.observe(then, then.last)
            decision = made.on_measurement(then, then.last)
            assert made.reads(epoch) or not decision.stop


@pytest.mark.parametrize("name", NAMES)
def test_full_fidelity_is_no_epoch_to_decide_at_and_comes_after_every_other(name: str) -> None:
    made = scheduler(name)
    assert not made.reads(STUDY.max_epochs)
    epoch, came = 0, []
    while epoch < STUDY.max_epochs:
        epoch = made.next_read(epoch)
        came.append(epoch)
    assert came == [*(each for each in range(1, STUDY.max_epochs) if made.reads(each)), STUDY.max_epochs]


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(shapes=TRIALS, keep=st.randoms())
def test_what_is_observed_twice_counts_once_and_in_any_order(
    name: str, shapes: list[tuple[int, float]], keep: object
) -> None:
    """A launch takes up what others recorded in the order of their numbers, and may hear of it again."""
    told = [(trial, each) for trial in trials(shapes) for each in trial.measurements[:5]]
    once, often = scheduler(name), scheduler(name)
    for trial, measurement in told:
        once.observe(until(trial, measurement.epoch), measurement)
    shuffled = [*told, *told[::2]]
    keep.shuffle(shuffled)  # type: ignore[attr-defined]
    for trial, measurement in shuffled:
        often.observe(until(trial, measurement.epoch), measurement)
    for trial, measurement in told:
        then = until(trial, measurement.epoch)
        assert once.on_measurement(then, measurement) == often.on_measurement(then, measurement)


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(shapes=TRIALS)
def test_to_ask_changes_nothing(name: str, shapes: list[tuple[int, float]]) -> None:
    made = scheduler(name)
    for trial in trials(shapes):
        for epoch in (1, 2, 3):
            then = until(trial, epoch)
            assert then.last is not None
            made.observe(then, then.last)
            before = copy.deepcopy(vars(made))
            assert made.on_measurement(then, then.last) == made.on_measurement(then, then.last)
            assert vars(made).keys() == before.keys()


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_rests_nothing_is_promoted_and_nothing_finished(name: str) -> None:
    made = scheduler(name)
    for last in (False, True):
        nobody = state({}, 8, 30, last=last)
        assert made.promote(nobody) is None
        assert made.finish(nobody) == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 40])
def test_the_plan_lies_between_the_first_decision_and_full_fidelity_for_all(name: str, count: int) -> None:
    made = scheduler(name)
    assert count * made.next_read(0) <= made.planned_epochs(count) <= count * STUDY.max_epochs


@pytest.mark.parametrize("name", NAMES)
def test_it_says_in_one_line_what_it_does_and_when(name: str) -> None:
    made = scheduler_class(name)
    for line in (made.summary, made.told(name, made.options_class())):
        assert line
        assert "\n" not in line
    assert name in made.told(name, made.options_class()) or "none" in made.told(name, made.options_class())


@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_that_was_not_measured_decides_nothing(name: str) -> None:
    made = scheduler(name)
    for trial in trials([(1, 0.08)] * 8):
        blank = [replace(each, metrics={}) for each in trial.measurements[:5]]
        for epoch, measurement in enumerate(blank, start=1):
            then = replace(trial, measurements=tuple(blank[:epoch]))
            made.observe(then, measurement)
            assert not made.on_measurement(then, measurement).stop


class Hasty(Scheduler):
    """One of a person's own that decides, and does not say at which epochs."""

    def on_measurement(self, trial: TrialRecord, measurement: Measurement) -> Decision:  # noqa: ARG002
        """Stop every trial at its second epoch."""
        return Decision(Verdict.STOP, "hasty") if measurement.epoch == 2 else GO_ON


def test_one_that_does_not_say_at_which_epochs_it_decides_may_do_so_at_any() -> None:
    made = Hasty(STUDY, Options(max_epochs=9), (), 0.1)
    assert made.decides == list(range(1, 9))  # else its trials would be trained together, and on behind a decision
    assert made.measured == list(range(1, 10))
    assert made.next_read(2) == 3
