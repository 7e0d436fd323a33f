"""A measurement goes to the driver and comes back as it was."""

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from workers.measurement import Measurement

MakeMeasurement = Callable[..., Measurement]


def test_a_measurement_survives_json_and_pickle(make_measurement: MakeMeasurement) -> None:
    made = make_measurement(3, accuracy=1 / 3, loss=5e-324, train_s=0.1, peak_bytes=2**53)
    assert Measurement.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_what_stands_beside_the_fields_is_passed_over(make_measurement: MakeMeasurement) -> None:
    made = make_measurement(2)
    assert Measurement.from_json({**made.to_json(), "training_iteration": 7, "time_total_s": 1.0}) == made


def test_a_measurement_of_the_first_versions_is_read(make_measurement: MakeMeasurement) -> None:
    made = make_measurement(2)
    flat = {"epoch": 2, "train_s": made.train_s, "eval_s": made.eval_s, **made.metrics}
    assert Measurement.from_json({**flat, "latency_ms": None, "training_iteration": 7}) == made
    assert Measurement.from_json({**flat, "latency_ms": 1.5}) == made.showing(latency_ms=1.5)


def test_who_measured_and_when_is_told_and_no_part_of_what_was_found(make_measurement: MakeMeasurement) -> None:
    made = make_measurement(2, host="a", device="cpu", at=datetime(2026, 1, 2, tzinfo=UTC))
    read = Measurement.from_json(json.loads(json.dumps(made.to_json())))
    assert (read.host, read.device, read.at) == (made.host, made.device, made.at)
    assert read == make_measurement(2)


def test_what_was_not_measured_is_not_there(make_measurement: MakeMeasurement) -> None:
    assert make_measurement().get("latency_ms") is None


def test_a_measurement_that_lacks_a_field_is_none(make_measurement: MakeMeasurement) -> None:
    for name in make_measurement().to_json().keys() - {"metrics"}:  # without them it is of the first versions
        held = {key: value for key, value in make_measurement().to_json().items() if key != name}
        with pytest.raises(KeyError, match=name):
            Measurement.from_json(held)


def test_an_epoch_takes_its_training_and_its_evaluation(make_measurement: MakeMeasurement) -> None:
    assert make_measurement(train_s=1.5, eval_s=0.25).wall_s == 1.75
