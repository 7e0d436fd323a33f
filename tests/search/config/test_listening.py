"""Who hears of a study stands in its file; where a secret may be, only a variable's name does."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from search.config.listening import check_secrets
from search.config.study import StudyConfig, load, parse
from spaces.errors import InputError

PLAIN: dict[str, Any] = {"study": "s", "data": "digits", "space": {"depth": {"int": [1, 2]}}}
SECRET = "https://hook/tk-2718281828"


def written(tmp_path: Path, **sections: Any) -> StudyConfig:
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, **sections}))
    return load(path, environment={"HOOK": SECRET})


def test_an_address_is_a_variable_that_is_looked_up_and_never_stored(tmp_path: Path) -> None:
    config = written(tmp_path, notify={"urls": ["${HOOK}"], "on": ["finished", "front"]})
    assert config.notify.urls == (SECRET,)
    assert config.plain()["notify"] == {"urls": ["${HOOK}"], "on": ["finished", "front"]}
    assert SECRET not in str(config.plain())
    assert "HOOK" in config.own_variables


@pytest.mark.parametrize("urls", [["ntfy://topic"], "ntfy://topic", [3]])
def test_an_address_that_is_written_out_is_refused_and_not_repeated(tmp_path: Path, urls: Any) -> None:
    with pytest.raises(InputError, match=r"notify.urls.0: an address may hold a secret") as refused:
        written(tmp_path, notify={"urls": urls})
    assert "topic" not in str(refused.value)


def test_callbacks_are_names_and_names_with_options(tmp_path: Path) -> None:
    config = written(tmp_path, callbacks=["tensorboard", {"mlflow": {"uri": "${HOOK}"}}])
    assert config.callbacks == {"tensorboard": {}, "mlflow": {"uri": SECRET}}
    assert config.plain()["callbacks"] == ["tensorboard", {"mlflow": {"uri": "${HOOK}"}}]
    assert parse({**PLAIN, "callbacks": {"tensorboard": {}}}).callbacks == {"tensorboard": {}}


def test_files_without_either_say_nothing_of_them() -> None:
    assert not {"notify", "callbacks"} & parse(PLAIN).plain().keys()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"callbacks": "tensorboard"}, r"callbacks: 'tensorboard' is no list such as \[tensorboard"),
        ({"callbacks": [3]}, "callbacks: 3 is neither a name nor one with options"),
        ({"callbacks": ["tensorbord"]}, "callbacks.tensorbord: unknown callback 'tensorbord'"),
        ({"callbacks": [{"tensorboard": {"path": "x"}}]}, "callbacks.tensorboard: unknown option 'path'"),
        ({"notify": {"on": ["end"]}}, "notify.on: 'end' is not 'finished'"),
        ({"notify": {"url": "x"}}, "notify.* unknown key 'url' .did you mean 'urls'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse({**PLAIN, **sections})


@pytest.mark.parametrize("url", ["json://me:secret@${HOST}", "json://host/${TOKEN}", "${TOKEN}secret"])
def test_an_address_is_hidden_as_a_whole_and_not_in_part(url: str) -> None:
    with pytest.raises(InputError, match=r"notify.urls.0: an address may hold a secret.* alone") as told:
        check_secrets({"notify": {"urls": [url]}})
    assert "secret@" not in str(told.value)


@pytest.mark.parametrize("url", ["${NTFY_URL}", "tgram://${BOT}/${CHAT}", "mailto://${ME}:${WORD}@${HOST}"])
def test_an_address_of_variables_alone_may_say_its_kind(url: str) -> None:
    check_secrets({"notify": {"urls": [url]}})


def test_a_callback_stands_once_and_can_be_asked_what_it_takes() -> None:
    with pytest.raises(InputError, match="callbacks: 'tensorboard' stands twice"):
        parse({**PLAIN, "callbacks": ["tensorboard", {"tensorboard": {"folder": "b"}}]})
    with pytest.raises(InputError, match=r"callbacks.builtins:int: builtins:int is no class or function of a study"):
        parse({**PLAIN, "callbacks": ["builtins:int"]})
