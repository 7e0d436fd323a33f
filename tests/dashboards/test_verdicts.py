"""The page of verdicts draws each interval over the range that is claimed, and is one file that fetches nothing."""

import re
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import pytest

from dashboards.verdicts import WIDTH, drawing, main, render
from search.core.claims import Effect, Outcome
from search.storage.claims import Claims
from search.storage.store import Store
from tests.search.storage.test_claims import FOUND

HOSTILE = "<script>alert(1)</script>"


def numbers(name: str, drawn: str) -> list[float]:
    return [float(each) for each in re.findall(rf' {name}="([\d.]+)"', drawn)]


def test_an_interval_within_the_range_is_drawn_within_it() -> None:
    drawn = drawing(FOUND)
    (start,), (width,), (dot,) = numbers("x", drawn), numbers("width", drawn), numbers("cx", drawn)
    low, high = numbers("x1", drawn)[1], numbers("x2", drawn)[1]
    assert start < low < dot < high < start + width <= WIDTH


def test_an_interval_outside_of_the_range_is_drawn_beside_it() -> None:
    effect = Effect(value=-0.2, low=-0.3, high=-0.1, test="paired", seeds=4)
    drawn = drawing(replace(FOUND, effect=effect, outcome=Outcome.FAILS))
    assert numbers("x2", drawn)[1] < numbers("x", drawn)[0]


@pytest.mark.parametrize(
    "effect", [Effect(value=nan, low=nan, high=nan, test=""), Effect(value=0, low=0, high=0, test="")]
)
def test_whatever_is_not_known_or_exact_can_be_drawn(effect: Effect) -> None:
    drawn = drawing(replace(FOUND, effect=effect, start=-inf))
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_what_has_no_interval_is_shown_without_one() -> None:
    page = render([replace(FOUND, effect=Effect(value=0.2, low=nan, high=nan, test="paired", seeds=1))])
    assert "20 points<" in page


def test_each_row_names_its_images_and_epochs() -> None:
    page = render([FOUND, replace(FOUND, data="pictures", fingerprint="4567", epochs=1)])
    assert "plain-26 against plain-14 (small form) on digits, 5 epochs<" in page
    assert "plain-26 against plain-14 (small form) on pictures, 1 epoch<" in page


def test_no_text_of_a_claim_is_markup() -> None:
    page = render([replace(FOUND, says=HOSTILE, claim=HOSTILE, source=HOSTILE, note=HOSTILE, of=HOSTILE)])
    assert HOSTILE not in page


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url, path = f"sqlite:///{tmp_path}/study.db", tmp_path / "claims.html"
    with Store.open(url) as store:
        assert main([url, "-o", str(path)]) == 2
        assert "nothing was found of claims" in capsys.readouterr().err
        Claims(store).add_verdict(FOUND)
    assert main([url, "-o", str(path)]) == 0
    page = path.read_text(encoding="utf-8")
    assert "Plain is worse." in page
    assert "20 points (10 to 30)" in page
