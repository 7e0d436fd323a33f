"""The report in a real browser, as a file: it draws, answers a budget, filters, links, and reads in light and dark."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dashboards import report
from dashboards.frames import StudyView
from search.core.picking import bounds_of, pick
from search.core.records import State, TrialRecord
from tests.dashboards.analyses import examples
from tests.dashboards.browsing import OpenPage, answered, limit_of, serious, texts_read
from tests.dashboards.conftest import CONFIG, _synthetic_trial, synthetic_view

pytestmark = [pytest.mark.slow, pytest.mark.extra("chromium")]

HOSTILE = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
IMAGES = 451
Report = Callable[..., str]


@pytest.fixture
def written(tmp_path: Path) -> Report:
    """Give `written(view)`: the address of its report."""
    return lambda view: report.write_report(view, tmp_path / "report.html", "sqlite:///widefront.db").as_uri()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of the report of `three()`."""
    path = tmp_path_factory.mktemp("usual") / "report.html"
    return report.write_report(three(), path, "sqlite:///widefront.db").as_uri()


def three(trials: int = 60, **config: object) -> StudyView:
    """Return a study of three objectives and a constraint."""
    rng = random.Random(5)
    made = tuple(_with_latency(replace(_synthetic_trial(each % 58, rng), number=each), rng) for each in range(trials))
    base, names = synthetic_view(), ("accuracy", "macs", "latency_ms")
    whole = {**CONFIG, "objectives": list(names), "validation_images": IMAGES, **config}
    return replace(base, study=replace(base.study, objectives=names, config=whole), trials=made)


def _with_latency(trial: TrialRecord, rng: random.Random) -> TrialRecord:
    found = 0.2 + trial.cost.activations / 3e4 * rng.uniform(0.8, 1.3)
    shown = (replace(each, metrics={**each.metrics, "latency_ms": found}) for each in trial.measurements)
    return replace(trial, measurements=tuple(shown))


def test_the_budget_names_what_pick_names(view: StudyView, written: Report, show: OpenPage) -> None:
    page = show(written(view))

    def picked(limit: float) -> dict[str, int]:
        found = pick(view.study, view.trials, bounds_of([f"macs <= {limit:.10g}"]))
        roles = {"chosen": found.chosen, "more": found.more, "nearest": found.nearest}
        return {role: trial.number for role, trial in roles.items() if trial is not None}

    costs = sorted(trial.cost.macs for trial in view.complete)
    asked = [costs[0] / 2, *costs[::2], *(cost * 1.01 for cost in costs), costs[-1] * 2]
    assert len(asked) >= 20
    for limit in asked:  # typed
        page.fill("#budget", f"{limit:.10g}")
        page.press("#budget", "Enter")
        assert answered(page) == picked(limit), limit
    page.locator("#front-plot").scroll_into_view_if_needed()
    box, knob = page.locator("#front-plot svg").bounding_box(), page.locator("#budget-line .knob").bounding_box()
    assert box is not None
    assert knob is not None
    page.mouse.move(knob["x"] + 8, knob["y"] + 8)
    page.mouse.down()
    for share in (0.15, 0.3, 0.45, 0.6, 0.75, 0.97):  # dragged
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 100, steps=2)
        assert answered(page) == picked(limit_of(page))
    page.mouse.up()
    line, seen = page.locator("#budget-line"), set()
    line.focus()
    for key in [*["PageDown"] * 9, *["ArrowRight", "PageUp", "ArrowLeft"] * 3, "Home", "End"]:
        line.press(key)
        assert answered(page) == picked(limit_of(page)), key
        assert line.get_attribute("aria-valuetext") == page.locator("#answer").inner_text()
        seen.add(limit_of(page))
    assert len(seen) > 8


def test_every_accuracy_has_its_error_in_as_many_digits(usual: str, show: OpenPage) -> None:
    page = show(usual)
    for table in ("#networks", "#table"):
        shown = page.eval_on_selector_all(
            f"{table} tbody tr", "rows => rows.flatMap(row => [...row.cells].map(cell => cell.textContent))"
        )
        rates = [each for each in shown if each.endswith("%")]
        assert len(rates) > 5
        assert all(re.fullmatch(r"\d+ ± \d %|\d+\.\d ± 0\.\d %", each) for each in rates), rates
    assert "±" in page.locator("#answer").inner_text()


def test_a_study_of_before_shows_no_error(view: StudyView, written: Report, show: OpenPage) -> None:
    page = show(written(view))
    assert "±" not in page.locator("main").inner_text()
    assert re.search(r"\d\d\.\d\d %", page.locator("#networks").inner_text())


def test_table_and_figure_mark_the_same_trial(usual: str, show: OpenPage) -> None:
    view = three()
    page = show(usual)
    number = view.front[3].number
    page.locator(f'#networks tr[data-row="{number}"]').hover()
    expect(page.locator(f'#front-plot [data-lit="{number}"]')).to_have_count(1)
    page.locator(f'#front-plot [data-key="f{view.front[0].number}"]').focus()
    expect(page.locator(f'#networks tr.lit[data-row="{view.front[0].number}"]')).to_have_count(1)
    assert page.locator("#networks tr.lit").count() == 1


def test_the_filter_and_a_head_rule_the_table(usual: str, show: OpenPage) -> None:
    view = three()
    page = show(usual)
    page.fill("#filter", "macs<1M fully")
    expected = {trial.number for trial in view.complete if trial.cost.macs < 1_000_000}
    page.click('[data-key="haccuracy"]')
    rows = page.eval_on_selector_all("#table tbody tr", "all => all.map(row => Number(row.dataset.row))")
    assert set(rows) == expected
    best = max((trial for trial in view.complete if trial.number in expected), key=accuracy)
    assert rows[0] == best.number
    page.locator("#networks th button").nth(1).click()
    shown = page.eval_on_selector_all("#networks tbody tr", "all => all.map(row => Number(row.dataset.row))")
    assert shown[0] == min(view.front, key=accuracy).number


def accuracy(trial: TrialRecord) -> float:
    return trial.measurements[-1].metrics["accuracy"]


def test_a_network_opens_and_its_choice_is_copied(usual: str, show: OpenPage) -> None:
    view = three()
    page = show(usual)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    number = view.front[0].number
    page.locator(f'[data-open="{number}"]').press("Enter")
    expect(page.locator("#trial")).to_contain_text(f"-m search.export sqlite:///widefront.db --study {view.study.name}")
    page.click("#trial [data-copy]")
    expect(page.locator("#trial [data-copy]")).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("start: [{block:")
    page.get_by_role("button", name="close").press("Enter")
    assert page.evaluate("document.activeElement.dataset.open") == str(number)
    page.click('[data-key="t17"]')  # one that failed tells why, though not what a network on the front does
    expect(page.locator("#trial")).to_contain_text("loss is not finite in epoch 3")


def test_every_figure_has_its_numbers_as_a_table(usual: str, show: OpenPage) -> None:
    page = show(usual)
    folds = page.locator("details.data")
    assert folds.count() == page.locator("[data-chart]").count() + 2  # curves and time
    for place in range(folds.count()):
        folds.nth(place).locator("summary").click()
        expect(folds.nth(place).locator("tbody tr").first).to_be_visible()
        assert "NaN" not in folds.nth(place).inner_text()
        assert "undefined" not in folds.nth(place).inner_text()


def test_a_thousand_curves_are_bands_with_the_front_on_top(written: Report, show: OpenPage) -> None:
    view = three(1000)
    nothing_searched = replace(view, trials=tuple(replace(each, params={}) for each in view.trials))
    page = show(written(replace(nothing_searched, study=replace(view.study, space={}))))
    kinds = page.eval_on_selector_all("#curves-plot path[class]", "all => all.map(path => path.getAttribute('class'))")
    assert kinds.index("band outer") < kinds.index("band inner") < kinds.index("curve median") < len(kinds) - 1
    assert kinds[-1] == "curve front"
    drawn = page.eval_on_selector_all(
        "#curves-plot path.curve:not(.median)", "all => all.map(p => p.attributes.d.value)"
    )
    assert [path.count("M") for path in drawn] == [0, 0, 0, 0, len(view.front)]


def test_what_was_measured_once_is_a_dot_that_is_seen(view: StudyView, written: Report, show: OpenPage) -> None:
    once = tuple(replace(trial, measurements=trial.measurements[:1]) for trial in view.trials if trial.measurements)
    page = show(written(replace(view, trials=once)))
    dots = page.locator("#curves-plot .curve.once")
    assert sum(dots.nth(each).get_attribute("d").count("h0") for each in range(dots.count())) == len(once)
    assert page.eval_on_selector_all("#curves-plot .once", "all => all.map(e => getComputedStyle(e).strokeWidth)") == (
        ["5px"] * dots.count()
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_is_read_and_nothing_serious_is_found(usual: str, show: OpenPage, scheme: str) -> None:
    view = three()
    page = show(usual, scheme=scheme)
    page.check("#show-stopped")
    page.locator(f'[data-open="{view.front[0].number}"]').click()
    assert texts_read(page) > 300
    assert not serious(page)


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_tables_are_no_wider_than_the_window(usual: str, show: OpenPage, width: int) -> None:
    page = show(usual, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for table in ("#networks .wide", "#trials .wide:has(#table)"):
        wide, room = page.locator(table).evaluate("each => [each.scrollWidth, each.clientWidth]")
        assert wide <= room, table
    heads = page.locator("#networks thead th:visible").all_inner_texts()
    assert heads[:4] == ["network", "accuracy", "macs", "latency_ms"]


def test_what_a_study_says_is_text_and_nothing_is_asked_for(view: StudyView, written: Report, show: OpenPage) -> None:
    trials = tuple(replace(each, params={**each.params, HOSTILE: HOSTILE}, reason=HOSTILE) for each in view.trials)
    space = {**view.study.space, HOSTILE: {"choice": [HOSTILE, "b"]}}
    study = replace(view.study, name=HOSTILE, space=space, config={"study": HOSTILE, "data": HOSTILE})
    page = show(written(replace(view, study=study, trials=trials)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector("body[data-seq]")
    page.click('[data-key="t17"]')
    expect(page.locator("#trial")).to_contain_text(HOSTILE)
    expect(page.locator("h1")).to_have_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert [each for each in asked if not each.startswith(("file:", "data:"))] == []
    assert len([each for each in asked if each.startswith("file:")]) == 1


def test_a_study_without_a_front_is_drawn_too(written: Report, show: OpenPage) -> None:
    view = three()
    stopped = [trial for trial in view.trials if trial.state is State.STOPPED]
    page = show(written(replace(view, trials=tuple(stopped[:5]))))
    expect(page.locator("#table tbody tr")).to_have_count(5)
    assert "No network has been trained in full" in page.locator("#answer").inner_text()


def analysed() -> StudyView:
    """Return a study with analyses of each kind, of one kind several."""
    made = [make() for make in examples.EXAMPLES.values()]
    return replace(three(), analyses=(*made, examples.lesions(8, minutes=5)))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_every_analysis_is_drawn_and_read(written: Report, show: OpenPage, scheme: str, width: int) -> None:
    page = show(written(analysed()), width, scheme)
    for kind in examples.EXAMPLES:
        shown = page.locator(f'[data-kind="{kind}"] [data-found]:visible')
        expect(shown).to_have_count(1)
        assert shown.locator("svg").first.bounding_box()["height"] > 100  # type: ignore[index]
        shown.locator("summary").click()
        expect(shown.locator("tbody tr").first).to_be_visible()
        assert "NaN" not in shown.first.inner_html()
    assert texts_read(page) > 300
    assert not serious(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_one_of_several_analyses_is_chosen_and_its_marks_say_what_they_are(written: Report, show: OpenPage) -> None:
    page = show(written(analysed()))
    place = page.locator('[data-kind="lesion"]')
    expect(place.locator("h3:visible")).to_have_text("lesions of trial 8")
    place.locator("select").select_option(index=1)
    expect(place.locator("h3:visible")).to_have_text("lesions of trial 7")
    assert place.locator("[data-found]:visible rect.dot-front").count() > 1
    bar = place.locator("[data-found]:visible rect.dot-front").first
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.7)
    expect(page.locator("#tip")).to_contain_text("without block 1.1")
    picture = page.locator('[data-kind="filters"] image').first
    picture.hover()
    expect(page.locator("#tip")).to_contain_text("filter 0")
