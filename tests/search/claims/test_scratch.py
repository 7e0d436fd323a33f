"""Checkpoints of claims follow the database, as its lock does: none is shared between two, and one has one place."""

from pathlib import Path

import pytest

from search.claims.scratch import folder_of


def test_a_file_has_one_folder_from_wherever_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    here = folder_of("sqlite:///study.db")
    assert here.parent == tmp_path / ".widefront" / "claims"
    monkeypatch.chdir(tmp_path / "below")
    assert folder_of(f"sqlite:///{tmp_path}/study.db") == here
    assert folder_of("sqlite:///study.db") != here


def test_two_databases_in_one_folder_share_none() -> None:
    urls = (
        "sqlite:///a.db", "sqlite:///b.db", "postgresql+psycopg://me@host/a", "postgresql+psycopg://me@host/b",
        "postgresql+psycopg://me@other/a", "postgresql+psycopg://me@host:6000/a",
        "postgresql+psycopg://me@/a?host=/run/db",
    )  # fmt: skip
    assert len({folder_of(url) for url in urls}) == len(urls)


def test_who_asks_a_server_changes_nothing() -> None:
    mine, others = (folder_of(f"postgresql+psycopg://{who}@host/a") for who in ("me:secret", "others"))
    assert mine == others
    assert "secret" not in str(mine)
