"""A measurement goes to the driver and comes back as it was."""

import json
import pickle
from collections.abc import Callable

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


def test_whole_numbers_stay_whole(make_measurement: MakeMeasurement) -> None:
    widened = {name: float(value) for name, value in make_measurement(2).to_json().items() if value is not None}
    read = Measurement.from_json(widened)
    assert (type(read.epoch), type(read.peak_bytes)) == (int, int)


def test_a_measurement_that_lacks_a_field_is_none(make_measurement: MakeMeasurement) -> None:
    for name in make_measurement().to_json().keys() - {"latency_ms"}:  # which not every trial has
        held = {key: value for key, value in make_measurement().to_json().items() if key != name}
        with pytest.raises(KeyError, match=name):
            Measurement.from_json(held)


def test_an_epoch_takes_its_training_and_its_evaluation(make_measurement: MakeMeasurement) -> None:
    assert make_measurement(train_s=1.5, eval_s=0.25).wall_s == 1.75
