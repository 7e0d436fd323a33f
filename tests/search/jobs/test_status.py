"""What stands on a cluster is told in lines that no width cuts."""

from datetime import UTC, datetime

import pytest
from rich.console import Console

from search.jobs.client import Submission
from search.jobs.status import table_of


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_width_cuts_a_name_or_a_time(width: int) -> None:
    sent = Submission(
        id="raysubmit_1",
        study="fashion-mnist-front-of-the-whole-grammar-2026",
        by="somebody@a-long-name.example.org",
        state="RUNNING",
        file="",
        command="python -m search.launch space.yaml",
        started_at=datetime(2026, 11, 29, 2, 53, tzinfo=UTC),
    )
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table_of([(sent, "12/60 trials: 3 complete, 9 stopped, 0 failed; 123456 epochs")]))
    said = capture.get()
    assert "…" not in said
    assert "2026-11-29 02:53" in said
    assert max(map(len, said.splitlines())) <= width
