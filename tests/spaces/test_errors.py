"""Test `spaces.errors`."""

import pickle
import time

import pytest

from spaces.errors import (
    MOST_CHARACTERS,
    InfeasibleArchitecture,
    InputError,
    StudyError,
    TrialFailure,
    WidefrontError,
    unknown,
)


@pytest.mark.parametrize("error", [InputError, InfeasibleArchitecture, StudyError, TrialFailure])
def test_every_error_raised_on_purpose_is_a_widefront_error(error: type[Exception]) -> None:
    assert issubclass(error, WidefrontError)


def test_what_no_network_can_have_is_wrong_input() -> None:
    assert issubclass(InfeasibleArchitecture, InputError)


def test_a_failed_trial_is_nobodys_wrong_input() -> None:
    assert not issubclass(TrialFailure, (InputError, StudyError))


def test_a_place_stands_before_the_message() -> None:
    error = InputError("low 3 is above high 1", place="space.depth.int")
    assert str(error) == "space.depth.int: low 3 is above high 1"
    assert (error.message, error.place) == ("low 3 is above high 1", "space.depth.int")


def test_without_a_place_the_message_stands_alone() -> None:
    assert str(InputError("low 3 is above high 1")) == "low 3 is above high 1"


def test_places_grow_from_the_inside_out() -> None:
    error = InputError("low 3 is above high 1").at("int").at("depth").at("space")
    assert str(error) == "space.depth.int: low 3 is above high 1"


def test_an_error_keeps_its_kind_at_another_place() -> None:
    original = InfeasibleArchitecture("no")
    moved = original.at("space")
    assert type(moved) is InfeasibleArchitecture
    assert str(original) == "no"


def test_an_input_error_is_the_same_in_another_process() -> None:
    error = InputError("wrong", place="space")
    arrived = pickle.loads(pickle.dumps(error))
    assert (str(arrived), arrived.message, arrived.place) == ("space: wrong", "wrong", "space")


def test_a_failure_is_the_same_in_another_process() -> None:
    failure = TrialFailure("out-of-memory", "8 GiB were asked for", "Traceback\n  line")
    arrived = pickle.loads(pickle.dumps(failure))
    assert type(arrived) is TrialFailure
    assert (arrived.kind, arrived.message, arrived.details) == (failure.kind, failure.message, failure.details)


def test_a_failure_reads_as_one_line_without_its_traceback() -> None:
    assert str(TrialFailure("crash", "division by zero", "Traceback\n  line")) == "crash: division by zero"


def test_a_near_miss_names_the_nearest() -> None:
    told = unknown("block", "bottelneck", ("basic", "bottleneck", "resnext"))
    expected = "unknown block 'bottelneck' (did you mean 'bottleneck'?); known are basic, bottleneck, resnext"
    assert told == expected


def test_a_far_miss_only_names_the_known() -> None:
    assert unknown("block", "zzz", ("basic", "preact")) == "unknown block 'zzz'; known are basic, preact"


def test_what_is_no_text_is_refused_as_well() -> None:
    assert unknown("block", 7, ("basic",)) == "unknown block 7; known are basic"


def test_where_nothing_is_known_that_is_said() -> None:
    assert unknown("data set", "x", ()) == "unknown data set 'x'; known are none"


def test_a_line_is_no_longer_than_can_be_read_whatever_it_quotes() -> None:
    line = str(InputError(f"unknown key {'k' * 10**6!r}; known is depth", place="space"))
    assert len(line) == MOST_CHARACTERS
    assert line.startswith("space: unknown key 'kkk")
    assert line.endswith("; known is depth")


def test_a_name_of_any_length_is_refused_at_once() -> None:
    began = time.process_time()
    assert "known are depth, widths" in unknown("key", "depth, widths" * 10**5, ["depth", "widths"])
    assert time.process_time() - began < 0.5
