"""The growth of replayed studies is drawn by trials, by epochs and by simulated time."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from dashboards.replays import AXES, Growth, figure, info, main


def run(policy: str, seed: int, epochs: list[int], hours: list[float], shares: list[float]) -> dict[str, Any]:
    return {"policy": policy, "seed": seed, "epochs": epochs, "hours": hours, "hypervolume": shares}


def replay(*runs: dict[str, Any]) -> dict[str, Any]:
    """Return what a replay prints of some studies."""
    policies = [{"policy": policy} for policy in dict.fromkeys(run["policy"] for run in runs)]
    told = {"table": "T.parquet", "objectives": ["accuracy", "macs"], "workers": 1, "seeds": 2}
    return {**told, "policies": policies, "runs": list(runs)}


GROWN = replay(
    run("random+fifo", 0, [3, 6], [1.0, 2.0], [0.25, 0.5]),
    run("random+fifo", 1, [3, 6], [1.0, 2.0], [0.75, 1.0]),
    run("auto+asha", 0, [3, 4], [1.0, 1.5], [0.5, 0.5]),
)


def growth(policy: str, axis: str) -> Growth:
    return next(each for each in info(GROWN).growths if (each.policy, each.axis) == (policy, axis))


def at(grown: Growth, place: float) -> tuple[float, float]:
    """Return mean and deviation at the last place that is no later."""
    index = max(index for index, each in enumerate(grown.places) if each <= place + 1e-9)
    return grown.means[index], grown.deviations[index]


def test_every_policy_grows_along_every_axis() -> None:
    assert [(each.policy, each.axis) for each in info(GROWN).growths] == [
        (policy, axis) for axis in ("trials", "epochs", "hours") for policy in ("random+fifo", "auto+asha")
    ]


def test_a_growth_is_the_mean_and_the_standard_deviation_over_seeds() -> None:
    trials = growth("random+fifo", "trials")
    assert [at(trials, place) for place in (0, 0.9, 1, 1.9, 2)] == [
        (0, 0), (0, 0), (0.5, 0.25), (0.5, 0.25), (0.75, 0.25),
    ]  # fmt: skip
    hours = growth("random+fifo", "hours")
    assert [at(hours, place)[0] for place in (0.5, 1, 2)] == pytest.approx([0, 0.5, 0.75])


def test_all_policies_are_drawn_to_the_same_end() -> None:
    epochs = growth("auto+asha", "epochs")
    assert (epochs.places[0], epochs.places[-1]) == (0, 6)
    assert at(epochs, 6) == (0.5, 0)  # it ended at 4, with what it had


def test_where_each_trial_is_one_epoch_trials_say_all() -> None:
    told = info(replay(run("random+fifo", 0, [1, 2, 3], [1.0, 2.0, 3.0], [0.1, 0.2, 0.3])))
    assert [each.axis for each in told.growths] == ["trials"]


def test_the_subtitle_says_what_was_replayed() -> None:
    assert info(GROWN).subtitle == "T.parquet: accuracy against macs; 2 seeds, 1 worker"
    assert figure(info(GROWN)).layout.title.subtitle.text == info(GROWN).subtitle


def test_a_policy_has_one_colour_and_is_named_once() -> None:
    drawn = figure(info(GROWN))
    lines = [trace for trace in drawn.data if trace.name]
    assert len(drawn.data) == 2 * len(lines) == 12  # each with its band
    assert [line.name for line in lines if line.showlegend] == ["random+fifo", "auto+asha"]
    for policy in ("random+fifo", "auto+asha"):
        assert len({line.line.color for line in lines if line.name == policy}) == 1
    assert len({line.line.color for line in lines}) == 2


def test_a_band_lies_a_deviation_to_both_sides() -> None:
    band = figure(info(GROWN)).data[0]
    assert (band.y[-1], band.y[0], max(band.y)) == (0, 0, 1.0)
    assert len(band.x) == len(band.y)


def test_axes_have_units() -> None:
    layout = figure(info(GROWN)).layout
    titles = [layout.xaxis.title.text, layout.xaxis2.title.text, layout.xaxis3.title.text]
    assert titles == list(AXES.values()) == ["trials ended (count)", "epochs trained (count)", "simulated time (h)"]
    assert layout.yaxis.title.text == "share of the true hypervolume (%)"
    assert layout.yaxis.tickformat == ".0%"


@pytest.mark.parametrize("empty", [replay(), replay(run("random+fifo", 0, [], [], []))], ids=["no study", "no trial"])
def test_without_a_trial_the_figure_says_so(empty: dict[str, Any]) -> None:
    assert figure(info(empty)).layout.annotations[0].text == "No trial has ended."


def test_names_are_shown_as_they_are() -> None:
    told = replay(run("<b>", 0, [1], [1.0], [0.5]))
    drawn = figure(info(told))
    assert drawn.data[1].hovertemplate.startswith("&lt;b&gt;")
    assert drawn.data[1].name == "&lt;b&gt;"


def test_a_page_is_written_that_needs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "replay.json").write_text(json.dumps(GROWN))
    assert main([str(tmp_path / "replay.json"), "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Replayed studies" in page
    assert 'src="http' not in page


def test_a_replay_may_come_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(GROWN)))
    assert main(["-", "-o", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    "text", ["", "dear diary", "[]", "3", "{}", '{"seeds": 1}', json.dumps({**GROWN, "runs": [1]})]
)
def test_what_is_no_replay_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "replay.json"
    file.write_text(text)
    assert main([str(file), "-o", str(tmp_path / "page.html")]) == 2
    assert capsys.readouterr().err == f"error: {file}: is not what search.simulate --json prints\n"
    assert not (tmp_path / "page.html").exists()


def test_a_file_that_is_not_there_and_a_page_that_cannot_be_written_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, page = tmp_path / "replay.json", tmp_path / "replay.json" / "page.html"
    assert main([str(file), "-o", str(page)]) == 2
    assert capsys.readouterr().err == f"error: {file}: No such file or directory\n"
    file.write_text(json.dumps(GROWN))
    assert main([str(file), "-o", str(page)]) == 2
    assert capsys.readouterr().err == f"error: cannot write {page}: File exists\n"


def test_a_page_takes_the_place_of_pages_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, page = tmp_path / "replay.json", tmp_path / "page.html"
    file.write_text(json.dumps(GROWN))
    assert main([str(file), "-o", str(page)]) == main([str(file), "-o", str(page)]) == 0
    assert main([str(file), "-o", str(file)]) == 2
    assert json.loads(file.read_text()) == GROWN
    assert "is no page" in capsys.readouterr().err
