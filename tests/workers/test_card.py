"""A card says what is known, leaves out what is not yet there, and shows every name as it is."""

import json

import pytest

from workers.card import Card, page

CARD = Card(
    study="a*b_c|<i>", trial=18, state="stopped", epochs=3, full_epochs=9, network={"block": "basic"},
    costs={"params": 12_345}, recipe={"monte_carlo": 0, "epochs": 9}, numerics="bfloat16 channels_last", seed=7,
    data={"title": "photos\n# not a heading"}, measured={"accuracy": 0.98765432}, machines=[{"device": "a GPU"}],
    versions={"widefront": "0.1.0"},
)  # fmt: skip


def test_json_leaves_out_what_is_not_there_yet() -> None:
    told = json.loads(json.dumps(CARD.to_json()))
    assert told["widefront_export"] == 1
    assert told["epochs"] == 3
    assert {"intervals", "test"}.isdisjoint(told)


def test_the_page_says_what_less_than_full_training_means() -> None:
    assert "| epochs | 3 of 9; the trial is stopped, and this is not what full training comes to |" in page(CARD, "ab")


@pytest.mark.parametrize(
    "line",
    [
        r"# a\*b_c\|\<i\>, trial 18",
        "| params | 12,345 |",
        "| accuracy | 0.987654 |",
        r"| title | photos\\n\# not a heading |",
        '    0 "cat"',
        r'    1 "\u00e9\n\udcff"',
    ],
)
def test_names_and_numbers_are_shown_as_they_are(line: str) -> None:
    assert line in page(CARD, ("cat", "é\n\udcff")).splitlines()
