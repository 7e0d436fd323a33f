"""An ensemble is the mean of what its members think, at what they cost together."""

import pytest
import torch
from torch import Tensor

from workers.ensembles import Member, ensembles
from workers.mistakes import change, error, mistakes, probabilities

LABELS = torch.tensor([0, 0, 1, 1])


def sure_of_class_0(*chances: float) -> Tensor:
    """Return probabilities `n 2`."""
    first = torch.tensor(chances, dtype=torch.float64)
    return torch.stack([first, 1 - first], dim=1)


# Each of the first two is wrong about one image, of which the other is surer.
FIRST = Member(trial=1, cost=10, probabilities=sure_of_class_0(0.4, 0.9, 0.1, 0.1))
SECOND = Member(trial=2, cost=20, probabilities=sure_of_class_0(0.9, 0.4, 0.1, 0.1))
DEAR = Member(trial=3, cost=25, probabilities=sure_of_class_0(0.9, 0.9, 0.1, 0.6))


def test_an_ensemble_of_one_is_the_network() -> None:
    logits = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(50) % 7
    (row,) = ensembles([Member(trial=4, cost=3, probabilities=probabilities(logits))], labels)
    assert row["trials"] == [4]
    assert row["cost"] == 3
    assert row["error"] == float((logits.argmax(dim=1) != labels).double().mean())
    assert row["below"] is None


def test_two_that_are_wrong_about_different_images_lie_below_the_front() -> None:
    rows = {tuple(row["trials"]): row for row in ensembles([FIRST, SECOND, DEAR], LABELS)}
    assert [rows[1,]["error"], rows[2,]["error"], rows[3,]["error"]] == [0.25, 0.25, 0.25]
    both = rows[1, 2]
    assert (both["error"], both["cost"], both["below"], both["change"]) == (0, 30, True, -0.25)
    assert both["best_single"] == 1  # the cheapest of the best


def test_every_subset_is_tried_up_to_so_many_members() -> None:
    members = [Member(trial=number, cost=1, probabilities=FIRST.probabilities) for number in range(5)]
    assert len(list(ensembles(members, LABELS, 2))) == 5 + 10
    assert len(list(ensembles(members, LABELS))) == 5 + 10 + 10 + 5


def test_an_ensemble_of_equals_is_not_below_them() -> None:
    rows = list(ensembles([FIRST, Member(trial=2, cost=10, probabilities=FIRST.probabilities)], LABELS))
    assert rows[-1]["below"] is False
    assert (rows[-1]["change"], rows[-1]["change_se"]) == (0, 0)


def test_a_share_and_a_difference_have_the_errors_of_statistics() -> None:
    wrong, before = torch.tensor([True, True, False, False]), torch.tensor([True, False, False, False])
    assert error(wrong) == (0.5, pytest.approx((0.25 / 4) ** 0.5))
    assert change(wrong, before) == (0.25, pytest.approx((0.1875 / 4) ** 0.5))  # variance of 0, 1, 0, 0 over 4
    assert change(wrong, wrong) == (0, 0)


def test_what_is_not_finite_tells_nothing_right() -> None:
    scores = torch.tensor([[1.0, 0.0], [float("nan"), 0.0], [float("inf"), 0.0]])
    assert mistakes(scores, torch.tensor([0, 0, 0])).tolist() == [False, True, True]
