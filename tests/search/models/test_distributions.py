"""Normal and Student's distributions are as tables have them, and cost nothing before they are asked for."""

import subprocess
import sys

import pytest

from search.models.distributions import normal_below, student_quantile


def test_a_normal_variable_is_below_its_two_sigma_as_tables_have_it() -> None:
    assert normal_below([0.0, 1.959964]) == pytest.approx([0.5, 0.975], abs=1e-6)


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.7062), (5, 2.5706), (30, 2.0423)])
def test_students_quantiles_are_those_of_tables(freedom: int, value: float) -> None:
    assert student_quantile(freedom, 0.975) == pytest.approx(value, abs=1e-4)


def test_nothing_of_scipy_is_loaded_to_read_a_study() -> None:
    code = "import sys, search.front; print('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
