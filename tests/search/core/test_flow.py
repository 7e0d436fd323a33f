"""A course says how far the gradient comes and which blocks have shrunk to their shortcut."""

from search.core.flow import course, said


def row(epoch: int, block: str, gradient: float | None, branch: float | None = None) -> dict[str, object]:
    return {"epoch": epoch, "block": block, "gradient": gradient, "branch": branch}


def test_values_stand_by_block_and_epoch_and_what_is_missing_is_not_known() -> None:
    found = course([row(3, "1.1", 0.5, 0.9), row(1, "1.1", 1.0, 0.8), row(1, "1.2", 2.0)])
    assert (found.epochs, found.blocks) == ((1, 3), ("1.1", "1.2"))
    assert found.gradients == ((1.0, 0.5), (2.0, None))
    assert found.branches == ((0.8, 0.9), (None, None))
    assert found.has_shortcuts


def test_a_gradient_that_vanishes_or_explodes_is_called_so() -> None:
    rows = [row(1, "1.1", 0.001), row(1, "1.2", 1.0), row(9, "1.1", 500.0), row(9, "1.2", 1.0)]
    first, second = said(course(rows))
    assert first.endswith("0.001 after epoch 1 (it vanishes) and 500 after epoch 9 (it explodes)")
    assert second == "no block adds to a shortcut that is known"


def test_blocks_that_add_little_are_named() -> None:
    rows = [row(2, "1.1", 1.0, 0.05), row(2, "1.2", 1.0, 0.5), row(2, "2.1", 0.0, None)]
    first, second = said(course(rows))
    assert first.endswith("not known after epoch 2")
    assert second == "after epoch 2, 1 of 2 blocks with a shortcut add less than a tenth of it: 1.1"


def test_nothing_recorded_says_nothing() -> None:
    assert list(said(course([]))) == []
