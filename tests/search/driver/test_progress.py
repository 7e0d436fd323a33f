"""A study in its course is told in plain lines, or drawn live on a terminal."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, ConsoleDimensions

from search.core.fronts import front_hypervolume
from search.core.interrupts import interrupts
from search.core.labels import name_of, trial_line
from search.core.records import State, TrialRecord
from search.core.units import format_number_of, format_percent
from search.driver.panel import WORKERS, left_text
from search.driver.progress import REFRESH_S, SUMMARY_S, Progress, summary
from search.study.retention import Checkpoints
from search.study.running import Nothing, RunningStudy
from spaces.errors import StorageAway, TrialFailure
from tests.search.bench import Bench, learn
from workers.places import LocalFolder

OTHER_SCREEN, FIRST_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Ticks:
    """Tell the seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines_to(width: int = 200) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=False, width=width), file


def terminal(width: int = 120, height: int = 40) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=width, height=height, color_system=None), file


def start(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


def played(bench: Bench) -> RunningStudy:
    """Return a study with a complete trial, a stopped one, a failed one and a running one, in that order."""
    running = bench.open()
    bench.train(running, start(running))
    stopped = start(running)
    running.measured(stopped.number, learn(stopped, 1).showing(accuracy=0.1))
    running.failed(start(running).number, TrialFailure("crash", "ValueError: a[0] of [bold]"))
    good = start(running)
    for epoch in (1, 2):
        running.measured(good.number, learn(good, epoch).showing(accuracy=0.95))
    states = [State.COMPLETE, State.STOPPED, State.FAILED, State.RUNNING]
    assert [trial.state for trial in running.trials.values()] == states
    return running


# Plain lines


def test_what_is_no_terminal_gets_a_line_per_trial_that_ended_and_no_control_codes(bench: Bench) -> None:
    running = bench.open()
    console, file = lines_to()
    with Progress(running, console, clock=Ticks()) as progress:
        progress.update()
        file.truncate(0)
        for _ in range(2):
            bench.train(running, start(running))
            progress.update()
        progress.update()
    told = file.getvalue().replace("\0", "").splitlines()
    assert told == [trial_line(trial) for trial in running.trials.values()]
    assert "\x1b" not in file.getvalue()
    assert "\r" not in file.getvalue()


def test_trials_are_told_in_the_order_they_ended(bench: Bench) -> None:
    running = bench.open()
    console, file = lines_to()
    progress = Progress(running, console, clock=Ticks())
    first, second = start(running), start(running)
    running.failed(second.number, TrialFailure("data", "none"))
    bench.clock.advance(1)
    running.failed(first.number, TrialFailure("data", "none"))
    progress.update()
    numbers = [line.split()[1] for line in file.getvalue().splitlines() if line.startswith("trial ")]
    assert numbers == ["1", "0"]


def test_trials_of_earlier_launches_are_not_told_again(bench: Bench) -> None:
    played(bench)
    running = bench.open()
    console, file = lines_to()
    progress = Progress(running, console, clock=Ticks())
    progress.update()
    assert not re.search(r"^trial ", file.getvalue(), re.MULTILINE)
    bench.train(running, start(running))
    progress.update()
    assert re.findall(r"^trial (\d+)", file.getvalue(), re.MULTILINE) == ["3"]


def test_a_reason_is_printed_as_it_is(bench: Bench) -> None:
    running = bench.open()
    console, file = lines_to(width=40)
    progress = Progress(running, console, clock=Ticks())
    running.failed(start(running).number, TrialFailure("crash", "ValueError: a[0] of [bold]" + " and so on" * 9))
    progress.update()
    line = file.getvalue().splitlines()[0]
    assert line.endswith("(crash: ValueError: a[0] of [bold]" + " and so on" * 9 + ")")


def test_a_summary_comes_now_and_then(bench: Bench) -> None:
    running = bench.open()
    console, file = lines_to()
    ticks = Ticks()
    progress = Progress(running, console, clock=ticks)
    counts = []
    for seconds in (0, 1, SUMMARY_S - 2, 1, 1, SUMMARY_S):
        ticks.now += seconds
        progress.update()
        counts.append(file.getvalue().count("proposals rejected"))
    assert counts == [1, 1, 1, 2, 2, 3]


def test_the_summary_says_how_far_the_study_is(bench: Bench) -> None:
    running = played(bench)
    bench.clock.advance(90)
    reached = front_hypervolume(running.record, list(running.trials.values()))
    assert reached > 0
    assert summary(running) == (
        f"3/8 trials: 1 complete, 1 stopped, 1 failed; {format_number_of('proposal', len(running.rejections))} "
        f"rejected · "
        f"12 epochs in 1 min 30 s · hypervolume {reached:.3f}"
    )


def test_the_summary_says_what_checkpoints_take(bench: Bench, tmp_path: Path) -> None:
    running, (console, file) = bench.open(), lines_to()
    held = Checkpoints(folder=LocalFolder(tmp_path), limit_bytes=2e10)
    assert summary(running, held) == summary(running)  # nobody has looked
    held.used_bytes = 12_345_678
    with Progress(running, console, checkpoints=held, clock=Ticks()) as progress:
        progress.update()
    assert " · checkpoints 12.3 MB of 20 GB" in file.getvalue()


def test_the_summary_of_a_new_study_promises_nothing(bench: Bench) -> None:
    assert summary(bench.open()) == (
        "0/8 trials: 0 complete, 0 stopped, 0 failed; 0 proposals rejected · 0 epochs in 0.00 s"
    )


def test_the_summary_counts_one_of_a_thing_as_one(bench: Bench) -> None:
    running = bench.open(budget={"trials": 1})
    bench.train(running, start(running), until=1)
    assert summary(running).startswith("0/1 trial: 0 complete, ")
    assert " · 1 epoch in " in summary(running)


def test_there_is_no_hypervolume_before_there_is_a_front(bench: Bench) -> None:
    running = bench.open()
    trial = start(running)
    bench.train(running, trial, until=8)
    assert "hypervolume" not in summary(running)
    bench.train(running, trial)
    assert " · hypervolume 0." in summary(running)


def test_what_a_launch_takes_to_start_is_no_time_of_the_study(bench: Bench) -> None:
    running = bench.open()
    for _ in range(2):
        bench.clock.advance(20)
        running.look_at_start()
        assert " · 0 epochs in 0.00 s" in summary(running)
    start(running)
    bench.clock.advance(90)
    running.look_at_start()
    assert " · 0 epochs in 1 min 30 s" in summary(running)


# On a terminal


def drawn(running: RunningStudy, width: int = 120, height: int = 40) -> str:
    """Return the text of one drawing, control codes left out."""
    console, file = terminal(width, height)
    with Progress(running, console, clock=Ticks()) as progress:
        progress.update()
        assert "\x1b[" in file.getvalue()
        return CONTROL.sub("", file.getvalue())


def with_front(bench: Bench, size: int) -> RunningStudy:
    """Return a study with so many networks on its front, the better the dearer."""
    running = bench.open(budget={"trials": size + 1})
    trial = start(running)
    bench.train(running, trial)
    best = running.trials[trial.number]
    *before, last = best.measurements
    for number in range(1, size):
        worse = last.showing(accuracy=number / 1000)
        cost = replace(best.cost, macs=1000 + number)
        running.trials[number] = replace(best, number=number, cost=cost, measurements=(*before, worse))
    assert len(running.trials.front) == size
    return running


def test_a_terminal_shows_counts_hypervolume_running_trials_and_the_front(bench: Bench) -> None:
    running = played(bench)
    bench.clock.advance(90)
    text = drawn(running)
    assert "bench" in text
    assert "4 of 8 trials: 1 training, 1 stopped early, 1 fully trained (9 epochs), 1 failed" in text
    assert re.search(r"━─+ 12 of about \d+ epochs in 1 min 30 s", text)
    best = running.trials[0]
    assert f"by {name_of(best.architecture)} (trial 0)" in text
    assert re.search(
        rf" 3  {name_of(running.trials[3].architecture)}.* 2/9 ━━─+ +95.00 %  .* an epoch, in full in", text
    )
    assert "failed in epoch 0" in text
    assert "Pareto front of 1 network" in text
    assert name_of(running.trials[0].architecture) in text
    assert "accuracy" in text


@pytest.mark.parametrize("height", [6, 8, 12, 24])
@pytest.mark.parametrize("width", [60, 100, 140])
@pytest.mark.parametrize("size", [1, 4, 30])
def test_a_terminal_of_few_rows_shows_the_best_networks(bench: Bench, size: int, width: int, height: int) -> None:
    running = with_front(bench, size)
    lines = drawn(running, width, height).splitlines()
    assert len(lines) == height
    *_, best = running.trials.front
    assert best.last is not None
    assert any(format_percent(best.last.metrics["accuracy"]) in line for line in lines)
    hidden = re.findall(r"… and (\d+) more", "\n".join(lines))
    shown = [line for line in lines if re.match(r" +\d+ .*\d %", line)]
    assert len(shown) + sum(map(int, hidden)) == size


def test_what_is_said_meanwhile_is_shown_and_stays_on_the_terminal(bench: Bench) -> None:
    console, file = terminal()
    ticks = Ticks()
    with Progress(bench.open(), console, clock=ticks) as progress:
        console.print("warning: a node went", markup=False)
        ticks.now += REFRESH_S
        progress.update()
        drawing = file.getvalue()
    assert "warning: a node went" in drawing
    assert "warning: a node went\n" in file.getvalue().rpartition(FIRST_SCREEN)[2]


def test_a_terminal_that_knows_no_codes_gets_lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    console, file = terminal()
    with Progress(bench.open(), console, clock=Ticks()) as progress:
        progress.update()
    assert file.getvalue().startswith("0/8 trials: ")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(bench: Bench, width: int) -> None:
    assert max(map(len, drawn(played(bench), width).splitlines())) <= width


def test_a_terminal_says_when_there_is_no_front_yet(bench: Bench) -> None:
    running = bench.open()
    text = drawn(running)
    assert "0 of 8 trials: none begun" in text
    assert "the Pareto front is empty: no network is fully trained (9 epochs) yet" in text


def test_many_running_trials_do_not_fill_the_screen(bench: Bench) -> None:
    running = bench.open(budget={"trials": 12})
    for _ in range(12):
        start(running)
    text = drawn(running)
    assert re.findall(r"(\d+)  .* 0/9 .* in its first epoch", text) == [str(number) for number in range(WORKERS - 1)]
    assert "… and 7 more train" in text


def test_a_terminal_is_drawn_no_more_often_than_an_eye_sees(bench: Bench) -> None:
    console, file = terminal()
    ticks = Ticks()
    with Progress(bench.open(), console, clock=ticks) as progress:
        sizes = []
        for seconds in (0, REFRESH_S / 2, REFRESH_S / 4, REFRESH_S / 4):
            ticks.now += seconds
            progress.update()
            sizes.append(len(file.getvalue()))
    assert sizes[0] == sizes[1] == sizes[2] < sizes[3]


def test_nothing_of_the_drawing_stays_when_it_ends(bench: Bench) -> None:
    console, file = terminal()
    with Progress(bench.open(), console, clock=Ticks()) as progress:
        progress.update()
        assert interrupts.drawing
    before, drawing = file.getvalue().split(OTHER_SCREEN)
    drawing, behind = drawing.split(FIRST_SCREEN)
    assert (before, behind) == ("", "")
    assert "bench" in drawing
    assert drawing.endswith("\x1b[?25h")
    assert not CONTROL.sub("", drawing.split("\x1b[H")[-2]).strip()  # at last it is filled with nothing
    assert not interrupts.drawing


@pytest.mark.parametrize("size", [(60, 10), (140, 50), (120, 12)])
def test_each_drawing_fills_the_terminal_whatever_size_it_has_by_now(bench: Bench, size: tuple[int, int]) -> None:
    console, file = terminal(120, 30)
    ticks = Ticks()
    with Progress(played(bench), console, clock=ticks) as progress:
        progress.update()
        console.size = ConsoleDimensions(*size)
        ticks.now += REFRESH_S
        progress.update()
        lines = file.getvalue().rpartition("\x1b[H")[2].split("\n")
    assert [len(line) for line in lines] == [size[0]] * size[1]


def test_the_time_left_is_told_at_the_end_of_the_line_once_it_is_known(bench: Bench) -> None:
    assert " left" not in summary(bench.open())
    assert summary(bench.open(), left=(80.0, 83.0)).endswith(" · about 1 min 20 s left")


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (None, ""),
        ((0.1, 0.2), "about 1 s left"),
        ((32.6, 33.4), "about 33 s left"),
        ((15.0, 20.0), "15 to 20 s left"),
        ((50.0, 130.0), "50 s to 2 min 10 s left"),
        ((130.0, 181.0), "2 min 10 s to 3 min 00 s left"),
        ((7200.0, 10800.0), "2 h 00 min to 3 h 00 min left"),
    ],
)
def test_the_time_left_is_a_range_where_its_ends_differ(left: tuple[float, float] | None, told: str) -> None:
    assert left_text(left) == told


def test_what_is_spent_of_money_and_gpus_is_shown(make_bench: Callable[..., Bench]) -> None:
    resources = {"gpus_per_trial": 1, "price_per_gpu_hour": 1800.0}
    bench = make_bench(budget={"gpu_hours": 2, "cost": 100}, resources=resources)
    running = bench.open()
    trial = running.hand_out()
    assert not isinstance(trial, Nothing)
    bench.train(running, trial, until=1)
    assert " · 0.000278 of 2 gpu_hours · 0.5 of 100 cost" in summary(running)


def test_lines_tell_at_once_that_the_database_is_away_and_that_it_is_back(bench: Bench) -> None:
    running, (console, file) = bench.open(), lines_to()
    ticks = Ticks()
    progress = Progress(running, console, clock=ticks)
    progress.update()
    running.outbox.lose(StorageAway("sqlite:///study.db: database is locked"))
    for _ in range(3):
        ticks.now += 1
        progress.update()
    away, training, *more = file.getvalue().splitlines()[2:]
    assert training == "training: none"
    assert away.startswith("DATABASE AWAY for ")
    assert "(sqlite:///study.db: database is locked): 0 records wait in " in away
    assert not more
    running.outbox.clock = lambda: float("inf")  # it is time to try again
    running.deliver()
    progress.update()
    assert file.getvalue().splitlines()[4:] == ["the database is back and has all that waited"]


def test_a_full_disk_is_told_at_once_and_that_it_has_room_again(bench: Bench) -> None:
    running, (console, file), ticks = bench.open(), lines_to(), Ticks()
    trial = start(running)
    progress = Progress(running, console, clock=ticks)
    progress.update()
    running.failed(trial.number, TrialFailure("disk", "No space left on device"))
    progress.update()
    assert "DISK FULL for 0.00 s (No space left on device): nothing new begins" in file.getvalue()
    running.measured(trial.number, learn(trial, 1))
    progress.update()
    assert "the disk takes checkpoints again" in file.getvalue()
    assert "DISK FULL" not in summary(running)


def test_workers_that_die_again_and_again_are_named_while_it_happens(bench: Bench) -> None:
    running = bench.open()
    trial = start(running)
    for _ in range(2):
        running.failed(trial.number, TrialFailure("lost", "worker 12 on 10.0.0.1 died without a word"))
    told = "2 workers failed a trial, the last trial 0 (lost: worker 12 on 10.0.0.1 died without a word)"
    assert told in summary(running)
