"""What a command has found of a network is kept for every study that asks the same."""

from pathlib import Path

from sqlalchemy import text

from search.storage.answers import Answers
from search.storage.store import Store
from workers.command import Answer


def test_the_first_answer_stays_and_a_later_launch_reads_it(store_url: str) -> None:
    first = Answer(value=3.25, deviation=0.5, took_s=1.5)
    with Store.open(store_url) as store:
        answers = Answers(store)
        assert answers.answer("a" * 64, "12ab") is None
        answers.add_answer("a" * 64, "12ab", "pi_ms", first)
        answers.add_answer("a" * 64, "12ab", "pi_ms", Answer(value=4))
        answers.add_answer("b" * 64, "12ab", "pi_ms", Answer(value=5))
    with Store.open(store_url) as store:
        assert Answers(store).answer("a" * 64, "12ab") == first
        assert Answers(store).answer("b" * 64, "12ab") == Answer(value=5)
        assert Answers(store).answer("a" * 64, "34cd") is None


def test_an_answer_that_cannot_be_read_was_not_given(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/study.db") as store:
        Answers(store).add_answer("a" * 64, "12ab", "pi_ms", Answer(value=3))
        with store.transaction() as connection:
            connection.execute(text("UPDATE nas_answer SET value = 'fast'"))
        assert Answers(store).answer("a" * 64, "12ab") is None
