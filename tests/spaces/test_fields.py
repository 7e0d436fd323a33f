"""Test `spaces.fields`."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fields import DEFAULTS, FIELDS, LISTS, OPTIONS, REAL, Fields, listed
from tests.spaces.grammar import relaxed

whole_numbers = st.lists(st.integers(1, 999), min_size=1, max_size=6).map(tuple)


def refused(told: str, **given_ones: Any) -> None:
    with pytest.raises(InputError) as caught:
        Fields(**given_ones)
    assert str(caught.value) == told


def test_every_field_has_a_default_and_the_defaults_make_a_network() -> None:
    fields = Fields()
    assert {name: getattr(fields, name) for name in FIELDS} == DEFAULTS


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_can_be_named(name: str) -> None:
    for option in OPTIONS[name]:
        assert getattr(Fields(**{name: option}), name) == option
    assert DEFAULTS[name] in OPTIONS[name]


@pytest.mark.parametrize(
    ("name", "slip", "near"),
    [
        ("shortcut", "pol", "pool"),
        ("stride_in", "frist", "first"),
        ("order", "bn_after_additon", "bn_after_addition"),
        ("activation", "crelus", "crelu"),
        ("dropout", "betwen", "between"),
        ("drop_decay", "liner", "linear"),
        ("drop_unit", "bacth", "batch"),
        ("fusion", "concat_enate", "concatenate"),
        ("stem", "smal", "small"),
        ("head", "cosin", "cosine"),
        ("attention", "squeeze_excit", "squeeze_excite"),
        ("downsampling", "strid", "stride"),
        ("doubling", "colums", "columns"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest_and_all_known(name: str, slip: str, near: str) -> None:
    known = ", ".join(OPTIONS[name])
    refused(f"unknown {name} {slip!r} (did you mean {near!r}?); known are {known}", **{name: slip})


def test_there_are_at_most_three_levels_of_shortcuts() -> None:
    refused("levels 4 is above 3", levels=4)


def test_an_option_that_is_near_none_is_refused_with_all_known() -> None:
    refused(
        "unknown shortcut 'D'; known are A, B, C, pool, identity, none, conv, 3x3, scaled, gated, exclusive",
        shortcut="D",
    )
    refused("unknown activation 7; known are relu, crelu", activation=7)


@relaxed
@given(numbers=whole_numbers, name=st.sampled_from(LISTS))
def test_a_list_given_as_text_is_the_list(numbers: tuple[int, ...], name: str) -> None:
    text = ",".join(map(str, numbers))
    for given_one in (text, f"B({text})", f"[{text}]", f"({text})", text.replace(",", ", "), list(numbers)):
        assert listed(name, given_one) == numbers


def test_one_number_is_a_list_of_one_and_nothing_stays_nothing() -> None:
    assert listed("kernels", 3) == (3,)
    assert listed("strides", None) is None


@pytest.mark.parametrize("text", ["", "3,", "three", "3;1", "3.0,1", "B()", "3,,1"])
@pytest.mark.parametrize("name", LISTS)
def test_text_that_is_no_list_is_refused_with_an_example(name: str, text: str) -> None:
    refused(f"{name} {text!r} is not a list of whole numbers such as 3,3", **{name: text})


def test_fields_given_as_text_are_those_given_as_lists() -> None:
    text = Fields(depths="3,4,6", widths="[8, 16, 32]", strides="(1,2,1)", kernels="B(3,1,3)")  # type: ignore[arg-type]
    assert text == Fields(depths=(3, 4, 6), widths=(8, 16, 32), strides=(1, 2, 1), kernels=(3, 1, 3))
    assert hash(text) == hash(Fields(depths=[3, 4, 6], widths=[8, 16, 32], strides=[1, 2, 1], kernels=[3, 1, 3]))  # type: ignore[arg-type]


@pytest.mark.parametrize("depths", [(1, 1), (1, 1, 1, 1)])
def test_depths_and_widths_of_other_lengths_are_both_named(depths: tuple[int, ...]) -> None:
    told = f"depths {list(depths)} and widths [16, 32, 64] must name the same stages"
    with pytest.raises(InfeasibleArchitecture) as caught:
        Fields(depths=depths)
    assert str(caught.value) == told


@pytest.mark.parametrize("strides", [(1, 2), (1, 2, 2, 2)])
def test_depths_and_strides_of_other_lengths_are_both_named(strides: tuple[int, ...]) -> None:
    with pytest.raises(InfeasibleArchitecture) as caught:
        Fields(strides=strides)
    assert str(caught.value) == f"depths [1, 1, 1] and strides {list(strides)} must name the same stages"


def test_no_stage_at_all_is_refused() -> None:
    for name in ("depths", "widths", "strides", "kernels"):
        refused(f"{name} () is not a list of whole numbers of at least 1", **{name: ()})


@pytest.mark.parametrize("name", ["depths", "widths", "kernels"])
def test_a_list_that_is_not_given_at_all_is_refused(name: str) -> None:
    refused(f"{name} None is not a list of whole numbers of at least 1", **{name: None})
    refused(f"{name} 2.5 is not a list of whole numbers such as 3,3".replace("2.5", "'2.5'"), **{name: "2.5"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("depths", (1, 10**9, 1), "depths 1000000000 is above 1,000"),
        ("widths", (16, 32, 65_537), "widths 65537 is above 65,536"),
        ("kernels", (3, 33), "kernels 33 is above 31"),
        ("stage_kernels", (3, 3, 33), "stage_kernels 33 is above 31"),
        ("strides", (1, 2, 9), "strides 9 is above 8"),
        ("cardinality", 10**8, "cardinality 100000000 is above 65,536"),
        ("columns", 9, "columns 9 is above 8"),
        ("widening_factor", 1e308, "widening_factor 1e+308 is above 1,000"),
        ("head_scale", 1001, "head_scale 1001 is above 1,000"),
    ],
)
def test_what_is_beyond_any_network_is_taken_for_a_slip(name: str, value: object, said: str) -> None:
    refused(said, **{name: value})


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("wrong", [True, False, "2", None, [1]])
def test_what_is_no_number_is_refused_by_its_field(name: str, wrong: object) -> None:
    refused(f"{name} {wrong!r} is not a number", **{name: wrong})


@pytest.mark.parametrize("name", ["depths", "widths", "strides", "kernels"])
@pytest.mark.parametrize("wrong", [0, -1, 1.0, 2.5, True, "3", None])
def test_a_list_holds_whole_numbers_of_at_least_one(name: str, wrong: object) -> None:
    shown = f"1,{wrong},1"
    refused(f"{name} {shown} is not a list of whole numbers of at least 1", **{name: (1, wrong, 1)})


@pytest.mark.parametrize("name", ["cardinality", "growth", "stem_width", "base_width"])
@pytest.mark.parametrize("wrong", [0, -4, 4.0, 4.5, True, "4"])
def test_a_count_is_a_whole_number_of_at_least_one(name: str, wrong: object) -> None:
    kept = " or 'preserved'" if name == "base_width" else ""
    refused(f"{name} {wrong!r} is not a whole number of at least 1{kept}", **{name: wrong})


@pytest.mark.parametrize("block", ["basic", "dense", "resnext"])
def test_what_is_wrong_is_refused_beside_a_block_that_does_not_read_it(block: str) -> None:
    refused("cardinality 0 is not a whole number of at least 1", block=block, cardinality=0)
    refused("kernels 2 are not odd sizes such as 3,3", block=block, kernels=(2,))


@pytest.mark.parametrize(("kernels", "shown"), [((3, 4), "3,4"), ((2,), "2"), ("B(3,6,3)", "3,6,3")])
def test_even_kernels_are_refused_since_no_padding_keeps_the_map(kernels: Any, shown: str) -> None:
    refused(f"kernels {shown} are not odd sizes such as 3,3", kernels=kernels)


@pytest.mark.parametrize("name", ["widening_factor", "head_scale"])
@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_a_factor_is_a_number_above_nought(name: str, wrong: float) -> None:
    refused(f"{name} {wrong} is not a number above 0", **{name: wrong})


@pytest.mark.parametrize("wrong", [0, -0.5, 1.01, float("nan")])
def test_a_compression_keeps_something_and_adds_nothing(wrong: float) -> None:
    refused(f"compression {wrong} is not in (0, 1]", compression=wrong)
    assert Fields(compression=1).compression == 1


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_share_of_batches_is_none_to_all(wrong: float) -> None:
    refused(f"drop_global {wrong} is not in [0, 1]", drop_global=wrong)
    assert Fields(drop_global=1).drop_global == 1


@pytest.mark.parametrize("wrong", [-0.1, 1, 1.5, float("nan")])
@pytest.mark.parametrize("name", ["dropout_rate", "unit_rate"])
def test_a_dropout_rate_keeps_something(name: str, wrong: float) -> None:
    refused(f"{name} {wrong} is not in [0, 1)", **{name: wrong})
    assert getattr(Fields(**{name: 0}), name) == 0
