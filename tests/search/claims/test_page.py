"""The page of verdicts can be written of whatever a database holds."""

from dataclasses import replace
from math import nan

from search.claims.page import markdown
from search.core.claims import Effect
from tests.search.storage.test_claims import FOUND


def test_a_quantity_that_nobody_knows_is_named_as_it_is() -> None:
    assert "| speed of light " in markdown([replace(FOUND, of="speed of light")], "make claims")


def test_no_text_of_a_claim_is_markup_or_a_column() -> None:
    page = markdown([replace(FOUND, says="<b>|", note="<unknown>")], "make claims")
    assert r"&lt;b>\|" in page
    assert ": &lt;unknown>" in page


def test_of_one_seed_there_is_no_interval() -> None:
    page = markdown(
        [replace(FOUND, effect=Effect(value=0.2, low=nan, high=nan, test="paired", seeds=1))], "make claims"
    )
    assert "| 20 points |" in page


def test_each_row_names_its_images_where_they_are_several_and_is_one_line() -> None:
    other = replace(FOUND, data="pictures", fingerprint="4567", says="Plain\nis worse.")
    page = markdown([FOUND, other], "make claims")
    assert "| `plain-26` against `plain-14` (small form) on digits |" in page
    assert "**plain** Plain is worse. *He* | `plain-26` against `plain-14` (small form) on pictures |" in page
    assert "(small form) |" in markdown([FOUND], "make claims")
