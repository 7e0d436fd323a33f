"""The wheel holds all that a user's environment needs: what a checkout has beside it is not there."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.end_to_end.conftest import SMALL

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "search.launch", "search.confirm", "search.front", "search.pick", "search.export", "search.retrain",
    "search.doctor", "search.simulate", "search.submit",
    "search.schema", "search.analyse", "workers.analyse", "search.claims", "workers.series", "dashboards.verdicts",
    "spaces.describe", "workers.train", "workers.measure", "dashboards.report", "dashboards.publish",
    "dashboards.replays", "dashboards.live",
)  # fmt: skip

pytestmark = pytest.mark.cluster


def run(*command: str | int | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the Python of an environment with the wheel, and with this one's libraries but not its editable install."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT, cwd=folder)
    venv.create(folder / "env")
    python = folder / "env" / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    # Files that end in .pth take effect in this folder alone, so the editable install's does not.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (wheel,) = folder.glob("*.whl")
    run(*pip, "--python", python, "install", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=folder)
    return python


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_wheel(python: Path, tmp_path: Path, command: str) -> None:
    where = f"import importlib.util; print(importlib.util.find_spec({command!r}).origin)"
    assert Path(run(python, "-c", where, cwd=tmp_path).strip()).is_relative_to(python.parents[1])
    assert "--help" in run(python, "-m", command, "--help", cwd=tmp_path)


def test_a_study_runs_from_the_wheel(python: Path, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SMALL, "budget": {"trials": 3}}))
    assert "space" in run(python, "-m", "search.launch", "space.yaml", "--dry-run", cwd=tmp_path)
    assert "front of" in run(python, "-m", "search.launch", "space.yaml", cwd=tmp_path)
    assert "class Report extends Board" in (tmp_path / "report.html").read_text()  # its scripts are there
    assert "trial" in run(python, "-m", "search.front", "sqlite:///study.db", cwd=tmp_path)
    assert "nothing" in run(python, "-m", "search.doctor", "sqlite:///study.db", cwd=tmp_path)
    assert "resnet-8" in run(python, "-m", "spaces.describe", "resnet-8", cwd=tmp_path)
    looked = "from widefront import Study; print(list(Study.open('sqlite:///study.db').front()))"
    assert "accuracy" in run(python, "-c", looked, cwd=tmp_path)


def test_a_network_is_exported_from_the_wheel_and_used(python: Path, tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(yaml.safe_dump({**SMALL, "budget": {"trials": 3}}))
    run(python, "-m", "search.launch", "space.yaml", cwd=tmp_path)
    (best, *_) = json.loads(run(python, "-m", "search.front", "sqlite:///study.db", "--json", cwd=tmp_path))
    given = ("--trial", best["trial"], "-o", "folder")
    assert "accuracy" in run(python, "-m", "search.export", "sqlite:///study.db", *given, cwd=tmp_path)
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    (told,) = map(json.loads, run(python, "folder/predict.py", "black.png", cwd=tmp_path).splitlines())
    assert told["class"] in "0123456789"
    assert "ms for 1 image" in run(python, "-m", "workers.measure", "folder", cwd=tmp_path)


def test_the_wheel_says_its_licence_and_that_it_is_typed(python: Path) -> None:
    site = next((python.parents[1] / "lib").glob("python*")) / "site-packages"
    assert {path.parent.name for path in site.glob("*/py.typed")} == {"spaces", "workers", "search", "dashboards"}
    (metadata,) = site.glob("widefront-*.dist-info")
    assert "License-Expression: Apache-2.0" in (metadata / "METADATA").read_text()
    assert "Apache License" in (metadata / "licenses" / "LICENSE").read_text()
