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
    table, *planes = sections.found(view)
    body = table.split("<tbody>")[1]
    numbers = [int(row) for row in re.findall(r'<tr><td class=number data-key="(\d+)"', body)]
    assert numbers == [trial.number for trial in view.front]
    assert len(planes) == 1


def test_the_front_table_shows_architecture_accuracy_and_cost() -> None:
    params = {"block": "resnext", "depth": 2, "widening_factor": 4, "cardinality": 8}
    params |= {"dropout": "between", "dropout_rate": 0.2}
    trials = (factories.complete(3, (0.9861,), macs=4_000_000, architecture=factories.built(params)),)
    table = sections.found(StudyView(study=factories.study(), trials=trials))[0]
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
    assert cells == [
        "3", "resnext-2x4-C8", "resnext", "2", "4", "8", "between 0.20", "98.61 %", "4.00M", "100k", "40.0k", "1",
    ]  # fmt: skip


def test_another_objective_gets_a_column_and_a_plane(view: StudyView) -> None:
    told = replace(view, study=replace(view.study, objectives=("accuracy", "macs", "loss")))
    table, *planes = sections.found(told)
    assert "<button type=button>validation loss</button>" in table
    assert len(planes) == 2


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
    assert links == re.findall(r'<section id="([^"]+)"', page)
    assert "choices" in links


def test_every_figure_has_its_own_place_and_says_how_to_read_it(view: StudyView, page: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", page, flags=re.S)
    titles = [re.findall("<h3>(.*?)</h3>", figure)[0] for figure in figures]
    known = [
        "The front: validation accuracy against multiply-accumulates",
        "Learning curves",
        "Still to be found, by trials",
        "Still to be found, by training time",
        "Importance of each parameter",
        *(f"Error at equal macs by {name}" for name in view.searched()),
        "Error distribution",
    ]
    assert [title for title in titles if title in known] == known  # and others between them
    assert len(set(titles)) == len(titles)
    places = [re.findall(r'(?:data-plot|<div class=plot id)="([^"]+)"', figure) for figure in figures]
    assert all(where == read for where, read in places)  # each reads its own data
    assert len({where for where, _ in places}) == len(figures)
    assert all(re.search(r"<figcaption>[^<]{30,}</figcaption>", figure) for figure in figures)


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
    said = "".join(sections.settings(view))
    assert "constraints: {params: &quot;&lt;= 1e6&quot;}" in said
    assert said.count("128 GiB") == 1
