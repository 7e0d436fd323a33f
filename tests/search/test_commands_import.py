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


COMPILER = ("torch._dynamo", "sympy")


@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("search.driver.launching", ("ray", "sklearn", "pandas", "scipy.stats", "scipy.linalg")),
        ("search.driver.course", ("sklearn", "scipy.stats", "torchvision", "plotly", "mlflow")),
        ("workers.remote", ("torch", "sklearn", "scipy", "torchvision", "optuna", "sqlalchemy")),
        ("workers.trainable", ("sklearn", "scipy", "torchvision", "optuna", "sqlalchemy")),
    ],
)
def test_no_process_of_a_study_imports_what_it_does_not_use(module: str, unused: tuple[str, ...]) -> None:
    code = CODE.format(COMPILER + unused)
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
