"""An objective that a command measures: how it stands in the file, and what it is to a study."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from search.config.identity import check_same
from search.config.schema import schema
from search.config.study import StudyConfig, load, parse
from search.core.columns import shown_value
from search.core.records import StudyRecord
from search.samplers.catalogue import coordinate
from spaces.cost import Cost
from spaces.errors import InputError
from tests import factories
from tests.search.bench import FILE
from workers.objectives import retold, told

PI = {"name": "pi_ms", "command": "./on_pi.sh {onnx}", "unit": "ms"}
COST = Cost(params=1, macs=1, activations=1, weight_bytes=4)


def study(asked: dict[str, Any] | None = None, **changes: Any) -> StudyConfig:
    return parse({**FILE, "objectives": ["accuracy", {**PI, **(asked or {})}], **changes})


def begun(config: StudyConfig) -> StudyRecord:
    return factories.study(config={**config.plain(), "fingerprint": ""}, objectives=config.objectives)


def test_it_stands_among_the_others_by_its_name() -> None:
    config = study({"title": "latency on the Pi", "device": "pi", "tries": 2})
    assert config.objectives == ("accuracy", "pi_ms")
    place, form = config.asking["pi_ms"]
    assert place == "objectives.1"
    assert (form.asks.text, form.asks.device, form.asks.tries, form.asks.by_shell) == (
        "./on_pi.sh {onnx}",
        "pi",
        2,
        False,
    )
    objective = config.measures["pi_ms"]
    assert (objective.title, objective.unit, objective.direction) == ("latency on the Pi", "ms", "minimize")
    assert study().measures["pi_ms"].title == "pi_ms"


def test_a_constraint_on_it_holds_once_it_is_known() -> None:
    config = study(constraints={"pi_ms": "<= 5", "params": "<= 2"})
    assert set(config.violations(COST)) == {"params"}
    known = config.violations(Cost(params=1, macs=1, activations=1, weight_bytes=4, more={"pi_ms": 6.0}))
    assert known["pi_ms"] == pytest.approx(0.2)
    with pytest.raises(InputError, match=r"constraints\.pi_m: unknown constraint 'pi_m' \(did you mean 'pi_ms'\?\)"):
        study(constraints={"pi_m": "<= 5"})


def test_no_sampler_takes_it_for_known_of_every_network() -> None:
    assert coordinate(study().measures["pi_ms"]) is None
    assert coordinate(study().measures["macs"]) is not None


def test_a_study_s_file_reads_back_what_it_was() -> None:
    config = study({"shell": True})
    again = parse({key: value for key, value in config.plain().items() if key != "fingerprint"})
    assert again.asking == config.asking


def test_a_study_goes_on_with_another_patience_and_not_with_another_command() -> None:
    record = begun(study())
    check_same(record, study({"limit_s": 5, "tries": 9, "title": "on the Pi"}))
    for other in ({"command": "./on_pi.sh -v {onnx}"}, {"device": "pi-2"}, {"unit": "s"}, {"shell": True}):
        with pytest.raises(InputError, match="was begun with another file"):
            check_same(record, study(other))


def test_a_variable_in_a_command_is_looked_up_and_its_value_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PI_HOST", "me@10.9.8.7")
    path = tmp_path / "space.yaml"
    path.write_text(
        "study: small\ndata: digits\nspace: {depth: {int: [1, 2]}}\n"
        "objectives: [accuracy, {name: pi_ms, command: './on_pi.sh ${PI_HOST} {onnx}', unit: ms}]\n"
    )
    config = load(path)
    assert config.asking["pi_ms"][1].asks.text == "./on_pi.sh me@10.9.8.7 {onnx}"
    assert "10.9.8.7" not in str(config.plain())
    assert config.plain()["objectives"][1]["command"] == "./on_pi.sh ${PI_HOST} {onnx}"


@pytest.mark.parametrize(
    ("objectives", "fits"),
    [
        (["accuracy", PI], True),
        (["accuracy", {**PI, "device": "pi", "limit_s": 10, "tries": 1, "shell": True}], True),
        (["accuracy", {**PI, "units": "ms"}], False),
        (["accuracy", {"name": "pi_ms", "unit": "ms"}], False),
        (["accuracy", {**PI, "tries": 0}], False),
    ],
)
def test_the_schema_knows_its_form(objectives: Sequence[object], fits: bool) -> None:
    given = {**FILE, "objectives": objectives, "constraints": {"pi_ms": "<= 5"}}
    assert jsonschema.Draft202012Validator(schema()).is_valid(given) is fits


def test_a_report_reads_it_without_its_command_and_a_network_that_nobody_measured_has_no_value() -> None:
    objective = study({"title": "latency on the Pi"}).measures["pi_ms"]
    again = retold(told(objective, classes=10))
    assert again == objective
    assert math.isnan(again.value(COST, None))
    assert again.value(replace(COST, more={"pi_ms": 3.5}), None) == 3.5
    assert shown_value(again, 3.5) == "3.5000"


def test_what_is_of_no_use_as_a_name_is_refused() -> None:
    for name in ("loss", "macs", "digest", "seed", "depth", "learning_rate", "trial", "name"):
        with pytest.raises(InputError, match=rf"objectives\.1\.name: '{name}' is the name of something else"):
            study({"name": name})
