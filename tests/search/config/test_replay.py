"""A replay is described by a study's own file, or by one that says what the columns of a table are."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.config.replay import ColumnForm, load_replay, parse_replay
from spaces.errors import InputError
from tests.search.tables import TABLE, replay

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "spaces" / "examples").glob("*.yaml"))

KNOWN = {"direction": "minimize", "known": True}


def test_an_objective_is_what_training_reveals_unless_it_is_known() -> None:
    assert replay().columns == {
        "acc": ColumnForm(direction="maximize", known=False),
        "cost": ColumnForm(direction="minimize", known=True),
    }


def test_without_a_tables_objectives_the_files_own_are_meant() -> None:
    assert parse_replay({"objectives": ["loss", "params", "latency_ms"]}).columns == {
        "loss": ColumnForm(direction="minimize", known=False),
        "params": ColumnForm(direction="minimize", known=True),
        "latency_ms": ColumnForm(direction="minimize", known=False),
    }


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_studys_own_file_describes_a_replay(path: Path) -> None:
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    form = load_replay(path, environment=None)
    assert list(form.columns) == given.get("objectives", ["accuracy", "macs"])
    assert form.study == given["study"]


def test_what_trains_networks_is_passed_over() -> None:
    passed: dict[str, Any] = {
        "data": {"nme": 1},
        "recipe": 3,
        "storage": None,
        "constraints": {"x": 1},
        "checkpoints": 7,
    }
    assert parse_replay(passed).columns == parse_replay({}).columns


def test_a_name_alone_is_the_samplers_or_the_schedulers() -> None:
    form = replay(sampler="tpe", scheduler="asha")
    assert (form.sampler.name, form.scheduler.name) == ("tpe", "asha")


@pytest.mark.parametrize(
    ("scheduler", "epochs"),
    [("asha", None), ({"grace_epochs": 2}, None), ({"max_epochs": 9}, 9), ({"max_epochs": 12}, 12)],
)
def test_full_fidelity_is_the_tables_unless_the_file_names_it(scheduler: Any, epochs: int | None) -> None:
    assert replay(scheduler=scheduler).full_fidelity == epochs


def test_settings_replace_leaves_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "replay.yaml").write_text(yaml.safe_dump({"table": TABLE, "scheduler": "asha"}))
    form = load_replay(
        tmp_path / "replay.yaml", ["scheduler.keep=0.3", "table.epoch=t", "table.objectives.cost=maximize"]
    )
    assert (form.scheduler.name, form.scheduler.keep, form.table.epoch) == ("asha", 0.3, "t")
    assert form.columns["cost"] == ColumnForm(direction="maximize", known=False)


ONE = "a front needs at least two different objectives"
BLIND = "at least one objective must say how good a network is, which training reveals"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown section": ({"tabel": {}}, "unknown key 'tabel' (did you mean 'table'?); known are "),
    "an unknown key of the table": ({"table": {"epoc": "t"}}, "table: unknown key 'epoc' (did you mean 'epoch'?)"),
    "a table that is a list": ({"table": [1]}, "table: [1] is not a mapping"),
    "objectives that are a list": ({"table": {"objectives": ["acc"]}}, 'table.objectives: ["acc"] is not a mapping'),
    "an unknown direction": (
        {"table": {"objectives": {"acc": "up", "cost": KNOWN}}},
        "table.objectives.acc.direction: 'up' is not 'maximize' or 'minimize'",
    ),
    "one objective": ({"table": {"objectives": {"acc": "maximize"}}}, f"table.objectives: {ONE}"),
    "the same objective twice": ({"objectives": ["accuracy", "accuracy"]}, f"objectives: {ONE}"),
    "objectives that are all known": (
        {"table": {"objectives": {"cost": KNOWN, "size": KNOWN}}}, f"table.objectives: {BLIND}"
    ),
    "objectives that are all costs": ({"objectives": ["latency_ms", "macs"]}, f"objectives: {BLIND}"),
    "an objective of its own without its column": (
        {"objectives": ["accuracy", "watts"]}, "objectives: unknown objective 'watts'"
    ),
    "one class": ({"table": {**TABLE, "classes": 1}}, "table.classes: 1 is "),
    "a budget below one": ({"table": TABLE, "budget": {"trials": 0}}, "budget.trials: 0 is "),
}  # fmt: skip


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_wrong_is_refused_with_its_place(given: str) -> None:
    sections, said = REFUSED[given]
    with pytest.raises(InputError) as refused:
        parse_replay(sections)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_objectives_of_ones_own_are_told_where_they_belong() -> None:
    with pytest.raises(InputError, match=r"others stand under table\.objectives$"):
        parse_replay({"objectives": ["accuracy", "watts"]})
