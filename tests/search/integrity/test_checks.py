"""What disagrees is found by pure functions, each disagreement once, with what would take it away."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from search.core.records import State, StudyRecord, TrialRecord
from search.integrity.checks import (
    Fate,
    Files,
    Finding,
    Seen,
    find_all,
    needed,
    on_cluster,
    on_front,
    processors,
    schema,
)
from search.integrity.repair import MENDS
from search.storage.damage import Lost
from search.storage.optuna_tables import Counterpart
from workers.kinds import FailureKind
from workers.measurement import Measurement

MakeTrial = Callable[..., TrialRecord]
MakeMeasurement = Callable[..., Measurement]
MakeStudy = Callable[..., StudyRecord]
See = Callable[..., Seen]

FULL = tuple(0.1 * epoch for epoch in range(1, 10))
ENDED = (State.COMPLETE, State.STOPPED, State.FAILED)


def agreeing(trials: Sequence[TrialRecord]) -> dict[int, Counterpart]:
    """Return what Optuna's tables tell where nothing is wrong."""
    return {trial.number: Counterpart(number=trial.number, state=trial.state, described=True) for trial in trials}


@pytest.fixture
def see(make_study: MakeStudy) -> See:
    """Give `see(*trials, **fields)`: what was read of a study in which only the fields can be wrong."""

    def seen(*trials: TrialRecord, **changes: object) -> Seen:
        study = make_study()
        files = Files(folder="/runs/here", whole=needed(study, trials))
        usual = {"study": study, "trials": trials, "optunas": agreeing(trials), "files": files}
        return Seen(**{**usual, **changes})  # type: ignore[arg-type]

    return seen


def told(found: Sequence[Finding]) -> list[tuple[str, int | None, str, Fate]]:
    return [(finding.kind, finding.trial, finding.wrong, finding.fate) for finding in found]


def wrong(seen: Seen, *, held: bool = False) -> list[tuple[str, int | None, str, Fate]]:
    """Return what is told, without what merely waits for a launch."""
    return [each for each in told(find_all(seen, held=held)) if each[3] is not Fate.LAUNCH]


@pytest.fixture
def mixed(make_trial: MakeTrial) -> tuple[TrialRecord, ...]:
    """Give one trial of each state; the complete one is in full."""
    return (
        make_trial(0, accuracies=FULL, state=State.COMPLETE),
        make_trial(1, accuracies=FULL[:1], state=State.STOPPED),
        make_trial(2, state=State.FAILED, failure_kind="crash"),
        make_trial(3, accuracies=FULL[:2]),
    )


def test_nothing_is_wrong_with_a_study_that_agrees(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    assert wrong(see(*mixed)) == []
    assert wrong(see()) == []
    assert schema(None) == []


def test_a_running_trial_waits_for_a_launch_and_is_fine_during_one(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    (orphan,) = find_all(see(*mixed), held=False)
    assert told([orphan]) == [("orphan", 3, "running, but no launch is", Fate.LAUNCH)]
    assert orphan.remedy == "the next launch goes on with it"
    assert find_all(see(*mixed), held=True) == []


@pytest.mark.parametrize("ours", State)
@pytest.mark.parametrize("theirs", State)
def test_two_states_of_a_trial_are_one_finding_where_they_differ(
    ours: State, theirs: State, see: See, make_trial: MakeTrial
) -> None:
    trial = make_trial(0, accuracies=FULL, state=ours)
    found = wrong(see(trial, optunas={0: Counterpart(number=0, state=theirs, described=True)}))
    if ours is theirs:
        assert found == []
    elif theirs is State.RUNNING:  # a crash between the two writes
        assert found == [("unfinished", 0, f"{ours} in ours, running in Optuna's table", Fate.FIX)]
    else:  # no launch of ours does that
        kind = "fidelity" if theirs is State.COMPLETE else "unfinished"
        assert found == [(kind, 0, f"{theirs} in Optuna's table, {ours} in ours", Fate.PERSON)]


@pytest.mark.parametrize("state", State)
def test_a_trial_of_one_table_is_written_into_the_other(state: State, see: See, make_trial: MakeTrial) -> None:
    trial = make_trial(0, accuracies=FULL, state=state)
    assert wrong(see(trial, optunas={})) == [("unfinished", 0, f"{state} in ours, missing in Optuna's table", Fate.FIX)]
    begun = wrong(see(optunas=agreeing([trial])))
    if state is State.RUNNING:
        assert begun == [("unfinished", 0, "begun in Optuna's table, missing in ours", Fate.FIX)]
    else:
        assert begun == [("stranger", 0, f"{state} in Optuna's table, unknown in ours", Fate.PERSON)]


def test_what_no_launch_wrote_keeps_fix_from_touching_optunas_tables(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    waiting = {**agreeing(mixed[:3]), 0: Counterpart(number=0, state=State.RUNNING, described=True)}
    assert ("unfinished", 0, "complete in ours, running in Optuna's table", Fate.FIX) in wrong(
        see(*mixed, optunas=waiting)
    )
    enqueued = {**waiting, 4: Counterpart(number=4, state=State.RUNNING, described=False)}
    hole = {number: row for number, row in waiting.items() if number != 1}
    for optunas in (enqueued, hole):
        found = find_all(see(*mixed, optunas=optunas), held=False)
        assert {finding.fate for finding in found if finding.kind in ("unfinished", "stranger")} == {Fate.PERSON}
        assert any(finding.kind == "stranger" for finding in found)


def test_rows_missing_at_the_end_can_be_written_again_and_those_amidst_cannot(
    see: See, mixed: tuple[TrialRecord, ...]
) -> None:
    rows = agreeing(mixed)
    assert {each[3] for each in wrong(see(*mixed, optunas={n: rows[n] for n in (0, 1)}))} == {Fate.FIX}
    found = wrong(see(*mixed, optunas={n: rows[n] for n in (0, 3)}))
    assert found[0] == ("stranger", None, "rows are missing in the midst of Optuna's table (1, 2)", Fate.PERSON)


def test_complete_means_the_last_epoch(see: See, make_trial: MakeTrial) -> None:
    short = [make_trial(n, accuracies=FULL[:n], state=State.COMPLETE) for n in (0, 1, 2)]
    assert wrong(see(*short)) == [("fidelity", n, f"complete after {n} of 9 epochs", Fate.PERSON) for n in (0, 1, 2)]
    early = replace(short[2], number=0)
    untold = {0: Counterpart(number=0, state=State.RUNNING, described=True)}
    assert [(each[0], each[3]) for each in wrong(see(early, optunas=untold))] == [
        ("unfinished", Fate.PERSON),  # or Optuna would take it for trained in full
        ("fidelity", Fate.PERSON),
    ]


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ((), None),
        ((1, 2, 3), None),
        ((1, 3), "of 3 epochs 2 missing"),
        ((2,), "of 2 epochs 1 missing"),
        ((1, 2, 2, 3), "of 3 epochs 2 recorded twice"),
        ((1, 1, 5), "of 5 epochs 2, 3, 4 missing and 1 recorded twice"),
        ((20,), "of 20 epochs 1, 2, 3, 4, 5, 6, 7, 8 and 11 more missing"),
    ],
)
def test_epochs_come_one_by_one(
    epochs: tuple[int, ...], said: str | None, see: See, make_trial: MakeTrial, make_measurement: MakeMeasurement
) -> None:
    trial = make_trial(0, measurements=tuple(make_measurement(epoch) for epoch in epochs), state=State.STOPPED)
    assert wrong(see(trial)) == ([("epochs", 0, said, Fate.PERSON)] if said else [])


def test_a_digest_is_its_networks_and_a_network_is_tried_once(see: See, make_trial: MakeTrial) -> None:
    first, other = make_trial(0), make_trial(1)
    again = replace(make_trial(4), number=2)  # the same as the first
    assert wrong(see(first, other)) == []
    digest = first.architecture.digest
    assert wrong(see(first, other, again)) == [
        ("duplicate", 2, f"the same network as trial 0 (digest {digest})", Fate.PERSON)
    ]
    failed_transiently = replace(first, state=State.FAILED, failure_kind=FailureKind.LOST)
    assert wrong(see(failed_transiently, other, again)) == []  # the fault was the machine's, so it may come again
    mislabelled = replace(other, digest=digest)
    (finding,) = (each for each in find_all(see(first, mislabelled), held=False) if each.fate is Fate.FIX)
    assert (finding.kind, finding.trial, finding.remedy) == ("digest", 1, f"writes {other.digest}")


def test_checkpoints_are_missed_where_they_are_needed(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    assert needed(see().study, mixed) == {0, 3}
    seen = see(*mixed, files=Files(folder="/runs/here", whole={1, 2, 77}, half_written={3, 77}))
    assert told(find_all(seen, held=False)) == [
        ("missing", 0, "on the front, but its checkpoint is missing", Fate.ACCEPT),
        ("needless", 1, "its checkpoint is left, and nothing needs it", Fate.FIX),
        ("needless", 2, "its checkpoint is left, and nothing needs it", Fate.FIX),
        ("orphan", 3, "running, but no launch is", Fate.LAUNCH),
        ("missing", 3, "its checkpoint is missing after 2 epochs", Fate.LAUNCH),
        ("half-written", 3, "a writer was killed and left a half-written checkpoint", Fate.FIX),
        ("half-written", 77, "a writer was killed and left a half-written checkpoint", Fate.FIX),
    ]
    assert find_all(seen, held=True) == []


def test_a_damaged_checkpoint_is_not_missing_too(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    found = wrong(see(*mixed, files=Files(folder="/runs/here", whole={0}, broken={3})))
    assert found == [("broken", 3, "its checkpoint is damaged", Fate.FIX)]


def test_the_one_before_takes_the_place_of_a_damaged_newest(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    (_, finding) = find_all(
        see(*mixed, files=Files(folder="/runs/here", whole={0}, broken={3}, before={3})), held=False
    )
    assert finding.wrong == "its newest checkpoint is damaged; the one before it is whole"
    assert finding.remedy == "renames it to 3.pt.broken and 3.before.pt to 3.pt"
    assert finding.fate is Fate.FIX


def test_the_one_before_is_enough_to_go_on_from(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    """A writer that is killed between two names leaves no newest; a trial that has ended cannot have been left so."""
    said = "of its checkpoints only the one before the newest is there"
    ended, _, running = find_all(see(*mixed, files=Files(folder="/runs/here", before={0, 3})), held=False)
    assert told([ended, running]) == [("behind", 0, said, Fate.FIX), ("behind", 3, said, Fate.LAUNCH)]
    assert ended.remedy == "renames 0.before.pt to 0.pt"
    assert wrong(see(*mixed, files=Files(folder="/runs/here", whole={0, 3}, before={3}))) == []


def test_the_one_before_of_a_trial_that_has_ended_is_needless(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    files = Files(folder="/runs/here", whole={0, 1, 3}, before={0, 1, 2, 3}, over_limit={0, 2, 77})
    seen = see(*mixed, files=files)
    found = [finding for finding in find_all(seen, held=False) if finding.fate is Fate.FIX]
    assert [(finding.kind, finding.trial, finding.remedy) for finding in found] == [
        ("needless", 0, "removes 0.before.pt and 0.over-limit"),
        ("needless", 1, "removes 1.pt and 1.before.pt"),
        ("needless", 2, "removes 2.before.pt and 2.over-limit"),
    ]


def test_a_trial_with_something_wrong_keeps_the_one_before_too(see: See, make_trial: MakeTrial) -> None:
    short = make_trial(0, accuracies=FULL[:3], state=State.COMPLETE)
    files = Files(folder="/runs/here", whole={0}, before={0})
    assert [finding.kind for finding in find_all(see(short, files=files), held=False)] == ["fidelity"]


def test_what_was_removed_for_the_limit_is_not_missed(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    assert wrong(see(*mixed, files=Files(folder="/runs/here", whole={3}, over_limit={0}))) == []
    (_, missing) = find_all(see(*mixed, files=Files(folder="/runs/here", whole={0}, over_limit={3})), held=False)
    assert (missing.kind, missing.trial) == ("missing", 3)  # a running trial's never is


def test_a_folder_that_is_not_there_is_one_finding(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    nowhere = Files(folder="/runs/here", exists=False)
    said = "there is no /runs/here, where 2 trials have their checkpoints"
    assert wrong(see(*mixed, files=nowhere)) == [("missing", None, said, Fate.ACCEPT)]
    assert wrong(see(mixed[1], files=nowhere)) == []  # nobody needs one


def test_a_trial_with_something_wrong_keeps_its_checkpoint_and_takes_nobodys(see: See, make_trial: MakeTrial) -> None:
    sound = make_trial(0, accuracies=FULL, state=State.COMPLETE)
    false = make_trial(1, accuracies=(0.99,), state=State.COMPLETE, cost=replace(sound.cost, macs=1))
    empty = make_trial(2, state=State.COMPLETE)
    study = see().study
    assert on_front(study, [sound, false, empty]) == {1}
    assert needed(study, [sound, false, empty]) == {0, 1, 2}


def test_older_tables_are_one_finding_of_the_whole_database() -> None:
    (finding,) = schema(("0001", "0002"))
    assert finding.wrong == "the tables are at version 0001, this program knows 0002"
    assert (finding.kind, finding.study, finding.trial, finding.fate) == ("schema", "", None, Fate.FIX)


def test_whatever_fix_promises_somebody_does(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    untold = {**agreeing(mixed), 0: Counterpart(number=0, state=State.RUNNING, described=True)}
    files = Files(folder="/runs/here", whole={1}, broken={3}, before={0}, half_written={1}, seeds={"4.before.pt"})
    trials = (replace(mixed[0], digest="0"), *mixed[1:])
    found = find_all(see(*trials, optunas=untold, files=files), held=False)
    assert {finding.kind for finding in found if finding.fate is Fate.FIX} == MENDS.keys() - {"missing"}  # --accept
    for finding in found:
        assert "\n" not in finding.wrong + finding.remedy
        assert finding.remedy.startswith("only a person can decide") == (finding.fate is Fate.PERSON)


@pytest.mark.parametrize(
    ("states", "held", "fate"),
    [
        ((), False, None),
        (("failed", "running"), True, None),
        (("running",), False, Fate.PERSON),
        (("waiting",), False, None),  # it will begin when there is room
        (("running", "stopped"), False, Fate.LAUNCH),
        (("failed",), True, None),  # another launch goes on with it
        (("done",), False, None),
    ],
)
def test_a_launch_on_a_cluster_is_compared_with_who_holds_the_study(
    see: See, make_trial: MakeTrial, states: tuple[str, ...], held: bool, fate: Fate | None
) -> None:
    found = on_cluster(see(make_trial(0)), states, held=held)
    assert [finding.fate for finding in found] == ([fate] if fate else [])


def test_a_stopped_launch_that_left_nothing_running_is_no_finding(see: See, make_trial: MakeTrial) -> None:
    ended = make_trial(0, accuracies=FULL, state=State.COMPLETE)
    assert on_cluster(see(ended), ["stopped"], held=False) == []


OURS, OPTUNAS, MEASURED = "nas_trial", "trials", "nas_measurement"


def lacking(seen: Seen, *numbers: int, table: str = OURS) -> Seen:
    """Return the same where rows of a table cannot be read."""
    damage = {f"trial {number}": Lost(table=table, trial=number) for number in numbers}
    trials = [trial for trial in seen.trials if table != OURS or trial.number not in numbers]
    optunas = {number: row for number, row in seen.optunas.items() if table != OPTUNAS or number not in numbers}
    return replace(seen, trials=trials, optunas=optunas, damaged=damage)


def told_of_readable(seen: Seen) -> list[tuple[str, int | None, str, Fate]]:
    return [each for each in wrong(seen) if each[0] != "damaged"]


@pytest.mark.parametrize("table", [OURS, OPTUNAS])
@pytest.mark.parametrize("number", range(4))
def test_a_row_that_cannot_be_read_is_neither_missing_nor_a_strangers(
    table: str, number: int, see: See, mixed: tuple[TrialRecord, ...]
) -> None:
    assert told_of_readable(lacking(see(*mixed), number, table=table)) == []


def test_a_row_after_one_that_cannot_be_read_is_missing_at_the_end(see: See, mixed: tuple[TrialRecord, ...]) -> None:
    """What a launch would write again has the number that Optuna would give it; yet it waits for the damage."""
    seen = lacking(see(*mixed, optunas=agreeing(mixed[:3])), 1)
    assert told_of_readable(seen) == [
        ("unfinished", 3, "running in ours, missing in Optuna's table", Fate.PERSON),
    ]
    (finding,) = (finding for finding in find_all(seen, held=False) if finding.kind == "unfinished")
    assert finding.remedy == "only a person can decide: what cannot be read stands in the way"


@pytest.mark.parametrize("table", [OURS, OPTUNAS])
def test_where_a_number_cannot_be_read_no_trial_of_one_table_alone_is_a_finding(
    table: str, see: See, mixed: tuple[TrialRecord, ...]
) -> None:
    seen = see(*mixed)
    known = {"trials": mixed[1:]} if table == OURS else {"optunas": agreeing(mixed[1:])}
    nameless = replace(seen, **known, damaged={"row 1": Lost(table=table)})
    assert told_of_readable(nameless) == []
    stray = replace(seen, **known, strays=[Lost(table=table)])
    assert told_of_readable(stray) == []


def test_what_a_damaged_trial_may_dominate_is_not_missed(see: See, make_trial: MakeTrial) -> None:
    best = make_trial(0, accuracies=FULL, state=State.COMPLETE)
    second = make_trial(1, accuracies=[0.5 * each for each in FULL], state=State.COMPLETE)
    seen = see(best, second)
    assert wrong(seen) == []
    assert told_of_readable(lacking(seen, 0)) == []
    nowhere = replace(seen, files=Files(folder="/runs/here", exists=False))
    assert told_of_readable(lacking(nowhere, 0)) == []
    assert [each[0] for each in told_of_readable(lacking(nowhere, 1, table=OPTUNAS))] == ["missing"]


def test_measurements_that_may_be_anybodys_leave_no_gap(see: See, make_trial: MakeTrial) -> None:
    short = make_trial(0, accuracies=FULL[:3], state=State.COMPLETE)
    assert [each[0] for each in wrong(see(short))] == ["fidelity"]
    assert wrong(see(short, strays=[Lost(table=MEASURED)])) == []


def test_a_machine_that_cannot_be_read_may_have_trained_what_no_other_did(see: See, make_trial: MakeTrial) -> None:
    trained = make_trial(0, accuracies=FULL)
    assert len(processors(see(trained))) == 1
    assert processors(see(trained, damaged={"row 1 of nas_host": Lost(table="nas_host")})) == []


def test_a_network_of_two_recipes_is_no_duplicate(see: See, make_trial: MakeTrial) -> None:
    one, other, same = (
        make_trial(number, FULL, state=State.COMPLETE, params={"depth": 1, "learning_rate": rate}, macs=1000)
        for number, rate in enumerate((0.1, 0.2, 0.1))
    )
    other, same = (replace(each, architecture=one.architecture, digest=one.digest) for each in (other, same))
    found = wrong(see(one, other, same))
    assert [(kind, number) for kind, number, *_ in found] == [("duplicate", 2)]
