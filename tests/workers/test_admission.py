"""Trials enter an engine together, or one alone, and nobody waits for ever."""

from threading import Thread

from workers.admission import Admission

NOW = 0.0
SOON = 10.0  # at most: whoever is let in is so at once


def entered(admission: Admission, *tickets: str, alone: bool = False) -> list[bool]:
    return [admission.enter(ticket, alone=alone, patience_s=NOW) for ticket in tickets]


def test_trials_enter_together() -> None:
    assert entered(Admission(), "a", "b", "c") == [True, True, True]


def test_one_that_is_tried_alone_waits_until_the_others_have_left_and_none_comes_before_it() -> None:
    admission = Admission()
    entered(admission, "a", "b")
    assert entered(admission, "x", alone=True) == [False]
    admission.leave("a")
    assert entered(admission, "c") == [False]
    admission.leave("b")
    assert entered(admission, "c") == [False]
    assert entered(admission, "x", alone=True) == [True]
    assert entered(admission, "c") == [False]


def test_once_it_has_shown_what_it_can_others_join_it() -> None:
    admission = Admission()
    entered(admission, "x", alone=True)
    admission.settle("x")
    assert entered(admission, "a") == [True]
    assert entered(admission, "y", alone=True) == [False]
    admission.settle("a")  # which never was alone
    assert entered(admission, "y", alone=True) == [False]


def test_those_who_are_tried_alone_have_their_turns_in_the_order_in_which_they_came() -> None:
    admission = Admission()
    entered(admission, "a")
    entered(admission, "x", "y", alone=True)
    admission.leave("a")
    assert entered(admission, "y", "x", alone=True) == [False, True]
    admission.leave("x")
    assert entered(admission, "y", alone=True) == [True]


def test_nobody_waits_for_one_that_is_gone() -> None:
    admission = Admission()
    entered(admission, "a")
    entered(admission, "x", alone=True)
    admission.leave("x")
    assert entered(admission, "b") == [True]


def test_who_asks_again_since_the_answer_was_lost_is_inside() -> None:
    admission = Admission()
    assert entered(admission, "x", "x", alone=True) == [True, True]


def test_who_waits_is_let_in_as_the_way_is_free() -> None:
    admission = Admission()
    entered(admission, "x", alone=True)
    came: list[bool] = []
    waiting = Thread(target=lambda: came.append(admission.enter("a", alone=False, patience_s=SOON)))
    waiting.start()
    admission.leave("x")
    waiting.join(SOON)
    assert came == [True]
    assert not admission.is_empty
