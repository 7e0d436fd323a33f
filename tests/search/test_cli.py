"""What the commands have in common."""

import gc
from collections.abc import Iterator

import pytest

from search import cli


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_garbage_is_not_looked_for_while_much_is_imported_and_what_came_is_left_alone() -> None:
    with cli.loading():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count()


def test_an_import_that_fails_leaves_the_collector_on_and_one_that_was_off_stays_off() -> None:
    with pytest.raises(ImportError), cli.loading():
        raise ImportError
    assert gc.isenabled()
    gc.disable()
    with cli.loading():
        pass
    assert not gc.isenabled()
