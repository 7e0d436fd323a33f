"""What a command is given is read as it was meant, or refused in one line that names its place."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from spaces.architecture import Architecture
from spaces.errors import InputError
from spaces.names import named
from workers import settings
from workers.settings import add_arguments, architecture_of, read_data, say, set_threads
from workers.sources import DataSpec


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def given(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(argv)


# Architectures


def test_a_network_is_a_name_with_settings_or_settings_alone() -> None:
    assert architecture_of(given()) == Architecture()
    assert architecture_of(given("--set", "block=preact", "depth=2")) == Architecture(block="preact", depths=(2, 2, 2))
    assert architecture_of(given("wrn-16-2")) == named("wrn-16-2").architecture
    assert architecture_of(given("resnet-20", "--set", "shortcut=B")).shortcut == "B"


def test_a_network_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps({"architecture": named("wrn-16-2").architecture.to_json()}), encoding="utf-8")
    assert architecture_of(given(str(path))) == named("wrn-16-2").architecture
    assert architecture_of(given(str(path), "--set", "widening_factor=4")) == named("wrn-16-4").architecture


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["wrn-17-2"], "WRN depth must be 6N+4: 17 is not"),
        (["--set", "blok=basic"], "--set: unknown field 'blok' (did you mean 'block'?); known are depth, block, "),
        (["absent.json"], "absent.json: cannot be read: No such file or directory"),
    ],
)
def test_a_network_that_cannot_be_is_refused(argv: list[str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        architecture_of(given(*argv))
    assert str(refused.value).startswith(message)


# Data


def test_data_are_a_name_or_a_json_object() -> None:
    assert read_data("digits") == DataSpec(name="digits")
    assert read_data('{"name": "digits", "validation": 0.1}') == DataSpec(name="digits", validation=0.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "--data: unknown data set 'digit' (did you mean 'digits'?)"),
        ("{digits", "--data: '{digits' is not JSON: "),
        ('{"npz": "no.npz", "limits": 3}', "--data: unknown key 'limits' (did you mean 'limit'?)"),
    ],
)
def test_data_that_nobody_knows_are_refused_at_data(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        read_data(text)
    assert str(refused.value).startswith(message)


# The process


def test_threads_are_as_many_as_are_asked_for() -> None:
    set_threads(1)
    assert torch.get_num_threads() == 1
    set_threads(2)
    assert torch.get_num_threads() == 2
    with pytest.raises(InputError, match=r"^--threads: 0 is below 1$"):
        set_threads(0)
    assert torch.get_num_threads() == 2


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], tuple[int, str]]:
    """Give `four_cores(load)`: the threads that nobody has asked for on a machine of four cores."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(settings, "cores", lambda: 4)
    monkeypatch.setattr("workers.cores.cores", lambda: 4)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(settings, "use_threads", lambda _count: None)

    def chosen(load: float) -> tuple[int, str]:
        monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
        return set_threads(None)

    return chosen


def test_where_nobody_says_there_are_as_many_threads_as_idle_cores(
    four_cores: Callable[[float], tuple[int, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert four_cores(0.3) == (4, "")
    said = "computing on 2 of 4 cores, as others are busy (load 2.2); --threads 4 takes them all"
    assert four_cores(2.2) == (2, said)
    assert four_cores(40.0)[0] == 1
    assert capsys.readouterr().err == ""  # a refusal is one line
    say("")
    say(said)
    assert capsys.readouterr().err == f"{said}\n"


def test_what_the_environment_says_of_threads_is_kept(
    four_cores: Callable[[float], tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert four_cores(40.0) == (4, "")


def test_arguments_have_names_and_settings_add_up() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    usual = parser.parse_args([])
    assert (usual.network, usual.set, usual.device, usual.threads) == (None, [], "auto", None)
    found = parser.parse_args(["--set", "a=1", "c=3", "--device", "cpu", "--set", "b=2", "--threads", "3"])
    assert (found.set, found.device, found.threads) == (["a=1", "c=3", "b=2"], "cpu", 3)
    assert parser.parse_args([]).set == []  # one command's settings are not the next one's
