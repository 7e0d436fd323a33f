"""Test `spaces.errors`."""

import argparse
import importlib
import pickle
import pkgutil
import re
import time

import pytest

import spaces
from spaces import cli, errors
from spaces.errors import (
    MOST_CHARACTERS,
    InfeasibleArchitecture,
    InputError,
    TrialFailure,
    WidefrontError,
    unknown,
)


def raised() -> dict[str, type[WidefrontError]]:
    """Return every error that is raised on purpose, by its name."""
    for module in pkgutil.walk_packages(spaces.__path__, "spaces."):
        importlib.import_module(module.name)
    found: dict[str, type[WidefrontError]] = {}
    waiting = [WidefrontError]
    while waiting:
        waiting += (error := waiting.pop()).__subclasses__()
        found[error.__name__] = error
    return found


def tree() -> dict[str, tuple[str, int | None]]:
    """Return what the module's own drawing says of each error: which it is a kind of, and how a command ends."""
    above, told = ["WidefrontError"], {}
    for indent, name, words in re.findall(r"^([│ ]*)[├└]── (\w+)(.*)$", errors.__doc__ or "", flags=re.M):
        above[len(indent) // 4 + 1 :] = [name]
        code = re.search(r"exit code (\d)", words)
        told[name] = (above[-2], int(code[1]) if code else None)
    return told


@pytest.mark.parametrize("name", tree())
def test_an_error_is_of_the_kind_that_is_told_of_it(name: str) -> None:
    assert [each.__name__ for each in raised()[name].__bases__] == [tree()[name][0]]


def test_no_error_is_left_out_of_the_tree() -> None:
    assert {"WidefrontError", *tree()} == {
        name for name, each in raised().items() if each.__module__ == errors.__name__
    }


@pytest.mark.parametrize("name", tree())
def test_a_command_ends_by_an_error_with_the_code_that_is_told_of_its_kind(name: str) -> None:
    kind, code = name, tree()[name][1]
    while code is None and kind in tree():
        kind = tree()[kind][0]
        code = tree().get(kind, ("", cli.FAILED))[1]

    def act(_given: argparse.Namespace) -> int:
        raise raised()[name](*["what happened"] * (2 if name == "TrialFailure" else 1))

    assert cli.run(argparse.ArgumentParser(), [], act) == code


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


def test_a_near_miss_is_told_whatever_its_case() -> None:
    told = unknown("data set", "cifar10", ("CIFAR10", "MNIST"))
    assert told == "unknown data set 'cifar10' (did you mean 'CIFAR10'?); known are CIFAR10, MNIST"
    assert "did you mean 'basic'?" in unknown("block", "BASIC", ("basic", "preact"))


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
