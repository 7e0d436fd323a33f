"""The examples of docs/devices.md do what the page says, with a stand-in for ssh."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from search.config.command import CommandForm
from search.config.study import parse
from spaces.architecture import Architecture, ImageSpec
from workers.bench import CommandFailed, Runner, measure
from workers.command import Answer, Command, Request

DOCS = Path(__file__).resolve().parents[3] / "docs"
SCRIPTS = DOCS / "examples"
IMAGE = ImageSpec(channels=1, height=8, width=8)

# What is done on the other machine is done here; who was called is noted.
SSH = """#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
echo "$1" >> {folder}/hosts
[ "$1" = me@away ] && {{ echo 'ssh: connect to host away port 22: No route to host' >&2; exit 255; }}
shift
exec sh -c "$*"
"""


@pytest.fixture(autouse=True)
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for ssh on the path, and the python3 that the other machine has."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "ssh").write_text(SSH.format(folder=tmp_path))
    (tools / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    for each in tools.iterdir():
        each.chmod(0o755)
    (tmp_path / "there").mkdir()
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "there"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))


def measured(text: str) -> Answer:
    asked = Request(command=Command(text=text, tries=1), architecture=Architecture(depths=(1, 1, 1)), image=IMAGE)
    return measure(asked, Runner())


def test_a_network_is_timed_in_onnxruntime_here() -> None:
    found = measured(f"python3 {SCRIPTS}/time_onnx.py {{onnx}}")
    assert found.value > 0
    assert found.deviation is not None


def test_a_network_is_timed_on_another_machine_and_nothing_is_left_there(tmp_path: Path) -> None:
    found = measured(f"{SCRIPTS}/on_pi.sh me@pi {{onnx}}")
    assert found.value > 0
    assert (tmp_path / "hosts").read_text() == "me@pi\n"
    assert not [each for each in (tmp_path / "there").iterdir() if each.is_dir()]


def test_a_machine_that_is_away_is_said_in_the_words_of_ssh() -> None:
    with pytest.raises(CommandFailed, match="ended with exit code 255: ssh: connect to host away port 22: No route to"):
        measured(f"{SCRIPTS}/on_pi.sh me@away {{onnx}}")


def test_the_page_s_file_is_a_study() -> None:
    page = (DOCS / "devices.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    config = parse(yaml.safe_load(first))
    assert config.objectives == ("accuracy", "pi_ms")
    again = parse({**yaml.safe_load(first), "constraints": {}, **yaml.safe_load(second)})
    assert again.objectives == ("accuracy", "onnx_ms")
    for key in CommandForm.model_fields:  # each is told of
        assert f"`{key}`" in page or f"`{key}: " in page
