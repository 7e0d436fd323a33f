"""What a confirmation has found is kept for whoever looks later, whoever reads it now."""

from types import SimpleNamespace

import pytest

from search import confirm
from search.driver import confirming, publishing


def test_optuna_dashboards_plot_is_brought_up_to_date_where_nobody_reads_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unread(*_given: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    told: list[str] = []
    found = SimpleNamespace(study=SimpleNamespace(name="digits-front"), shown=[], news=True, over=True, all_failed="")
    monkeypatch.setattr(confirming, "confirm", lambda *_given: found)
    monkeypatch.setattr(confirming, "show", unread)
    monkeypatch.setattr(publishing, "publish", lambda _url, study, _path: told.append(study))
    assert confirm.main(["sqlite:///any.db", "--study", "digits-front"]) == 1
    assert told == ["digits-front"]
