"""Synthetic studies: seeded numbers that look like a real search."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dashboards.frames import StudyView
from search.core.records import Rejection, Session, State, TrialRecord
from spaces.cost import Cost
from spaces.domains import Scalar
from tests import factories
from tests.dashboards.browsing import GUARD_MS, OpenPage, is_complaint
from tests.extras import EXTRAS
from workers.measurement import Measurement

START = datetime(2026, 9, 14, 9, 30, tzinfo=UTC)
SPACE = {
    "block": {"choice": ["basic", "bottleneck", "resnext", "preact"]},
    "depth": {"int": [1, 4]},
    "widening_factor": {"choice": [0.5, 1, 2, 4]},
    "cardinality": {"choice": [2, 4, 8], "when": {"block": ["resnext"]}},
    "dropout": {"choice": ["none", "between", "after", "shortcut", "head"]},
    "dropout_rate": {"float": [0.05, 0.5], "when": {"dropout": ["between", "after", "shortcut", "head"]}},
}
CONFIG = {
    "study": "digits-front",
    "data": "digits",
    "space": SPACE,
    "objectives": ["accuracy", "macs"],
    "constraints": {"params": "<= 1e6"},
    "sampler": {"name": "auto", "seed": 0},
    "scheduler": {"name": "pareto-asha", "grace_epochs": 1, "max_epochs": 9, "reduction_factor": 3},
    "budget": {"trials": 60},
    "storage": "sqlite:///widefront.db",
}
MACHINE = {"device": "1 GPU", "cores": "16", "memory": "128 GiB", "python": "3.11.9", "torch": "2.15.0"}


@pytest.fixture(scope="session")
def view() -> StudyView:
    """Return a study of 60 trials in every state, with rejections and two launches."""
    return synthetic_view()


def synthetic_view() -> StudyView:
    rng = random.Random(5)
    trials = tuple(_synthetic_trial(number, rng) for number in range(60))
    large = Rejection(params={"block": "bottleneck"}, violations={"params": 0.3}, reason="params 1.3M is above 1M")
    odd = Rejection(params={"block": "resnext"}, violations={}, reason="cardinality 8 does not divide width 12")
    first = Session(id=1, started_at=START, seen_at=START + timedelta(minutes=21), machine=MACHINE)
    later = START + timedelta(hours=20)
    second = Session(id=2, started_at=later, seen_at=later + timedelta(minutes=44), machine=MACHINE)
    return StudyView(
        study=factories.study(space=SPACE, config=CONFIG, bounds=_BOUNDS, created_at=START),
        trials=trials,
        rejections=(*[large] * 4, odd),
        sessions=(first, second),
    )


_BOUNDS = {"macs": (4e4, 1.2e8), "params": (8e3, 3e6), "activations": (5e3, 1e6), "weight_bytes": (3.2e4, 1.2e7)}


def _synthetic_trial(number: int, rng: random.Random) -> TrialRecord:
    params = _synthetic_params(rng)
    cost = _synthetic_cost(params)
    power = math.log10(cost.macs / 4e4) / 3.5
    rate = float(params.get("dropout_rate", 0.0))
    block_gain = {"basic": 0.0, "bottleneck": 0.004, "resnext": 0.010, "preact": 0.006}[str(params["block"])]
    final = 0.915 + 0.07 * power**0.6 + block_gain - 0.04 * max(rate - 0.25, 0) + rng.gauss(0, 0.0035)
    final = min(final, 0.9975)
    state, epochs = _synthetic_fate(number, final, rng)
    speed = rng.uniform(0.55, 0.8)
    accuracies = [final - (final - 0.35) * math.exp(-speed * epoch) + rng.gauss(0, 0.002) for epoch in range(1, 10)]
    seconds = 2.0 + cost.activations / 4e4
    return factories.trial(
        number,
        params=params,
        architecture=factories.built(params),
        cost=cost,
        state=state,
        started_at=START + timedelta(minutes=number),
        measurements=tuple(_shown(e, min(a, 1.0), seconds) for e, a in enumerate(accuracies[:epochs], start=1)),
        reason={State.STOPPED: f"stopped at rung {epochs}", State.FAILED: "loss is not finite in epoch 3"}.get(
            state, ""
        ),
        failure_kind="not-finite" if state is State.FAILED else "",
    )


def _shown(epoch: int, accuracy: float, seconds: float) -> Measurement:
    loss = -math.log(max(accuracy, 1e-3))
    return factories.measurement(
        epoch, accuracy=accuracy, loss=loss, train_loss=0.8 * loss, train_s=seconds, eval_s=0.5
    )


def _synthetic_params(rng: random.Random) -> dict[str, Scalar]:
    params: dict[str, Scalar] = {
        "block": rng.choice(["basic", "bottleneck", "resnext", "preact"]),
        "depth": rng.randint(1, 4),
        "widening_factor": rng.choice([0.5, 1, 2, 4]),
    }
    if params["block"] == "resnext":
        params["cardinality"] = rng.choice([2, 4, 8])
    params["dropout"] = rng.choice(["none", "between", "after", "shortcut", "head"])
    if params["dropout"] != "none":
        params["dropout_rate"] = round(rng.uniform(0.05, 0.5), 3)
    return params


def _synthetic_cost(params: dict[str, Scalar]) -> Cost:
    width, depth = float(params["widening_factor"]), int(params["depth"])
    expansion = 2.4 if params["block"] in ("bottleneck", "resnext") else 1.0
    expansion /= float(params.get("cardinality", 1)) ** 0.3
    macs = int(3.1e5 * depth * width**1.9 * expansion)
    return Cost(
        params=int(macs / 16), macs=macs, activations=int(5e3 * depth * width * expansion), weight_bytes=int(macs / 4)
    )


def _synthetic_fate(number: int, final: float, rng: random.Random) -> tuple[State, int]:
    if number in (17, 41):
        return State.FAILED, 2
    if number >= 58:
        return State.RUNNING, 59 - number
    luck = final + rng.gauss(0, 0.02)
    if luck < 0.955:
        return State.STOPPED, 1
    return (State.STOPPED, 3) if luck < 0.972 else (State.COMPLETE, 9)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give the system's browser."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=EXTRAS["chromium"].place, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Browser) -> Iterator[OpenPage]:
    """Give `show(address, width=1400, scheme="light")`: a page that has drawn, and may complain of nothing."""
    complaints: list[str] = []
    contexts = []

    def opened(address: str, width: int = 1400, scheme: str = "light", wait: str = "body[data-seq]") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(GUARD_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if is_complaint(said.text) else None)
        page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
        page.goto(address)
        page.wait_for_selector(wait)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
