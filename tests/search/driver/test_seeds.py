"""The display of seeds is drawn often and worked out seldom."""

import io

import pytest
from rich.console import Console

import search.driver.seeds
from search.core.confirmation import assessed
from search.driver.seeds import SeedProgress
from search.study.seeds import SeedPlan, SeedProposer
from tests import factories


class Running:
    """Stand in for a running study, of which the display asks how many trainings have ended."""

    ended = 0

    def __getattr__(self, name: str) -> object:
        return [] if name == "setbacks" else type("Trials", (), {"crashed": []})()


def test_intervals_are_worked_out_when_a_training_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    monkeypatch.setattr(search.driver.seeds, "assessed", lambda *given: counted.append(given) or assessed(*given))
    trials = {0: factories.complete(0, [0.9] * 9)}
    running = Running()
    proposer = SeedProposer(study=factories.study(), trials=trials, plan=SeedPlan())
    progress = SeedProgress(running, Console(file=io.StringIO()), proposer)  # type: ignore[arg-type]
    for _ in range(5):
        assert [trial.number for trial in progress._front()] == [0]
    assert len(counted) == 1
    running.ended += 1
    progress._front()
    assert len(counted) == 2
