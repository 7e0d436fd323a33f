"""What a command is given is read as it was meant, or refused in one line that names its place."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError, TrialFailure
from workers.settings import (
    add_arguments,
    exit_code,
    load_architecture,
    read_architecture,
    read_data,
    read_image,
    read_value,
    set_threads,
)
from workers.sources import DataSpec


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("preact", "preact"),
        ("2", 2),
        ("0.5", 0.5),
        ("2,3,4", (2, 3, 4)),
        ("2,x", (2, "x")),
        ("null", None),
        ("true", True),
        ("[1]", [1]),
        ("", ""),
    ],
)
def test_a_text_is_a_number_numbers_or_itself(text: str, value: object) -> None:
    found = read_value(text)
    assert found == value
    assert type(found) is type(value)


# Architectures


def test_settings_name_fields_and_the_others_are_at_their_default() -> None:
    assert read_architecture([]) == Architecture()
    given = ["block=preact", "depths=2,3", "widths=8,16", "dropout=head", "dropout_rate=0.25"]
    expected = Architecture(block="preact", depths=(2, 3), widths=(8, 16), dropout="head", dropout_rate=0.25)
    assert read_architecture(given) == expected


def test_one_number_is_a_list_of_one() -> None:
    assert read_architecture(["depths=2", "widths=8"]) == Architecture(depths=(2,), widths=(8,))


def test_of_two_settings_for_one_field_the_later_counts() -> None:
    assert read_architecture(["stem_width=8", "stem_width=4"]).stem_width == 4


def test_settings_change_fields_of_a_base_and_leave_the_others() -> None:
    base = Architecture(block="preact", depths=(2, 2), widths=(8, 16), strides=(2, 2))
    assert read_architecture([], base) == base
    assert read_architecture(["stem_width=4"], base) == Architecture(
        block="preact", depths=(2, 2), widths=(8, 16), strides=(2, 2), stem_width=4
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["block"], "--set: 'block' is not of the form field=value"),
        (["block=basik"], "--set: unknown block 'basik' (did you mean 'basic'?); known are basic, "),
        (["blok=basic"], "--set: unknown field 'blok' (did you mean 'block'?); known are block, "),
        (["block=[1]", "stem_width=8"], "--set: a value is of the wrong kind for its field (block=[1], stem_width=8)"),
        (["depths=2"], "--set: depths [2] and widths [16, 32, 64] must name the same stages"),
    ],
)
def test_settings_that_make_no_architecture_are_refused_at_set(settings: list[str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_architecture(settings)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_gives_back_the_architecture_that_was_written(tmp_path: Path, wrapped: bool) -> None:
    written = Architecture(block="resnext", cardinality=4, depths=(1, 2), widths=(16, 32))
    described = {"trial": 7, "architecture": written.to_json()} if wrapped else written.to_json()
    (tmp_path / "network.json").write_text(json.dumps(described), encoding="utf-8")
    assert load_architecture(tmp_path / "network.json") == written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"{", "is not JSON: Expecting property name"),
        (b"\xff", "is not JSON: 'utf-8' codec can't decode"),
        (b"[" * 100_000, "is not JSON: "),
        (b"[1, 2]", "holds no object of an architecture's fields"),
        (b'{"blok": "basic"}', "unknown field 'blok' (did you mean 'block'?); known are block, "),
        (b'{"block": "basik"}', "unknown block 'basik' (did you mean 'basic'?); known are basic, "),
        (b'{"depths": 2.5}', "a value is of the wrong kind for its field"),
        (b'{"architecture": {"depths": [2]}}', "depths [2] and widths [16, 32, 64] must name the same stages"),
    ],
)
def test_a_file_that_holds_no_architecture_is_refused_by_its_name(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "network.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        load_architecture(path)
    assert str(refused.value).startswith(f"{path}: {message}")
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        load_architecture(tmp_path)


# Data and images


def test_data_are_a_name_or_a_json_object() -> None:
    assert read_data("digits") == DataSpec(name="digits")
    assert read_data('{"name": "digits", "validation": 0.1}') == DataSpec(name="digits", validation=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "--data: unknown data set 'digit'; did you mean 'digits'?"),
        ("{digits", "--data: '{digits' is not JSON: "),
        ('{"npz": "no.npz", "limits": 3}', "--data: unknown key 'limits'; did you mean 'limit'?"),
    ],
)
def test_data_that_nobody_knows_are_refused_at_data(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_data(text)
    assert str(refused.value).startswith(message)


def test_an_image_is_channels_height_and_width() -> None:
    assert read_image("1x28x30", 7) == ImageSpec(channels=1, height=28, width=30, classes=7)


@pytest.mark.parametrize(
    "text", ["", "32", "3x32", "0x32x32", "3x32x032", "3x32x32x1", "3x-1x32", "a3x32x32", "3x32x1٣"]
)
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(InputError) as refused:
        read_image(text, 10)
    assert str(refused.value) == f"--image: {text!r} is not channels, height and width such as 3x32x32"


def test_an_image_is_of_some_class() -> None:
    assert read_image("3x8x8", 1).classes == 1
    with pytest.raises(InputError, match=r"^--classes: 0 is below 1$"):
        read_image("3x8x8", 0)


# The process


def test_threads_are_as_many_as_are_asked_for() -> None:
    set_threads(1)
    assert torch.get_num_threads() == 1
    set_threads(2)
    assert torch.get_num_threads() == 2
    with pytest.raises(InputError, match=r"^--threads: 0 is below 1$"):
        set_threads(0)
    assert torch.get_num_threads() == 2


def test_arguments_have_names_and_settings_add_up() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    usual = parser.parse_args([])
    assert (usual.set, usual.device, usual.threads) == ([], "auto", torch.get_num_threads())
    given = parser.parse_args(["--set", "a=1", "--device", "cpu", "--set", "b=2", "--threads", "3"])
    assert (given.set, given.device, given.threads) == (["a=1", "b=2"], "cpu", 3)
    assert parser.parse_args([]).set == []  # one command's settings are not the next one's


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("7 is odd", place="--even"), 2, "error: --even: 7 is odd\n"),
        (TrialFailure("crash", "it fell"), 1, "error: crash: it fell\n"),
        (PermissionError(13, "Permission denied", "here"), 2, "error: [Errno 13] Permission denied: 'here'\n"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(
    error: Exception, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    assert exit_code(command) == code
    assert capsys.readouterr() == ("", line)


def test_a_command_that_ends_well_says_nothing_more(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[Any] = []
    assert exit_code(lambda: done.append("it ran")) == 0
    assert done == ["it ran"]
    assert capsys.readouterr() == ("", "")


def test_a_mistake_of_ours_is_not_taken_for_a_persons() -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        exit_code(command)
