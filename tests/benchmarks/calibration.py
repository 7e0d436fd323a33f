"""Count how often intervals of 95 % hold what they say, on networks that were trained with several seeds.

    python -m tests.benchmarks.calibration [TABLE | FOLDER ...]

A table has a row for each training (`digest` or `network`, `seed`, `accuracy`, and `epoch`, of which the last counts),
or one for each network with its seeds side by side (`acc_0`, `acc_1`, ...); in percent or as a share. Of a few networks
and a few of their seeds, intervals are made as `search.confirm` makes them; the mean of the seeds that are left is then
looked for in them: among all networks, and among the better half, where fronts are. As that mean is no more certain
than its own seeds, an interval counts as wider by that: by sqrt(1 + k / m) for k seeds in it and m left.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search.models.seeds import interval, spread

SHIPPED = Path(__file__).parent / "seeds.csv.gz"
LEVEL = 0.95
NETWORKS = (4, 8, 16)  # that are confirmed together
SEEDS = (2, 3, 5)
LEAST = 2000  # intervals of each kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How often intervals of one kind held."""

    table: str
    among: str
    networks: int
    seeds: int
    intervals: int
    held: float
    half: float  # mean half width


def read(path: Path) -> NDArray[np.float64]:
    """Return accuracies as shares, a row for each network and a column for each seed."""
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    wide = [name for name in frame if name.rpartition("_")[0] in ("acc", "accuracy") and name[-1].isdigit()]
    values = frame[wide].to_numpy(float) if wide else _pivoted(frame)
    return values / 100 if np.nanmax(values) > 1 else values


def _pivoted(frame: pd.DataFrame) -> NDArray[np.float64]:
    if "epoch" in frame:
        frame = frame[frame["epoch"] == frame["epoch"].max()]
    network = "digest" if "digest" in frame else "network"
    found: NDArray[np.float64] = frame.pivot(index=network, columns="seed", values="accuracy").dropna().to_numpy(float)
    return found


def lines(name: str, values: NDArray[np.float64], least: int = LEAST) -> Iterator[Line]:
    """Yield a line for each size of a confirmation that a table has enough seeds and networks for."""
    rng = np.random.default_rng(0)
    means = values.mean(axis=1)
    among = {"all": values, "better half": values[means >= np.median(means)]}
    for (which, chosen), networks, seeds in product(among.items(), NETWORKS, SEEDS):
        if seeds < values.shape[1] and networks <= len(chosen):
            held, halves = _draw(rng, chosen, networks, seeds, -(-least // networks))
            yield Line(
                table=name,
                among=which,
                networks=networks,
                seeds=seeds,
                intervals=len(held),
                held=float(np.mean(held)),
                half=float(np.mean(halves)),
            )


def _draw(
    rng: np.random.Generator, values: NDArray[np.float64], networks: int, seeds: int, times: int
) -> tuple[list[bool], list[float]]:
    held, halves = [], []
    for _ in range(times):
        chosen = values[rng.choice(len(values), networks, replace=False)]
        chosen = rng.permuted(chosen, axis=1)
        inside, left = chosen[:, :seeds], chosen[:, seeds:]
        known = spread(inside.tolist(), rate=True)
        wider = np.sqrt(1 + seeds / left.shape[1])
        for mine, theirs in zip(inside, left, strict=True):
            found = interval(mine.tolist(), known, rate=True, level=LEVEL)
            mean = float(theirs.mean())
            ends = found.low if mean < found.mean else found.high
            held.append(abs(mean - found.mean) <= wider * abs(ends - found.mean) + 1e-12)
            halves.append((found.high - found.low) / 2)
    return held, halves


def tables(given: Sequence[Path]) -> list[Path]:
    """Return the files that were named, and those in folders; without any, what is shipped."""
    found = [path for each in given for path in (sorted(each.iterdir()) if each.is_dir() else [each])]
    return [path for path in found if path.name.endswith((".csv", ".csv.gz", ".parquet"))] or [SHIPPED]


def main() -> None:
    """Print a line for each table and size."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calibration", description=__doc__)
    parser.add_argument("tables", nargs="*", type=Path)
    print(f"{'table':36s} {'among':11s} networks seeds intervals  held   ± points")
    for path in tables(parser.parse_args().tables):
        try:
            values = read(path)
        except (KeyError, ValueError):
            print(f"{path.name:36s} has no seeds")
            continue
        for line in lines(path.name, values):
            print(
                f"{line.table:36s} {line.among:11s} {line.networks:8d} {line.seeds:5d} {line.intervals:9d} "
                f"{100 * line.held:5.1f} % {100 * line.half:6.2f}"
            )


if __name__ == "__main__":
    main()
