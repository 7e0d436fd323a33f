"""Single paths are followed through a trained network, and each length has its share in the gradient."""

import math

import pytest

from spaces.architecture import plan
from spaces.errors import InputError
from spaces.paths import paths
from tests.workers.test_lesions import data as data  # a fixture
from tests.workers.test_lesions import trainer
from workers.datasets import Dataset
from workers.lesions import lesions
from workers.routes import lengths

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("fields", [{}, {"branches": 2}, {"block": "merge_run"}], ids=str)
def test_every_length_has_its_paths_and_all_shares_are_one(data: Dataset, fields: dict[str, object]) -> None:
    trained, architecture = trainer(data, depths=(1, 1, 1), **fields)
    rows = list(lengths(trained, plan(architecture), draws=2, seed=0))
    assert [row["place"] for row in rows] == ["0", "1", "2", "3"]
    assert math.fsum(row["share"] for row in rows) == pytest.approx(1)
    assert all(row["followed"] == min(2, row["paths"]) for row in rows)
    if "block" not in fields:  # whose authors count those of a stream
        assert sum(row["paths"] for row in rows) == paths(plan(architecture)).count


def test_the_longest_and_the_shortest_path_are_the_deep_and_the_shallow_network(data: Dataset) -> None:
    trained, architecture = trainer(data, depths=(1, 1, 1))
    rows = list(lesions(trained, plan(architecture), paths=1))
    error = {(row["what"], row["place"]): row["error"] for row in rows}
    assert error["length", "3"] == error["deep", ""]
    assert error["length", "0"] == error["shallow", ""]


@pytest.mark.parametrize("fields", [{"shortcut": "none"}, {"block": "shuffle"}], ids=str)
def test_without_a_fork_no_path_is_followed_and_nothing_is_said_of_how_many_there_are(
    data: Dataset, fields: dict[str, object]
) -> None:
    trained, architecture = trainer(data, depths=(1, 1, 1), **fields)
    with pytest.raises(InputError, match="no block has both a shortcut and a branch that can be followed by itself"):
        list(lengths(trained, plan(architecture), draws=1, seed=0))
