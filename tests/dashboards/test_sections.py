"""The page says what was found, how, and what fell short."""

import re
from dataclasses import replace

import pytest

from dashboards import sections
from dashboards.frames import StudyView
from search.core.records import Rejection, State
from tests import factories


@pytest.fixture(scope="module")
def page(view: StudyView) -> str:
    """Return every section of the synthetic study."""
    return "".join(sections.everything(view))


def plain(html: str) -> str:
    """Return the text of the page without its markup and data."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>", "", html, flags=re.S)).split())


def test_the_headline_counts_trials_epochs_and_time() -> None:
    trials = (
        factories.complete(0, (0.5,) * 9),
        factories.trial(1, (0.5, 0.5, 0.5), state=State.STOPPED),
        factories.trial(2, state=State.RUNNING),
    )
    rejected = (Rejection(params={}, violations={"params": 0.5}, reason="too large"),)
    said = plain(sections.headline(StudyView(study=factories.study(), trials=trials, rejections=rejected), []))
    for part in (
        "digits-front",
        "digits · validation accuracy against multiply-accumulates · created 2 January 2026, 03:04",
        "on the front 1 of 1 fully trained trial",
        "trials 3 1 complete, 1 stopped early, 1 running, 1 proposal rejected untrained",
        "epochs trained 12 44 % of training every trial in full",  # 12 of 27
        "training time 4.5 s",  # 0.375 s an epoch
    ):
        assert part in said


def test_the_headline_adds_up_the_launches(view: StudyView) -> None:
    said = plain(sections.headline(view, []))
    assert "wall time 1 h 05 min 2 launches" in said
    assert "14 September 2026, 09:30 to 15 September 2026, 06:14 UTC" in said
    assert f"hypervolume {view.hypervolume:.3f}" in said


def test_data_given_as_a_mapping_reads_as_one_line() -> None:
    view = StudyView(study=factories.study(config={"data": {"torchvision": "CIFAR10", "root": "data"}}))
    assert "torchvision: CIFAR10, root: data" in plain(sections.headline(view, []))


def test_the_front_table_has_a_row_per_network_on_the_front(view: StudyView) -> None:
    (table,) = sections.found(view)
    assert [int(row) for row in re.findall(r'<tr data-row="(\d+)"', table)] == [trial.number for trial in view.front]


def test_the_front_table_shows_what_decides_first() -> None:
    params = {"block": "resnext", "depth": 2, "widening_factor": 4, "cardinality": 8}
    params |= {"dropout": "between", "dropout_rate": 0.2}
    trials = (factories.complete(3, (0.9861,), macs=4_000_000, architecture=factories.built(params)),)
    (table,) = sections.found(StudyView(study=factories.study(), trials=trials))
    assert cells(table) == [
        "resnext-2x4-C8", "98.61 %", "4.00M", "100k", "40.0k", "resnext, depth 2, k = 4, C = 8, dropout between 0.20",
    ]  # fmt: skip


def test_an_accuracy_is_told_with_its_error_where_the_images_are_counted() -> None:
    study = factories.study(config={"validation_images": 451})
    (table,) = sections.found(StudyView(study=study, trials=(factories.complete(3, (0.9889,)),)))
    assert cells(table)[1] == "98.9 ± 0.5 %"
    assert "the standard error by 451 validation images" in table


def cells(table: str) -> list[str]:
    return [re.sub("<[^>]*>", "", each) for each in re.findall(r"<td[^>]*>(.*?)</td>", table)]


def test_another_objective_gets_a_column_beside_the_others(view: StudyView) -> None:
    (table,) = sections.found(replace(view, study=replace(view.study, objectives=("accuracy", "macs", "loss"))))
    assert re.findall(r"<button type=button>([^<]*)", table)[:4] == ["network", "accuracy", "macs", "loss"]
    assert 'title="validation loss (nats)"' in table


@pytest.mark.parametrize(
    ("state", "said"),
    [(None, "This study has no trial yet."), (State.STOPPED, "No trial has been trained in full yet")],
)
def test_a_study_without_a_front_says_so(state, said) -> None:  # type: ignore[no-untyped-def]
    trials = () if state is None else (factories.trial(0, (0.5,), state=state),)
    written = "".join(sections.everything(StudyView(study=factories.study(), trials=trials)))
    assert said in written
    assert "The choices" not in written


def test_links_lead_to_sections(page: str) -> None:
    links = re.findall(r'<a href="#([^"]+)"', page)
    assert links == [each for each in re.findall(r'<section id="([^"]+)"', page) if each != "trial"]
    assert "choices" in links


def test_every_figure_has_its_own_place_and_says_how_to_read_it(view: StudyView, page: str) -> None:
    figures = [each for each in re.findall(r"<figure>.*?</figure>", page, flags=re.S) if "data-chart" in each]
    titles = [re.findall("<h3>(.*?)</h3>", figure)[0] for figure in figures]
    known = [
        "Still to be found, by trials",
        "Still to be found, by training time",
        *(f"Error at equal macs by {name}" for name in view.searched()),
        "Error distribution",
    ]
    assert [title for title in titles if title in known] == known  # and others between them
    assert len(set(titles)) == len(titles)
    places = [re.findall(r'(?:data-chart|json" id)="([^"]+)"', figure) for figure in figures]
    assert all(read == there for read, there in places)  # each reads its own data
    assert len({read for read, _ in places}) == len(figures)
    assert all(re.search(r"<figcaption>[^<]{30,}</figcaption>", figure) for figure in figures)


def test_importances_are_bars_in_a_table(page: str) -> None:
    table = page.split("<h3>Importance of each parameter</h3>")[1].split("</figure>")[0]
    assert re.search(r'<rect class=bar width="\d+\.\d" height=10></rect></svg> \d+ %</td>', table)
    assert "% predictable" in table


def test_what_fell_short_is_counted_by_reason(view: StudyView) -> None:
    said = plain("".join(sections.fell_short(view)))
    for part in (
        f"dominated fully trained {len(view.complete) - len(view.front)}",
        "rejected untrained breaks the bound on params 4",
        "rejected untrained cardinality 8 does not divide width 12 1",
        "17 not-finite loss is not finite in epoch 3 2",
    ):
        assert part in said
    stopped = [int(count) for count in re.findall(r"stopped early after epoch \d (\d+)", said)]
    assert sum(stopped) == view.count(State.STOPPED)


def test_who_is_outside_is_counted_by_reason_and_dominated_by_nobody() -> None:
    reasons = ["", "oversteps params by 5%", "oversteps params by 70%", "the space lacks block basic"]
    trials = tuple(factories.complete(number, [0.9] * 9, outside=why) for number, why in enumerate(reasons))
    said = plain("".join(sections.fell_short(StudyView(study=factories.study(), trials=trials))))
    assert "outside fully trained: oversteps params 2" in said
    assert "outside fully trained: the space lacks block basic 1" in said
    assert "dominated" not in said


def test_a_failure_is_told_as_text() -> None:
    trial = factories.trial(0, state=State.FAILED, reason="<img src=x>", failure_kind="crash")
    said = "".join(sections.fell_short(StudyView(study=factories.study(), trials=(trial,))))
    assert "&lt;img src=x&gt;" in said
    assert "<img" not in said


def test_settings_show_the_file_and_each_machine_once(view: StudyView) -> None:
    said = "".join(sections.settings(view, {}))
    assert "constraints: {params: &quot;&lt;= 1e6&quot;}" in said
    assert said.count("128 GiB") == 1
