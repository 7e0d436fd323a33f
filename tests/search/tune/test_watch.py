"""A trial that gives no sign of life is ended, whatever its worker does; one that does is left alone."""

import json
import subprocess
from collections.abc import Callable

import pytest

from search.core.patience import LEAST_S, Patience
from search.core.records import State
from search.study.running import Nothing, RunningStudy
from search.tune.watch import AGAIN_S, LOOK_S, OVERDUE, Watch, kill
from spaces.errors import TrialFailure
from tests.search.bench import Bench
from workers.kinds import FailureKind
from workers.pulse import LOADING, TRAINING, Sign

MakeBench = Callable[..., Bench]


class World:
    """Give workers' signs and the time, and remember whose worker was ended."""

    def __init__(self, running: RunningStudy, patience: Patience) -> None:
        self.now = 1000.0
        self.heard = True  # the head can be
        self.signs: dict[str, bytes] = {}
        self.keys: dict[int, str] = {}
        self.killed: list[int] = []
        self.watch = Watch(
            running, patience, clock=lambda: self.now, read=self._read, end=self._end, delete=self._delete
        )  # fmt: skip

    def _read(self, key: str) -> bytes | None:
        if not self.heard:
            raise ConnectionError("the head is away")
        return self.signs.get(key)

    def _delete(self, key: str) -> None:
        self.signs.pop(key, None)

    def _end(self, sign: Sign) -> None:
        self.killed.append(sign.number)

    def hand_out(self) -> int:
        """Hand a trial out as the searcher does."""
        trial = self.watch.study.hand_out()
        assert not isinstance(trial, Nothing)
        self.begin(trial.number)
        return trial.number

    def begin(self, number: int) -> None:
        """Let a trial begin at a worker."""
        self.keys[number] = self.watch.begin(number)

    def beat(
        self, number: int, count: int, phase: str = TRAINING, epoch: int = 0, again: dict[str, object] | None = None
    ) -> None:
        """Let a trial's worker say where it is."""
        sign = Sign(number=number, phase=phase, count=count, pid=1, node="n", epoch=epoch, again=again)
        self.signs[self.keys[number]] = json.dumps(sign.to_json()).encode()

    def wait(self, seconds: float) -> None:
        """Look every two seconds meanwhile, as the driver does."""
        end = self.now + seconds
        while self.now < end:
            self.now += LOOK_S
            self.watch.look()


@pytest.fixture
def running(bench: Bench) -> RunningStudy:
    return bench.open()


@pytest.fixture
def world(running: RunningStudy) -> World:
    made = World(running, Patience(silence_s=100.0))
    made.watch.look()
    return made


def test_one_that_goes_on_is_left_alone(world: World) -> None:
    number = world.hand_out()
    for count in range(30):
        world.beat(number, count)
        world.wait(60)
    assert world.killed == []


def test_one_that_stands_still_is_marked_and_then_ended_until_its_death_is_heard_of(
    world: World, running: RunningStudy
) -> None:
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(100 * OVERDUE + 6)
    assert number in running.overdue
    assert world.killed == []
    world.wait(60)
    assert world.killed == [number]
    world.wait(AGAIN_S + 4)
    assert world.killed == [number, number]
    why = world.watch.why(number)
    assert why is not None
    assert (why.kind, why.message[:20]) == (FailureKind.HUNG, "no sign of life for ")
    assert world.watch.why(number) is None


def test_in_an_engine_one_that_takes_too_long_is_ended_without_those_beside_it_unless_it_does_not_hear(
    world: World, running: RunningStudy
) -> None:
    ended_alone: list[int] = []
    world.watch.end_alone = lambda sign: ended_alone.append(sign.number)
    running.limit_s = 300.0
    number = world.hand_out()
    for count in range(250):
        world.beat(number, count)
        world.wait(LOOK_S)
        if ended_alone:
            break
    assert (ended_alone, world.killed) == ([number], [])
    world.wait(AGAIN_S + 4)
    assert world.killed == [number]


def test_in_an_engine_one_that_hangs_holds_up_all_and_its_process_is_ended(world: World) -> None:
    ended_alone: list[int] = []
    world.watch.end_alone = lambda sign: ended_alone.append(sign.number)
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(200)
    assert (ended_alone, world.killed[:1]) == ([], [number])


def test_one_that_nobody_has_taken_up_yet_is_waited_for(world: World) -> None:
    world.hand_out()
    world.wait(10_000)
    assert world.killed == []


def test_loading_may_take_longer(world: World) -> None:
    number = world.hand_out()
    world.beat(number, 1, LOADING)
    world.wait(350)
    assert world.killed == []
    world.wait(60)
    assert world.killed == [number]


def test_once_epochs_are_known_one_that_spins_is_ended_after_a_minute_or_so(bench: Bench, world: World) -> None:
    running = world.watch.study
    first = running.hand_out()
    assert not isinstance(first, Nothing)
    bench.train(running, first)
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(LEAST_S - 4)
    assert world.killed == []
    world.wait(30)
    assert world.killed == [number]


def test_what_the_driver_stood_still_for_is_nobodys_fault(world: World) -> None:
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(10)
    world.now += 5_000  # the driver was stopped, and the worker went on
    world.watch.look()
    assert world.killed == []
    world.wait(110)
    assert world.killed == [number]


def test_switched_off_nothing_is_ever_ended(running: RunningStudy) -> None:
    world = World(running, Patience(silence_s=None, epoch_slack=None, first_epoch_s=None))
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(50_000)
    assert world.killed == []


def test_beyond_the_hours_of_a_trial_a_silent_one_hangs_and_another_was_only_slow(make_bench: MakeBench) -> None:
    running = make_bench(resources={"hours_per_trial": 60 / 3600}).open()
    world = World(running, Patience(grace_s=10))
    silent, slow = world.hand_out(), world.hand_out()
    for count in range(60):
        world.beat(silent, 1)
        world.beat(slow, count)
        world.wait(2)
    assert set(world.killed) == {silent, slow}
    whys = [world.watch.why(number) for number in (silent, slow)]
    assert [why.kind for why in whys if why] == [FailureKind.HUNG, "time-limit"]


def test_after_a_budget_of_time_has_ended_trials_are_broken_off_and_rest(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 100 / 3600})
    running = bench.open()
    world = World(running, Patience(grace_s=10))
    number = world.hand_out()
    world.beat(number, 1)
    bench.clock.advance(101)
    world.wait(30)
    assert world.killed == [number]
    assert running.trials[number].state is State.RUNNING
    running.failed(number, TrialFailure("lost", "its worker died"))  # as is heard then
    assert running.trials[number].state is State.RUNNING
    assert running.over


def test_after_a_budget_has_ended_a_trial_that_no_worker_took_up_rests_too(make_bench: MakeBench) -> None:
    bench = make_bench(budget={"hours": 100 / 3600})
    running = bench.open()
    world = World(running, Patience(grace_s=10))
    world.hand_out()
    world.wait(50)
    assert not running.over
    bench.clock.advance(101)
    world.wait(30)
    assert running.over


def test_a_head_that_is_away_is_no_workers_fault(world: World) -> None:
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(10)
    world.heard = False
    world.wait(1_000)
    assert world.killed == []
    world.heard = True
    world.wait(110)
    assert world.killed == [number]


def test_loading_is_no_part_of_an_epoch_and_of_no_trials_hours(make_bench: MakeBench) -> None:
    bench = make_bench(resources={"hours_per_trial": 60 / 3600})
    running = bench.open()
    first = running.hand_out()
    assert not isinstance(first, Nothing)
    bench.train(running, first)  # epochs take a second
    world = World(running, Patience(grace_s=10))
    number = world.hand_out()
    for count in range(60):
        world.beat(number, count, LOADING)
        world.wait(20)
    assert world.killed == []


def test_a_trial_that_is_handed_out_again_leaves_its_signs_elsewhere_and_old_ones_are_taken_away(world: World) -> None:
    number = world.hand_out()
    world.beat(number, 1)
    before = world.keys[number]
    world.begin(number)
    assert world.keys[number] != before
    assert world.signs == {}


def test_a_second_start_is_judged_by_its_own_signs_alone(world: World) -> None:
    number = world.hand_out()
    world.beat(number, 1)
    world.wait(110)
    assert world.killed == [number]
    assert world.watch.why(number) is not None
    world.begin(number)
    world.wait(500)  # no worker is there yet
    world.beat(number, 1)
    world.wait(90)
    assert world.killed == [number]
    world.wait(30)
    assert world.killed == [number, number]


def test_a_process_that_is_none_of_rays_is_never_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        kill(other.pid)
        assert other.poll() is None
        other.kill()


def _behind(bench: Bench, world: World) -> int:
    """Hand out a trial whose recorded epochs its checkpoint lacks."""
    running = world.watch.study
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    bench.train(running, trial, until=2)
    world.begin(trial.number)
    return trial.number


def test_to_train_many_recorded_epochs_again_takes_as_long_as_they_took_and_is_no_hang(
    bench: Bench, world: World
) -> None:
    number = _behind(bench, world)
    count = 0
    for epoch in range(1, 6):
        for _ in range(10):  # five epochs of 40 s each, where one may take 70 s
            count += 1
            world.beat(
                number, count, epoch=epoch, again={"epochs": epoch, "seconds": 40.0 * epoch, "why": "is missing"}
            )
            world.wait(4)
    assert world.killed == []
    for _ in range(40):  # and now the sixth goes on and on
        count += 1
        world.beat(number, count, epoch=5, again={"epochs": 5, "seconds": 200.0, "why": "is missing"})
        world.wait(4)
    assert number in world.killed
    why = world.watch.why(number)
    assert why is not None
    assert why.message.startswith("epoch 6 has taken ")


def test_what_was_trained_again_counts_in_the_budget_although_its_worker_died_before_it_told(
    bench: Bench, world: World
) -> None:
    running = world.watch.study
    number = _behind(bench, world)
    before = running.account.trained_s
    world.beat(number, 1, epoch=1)
    world.wait(4)
    world.beat(number, 2, epoch=2, again={"epochs": 2, "seconds": 80.0, "why": "is missing"})
    assert world.watch.why(number) is None
    assert running.account.trained_s == pytest.approx(before + 80)
    assert running.news() == [f"trial {number} was trained for 2 epochs again (1 min 20 s): its checkpoint is missing"]


@pytest.mark.parametrize(("together", "ended"), [(1, True), (30, False)])
def test_an_epoch_may_take_as_long_as_those_of_all_who_are_trained_together(
    world: World, running: RunningStudy, bench: Bench, together: int, ended: bool
) -> None:
    bench.train(running, running.trials[world.hand_out()])  # epochs of a second
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    world.keys[trial.number] = world.watch.begin(trial.number, together)
    for count in range(4):
        world.beat(trial.number, count)
        world.wait(LEAST_S)
    assert (trial.number in world.killed) is ended


def test_a_first_epoch_that_is_told_with_the_second_may_take_as_long_as_one_that_is_told_at_once(
    running: RunningStudy,
) -> None:
    world = World(running, Patience(first_epoch_s=100.0))
    number = world.hand_out()
    for count in range(8):  # two epochs of 80 s, of which nothing is recorded yet
        world.beat(number, count, epoch=count // 4)
        world.wait(20)
    assert world.killed == []
    for count in range(8, 12):
        world.beat(number, count, epoch=1)
        world.wait(20)
    assert number in world.killed
    why = world.watch.why(number)
    assert why is not None
    assert why.message.startswith("epoch 2 has taken ")
