"""What a study leaves in Optuna Dashboard: plots that fit there, and a note on what the dashboard cannot know."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from optuna_dashboard import get_note, save_note

from dashboards import curves, guide
from dashboards.frames import StudyView
from dashboards.publish import HEIGHT, PLOT, figures, fitted, save
from dashboards.theme import headings
from search.driver.describing import attributes
from search.storage.optuna_rows import describe_study
from search.storage.store import Store
from tests.dashboards.conftest import synthetic_view
from tests.search.bench import Bench

NOW = datetime(2026, 9, 14, 9, 30, tzinfo=UTC)
MakeBench = Callable[..., Bench]


@pytest.fixture
def told(make_bench: MakeBench) -> Bench:
    """Give a study of three objectives that has ended and is published."""
    bench = make_bench(objectives=["accuracy", "macs", "activations"], budget={"trials": 6})
    running = bench.open()
    bench.train_all(running)
    save(bench.url, bench.record.name, NOW)
    return bench


def test_curves_and_a_plot_of_each_plane_of_the_front_are_there(told: Bench) -> None:
    with told.optunas() as study:
        stored = {
            key.split(":")[2]
            for key in study._storage.get_study_system_attrs(study._study_id)
            if key.startswith("dashboard:plot_data:")
        }
    assert stored == {PLOT, f"{PLOT}-1", "widefront-curves", "widefront-importance"}


def test_a_later_note_takes_the_place_of_ours_alone(told: Bench) -> None:
    with told.optunas() as study:
        ours = get_note(study)
        assert "Best Trials* does not look at constraints" in ours
        save_note(study, f"{ours}\n\nmy own words")
        save(told.url, told.record.name, NOW)
    with told.optunas() as study:
        assert get_note(study) == f"{ours}\n\nmy own words"
        save_note(study, "mine alone")
        save(told.url, told.record.name, NOW)
    with told.optunas() as study:
        assert get_note(study) == "mine alone"


@pytest.mark.parametrize("view", [synthetic_view(), replace(synthetic_view(), trials=())], ids=["full", "empty"])
def test_a_plot_keeps_room_for_its_title_and_its_legend_and_says_of_when_it_is(view: StudyView) -> None:
    for figure in figures(view).values():
        shown = fitted(figure, NOW)
        made, (title, subtitle) = shown.layout, headings(shown)
        assert "as of 2026-09-14 09:30 UTC" in subtitle.replace("<br>", " ")
        assert title
        assert (made.height, made.title.automargin, made.legend.yref) == (HEIGHT, False, "container")
        assert made.margin.t >= 40 + 15 * (1 + subtitle.count("<br>"))
        assert all(len(line) < 80 for line in subtitle.split("<br>"))


def test_where_curves_are_too_many_the_front_and_the_latest_stay_and_that_is_said() -> None:
    view = synthetic_view()
    front = {trial.number for trial in view.front}
    few = curves.latest(curves.info(view), 20)
    assert len(few.curves) == 20
    assert front <= {curve.number for curve in few.curves}
    assert "the front and the latest of 59" in headings(curves.figure(few))[1]
    assert curves.latest(curves.info(view), 99) == curves.info(view)


def test_the_note_names_what_cannot_change_a_cost_and_nothing_where_nothing_is_searched_that_cannot() -> None:
    view = synthetic_view()
    assert "no network costs more or less by *dropout*, *dropout_rate*" in guide.note(view)
    plain = replace(view.study, space={"depth": {"int": [1, 4]}})
    assert "Importance" not in guide.note(replace(view, study=plain))


def test_the_note_holds_nothing_that_a_person_has_named() -> None:
    view = synthetic_view()
    assert guide.note(view) == guide.note(replace(view, study=replace(view.study, name="<b>[x](http://y)")))


def test_the_studys_attributes_name_data_file_version_and_the_live_page_and_other_attributes_stay(told: Bench) -> None:
    told.config._file = "space.yaml"
    with told.optunas() as study:
        study.set_user_attr("mine", "stays")
    for _ in range(2):
        with Store.open(told.url) as store:
            describe_study(store, told.record.name, attributes(told.config, told.record))
    with told.optunas() as study:
        shown = study.user_attrs
    assert shown["mine"] == "stays"
    assert shown["data"] == "digits: images of 1x8x8, 10 classes"
    assert (shown["file"], shown["trained in full"]) == ("space.yaml", "9 epochs")
    assert shown["version"].startswith("widefront ")
    assert shown["live page"].endswith(f"-m dashboards.live {told.config.storage} --study bench")


def test_a_password_stands_in_no_attribute(told: Bench) -> None:
    told.config._storage_text = "postgresql+psycopg://me:secret@host/db"
    assert "secret" not in " ".join(attributes(told.config, told.record).values())
