"""Measure what zero-cost proxies tell of recorded networks: how they rank with accuracy, beside what is counted.

    python -m tests.benchmarks.proxies tests/benchmarks/digits.csv.gz [--out digits-proxies.csv]

The table that `--out` names can be replayed with them as features: `known: [params, activations, synflow]` in its file.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from spaces.counting import cost
from spaces.domains import Scalar
from spaces.network import build
from tests.benchmarks.record import SPACE, data_of, networks
from tests.benchmarks.zero_cost import PROXIES
from workers.datasets import Dataset, load

BATCH = 64  # images
COUNTED = ("params", "macs", "activations")


def proxies(params: Mapping[str, Scalar], data: Dataset) -> dict[str, float]:
    """Return a network's proxies by the first images of its training data."""
    architecture = SPACE.architecture(params)
    scale = (data.std * 255).reshape(1, -1, 1, 1)
    images = data.train_images[:BATCH] / scale - (data.mean * 255).reshape(1, -1, 1, 1) / scale
    found = {}
    for name, proxy in PROXIES.items():
        network = build(architecture, data.image, generator=torch.Generator().manual_seed(0))
        found[name] = proxy(network, images, data.train_labels[:BATCH])
    return found


def judged(name: str) -> pd.DataFrame:
    """Return the proxies of every network that is recorded of a data set, by its digest."""
    data = load(data_of(name, None)[0])
    rows = []
    for params in networks():
        architecture = SPACE.architecture(params)
        counted = cost(architecture, data.image).to_json()
        rows.append({"digest": architecture.digest, **proxies(params, data), **{key: counted[key] for key in COUNTED}})
    return pd.DataFrame(rows)


def correlations(table: pd.DataFrame, found: pd.DataFrame) -> dict[str, float]:
    """Return Spearman's rank correlation of each column with the mean accuracy after full training."""
    last = table[table["epoch"] == table["epoch"].max()]
    final = found["digest"].map(last.groupby("digest")["accuracy"].mean())
    there = final.notna()
    return {name: float(spearmanr(found.loc[there, name], final[there]).statistic) for name in [*COUNTED, *PROXIES]}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.proxies", description=__doc__)
    parser.add_argument("table", type=Path, help="recorded trainings of the digits")
    parser.add_argument("--out", type=Path, help="write the table with a column for each proxy there")
    given = parser.parse_args()
    table, found = pd.read_csv(given.table), judged("digits")
    for name, correlation in correlations(table, found).items():
        print(f"{name:15} {correlation:+.3f}")
    if given.out:
        # A known column is read on a logarithmic axis, so it has to lie above 0.
        above = {
            name: np.exp(found[name] - found[name].max()) if name == "synflow" else found[name] for name in PROXIES
        }
        columns = pd.DataFrame({"digest": found["digest"], **above})
        columns["naswot"] -= columns["naswot"].min() - 1
        table.merge(columns, on="digest").to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
