"""What a first load sends stays below a megabyte, and what an update sends does not grow with the study."""

from pathlib import Path

import pytest

from dashboards.live.feed import Feed
from tests.benchmarks.page import first_load, write
from tests.dashboards.live.conftest import NAME

pytestmark = pytest.mark.slow

MOST = 1_000_000  # bytes


@pytest.mark.extra("chromium")
@pytest.mark.parametrize("trials", [5, 40, 1_000, pytest.param(10_000, marks=pytest.mark.very_slow)])
def test_a_first_load_is_below_a_megabyte(tmp_path: Path, trials: int) -> None:
    written = write(f"sqlite:///{tmp_path}/study.db", trials)
    found = first_load(written.url)
    assert found.requests > 10
    assert found.sent < MOST
    written.close()


def test_an_update_is_as_large_whatever_the_study(tmp_path: Path) -> None:
    sizes = []
    for trials in (30, 600):
        written = write(f"sqlite:///{tmp_path}/{trials}.db", trials)
        feed = Feed(written.url, NAME)
        feed.look()
        known = feed._studies[NAME]
        after = known.seq
        written.begin()
        written.train(trials, 0.5)
        feed.look()
        update = feed.messages(NAME, after, known.label)[0]
        assert update.kind == "update"
        sizes.append(len(str(update.data)))
        feed.close()
        written.close()
    assert sizes[1] < 1.5 * sizes[0]
