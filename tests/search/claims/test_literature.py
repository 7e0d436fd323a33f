"""Every claim of the file names its source, networks that can be built and differ, and a range that can be judged."""

from pathlib import Path

import pytest

from search.claims.literature import chosen, read
from search.claims.networks import counted, named, networks_of
from search.core.claims import Claim, Effect, Kind, Outcome
from spaces.architecture import ImageSpec
from spaces.errors import InputError

CLAIMS = read()
IMAGES = (ImageSpec(), ImageSpec(channels=1, height=28, width=28), ImageSpec(channels=1, height=8, width=8))
LEAST = """
[one]
says = "Deep is better."
source = "Somebody 2016"
of = "error"
first = "resnet-20"
second = "resnet-14"
"""


def exact(value: float) -> Effect:
    return Effect(value=value, low=value, high=value, test="exact")


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_a_claim_can_be_tested(claim: Claim) -> None:
    assert claim.says.endswith(".")
    assert any(each.isdigit() for each in claim.source) or "yousan" in claim.source  # a year, a section or a table
    low, high = (max(-1e30, min(1e30, end)) for end in claim.ends)
    outcomes = {claim.judge(exact(value)) for value in (-1e30, 1e30, (low + high) / 2)}
    assert {Outcome.HOLDS, Outcome.FAILS} <= outcomes  # either can come out
    if claim.kind is Kind.COUNTED:
        return
    for image in IMAGES:
        digests = [each.architecture.digest for each in networks_of(claim, image)]
        assert len(set(digests)) == len(digests) == 1 + bool(claim.second)


@pytest.mark.parametrize(
    "claim", [each for each in CLAIMS.values() if each.kind is Kind.COUNTED], ids=lambda each: each.id
)
def test_what_is_counted_needs_no_images(claim: Claim) -> None:
    for text in claim.networks(small=False):
        assert counted(claim, text) > 0


def test_plain_and_residual_networks_have_equal_costs() -> None:
    claim = CLAIMS["shortcuts-cost-nothing"]
    assert counted(claim, claim.first) == counted(claim, claim.second) == 1_727_962


def test_claims_are_chosen_by_name_and_unknown_ones_refused() -> None:
    assert [each.id for each in chosen(CLAIMS, ["wide-is-faster", "wide-is-faster"])] == ["wide-is-faster"]
    assert chosen(CLAIMS, []) == list(CLAIMS.values())
    with pytest.raises(InputError, match="did you mean 'wide-is-faster'"):
        chosen(CLAIMS, ["wide-is-fast"])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", "one: where the effect lies is missing"),
        ("above = 0\nbelwo = 1", "one: unknown key 'belwo' (did you mean 'below'?)"),
        ("above = true", "one.above: True is not a number"),
        ("above = 0\ndiverged = 'worst'", "one: unknown outcome of a training that diverges 'worst'"),
        ("above = 0\nby = 'times'", "one: unknown by 'times'"),
        ("above = 0\nsmall = {first = 'resnet-8'}", "one: small has to name first and second"),
        ("above = 0\nsmall = {first = 'resnet-8', second = 'resnet-9'}", "resnet-9: "),
        ("above = 0\nsmall = {first = 8, second = 'resnet-8'}", "one.small.first: 8 is not the name of a network"),
        ("above = 0\nsmall = {first = '', second = 'resnet-8'}", "one.small.first: '' is not the name of a network"),
        ("above = 0\nsmall = {first = 'resnet-8', second = ' '}", "one.small.second: ' ' is not the name"),
        ("above = 0\nrecipe = {epochs = 3}", "one.recipe: unknown field 'epochs'"),
        ("above = 0\nrecipe = {learning_rate = -1}", "one.recipe.learning_rate: -1 is not a number of at least 0"),
        ("above = 0\nrecipe = {learning_rate = 'high'}", "one.recipe: a value is of the wrong kind"),
        ("above = 0\nlengths = [1]", "one: lengths are the least and the most"),
        ("above = 0\nlengths = [72, 40]", "one: no path has such a length: [72, 40]"),
        ("above = nan", "one.above: nan is no end of a range"),
        ("least = inf", "one.least: inf is no end of a range"),
        (f"below = 1{400 * '0'}", "is no end of a range"),
        ("above = 0.5\nbelow = 0.1", "one: no effect lies in such a range: above 50 and below 10 points"),
        ("above = 0\nmost = 0", "one: no effect lies in such a range"),
        ("above", "is not TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_with_its_place(tmp_path: Path, more: str, told: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(LEAST + more)
    with pytest.raises(InputError) as raised:
        read(path)
    assert told in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ('"error"', '"accuracy"', "unknown quantity 'accuracy'"),
        ('"error"', '"params"\nrecipe = {momentum = 0.5}', "what is counted is trained on no images"),
        ('"error"', '"swap"\ndiverged = "chance"', "nobody knows swap by chance"),
        ("resnet-20", "resnet-21", "resnet-21: "),
        ("resnet-20", " ", "first is missing"),
        ("resnet-14", " ", "unknown network ''"),
        ('source = "Somebody 2016"', "", "source is missing"),
        ("[one]", f"[{'o' * 65}]", "the name has 65 characters"),
    ],
)
def test_what_is_wrong_with_a_claim_is_said(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(LEAST.replace(was, becomes) + "above = 0\n")
    with pytest.raises(InputError) as raised:
        read(path)
    assert told in str(raised.value)


def test_a_network_may_have_fields_of_its_own() -> None:
    assert named("resnet-14 shortcut=scaled").architecture.shortcut == "scaled"
    with pytest.raises(InputError, match="resnet-14 shortcut=none2"):
        named("resnet-14 shortcut=none2")
