"""Test `spaces.settings`."""

import json
from pathlib import Path

import pytest

from spaces.architecture import Architecture, ImageSpec
from spaces.errors import InputError
from spaces.settings import load_architecture, read_image, read_settings, with_settings


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("block=preact", "block", "preact"),
        ("widening_factor=1.5", "widening_factor", 1.5),
        ("dropout_rate=.5", "dropout_rate", 0.5),
        ("cardinality=8", "cardinality", 8),
        ("base_width=preserved", "base_width", "preserved"),
        ("base_width=null", "base_width", None),
    ],
)
def test_a_text_names_a_field_and_its_value(text: str, field: str, value: object) -> None:
    assert read_settings([text]) == {field: value}


@pytest.mark.parametrize("text", ["kernels=3,1,3", "kernels=B(3,1,3)", "kernels=[3,1,3]"])
def test_a_list_may_be_written_as_papers_do(text: str) -> None:
    assert Architecture(block="preact", **read_settings([text])).kernels == (3, 1, 3)


def test_one_number_is_a_list_of_one() -> None:
    assert Architecture(block="preact", **read_settings(["kernels=3"])).kernels == (3,)


@pytest.mark.parametrize("stages", [3, 4])
def test_depth_stands_for_as_many_blocks_in_every_stage(stages: int) -> None:
    assert read_settings(["depth=2"], stages) == {"depths": (2,) * stages}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shortcut", "'shortcut' is not of the form field=value"),
        ("shortcuts=A", "unknown field 'shortcuts' (did you mean 'shortcut'?); known are depth, block"),
        ("=A", "unknown field ''; known are depth"),
    ],
)
def test_a_text_that_names_no_field_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings([text])
    assert str(refused.value).startswith(said)


# Architectures


def test_settings_name_fields_and_the_others_are_at_their_default() -> None:
    assert with_settings(Architecture(), []) == Architecture()
    given = ["block=preact", "depths=2,3", "widths=8,16", "dropout=head", "dropout_rate=0.25"]
    expected = Architecture(block="preact", depths=(2, 3), widths=(8, 16), dropout="head", dropout_rate=0.25)
    assert with_settings(Architecture(), given) == expected


def test_one_number_in_a_setting_is_a_list_of_one() -> None:
    assert with_settings(Architecture(), ["depths=2", "widths=8"]) == Architecture(depths=(2,), widths=(8,))


def test_of_two_settings_for_one_field_the_later_counts() -> None:
    assert with_settings(Architecture(), ["stem_width=8", "stem_width=4"]).stem_width == 4


def test_settings_change_fields_of_a_base_and_leave_the_others() -> None:
    base = Architecture(block="preact", depths=(2, 2), widths=(8, 16), strides=(2, 2))
    assert with_settings(base, []) == base
    assert with_settings(base, ["stem_width=4"]) == Architecture(
        block="preact", depths=(2, 2), widths=(8, 16), strides=(2, 2), stem_width=4
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["block"], "--set: 'block' is not of the form field=value"),
        (["block=basik"], "--set: unknown block 'basik' (did you mean 'basic'?); known are basic, "),
        (["blok=basic"], "--set: unknown field 'blok' (did you mean 'block'?); known are depth, block, "),
        (["block=[1]", "stem_width=8"], "--set: a value is of the wrong kind for its field (block=[1], stem_width=8)"),
        (["depths=2"], "--set: depths [2] and widths [16, 32, 64] must name the same stages"),
    ],
)
def test_settings_that_make_no_architecture_are_refused_at_set(settings: list[str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        with_settings(Architecture(), settings)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_gives_back_the_architecture_that_was_written(tmp_path: Path, wrapped: bool) -> None:
    written = Architecture(block="resnext", cardinality=4, depths=(1, 2), widths=(16, 32))
    described = {"trial": 7, "architecture": written.to_json()} if wrapped else written.to_json()
    (tmp_path / "network.json").write_text(json.dumps(described), encoding="utf-8")
    assert load_architecture(tmp_path / "network.json") == (written, ImageSpec())


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
        (b'{"depths": 2.5}', "depths 2.5 is not a list of whole numbers such as 3,3"),
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


# Images


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
