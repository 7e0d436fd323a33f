"""The plain network of a residual one is that which the literature knows by name, where it has one."""

import pytest

from spaces.errors import InputError
from spaces.names import named
from spaces.plain import plain_of


def test_a_residual_network_without_shortcuts_is_its_authors_plain_one() -> None:
    assert plain_of(named("resnet-20").architecture).digest == named("plain-20").architecture.digest


def test_what_drops_around_shortcuts_and_outer_ones_go_with_them() -> None:
    assert plain_of(named("swapout-20-4").architecture).dropout == "none"
    assert plain_of(named("ror-3-110").architecture).levels == 1


@pytest.mark.parametrize("name", ["plain-20", "densenet-40-12", "fractalnet-20", "dfn-mr-56"])
def test_what_has_none_or_cannot_be_without_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="shortcut"):
        plain_of(named(name).architecture)
