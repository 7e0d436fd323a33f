"""A Parquet or CSV file of trainings is read as it comes: long or wide, with gaps, with columns for other things."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from search.simulation.recordings import Recordings
from search.simulation.tables import read_table
from spaces.domains import Choice, Domain, Float, Int, When
from spaces.errors import InputError
from tests.search.tables import TABLE, grid, read, replay, trainings


def same(one: Recordings, other: Recordings) -> bool:
    """Say whether two hold the same, to the bit; their names aside."""
    fields = ("parameters", "networks", "digests", "epochs", "classes", "left_out")
    arrays = [(one.known, other.known), (one.learned, other.learned), ({"s": one.seconds}, {"s": other.seconds})]
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        mine.keys() == theirs.keys() and all(np.array_equal(mine[each], theirs[each], equal_nan=True) for each in mine)
        for mine, theirs in arrays
    )


# Epochs and seeds


def test_a_row_is_one_epoch_of_one_training() -> None:
    found = read(trainings((0.1, 0.2, 0.3), (0.4, 0.5)))
    assert found.networks == ({"net": 0}, {"net": 1})
    assert found.epochs == (1, 2, 3)
    np.testing.assert_array_equal(found.learned["acc"], [[[0.1, 0.2, 0.3]], [[0.4, 0.5, np.nan]]])
    np.testing.assert_array_equal(found.seconds, [[[1, 2, 3]], [[1, 2, np.nan]]])
    assert found.known["cost"].tolist() == [10, 20]


def test_the_order_of_rows_within_a_training_means_nothing() -> None:
    frame = trainings((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    turned = pd.concat([frame[frame["net"] == net].iloc[::-1] for net in (0, 1)])
    assert same(read(turned), read(frame))


def test_a_column_of_seeds_tells_trainings_of_one_network_apart() -> None:
    once, again = trainings((0.1, 0.2), (0.3, 0.4)), trainings((0.5, 0.6))
    found = read(pd.concat([once.assign(trained=7), again.assign(trained=9)]), {"seed": "trained"})
    assert found.learned["acc"][0].tolist() == [[0.1, 0.2], [0.5, 0.6]]
    assert found.seeds.tolist() == [2, 1]


@pytest.mark.parametrize("names", [("a", "b"), (12, 3)])
def test_seeds_may_have_any_names(names: tuple[Any, Any]) -> None:
    frame = pd.concat([trainings((0.1,)).assign(seed=names[0]), trainings((0.2,)).assign(seed=names[1])])
    assert sorted(read(frame).learned["acc"][0, :, 0].tolist()) == [0.1, 0.2]


def test_seeds_may_be_columns() -> None:
    frame = trainings((0.1, 0.2), (0.3, 0.4))
    wide = frame.rename(columns={"acc": "acc_0"}).assign(acc_1=frame["acc"] + 0.5)
    long = pd.concat([frame.assign(seed=0), frame.assign(acc=frame["acc"] + 0.5, seed=1)])
    assert same(read(wide), read(long))


def test_columns_of_seeds_go_by_their_numbers() -> None:
    wide = pd.DataFrame({"net": [0, 1], "cost": 1.0} | {f"acc_{seed}": seed / 100 for seed in reversed(range(12))})
    assert read(wide).learned["acc"][0, :, 0].tolist() == [seed / 100 for seed in range(12)]


def test_without_epochs_each_row_is_a_training_in_full() -> None:
    frame = pd.DataFrame({"net": [0, 0, 1], "cost": [1.0, 1.0, 2.0], "acc": [0.5, 0.7, 0.6]})
    found = read(frame, scheduler={"max_epochs": 200})
    assert found.epochs == (200,)
    assert found.seeds.tolist() == [2, 1]
    assert found.final("acc").tolist() == pytest.approx([0.6, 0.6])
    assert found.seconds[0].tolist() == [[200], [200]]  # an epoch takes one
    assert read(frame).epochs == (1,)


def test_epochs_may_have_gaps() -> None:
    frame = trainings((0.1, 0.2), (0.3, 0.4)).replace({"epoch": {1: 12, 2: 200}}).drop(columns="seconds")
    found = read(frame)
    assert found.epochs == (12, 200)
    assert found.seconds[:, 0].tolist() == [[12, 200], [12, 200]]


def test_full_fidelity_is_where_the_file_says() -> None:
    frame = trainings((0.1, 0.2, 0.3), (0.4, 0.5))
    found = read(frame, scheduler={"max_epochs": 2})
    assert found.epochs == (1, 2)
    assert found.final("acc").tolist() == [0.2, 0.5]


def test_what_is_not_finite_is_none() -> None:
    found = read(trainings((0.1, np.inf), (0.2, np.nan), (0.3, 0.4)))
    assert np.isnan(found.final("acc")).tolist() == [True, True, False]


# Columns


def test_columns_that_are_nothing_else_are_parameters() -> None:
    frame = grid(2, 2).assign(digest="x", state="complete", trial=3, loss=1.0, peak_bytes=5, params=7, macs=9.0)
    found = read(frame.assign(digest=frame["width"]))
    assert [each.name for each in found.parameters] == ["width", "depth"]


def test_parameters_may_be_named() -> None:
    found = read(grid(2, 1), {"parameters": ["width"]})
    assert found.networks == ({"width": 1}, {"width": 2})


def test_what_tells_of_a_network_before_training_is_known() -> None:
    found = read(trainings((0.5,), (0.6,)).assign(flops=[3, 4], macs=[5, 6]), {"known": ["flops"]})
    assert {name: array.tolist() for name, array in found.known.items()} == {
        "cost": [10, 20], "flops": [3, 4], "macs": [5, 6],
    }  # fmt: skip


def test_accuracy_is_read_beside_the_objectives_where_rungs_need_it() -> None:
    frame = trainings((0.5, 0.6)).assign(accuracy=0.9)
    assert read(frame, {"classes": 10}).learned.keys() == {"acc", "accuracy"}
    assert read(frame).learned.keys() == {"acc"}


def test_columns_may_have_other_names() -> None:
    names = {"epoch": "t", "seconds": "clock", "seed": "s", "digest": "hash"}
    frame = trainings((0.5, 0.6), (0.6, 0.7)).assign(seed=3, digest=["a", "a", "b", "b"])
    assert same(read(frame.rename(columns=names), names), read(frame))


def test_equal_networks_have_one_digest() -> None:
    assert read(trainings((0.5,), (0.6,), (0.7,)).assign(digest=["a", "b", "a"])).digests == ("a", "b", "a")
    assert len(set(read(trainings((0.5,), (0.6,), (0.7,))).digests)) == 3


# Parameters that are inferred

MANY = [3, 4, 7, 9, 10, 20, 21, 33, 34, 50, 60, 70, 81]
INFERRED: list[tuple[list[Any], Domain]] = [
    ([3, 1, 2], Int(low=1, high=3)),
    ([2.0, 6.0, 4.0], Int(low=2, high=6, step=2)),
    ([1, 2, 4], Choice(options=(1, 2, 4))),
    ([0.5, 2.0, 1.0], Choice(options=(0.5, 1, 2))),
    ([5, 5], Choice(options=(5,))),
    ([True, False], Choice(options=(False, True))),
    (["b", "a"], Choice(options=("a", "b"))),
    (["none", "NA", "null"], Choice(options=("NA", "none", "null"))),
    (MANY, Int(low=3, high=81)),
    ([*MANY, 300], Int(low=3, high=300, log=True)),
    ([value / 2 for value in MANY], Float(low=1.5, high=40.5)),
    ([value / 2 for value in (*MANY, 300)], Float(low=1.5, high=150.0, log=True)),
    ([value / 2 for value in (-1, *MANY, 300)], Float(low=-0.5, high=150.0)),
]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(("values", "domain"), INFERRED, ids=str)
def test_a_parameter_takes_what_the_table_holds(values: list[Any], domain: Domain, ending: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": values, "y": range(len(values)), "cost": 1.0, "acc": 0.5})
    found = read_table(write(frame, tmp_path / f"t.{ending}"), replay())
    assert found.parameters[0].domain == domain
    assert [params["x"] for params in found.networks] == values
    assert all(domain.contains(params["x"]) for params in found.networks)


CONDITIONAL = pd.DataFrame(
    {
        "groups": [None, None, 2, 4],  # whole numbers, that stand among gaps as floats
        "block": ["basic", "plain", "resnext", "resnext"],
        "wide": [True, False, None, None],
        "cost": 1.0,
        "acc": 0.5,
    }
)
CONDITIONED = (
    {"block": "basic", "wide": True},
    {"block": "plain", "wide": False},
    {"block": "resnext", "groups": 2},
    {"block": "resnext", "groups": 4},
)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_parameter_with_gaps_exists_where_an_earlier_one_says(ending: str, tmp_path: Path) -> None:
    found = read_table(write(CONDITIONAL, tmp_path / f"t.{ending}"), replay())
    assert found.networks == CONDITIONED
    assert {type(params["groups"]) for params in found.networks[2:]} == {int}
    assert {each.name: each.when for each in found.parameters} == {
        "block": (),
        "groups": (When(parameter="block", values=("resnext",)),),
        "wide": (When(parameter="block", values=("basic", "plain")),),
    }


def test_a_condition_may_hang_on_a_parameter_with_gaps() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2, 2, 2], "b": [None, "x", "y", "y"], "c": [None, None, 5, 7], "cost": 1.0, "acc": 0.5}
    )
    found = read(frame)
    assert found.networks == ({"a": 1}, {"a": 2, "b": "x"}, {"a": 2, "b": "y", "c": 5}, {"a": 2, "b": "y", "c": 7})
    assert found.parameters[2].when == (When(parameter="b", values=("y",)),)


# A space that is given

SPACE: dict[str, Any] = {
    "block": {"choice": ["basic", "resnext"]},
    "groups": {"choice": [2, 4, 8], "when": {"block": "resnext"}},
}


def test_rows_outside_the_space_are_left_out() -> None:
    found = read(CONDITIONAL, space=SPACE)
    assert found.networks == ({"block": "basic"}, {"block": "resnext", "groups": 2}, {"block": "resnext", "groups": 4})
    assert found.left_out == 1
    gap = read(CONDITIONAL.assign(groups=[4, None, None, 2]), space=SPACE)  # where it must not be, and where it must
    assert (gap.networks, gap.left_out) == (({"block": "resnext", "groups": 2},), 3)


def test_what_the_space_fixes_leaves_other_rows_out() -> None:
    space = {"block": "resnext", "groups": {"choice": [2, 4]}}
    assert (read(CONDITIONAL, space=space).networks, read(CONDITIONAL, space=space).left_out) == (
        ({"groups": 2}, {"groups": 4}), 2,
    )  # fmt: skip


def test_a_parameter_that_exists_in_no_row_needs_no_column() -> None:
    space = {**SPACE, "growth": {"int": [1, 3], "when": {"block": "basic"}}}
    found = read(CONDITIONAL[2:], space=space)
    assert found.networks == CONDITIONED[2:]
    with pytest.raises(InputError, match=r"^space: unknown column 'growth'"):
        read(CONDITIONAL, space=space)


def test_values_are_spelled_as_the_space_spells_them() -> None:
    space = {"width": {"float": [1, 6]}, "depth": {"choice": [1.0, 2.0, 3.0]}}
    found = read(grid(), space=space)
    assert {(type(each["width"]), type(each["depth"])) for each in found.networks} == {(float, float)}
    assert len(found.networks) == 18


def test_numbers_among_words_are_found_again_in_a_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"d": [4, 8, "preserved"], "cost": 1.0, "acc": 0.5})
    path = write(frame, tmp_path / "t.csv")
    found = read_table(path, replay(space={"d": {"choice": [4, 8, "preserved"]}}))
    assert [each["d"] for each in found.networks] == [4, 8, "preserved"]


# Files


def write(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("table", [grid(), CONDITIONAL, trainings((0.1, 1 / 3), (np.nan, 0.7))], ids=range(3))
def test_every_kind_of_file_gives_equal_recordings(table: pd.DataFrame, tmp_path: Path) -> None:
    found = [read_table(write(table, tmp_path / f"t.{end}"), replay()) for end in ("csv", "csv.gz", "parquet")]
    assert [each.name for each in found] == ["t.csv", "t.csv.gz", "t.parquet"]
    assert same(found[0], found[1])
    assert same(found[1], found[2])


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_table(path, replay())
    assert "\n" not in str(error.value)
    assert error.value.place == str(path)
    return error.value.message


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv") == refused(tmp_path / "none.parquet") == "there is no such file"
    (tmp_path / "t.xlsx").touch()
    assert refused(tmp_path / "t.xlsx") == "is neither a .parquet nor a .csv file (.csv.gz too)"
    for name in ("empty.csv", "t.parquet", "t.csv.gz"):
        (tmp_path / name).write_bytes(b"" if name == "empty.csv" else b"dear diary")
        assert refused(tmp_path / name)
    (tmp_path / "odd.csv").write_bytes(b"net,acc\n\xff\xfe,1\n")
    assert refused(tmp_path / "odd.csv")


# What is wrong in a table

TWO = trainings((0.1, 0.2), (0.3, 0.4))
REFUSED: dict[str, tuple[pd.DataFrame, Mapping[str, Any], str]] = {
    "no objective": (
        TWO.rename(columns={"acc": "accu"}), {},
        "table.objectives: unknown column 'acc' (did you mean 'accu'?); known are net, cost, epoch, accu, seconds",
    ),
    "words in an objective": (TWO.assign(acc="good"), {}, "table.objectives: column acc does not hold numbers"),
    "other numbers of seeds": (
        TWO.drop(columns="acc").assign(acc_0=1.0, acc_1=1.0, loss_0=1.0),
        {"table": {"objectives": {**TABLE["objectives"], "loss": "minimize"}}},
        "table.objectives: acc, loss have different numbers of seeds",
    ),
    "no such parameter": (TWO, {"table": {"parameters": ["nett"]}}, "table.parameters: unknown column 'nett' (did"),
    "no such parameter of a space": (TWO, {"space": {"nett": {"int": [0, 1]}}}, "space: unknown column 'nett' (did"),
    "no parameter": (TWO.drop(columns="net"), {}, "space: name the parameters there, or under table.parameters"),
    "an empty parameter": (
        TWO.assign(none=np.nan), {}, "space: column none is empty; name the parameters under table.parameters"
    ),
    "gaps for no reason": (
        TWO.assign(net=[0, np.nan, 1, 1], x=1), {},
        "space: column net has gaps that follow from no other one; say under space when it exists",
    ),
    "gaps where another has them": (
        pd.DataFrame({"a": [1, 1, 2, 3], "b": ["x", "y", None, None], "c": [3, None, 4, 4], "cost": 1.0, "acc": 0.5}),
        {},
        "space: column c has gaps that follow from no other one; say under space when it exists",
    ),
    "no row of the space": (TWO, {"space": {"net": {"int": [5, 7]}}}, "space: no row of the table is of this space"),
    "a wrong space": (TWO, {"space": {"net": {"int": [1, 0]}}}, "space.net.int: low 1 is above high 0"),
    "gaps in what is known": (TWO.assign(cost=[1, 1, np.nan, np.nan]), {}, "table: column cost has gaps"),
    "gaps in digests": (TWO.assign(digest=["a", "a", None, None]), {}, "table: column digest has gaps"),
    "gaps in epochs' numbers": (TWO.assign(epoch=[1, np.nan, 1, 2]), {}, "table.epoch: column epoch has gaps"),
    "words for epochs": (TWO.assign(epoch="one"), {}, "table.epoch: column epoch does not hold numbers"),
    "half epochs": (
        TWO.assign(epoch=[1, 1.5, 1, 1.5]), {}, "table.epoch: column epoch holds what is no number of epochs"
    ),
    "epochs below 0": (
        TWO.assign(epoch=[-1, 1, -1, 1]), {}, "table.epoch: column epoch holds what is no number of epochs"
    ),
    "a missing epoch": (TWO[1:], {}, "table.epoch: a training lacks an epoch before its last"),
    "a network whose epochs are all later": (
        TWO[1:], {"scheduler": {"max_epochs": 1}}, "table.epoch: a training lacks an epoch before its last"
    ),
    "no full fidelity": (
        TWO, {"scheduler": {"max_epochs": 9}}, "scheduler.max_epochs: epoch 9 is not in the table, which ends at 2"
    ),
    "the same epoch twice": (
        pd.concat([TWO, TWO]), {},
        "table: two rows are the same network, seed and epoch; name a column under table.seed",
    ),
    "gaps in seeds": (TWO.assign(seed=[1, 1, np.nan, 1]), {}, "table.seed: column seed has gaps"),
    "gaps in seconds": (TWO.assign(seconds=[1, np.nan, 1, 2]), {}, "table.seconds: column seconds has gaps"),
    "endless seconds": (TWO.assign(seconds=[1, np.inf, 1, 2]), {}, "table.seconds: column seconds has gaps"),
    "words for seconds": (TWO.assign(seconds="s"), {}, "table.seconds: column seconds does not hold numbers"),
    "seconds that fall": (
        TWO.assign(seconds=[2, 1, 1, 2]), {}, "table.seconds: they fall from one epoch of a training to the next"
    ),
    "seconds below 0": (
        TWO.assign(seconds=[-1, 1, 1, 2]), {}, "table.seconds: they fall from one epoch of a training to the next"
    ),
    "nothing in full": (trainings((0.1, np.nan), (0.3,)), {}, "table: no training holds acc at epoch 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(case: str) -> None:
    frame, sections, said = REFUSED[case]
    with pytest.raises(InputError) as refused:
        read(frame, **sections)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
