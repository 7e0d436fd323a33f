"""One answer comes to one question, however often it is asked again."""

from workers.engine.post import ENDED, Post


def asked() -> tuple[Post, list[int]]:
    heard: list[int] = []
    return Post(lambda: heard.append(1)), heard


def test_a_question_that_nobody_has_answered_yet_stays_asked() -> None:
    post, heard = asked()
    assert not post.is_wanted
    assert post.take(0) is None
    assert post.is_wanted
    assert len(heard) == 1


def test_an_answer_waits_for_who_asked_and_is_no_further_question() -> None:
    post, _ = asked()
    post.take(0)
    post.tell({"epoch": 1})
    assert not post.is_wanted
    assert post.take(0) == {"epoch": 1}
    assert not post.is_wanted
    assert post.take(0) is None
    assert post.is_wanted


def test_what_was_told_before_the_end_comes_before_it() -> None:
    post, _ = asked()
    post.tell({"epoch": 1})
    post.close()
    assert [post.take(60) for _ in range(3)] == [{"epoch": 1}, ENDED, ENDED]


def test_all_further_questions_can_have_another_answer() -> None:
    post, _ = asked()
    post.close({"raised": {}})
    assert post.take(60) == post.take(60) == {"raised": {}}
