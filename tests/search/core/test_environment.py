"""Secrets come from the environment, and only by name into messages."""

import pytest

from search.core.environment import expand, hide, private, variables, without
from spaces.errors import InputError

ENVIRONMENT = {"USER_NAME": "ada", "PASSWORD": "p$w{d}${USER_NAME}", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("${USER_NAME}", "ada"),
        ("postgresql+psycopg://${USER_NAME}:x@host/db", "postgresql+psycopg://ada:x@host/db"),
        ("${USER_NAME}-${USER_NAME}", "ada-ada"),
        ("<${EMPTY}>", "<>"),
        ("${PASSWORD}", "p$w{d}${USER_NAME}"),  # what a variable holds is not read again
        ("$USER_NAME ${} $ {USER_NAME} ${USER-NAME}", "$USER_NAME ${} $ {USER_NAME} ${USER-NAME}"),
        ("", ""),
    ],
)
def test_a_name_in_braces_is_replaced_and_nothing_else(text: str, expanded: str) -> None:
    assert expand(text, ENVIRONMENT) == expanded


def test_a_variable_that_is_not_set_is_named_and_no_value_is_told() -> None:
    with pytest.raises(InputError) as refused:
        expand("${PASSWORD}:${NOBODY}", ENVIRONMENT, place="storage")
    assert str(refused.value) == "storage: the environment variable NOBODY is not set"


def test_the_environment_of_the_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTSIDE", "1")
    with pytest.raises(InputError, match="OUTSIDE is not set"):
        expand("${OUTSIDE}", {})


def test_without_an_environment_a_text_stays_as_it_stands() -> None:
    assert expand("a/${NOBODY}/b", None) == "a/${NOBODY}/b"


def test_the_variables_of_a_text_are_named_once_each() -> None:
    assert variables("${B}:${A}@${B} $C ${}") == ("B", "A")


def test_what_a_database_is_reached_by_is_private_but_nobody_loses_a_home() -> None:
    hidden = private(["DB_SECRET", "HOME"])
    assert {"DB_SECRET", "PGPASSWORD", "WIDEFRONT_STORAGE"} <= hidden
    assert not {"HOME", "PATH"} & hidden


def test_variables_are_gone_for_a_while_and_back_also_after_a_failure() -> None:
    environment = {"SECRET": "s", "OTHER": "o"}
    with pytest.raises(KeyError, match="SECRET"), without(["SECRET", "NOT_SET"], environment):
        environment["SECRET"]
    assert environment == {"SECRET": "s", "OTHER": "o"}


def test_what_was_looked_up_is_shown_by_its_name_alone() -> None:
    assert expand("${VAULT}/runs", {"VAULT": "/mnt/for-my-eyes"}) == "/mnt/for-my-eyes/runs"
    assert hide("cannot write to /mnt/for-my-eyes/runs/1.pt") == "cannot write to ${VAULT}/runs/1.pt"
    assert hide("/mnt/for-my-eyes-only ${VAULT} x/mnt/for-my-eyes") == "${VAULT}-only ${VAULT} x${VAULT}"


def test_a_value_so_short_that_it_stands_in_every_word_is_not_looked_for() -> None:
    expand("${SHORT}${NONE}", {"SHORT": "e", "NONE": ""})
    assert hide("epoch 3") == "epoch 3"
