"""How long a trial may take: by the file, by what epochs of such a cost have taken here, or for ever."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from search.config.study import parse
from search.core.patience import LEAST_S, LOADING_TIMES, Patience, expected_epoch_s, stuck_line
from search.core.records import TrialRecord
from tests.search.bench import FILE
from workers.measurement import TRAIN_LOSS
from workers.pulse import COMPILING, LOADING, TRAINING

MakeTrial = Callable[..., TrialRecord]


def test_without_any_epoch_the_first_bound_holds_and_silence_is_the_files() -> None:
    patience = Patience()
    assert patience.epoch_s(None) == 3600
    assert patience.silent_s(TRAINING, None) == 300


def test_an_epoch_may_take_ten_times_what_is_expected_and_a_minute() -> None:
    assert Patience().epoch_s(20.0) == LEAST_S + 200
    assert Patience(epoch_slack=2).epoch_s(20.0) == LEAST_S + 40


def test_silence_is_no_longer_than_an_epoch_may_be() -> None:
    assert Patience().silent_s(TRAINING, 1.0) == LEAST_S + 10
    assert Patience().silent_s(TRAINING, 1000.0) == 300
    assert Patience().silent_s(LOADING, 1000.0) == 300 * LOADING_TIMES
    assert Patience().silent_s(COMPILING, 1.0) == 300 * LOADING_TIMES  # whatever an epoch takes


def test_every_bound_can_be_switched_off() -> None:
    never = Patience(silence_s=None, epoch_slack=None, first_epoch_s=None)
    assert never.silent_s(TRAINING, 5.0) is None
    assert never.epoch_s(5.0) is never.epoch_s(None) is None


def test_a_file_says_the_bounds_or_none() -> None:
    given = {"silence_s": 20, "epoch_slack": "none", "first_epoch_s": 60, "grace_s": 5}
    assert parse({**FILE, "resources": given}).resources.patience == Patience(
        silence_s=20.0, epoch_slack=None, first_epoch_s=60.0, grace_s=5.0
    )
    assert parse(FILE).resources.patience == Patience()


def test_an_epoch_is_expected_to_take_what_its_longest_took(make_trial: MakeTrial, make_measurement: Any) -> None:
    curve = tuple(make_measurement(epoch, train_s=float(epoch), eval_s=1.0) for epoch in (1, 2, 3))
    assert expected_epoch_s(make_trial(measurements=curve), []) == 4.0


def test_epochs_that_were_not_measured_do_not_tell_what_one_takes_that_is(
    make_trial: MakeTrial, make_measurement: Any
) -> None:
    curve = [replace(make_measurement(epoch, train_s=2.0, eval_s=0.0), metrics={TRAIN_LOSS: 1.0}) for epoch in (1, 2)]
    trial = make_trial(0, measurements=tuple(curve))
    assert expected_epoch_s(trial, []) is None
    assert expected_epoch_s(trial, [make_trial(1, measurements=tuple(curve))]) is None
    known = make_trial(2, cost=trial.cost, measurements=(make_measurement(1, train_s=2.0, eval_s=30.0),))
    assert expected_epoch_s(trial, [known]) == 32.0
    swift = make_trial(3, cost=trial.cost, measurements=(make_measurement(1, train_s=0.5, eval_s=0.5),))
    assert expected_epoch_s(trial, [swift]) == 2.0
    own = make_trial(0, measurements=(*curve, make_measurement(3, train_s=2.0, eval_s=30.0)))
    assert expected_epoch_s(own, [swift]) == 32.0


def test_a_network_without_epochs_is_expected_to_take_what_others_did_by_their_macs(
    make_trial: MakeTrial, make_measurement: Any
) -> None:
    known = make_trial(0, measurements=(make_measurement(1, train_s=3.0, eval_s=1.0),))
    dear = make_trial(1, cost=known.cost.__class__(params=1, macs=10 * known.cost.macs, activations=1, weight_bytes=1))
    cheap = make_trial(2, cost=known.cost.__class__(params=1, macs=1, activations=1, weight_bytes=1))
    assert expected_epoch_s(dear, [known]) == pytest.approx(40.0)
    assert expected_epoch_s(cheap, [known]) == 4.0
    assert expected_epoch_s(cheap, [dear]) is None


def test_the_line_says_what_was_done_and_what_is_allowed() -> None:
    assert stuck_line(TRAINING, 75, 60) == "no sign of life for 1 min 15 s while training (1 min 00 s allowed)"
