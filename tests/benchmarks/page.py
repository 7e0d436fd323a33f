"""Measure the live page by the number of trials: bytes and seconds of its first load, milliseconds of an update.

python -m tests.benchmarks.page [--trials 5,40,1000,10000]
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from dashboards.live.feed import Feed
from search.core.records import EventKind, State
from tests.dashboards.live.conftest import NAME, Written, server
from tests.extras import EXTRAS

UPDATES = 20
GUARD_MS = 300_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What it took a browser to show a study for the first time."""

    sent: int  # bytes, as they went over the wire
    seconds: float  # until it was drawn
    requests: int


def write(url: str, trials: int) -> Written:
    """Write a study: a third of its trials trained in full, most others stopped at a rung."""
    written = Written(url)
    for number in range(trials):
        written.begin()
        final = 0.9 + 0.09 * written.rng.random()
        epochs = 9 if number % 3 == 0 else 3 if number % 3 == 1 else 1
        written.train(number, *(round(final - (final - 0.35) * 0.5**epoch, 4) for epoch in range(1, epochs + 1)))
        state = State.COMPLETE if epochs == 9 else State.STOPPED
        reason = "" if epochs == 9 else f"epoch {epochs}: rank {number % 97} of 98 paused trials"
        written.store.end_trial(NAME, number, state=state, reason=reason, ended_at=written._tick())
    written.happen(EventKind.PLANNED, f"{5 * trials} epochs")
    written.alive()
    return written


def load(browser: Browser, address: str) -> Load:
    """Open the page as a browser does that has never seen it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(GUARD_MS)
    asked = []
    page.on("requestfinished", lambda request: asked.append(request))
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("body[data-seq]")
    seconds = time.perf_counter() - began
    sizes = [request.sizes() for request in asked if "/events" not in request.url]
    context.close()
    sent = sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes)
    return Load(sent=sent, seconds=seconds, requests=len(sizes))


def first_load(url: str) -> Load:
    """Return what the first load takes of a server that has read the study."""
    with sync_playwright() as playwright, server(url) as address:
        browser = playwright.chromium.launch(executable_path=EXTRAS["chromium"].place, args=["--no-sandbox"])
        load(browser, address)  # when this is drawn the server has read everything, and the browser is warm
        found = load(browser, address)
        browser.close()
    return found


def updates_ms(written: Written) -> tuple[float, list[float]]:
    """Return the seconds that the study takes to be read, and the milliseconds of a few updates of one epoch."""
    feed = Feed(written.url, NAME)
    began = time.perf_counter()
    feed.look()
    reading_s = time.perf_counter() - began
    label = feed._studies[NAME].label
    number = written.begin().number
    took = []
    for epoch in range(UPDATES):
        if epoch % 9 == 0:
            number = written.begin().number
        written.train(number, 0.9 + epoch / 1000)
        if epoch % 9 == 8:
            written.end(number, State.COMPLETE)
        after = feed._studies[NAME].seq
        began = time.perf_counter()
        feed.look()
        assert feed.messages(NAME, after, label)[0].kind == "update"
        took.append(1000 * (time.perf_counter() - began))
    feed.close()
    return reading_s, took


def main(argv: Sequence[str] | None = None) -> int:
    """Print a line for each number of trials."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.page", description=__doc__)
    parser.add_argument("--trials", default="5,40,1000,10000")
    print(" trials  requests  kB sent  first load s  update ms   most  reading s")
    for trials in map(int, parser.parse_args(argv).trials.split(",")):
        with TemporaryDirectory() as folder:
            written = write(f"sqlite:///{Path(folder)}/study.db", trials)
            found = first_load(written.url)
            reading_s, took = updates_ms(written)
            written.close()
        line = f"{trials:>7} {found.requests:>9} {found.sent / 1000:>8.0f} {found.seconds:>13.2f}"
        print(f"{line} {median(took):>10.1f} {max(took):>6.1f} {reading_s:>10.2f}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
