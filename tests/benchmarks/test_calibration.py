"""Intervals of confirmed networks hold what they say, on trainings that nobody chose a rule by."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.calibration import LEAST, SHIPPED, lines, read, tables


@pytest.mark.slow
def test_intervals_of_networks_as_good_as_fronts_hold_what_they_say() -> None:
    found = [line for line in lines("shipped", read(SHIPPED)) if line.among == "better half"]
    assert found
    assert all(line.intervals >= LEAST for line in found)
    assert all(0.93 <= line.held <= 0.99 for line in found), found  # of 48 trainings: drawn anew, not new ones


def test_a_table_has_trainings_in_rows_or_seeds_side_by_side(tmp_path: Path) -> None:
    long, wide = tmp_path / "long.csv", tmp_path / "wide.csv"
    long.write_text("digest,seed,epoch,accuracy\na,0,1,.1\na,0,2,.5\na,1,2,.6\nb,0,2,.7\nb,1,2,.8\n")
    wide.write_text("arch,acc_0,acc_1,acc_mean\na,50,60,55\nb,70,80,75\n")
    assert np.allclose(read(long), [[0.5, 0.6], [0.7, 0.8]])
    assert np.allclose(read(wide), [[0.5, 0.6], [0.7, 0.8]])
    assert set(tables([tmp_path])) == {long, wide}
    assert tables([]) == [SHIPPED]


def test_the_shipped_table_is_of_distinct_seeds() -> None:
    with gzip.open(SHIPPED, "rt", newline="") as file:
        rows = [(row["digest"], row["seed"], row["epoch"]) for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows)) == 24 * 4 * 9
