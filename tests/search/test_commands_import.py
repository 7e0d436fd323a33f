"""Commands that read what a study found begin at once: they import nothing of what trains and models."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "ray", "optuna", "sklearn", "pandas", "scipy.stats", "pydantic", "plotly")
CODE = "import sys, importlib; importlib.import_module(sys.argv[1]); print(*(n for n in {} if n in sys.modules))"


@pytest.mark.parametrize("command", ["search.front", "search.pick", "search.control"])
def test_a_command_that_reads_imports_nothing_of_what_trains(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(HEAVY), command], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
