"""The report is one file that works offline; the command ends with the right code and one clear line."""

import html
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from dashboards import report
from dashboards.frames import StudyView
from search.storage.store import Store
from spaces.errors import InputError
from tests import factories

HOSTILE = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def page(view: StudyView) -> str:
    """Return the page of the synthetic study."""
    return report.render(view)


@pytest.fixture
def stored(tmp_path: Path, view: StudyView) -> str:
    """Return the address of a database that holds the synthetic study."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with Store.open(url, create=True) as store:
        store.add_study(view.study)
        for trial in view.trials:
            store.add_trial(view.study.name, trial)
        for rejection in view.rejections:
            store.add_rejection(view.study.name, rejection)
    return url


@pytest.mark.slow
def test_the_command_writes_the_page_in_a_new_folder(stored: str, tmp_path: Path, capsys, view: StudyView) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "new" / "folder" / "report.html"
    assert report.main([stored, "--study", "digits-front", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert f"{len(view.front)} on the front of {len(view.complete)} trained in full" in capsys.readouterr().out


@pytest.mark.slow
def test_the_only_study_needs_no_name(stored: str, tmp_path: Path) -> None:
    assert report.main([stored, "-o", str(tmp_path / "report.html")]) == 0


def test_an_unknown_study_is_one_line_with_the_known_names(stored: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "report.html"
    assert report.main([stored, "--study", "nothing", "-o", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "known are digits-front" in said
    assert not path.exists()


def test_a_database_that_is_not_there_is_one_line_and_is_not_made(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert report.main([f"sqlite:///{tmp_path / 'no.db'}", "-o", str(tmp_path / "report.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "no.db").exists()


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_one_line(stored: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("")
    assert report.main([stored, "-o", str(tmp_path / "file" / "report.html")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write ")


def test_debug_shows_where_an_error_came_from(stored: str) -> None:
    with pytest.raises(InputError):
        report.main([stored, "--study", "nothing", "--debug"])


@pytest.mark.slow
def test_the_same_study_gives_the_same_page(view: StudyView, page: str) -> None:
    assert report.render(view) == page


@pytest.mark.slow
def test_a_hostile_name_is_text_everywhere(view: StudyView) -> None:
    config = {"study": HOSTILE, "data": HOSTILE}
    space = {**view.study.space, HOSTILE: {"choice": [HOSTILE, "b"]}}
    trials = tuple(replace(trial, params={**trial.params, HOSTILE: HOSTILE}, reason=HOSTILE) for trial in view.trials)
    page = report.render(
        replace(view, study=replace(view.study, name=HOSTILE, config=config, space=space), trials=trials)
    )
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in page


def test_the_page_asks_for_nothing(page: str) -> None:
    without_scripts = re.sub(r"<script\b.*?</script>", "", page, flags=re.S)
    assert "http" not in without_scripts.replace("http-equiv", "")
    assert not re.search(r"<script[^>]+src=", page)


def test_a_study_without_trials_has_a_page() -> None:
    assert "This study has no trial yet." in report.render(StudyView(study=factories.study()))


@pytest.mark.slow
def test_a_report_opens_without_torch_ray_or_optuna() -> None:
    code = "import sys, dashboards.report; print([name for name in ('torch', 'ray', 'optuna') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_help_is_shown_by_the_module_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "dashboards.report", "--help"], capture_output=True, text=True, check=True
    )
    assert "--study" in done.stdout


def test_the_page_says_which_version_and_command_made_it(stored: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.html"
    assert report.main([stored, "-o", str(path)]) == 0
    page = html.unescape(path.read_text(encoding="utf-8"))
    assert f"-m dashboards.report {stored} --study digits-front -o {shlex.quote(str(path))}" in page
    assert f"widefront {version('widefront')}" in page


def test_a_network_with_weights_links_to_them(view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = replace(view.study, config={**view.study.config, "checkpoints": {"folder": "runs #1"}})
    folder = tmp_path / "runs #1" / study.label
    folder.mkdir(parents=True)
    kept, gone = (trial.number for trial in view.front[:2])
    (folder / f"{kept}.pt").touch()
    details = told(report.render(replace(view, study=study), path=tmp_path / "pages" / "report.html"))["details"]
    expected = f"runs #1/{study.label}/{kept}.pt"
    assert details[str(kept)]["weights"] == {"text": expected, "href": f"../{quote(expected)}"}
    assert details[str(gone)]["weights"] is None


def test_weights_elsewhere_are_named_and_asked_for_by_nobody(view: StudyView, tmp_path: Path) -> None:
    study = replace(view.study, config={**view.study.config, "checkpoints": {"folder": "s3://${BUCKET}/runs/"}})
    details = told(report.render(replace(view, study=study), path=tmp_path / "report.html"))["details"]
    number = view.front[0].number
    assert details[str(number)]["weights"] == {"text": f"s3://${{BUCKET}}/runs/{study.label}/{number}.pt"}


def test_what_was_chosen_can_be_pasted_into_a_file(view: StudyView, page: str) -> None:
    for trial in view.front:
        assert yaml.safe_load(told(page)["details"][str(trial.number)]["yaml"]) == {"start": [dict(trial.params)]}


def told(page: str) -> dict[str, Any]:
    """Return what the page's script reads."""
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]
