"""Word is sent of what was asked for, not too often, and nothing that goes wrong with it harms a study."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from search.config.study import parse
from search.core.records import TrialRecord
from search.driver.hearing import hearing
from search.driver.inspection import look, look_ahead
from search.driver.notifying import EVERY_S, Notifier, check_urls
from search.study.running import RunningStudy
from spaces.errors import InputError, TrialFailure
from tests.search.bench import FILE, Bench

SECRET = "tk-2718281828"


class Ticks:
    """Tell the seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Sent:
    """Keep what was sent, or refuse it."""

    def __init__(self, *events: str, answer: bool | Exception = True) -> None:
        self.messages: list[tuple[str, str]] = []
        self.warned: list[str] = []
        self.answer, self.ticks = answer, Ticks()
        self.notifier = Notifier(
            "bench", ("x://",), events or ("finished", "failed", "front", "overdue", "budget"), self.warned.append,
            self.ticks, self._send,
        )  # fmt: skip

    def _send(self, title: str, text: str) -> bool:
        self.messages.append((title, text))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def told(self) -> list[tuple[str, str]]:
        self.notifier.close()
        return self.messages


def start(running: RunningStudy) -> TrialRecord:
    trial = running.hand_out()
    assert isinstance(trial, TrialRecord)
    return trial


def test_a_front_that_grows_is_told_with_its_best_first_and_not_again_within_minutes(bench: Bench) -> None:
    running, sent = bench.open(), Sent("front")
    sent.notifier.update(running)
    for _ in range(3):
        bench.train(running, start(running))
        sent.notifier.update(running)
    sent.ticks.now = EVERY_S
    sent.notifier.update(running)
    sent.notifier.update(running)
    messages = sent.told()
    assert {title for title, _ in messages} == {"bench: front"}
    assert messages[0][1].startswith("1 network on the Pareto front, the best at ")
    assert len(messages) <= 2


def test_failures_are_told_together(bench: Bench) -> None:
    running, sent = bench.open(), Sent("failed")
    sent.notifier.update(running)
    for _ in range(3):
        running.failed(start(running).number, TrialFailure("crash", "ValueError: x"))
        sent.notifier.update(running)
    sent.ticks.now = EVERY_S
    sent.notifier.update(running)
    assert [text.partition(";")[0] for _, text in sent.told()] == [
        "1 more of 1 trial failed",
        "2 more of 3 trials failed",
    ]


def test_what_failed_in_an_earlier_launch_is_not_told_again(bench: Bench) -> None:
    running = bench.open()
    running.failed(start(running).number, TrialFailure("crash", "ValueError: x"))
    sent = Sent("failed", "front")
    sent.notifier.update(running)
    assert sent.told() == []


def test_a_budget_near_its_end_is_told_once(bench: Bench) -> None:
    running, sent = bench.open(budget={"trials": 2}), Sent("budget")
    bench.train(running, start(running))
    for _ in range(3):
        sent.notifier.update(running)
    bench.train(running, start(running))
    for _ in range(3):
        sent.notifier.update(running)
    assert sent.told() == [("bench: budget", "2 of 2 trials are spent")]


def test_only_what_was_asked_for_is_sent() -> None:
    sent = Sent("finished")
    sent.notifier.tell("failed", "no")
    sent.notifier.tell("finished", "yes")
    assert sent.told() == [("bench: finished", "yes")]


@pytest.mark.parametrize("answer", [False, RuntimeError(f"cannot reach https://x/{SECRET}")])
def test_what_cannot_be_sent_is_one_warning_without_the_address(answer: bool | Exception) -> None:
    sent = Sent("finished", answer=answer)
    for _ in range(3):
        sent.notifier.tell("finished", "yes")
    assert len(sent.told()) == 3
    (line,) = sent.warned
    assert line.startswith("warning: a notification could not be sent (")
    assert SECRET not in line


def test_what_hangs_is_not_waited_for_at_the_end() -> None:
    sent = Sent("finished")
    free = Event()
    sent.notifier.send = lambda _title, _text: free.wait(60)
    sent.notifier.tell("finished", "yes")
    sent.notifier.close(within_s=0.1)
    assert not free.is_set()
    free.set()


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the address of a server here, and what was posted to it."""
    heard: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"json://127.0.0.1:{made.server_port}/", heard
        made.shutdown()


@pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise")
def test_a_message_arrives_at_a_webhook(server: tuple[str, list[dict[str, Any]]]) -> None:
    url, heard = server
    check_urls([url])
    notifier = Notifier("digits", [url], ("finished",))
    notifier.tell("finished", "7 networks on the Pareto front")
    notifier.close()
    assert [(each["title"], each["message"]) for each in heard] == [
        ("digits: finished", "7 networks on the Pareto front")
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise")
def test_an_address_that_nothing_can_be_sent_to_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as refused:
        check_urls([f"nosuchthing://{SECRET}"])
    assert str(refused.value) == "urls.0: is no address that apprise knows"
    check_urls(["${NTFY_URL}"])  # looked up elsewhere
    monkeypatch.setattr("search.driver.notifying.find_spec", lambda _name: None)
    with pytest.raises(InputError, match=r"apprise is not installed: pip install 'widefront\[notify\]'"):
        check_urls([])


def test_a_study_that_had_finished_is_not_told_to_have_finished_once_more(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Notifier, "tell", lambda _self, kind, _text: told.append(kind))
    bench = make_bench(budget={"trials": 1})
    for _ in range(2):
        running = bench.open()
        with hearing(bench.config, running, print):
            bench.train_all(running)
        assert running.over
        assert told == ["finished"]


def test_an_address_that_nobody_knows_is_refused_before_anything_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse({**FILE, "notify": {"urls": [f"nosuchthing://{SECRET}"]}})
    monkeypatch.setattr("search.driver.inspection.load", lambda _spec: pytest.fail("the data are read"))
    for begin in (look, look_ahead):  # of a launch, and of its dry run
        with pytest.raises(InputError, match=r"notify\.urls\.0: is no address that apprise knows") as refused:
            begin(config)
        assert SECRET not in str(refused.value)
