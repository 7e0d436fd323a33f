"""Digests are stored with studies: a network keeps the one that it has had since the first of them."""

from pathlib import Path

import pytest

from spaces.architecture import Architecture
from spaces.names import named

GOLDEN = [line.split() for line in (Path(__file__).parents[1] / "golden" / "digests.txt").read_text().splitlines()]


def described(text: str) -> Architecture:
    """Return a network by its name, or by block, order, shortcut and placement of dropout."""
    if "," not in text:
        return named(text).architecture
    block, order, shortcut, dropout = text.split(",")
    rate = 0.0 if dropout == "none" else 0.1
    return Architecture(block=block, order=order, shortcut=shortcut, dropout=dropout, dropout_rate=rate)


@pytest.mark.parametrize("block", sorted({text.partition(",")[0] for text, _ in GOLDEN}))
def test_a_network_keeps_the_digest_that_studies_hold(block: str) -> None:
    held = {text: digest for text, digest in GOLDEN if text.partition(",")[0] == block}
    assert {text: described(text).digest for text in held} == held
