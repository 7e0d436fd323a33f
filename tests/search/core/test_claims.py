"""A claim holds where the whole interval lies in its range, fails where all of it lies outside, else nobody knows."""

from datetime import UTC, datetime
from math import nan

import pytest

from search.core.claims import Claim, Effect, Kind, Outcome, Unit, Verdict, best, weighed


def claim(of: str = "error", **fields: float | str) -> Claim:
    return Claim(id="a", says="b", source="c", of=of, first="resnet-14", second="plain-14", **fields)  # type: ignore[arg-type]


def effect(low: float, high: float) -> Effect:
    return Effect(value=(low + high) / 2, low=low, high=high, test="paired", seeds=3)


@pytest.mark.parametrize(
    ("fields", "low", "high", "outcome"),
    [
        ({"above": 0}, 0.01, 0.03, Outcome.HOLDS),
        ({"above": 0}, -0.01, 0.03, Outcome.UNKNOWN),
        ({"above": 0}, -0.03, -0.01, Outcome.FAILS),
        ({"above": 0}, 0.0, 0.0, Outcome.FAILS),  # exactly nothing is not above
        ({"least": 0}, 0.0, 0.0, Outcome.HOLDS),
        ({"below": 0}, 0.0, 0.03, Outcome.FAILS),
        ({"most": 0}, 0.0, 0.03, Outcome.UNKNOWN),
        ({"least": -0.01, "most": 0.01}, -0.01, 0.01, Outcome.HOLDS),  # equal, within the margin
        ({"least": -0.01, "most": 0.01}, 0.011, 0.02, Outcome.FAILS),
        ({"least": -0.01, "most": 0.01}, -0.02, 0.02, Outcome.UNKNOWN),
        ({"above": 0}, nan, nan, Outcome.UNKNOWN),
    ],
)
def test_the_interval_alone_decides(fields: dict[str, float], low: float, high: float, outcome: Outcome) -> None:
    assert claim(**fields).judge(effect(low, high)) is outcome


@pytest.mark.parametrize(
    ("of", "fields", "told"),
    [
        ("error", {"least": -0.01, "most": 0.01}, "at least -1 and at most 1 points"),
        ("error", {"above": -0.005}, "above -0.50 points"),
        ("params", {"by": "ratio", "below": 1.01}, "below 1.01 times"),
        ("train_loss", {"below": 0}, "below 0"),
        ("paths", {"least": 2.0**54, "most": 2.0**54}, "exactly 1.801e+16"),
    ],
)
def test_a_range_is_told_in_the_unit_of_its_effect(of: str, fields: dict[str, float | str], told: str) -> None:
    assert claim(of, **fields).range == told


def test_what_is_not_known_is_a_dash() -> None:
    assert Unit.POINTS.number(nan) == "–"  # noqa: RUF001  # of tables


def test_the_form_for_small_images_is_taken_where_there_is_one() -> None:
    both = claim(above=0)
    assert both.networks(small=True) == ("resnet-14", "plain-14")
    one = Claim(id="a", says="b", source="c", of="skip", first="resnet-56", small={"first": "resnet-14"}, below=1)
    assert one.networks(small=True) == ("resnet-14",)
    assert one.networks(small=False) == ("resnet-56",)
    assert one.kind is Kind.WEIGHTS


def found(epochs: int, seeds: int, outcome: Outcome = Outcome.HOLDS, *, low: float = 0.1, name: str = "a") -> Verdict:
    return Verdict(
        claim=name, says="b", source="c", kind=Kind.TRAINED, of="error", unit=Unit.POINTS, range="above 0",
        networks=(), form="usual", data="digits", fingerprint="0", epochs=epochs, outcome=outcome, at=datetime.now(UTC),
        effect=Effect(value=0.2, low=low, high=0.3, test="paired", seeds=seeds),
    )  # fmt: skip


def test_of_several_verdicts_the_longest_trained_then_the_most_seeds_have_most_weight_whatever_came_out() -> None:
    short, long, more = found(2, 9), found(9, 3, Outcome.FAILS), found(9, 4, Outcome.UNKNOWN)
    other, nothing = found(2, 1, name="b"), found(20, 1, low=nan)
    assert weighed([nothing, short, other, long, more]) == [(more, long, short, nothing), (other,)]
    assert best([nothing, other, short, long, more]) == [other, more]
