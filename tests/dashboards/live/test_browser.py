"""The page in a real browser, while a study is written: what it shows, how it is moved, what it does when cut off."""

import itertools
import json
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.live.feed import Feed
from dashboards.live.server import application
from search.core.fronts import front_trials
from search.core.picking import bounds_of, pick
from search.core.records import EventKind, State
from search.storage import requests
from search.storage.analyses import Analyses
from spaces.cost import Cost
from tests import factories
from tests.dashboards.analyses import examples
from tests.dashboards.browsing import GUARD_MS, OpenPage, answered, limit_of, serious, texts_read
from tests.dashboards.live.conftest import NAME, Written, server
from workers.objectives import OBJECTIVES, Objective

pytestmark = [pytest.mark.slow, pytest.mark.extra("chromium")]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def fill(written: Written, trials: int) -> None:
    """Write trials in every state."""
    rng = random.Random(2)
    for number in range(trials):
        final, macs = rng.uniform(0.9, 0.995), int(10 ** rng.uniform(4.3, 6.5))
        written.begin(cost=replace(factories.in_proportion(macs), params=macs // 17))
        match number % 5:
            case 0 | 1:
                written.train(number, *(final - (final - 0.35) * 0.5**epoch for epoch in range(1, 10)))
                written.end(number, State.COMPLETE)
            case 2:
                written.train(number, 0.5)
                written.end(number, State.STOPPED, "epoch 1: rank 3 of 3 by validation accuracy; top 1 promoted")
            case 3:
                written.train(number, 0.5, 0.6)
                written.end(number, State.FAILED, "not-finite: the loss is nan", "not-finite", "Traceback\n  line 3")
            case _:
                written.train(number, 0.6)
                written.happen(EventKind.RESTED, "at epoch 1", number)
    written.happen(EventKind.PLANNED, "273 epochs")
    written.alive()


def shown_events(page: Page) -> list[int]:
    if page.locator("#events-more").inner_text() == "show each epoch too":
        page.click("#events-more")
    return [int(each) for each in page.eval_on_selector_all("#events-list li", "all => all.map(li => li.dataset.seq)")]


def test_what_is_written_while_the_page_is_open_is_shown_once(written: Written, show: OpenPage) -> None:
    fill(written, 5)
    with server(written.url) as address:
        page = show(address)
        assert page.locator("#table tbody tr").count() == 5
        written.whole(0.999, cost=factories.in_proportion(5_000))
        row = page.locator('tr[data-row="5"]')
        expect(row).to_contain_text("on the front", timeout=GUARD_MS)
        expect(row).to_contain_text("99.90 %")
        expect(page.locator('circle[data-new="5"]')).to_have_count(1, timeout=GUARD_MS)
        expect(page.locator("#counts")).to_contain_text("6 of 60 trials begun: 3 fully trained", timeout=GUARD_MS)
        seqs = shown_events(page)
        assert len(seqs) == len(set(seqs))
        assert seqs == sorted(seqs, reverse=True)
        expect(page.locator("#events-list")).to_contain_text("is on the Pareto front, now of")


def test_what_is_analysed_while_the_page_is_open_is_drawn(written: Written, show: OpenPage) -> None:
    fill(written, 5)
    with server(written.url) as address:
        page = show(address)
        expect(page.locator("#analyses")).to_be_hidden()
        hostile = examples.lesion("block", HOSTILE, 0.2, HOSTILE)
        kept = Analyses(written.store, NAME)
        kept.add(examples.analysis("lesion", (examples.lesion("whole", "", 0.1), hostile), 3))
        expect(page.locator("#analyses rect.dot-front")).to_have_count(2, timeout=GUARD_MS)  # a bar and its key
        kept.add(examples.lesions(4, minutes=3))
        expect(page.locator("#analyses option")).to_have_count(2, timeout=GUARD_MS)
        expect(page.locator("#analyses h3:visible")).to_have_text("lesions of trial 4")
        page.locator("#analyses select").select_option(index=1)
        page.locator("#analyses summary:visible").click()
        expect(page.locator("#analyses td:visible").nth(4)).to_have_text(f"block {HOSTILE}")
        assert page.locator("#analyses img").count() == 0
        assert not serious(page)


def test_a_page_outlives_its_server_and_its_database(written: Written, show: OpenPage, tmp_path: Path) -> None:
    fill(written, 5)
    with server(written.url) as address:
        page = show(address)
        port = address.rstrip("/").rpartition(":")[2]
        written.store.close()
        files = list(tmp_path.glob("study.db*"))
        for path in files:
            path.rename(tmp_path / f"away-{path.name}")
        expect(page.locator("#status")).to_contain_text("The database cannot be read now", timeout=GUARD_MS)
        for path in files:
            (tmp_path / f"away-{path.name}").rename(path)
        expect(page.locator("#status")).not_to_contain_text("database", timeout=GUARD_MS)
    expect(page.locator("#status")).to_contain_text("this is what was known last", timeout=GUARD_MS)
    assert page.locator("#table tbody tr").count() == 5
    again = Written.__new__(Written)
    again.__dict__.update(written.__dict__, store=type(written.store).open(written.url))
    again.whole(0.97)
    with server(written.url, "--port", port):
        expect(page.locator('tr[data-row="5"]')).to_contain_text("97.00 %", timeout=GUARD_MS)
        expect(page.locator("#status")).not_to_contain_text("connection")
        seqs = shown_events(page)
        assert len(seqs) == len(set(seqs))
    again.close()


def test_a_page_that_is_opened_before_its_study_shows_it_when_it_begins(tmp_path: Path, show: OpenPage) -> None:
    url = f"sqlite:///{tmp_path}/later.db"
    with server(url, "--study", NAME) as address:
        page = show(address, wait="#status")
        expect(page.locator("#status")).to_contain_text("there is no study in", timeout=GUARD_MS)
        written = Written(url)
        written.begin()
        written.alive()
        expect(page.locator("#table tbody tr")).to_have_count(1, timeout=GUARD_MS)
        expect(page.locator("#workers tbody tr")).to_have_count(1, timeout=GUARD_MS)
        expect(page.locator("#status")).to_be_hidden()
        written.close()


def picked(written: Written, limit: float) -> dict[str, int]:
    found = pick(written.record, written.store.trials(NAME), bounds_of([f"macs <= {limit:.10g}"]))
    roles = {"chosen": found.chosen, "more": found.more, "nearest": found.nearest}
    return {role: trial.number for role, trial in roles.items() if trial is not None}


def test_the_budget_names_what_pick_names(written: Written, show: OpenPage) -> None:
    fill(written, 40)
    costs = sorted(trial.cost.macs for trial in written.complete())
    asked = [costs[0] / 2, *costs[::2], *(cost * 1.01 for cost in costs[1::3]), costs[-1] * 2]
    assert len(asked) >= 15
    with server(written.url) as address:
        page = show(address)
        field, line = page.locator("#budget"), page.locator("#budget-line")
        for limit in asked:  # typed
            field.fill(f"{limit:.10g}")
            field.press("Enter")
            assert answered(page) == picked(written, limit), limit
        box = page.locator("#front-plot svg").bounding_box()
        assert box is not None
        places = [box["x"] + box["width"] * share for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.97)]
        knob = page.locator("#budget-line .knob").bounding_box()
        assert knob is not None
        page.mouse.move(knob["x"] + 8, knob["y"] + 8)
        page.mouse.down()
        for x in places:  # dragged
            page.mouse.move(x, box["y"] + 100, steps=3)
            assert answered(page) == picked(written, limit_of(page))
        page.mouse.up()
        assert len({json.dumps(answered(page))}) == 1
        line.focus()
        seen = set()
        for key in [*["PageDown"] * 12, *["ArrowRight", "PageUp", "ArrowLeft", "ArrowLeft"] * 3, "Home", "End"]:
            line.press(key)
            assert answered(page) == picked(written, limit_of(page)), key
            assert line.get_attribute("aria-valuetext") == page.locator("#answer").inner_text()
            seen.add(limit_of(page))
        assert len(seen) > 8
        page.reload()  # the address keeps it
        page.wait_for_selector("body[data-seq]")
        assert answered(page) == picked(written, limit_of(page))


ERROR = Objective(
    name="error", title="share of <i>errors</i>", unit="fraction", direction="minimize", static=False, quality=True,
    worst=lambda classes: 1 - 1 / classes,
)  # fmt: skip


@pytest.mark.parametrize(
    "objectives", [("accuracy",), ("loss", "params"), ("accuracy", "macs", "latency_ms"), ("error", "macs")]
)
def test_whatever_the_objectives_are(sqlite_url: str, show: OpenPage, objectives: tuple[str, ...]) -> None:
    measures = {**OBJECTIVES, "error": ERROR}
    bounds = {name: (1_000.0, 1e7) for name in objectives if measures[name].static}
    written, rng = (
        Written(sqlite_url, objectives=objectives, measures=measures, bounds=bounds, max_epochs=1),
        random.Random(3),
    )
    for number in range(24):
        written.begin(cost=factories.in_proportion(int(10 ** rng.uniform(4.3, 6.5))))
        wrong = 10 ** rng.uniform(-2.5, -0.5)
        shown = {"accuracy": 1 - wrong, "error": wrong, "loss": 3 * wrong, "latency_ms": 10 ** rng.uniform(-1, 1)}
        written.store.add_measurement(NAME, number, factories.measurement(1, **shown))
        written.end(number, State.COMPLETE)
    written.alive()
    costs = [name for name in objectives if not measures[name].quality] or ["macs"]
    with server(written.url) as address:
        page = show(address)
        for place, cost in enumerate(costs):
            if len(costs) > 1:
                page.select_option("#plane", str(place))
            trials = written.store.trials(NAME)
            values = sorted(measures[cost].value(trial.cost, trial.found) for trial in trials)
            assert page.locator("#front-plot .tick").count() > 4
            for limit in (values[0] / 2, values[3] * 1.001, values[12] * 1.001, values[-1] * 2):
                page.fill("#budget", f"{limit:.10f}")
                page.press("#budget", "Enter")
                found = pick(written.record, trials, bounds_of([f"{cost} <= {limit:.10f}"], measures))
                roles = {"chosen": found.chosen, "more": found.more, "nearest": found.nearest}
                assert answered(page) == {role: trial.number for role, trial in roles.items() if trial}, (cost, limit)
            best = page.eval_on_selector_all("#front-plot .mark", "all => all.map(each => Number(each.dataset.trial))")
            assert sorted(best) == sorted(trial.number for trial in front_trials(written.record, trials))
    written.close()


def test_a_row_opens_its_trial_by_keyboard_and_gives_the_focus_back(written: Written, show: OpenPage) -> None:
    fill(written, 60)
    with server(written.url) as address:
        page = show(address)
        page.locator("#after").focus()
        page.keyboard.press("Enter")
        assert page.locator("#page").inner_text() == "page 2 of 2"
        focused = "document.activeElement.dataset.key"
        assert page.evaluate(focused) == "t9"
        for _ in range(6):
            page.keyboard.press("Tab")
        assert page.evaluate(focused) == "t3"
        page.keyboard.press("Enter")
        expect(page.locator("#trial")).to_contain_text("the loss is nan", timeout=GUARD_MS)
        expect(page.locator("#trial pre").first).to_have_text("Traceback\n  line 3")
        expect(page.locator("#trial")).to_contain_text("-m search.retrain")
        assert page.evaluate("document.activeElement.id") == "trial"
        page.get_by_role("button", name="close").press("Enter")
        assert page.evaluate(focused) == "t3"
        page.locator('[data-key="haccuracy"]').press("Enter")  # the best accuracy first
        best = max(written.complete(), key=lambda trial: trial.measurements[-1].metrics["accuracy"])
        assert page.locator("#table tbody tr").first.get_attribute("data-row") == str(best.number)


def test_the_filter_and_the_brush_choose_trials_everywhere(written: Written, show: OpenPage) -> None:
    fill(written, 40)
    with server(written.url) as address:
        page = show(address)
        page.fill("#filter", "macs<100k fully")
        expected = [trial.number for trial in written.complete() if trial.cost.macs < 100_000]
        assert expected
        expect(page.locator("#shown")).to_have_text(f"{len(expected)} of 40 trials")
        rows = page.eval_on_selector_all("#table tbody tr", "all => all.map(tr => Number(tr.dataset.row))")
        assert sorted(rows) == expected
        for place in ("#front-plot .dots.meant", "#curves-plot .curve.meant", "#parallel-plot .curve.meant"):
            assert (page.locator(place).get_attribute("d") or "").count("M") == len(expected), place
        page.click("#clear")
        page.locator("#parallel-plot").scroll_into_view_if_needed()
        handle = page.locator('#parallel-plot rect[data-axis="depth"]').bounding_box()
        assert handle is not None
        middle = handle["x"] + handle["width"] / 2
        page.mouse.move(middle, handle["y"] + handle["height"] - 1)
        page.mouse.down()
        page.mouse.move(middle, handle["y"] + handle["height"] * 0.75, steps=4)
        page.mouse.up()
        low = [trial.number for trial in written.trials if trial.params["depth"] == 1]
        expect(page.locator("#shown")).to_have_text(f"{len(low)} of 40 trials")


def test_paused_trials_are_listed_by_their_gain(written: Written, show: OpenPage) -> None:
    fill(written, 40)
    with server(written.url) as address:
        page = show(address)
        page.click("#paused summary")
        expect(page.locator("#paused tbody tr")).to_have_count(8, timeout=GUARD_MS)
        expect(page.locator("#paused tbody tr").first).to_contain_text("1 epoch")
        written.begin()
        written.train(40, 0.7)
        written.happen(EventKind.RESTED, "at epoch 1", 40)
        expect(page.locator("#paused tbody tr")).to_have_count(9, timeout=GUARD_MS)


def test_what_a_study_says_is_text(tmp_path: Path, show: OpenPage) -> None:
    written = Written(f"sqlite:///{tmp_path}/study.db", HOSTILE)
    written.begin(params={"block": HOSTILE, HOSTILE: 1})
    written.begin(params={"block": "b", HOSTILE: 2})
    written.train(0, 0.5)
    written.end(0, State.FAILED, HOSTILE, HOSTILE, HOSTILE)
    written.happen(EventKind.NOTICE, HOSTILE)
    Written(written.url, f"{HOSTILE}2").close()
    with server(written.url, "--study", HOSTILE) as address:
        page = show(address)
        page.click('[data-key="t0"]')
        expect(page.locator("#trial")).to_contain_text(HOSTILE, timeout=GUARD_MS)
        expect(page.locator("h1")).to_have_text(HOSTILE)
        expect(page.locator("#events-list")).to_contain_text(HOSTILE)
        expect(page.locator("#studies")).to_contain_text(f"{HOSTILE}2")
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 1
    written.close()


def test_no_request_leaves_the_machine(written: Written, show: OpenPage) -> None:
    fill(written, 5)
    with server(written.url) as address:
        page = show(address)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.reload()
        page.wait_for_selector("body[data-seq]")
        page.click('[data-key="t0"]')
        expect(page.locator("#trial")).to_be_visible()
        assert len(asked) > 10
        assert not [each for each in asked if not each.startswith((address, "data:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_read_and_nothing_serious_is_found(written: Written, show: OpenPage, scheme: str) -> None:
    fill(written, 40)
    written.begin()
    written.train(40, 0.5, 0.6)
    written.alive()
    with server(written.url) as address:
        page = show(address, scheme=scheme)
        page.check("#show-stopped")
        page.click('[data-key="t33"]')
        expect(page.locator("#trial")).to_be_visible()
        assert texts_read(page) > 300
        assert not serious(page)


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_the_page_is_as_wide_as_the_window(written: Written, show: OpenPage, width: int) -> None:
    fill(written, 40)
    with server(written.url) as address:
        page = show(address, width)
        page.click('[data-key="t33"]')
        expect(page.locator("#trial")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


class Behind:
    """Ask an application as a reverse proxy does that is asked for everything below a path."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app, self.path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith(self.path), scope["path"]
            path = "/" + scope["path"].removeprefix(self.path)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await self.app(scope, receive, send)


@contextmanager
def proxied(url: str, path: str) -> Iterator[str]:
    served = uvicorn.Server(
        uvicorn.Config(Behind(application(Feed(url, None)), path), port=0, log_level="error", lifespan="on")
    )
    thread = threading.Thread(target=served.run)
    thread.start()
    while not served.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{served.servers[0].sockets[0].getsockname()[1]}{path}"
    finally:
        served.should_exit = True
        thread.join()


def test_it_works_below_any_path(written: Written, show: OpenPage) -> None:
    fill(written, 5)
    with proxied(written.url, "/some/where/") as address:
        page = show(address)
        written.whole(0.97)
        expect(page.locator('tr[data-row="5"]')).to_contain_text("97.00 %", timeout=GUARD_MS)
        page.click('[data-key="t5"]')
        expect(page.locator("#trial")).to_contain_text("trial 5")
        page.context.close()


def test_two_studies_are_laid_over_each_other(written: Written, show: OpenPage) -> None:
    fill(written, 20)
    other = Written(written.url, "another", seed=9)
    for final, macs in itertools.product((0.9, 0.99), (20_000, 400_000)):
        other.whole(final, cost=Cost(params=10, macs=macs, activations=10, weight_bytes=10))
    with server(written.url, "--study", NAME) as address:
        page = show(address)
        page.select_option("#over", "another")
        expect(page.locator("#front-says")).to_contain_text("dashed: another", timeout=GUARD_MS)
        assert page.locator(".dots.other").get_attribute("d").count("M") == 1  # type: ignore[union-attr]
        page.click("#studies a")
        page.wait_for_selector("body[data-seq]")
        expect(page.locator("h1")).to_have_text("another")
        assert not math.isnan(limit_of(page)) or page.locator("#budget").input_value()
    other.close()


def test_a_button_pauses_the_study_and_stars_and_notes_are_kept_where_the_address_has_the_token(
    written: Written, show: OpenPage
) -> None:
    fill(written, 6)
    written.alive()
    with server(written.url, token=True) as address:
        page = show(address)
        assert "token" not in page.url
        page.get_by_role("button", name="pause", exact=True).click()
        expect(page.locator("#asked")).to_contain_text("asked: pause")
        expect(page.locator("#asked")).to_contain_text("waits for the launch: pause")
        (asked,) = requests.requests(written.store, NAME)
        assert (asked.kind, asked.by, asked.session) == ("pause", "the page", written.session)
        written.happen(EventKind.HELD)
        expect(page.locator("#held")).to_be_visible()
        page.get_by_role("button", name="go on", exact=True).click()
        expect(page.locator("#asked")).to_contain_text("asked: resume")
        page.get_by_role("button", name="open trial 4").first.click()
        page.locator("#trial-acts textarea").fill(HOSTILE)
        page.get_by_role("button", name="keep the note").click()
        expect(page.locator("#trial-note")).to_have_text(HOSTILE)
        page.get_by_role("button", name="star it").click()
        expect(page.locator("#trial-title")).to_contain_text("\u2605")
        expect(page.locator("[data-row='4']")).to_contain_text("\u2605")
        page.get_by_role("button", name="stop it").click()
        page.get_by_role("button", name="stop it: sure?").click()
        expect(page.locator("#asked")).to_contain_text("asked: stop trial 4")
        page.get_by_role("button", name="open trial 0").first.click()
        expect(page.locator("#trial-title")).to_contain_text("trial 0")
        page.locator("#train-like summary").click()
        page.locator("#train-like textarea").fill("block: preact\ndepth: 3\nwidening_factor: 0.5\ndropout: none\n")
        page.get_by_role("button", name="train this network").click()
        expect(page.locator("#asked")).to_contain_text("train block=preact, depth=3", timeout=GUARD_MS)
        page.get_by_role("button", name="export it").click()
        expect(page.locator("#started")).to_contain_text("ended with exit code 2", timeout=GUARD_MS)
        assert not serious(page)
    assert [str(each) for each in requests.requests(written.store, NAME)] == [
        "pause", "resume", "stop trial 4", "train block=preact, depth=3, widening_factor=0.5, dropout=none",
    ]  # fmt: skip


def test_without_the_token_there_are_no_buttons_and_nobody_is_asked(written: Written, show: OpenPage) -> None:
    fill(written, 6)
    written.alive()
    with server(written.url) as address:
        for opened in (address, f"{address}#token=wrong"):
            page = show(opened)
            expect(page.locator("#acts")).to_be_hidden()
            page.get_by_role("button", name="open trial 4").first.click()
            expect(page.locator("#trial")).to_be_visible()
            assert page.locator("#trial-acts").count() == 0
        own = {"Origin": address.rstrip("/"), "X-Widefront-Token": "wrong"}
        assert httpx.post(f"{address}act", json={"kind": "pause", "study": NAME}, headers=own).status_code == 403
    assert requests.requests(written.store, NAME) == []
