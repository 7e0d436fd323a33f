"""BoTorch's qLogNoisyExpectedHypervolumeImprovement over rows of the table, each trained in full.

Logarithms of costs and plain errors are what it models, each by a Gaussian process; choices are one column each.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.model_list_gp_regression import ModelListGP
from botorch.optim import optimize_acqf_discrete
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.mlls import SumMarginalLogLikelihood
from torch import Tensor

from tests.benchmarks.peers.axes import axes
from tests.benchmarks.peers.loop import MakePeer, Setting, Verdict, Work

RANDOM = 10  # first trials
CANDIDATES = 1000  # rows among which the best is chosen
DRAWS = 128
ITERATIONS = 100  # of a fit, where BoTorch has no limit


class BoTorchPeer:
    """Take the row, of those drawn, by which the hypervolume is expected to grow most. No row is taken twice."""

    resumes = False

    def __init__(self, setting: Setting) -> None:
        features = setting.rows.features
        low, high = features.min(axis=0), features.max(axis=0)
        self.features = torch.tensor((features - low) / np.where(high > low, high - low, 1.0))  # n d
        self.axes = axes(setting.recordings)
        self.rng = random.Random(setting.seed)
        self.seed = setting.seed
        self.rows: dict[int, int] = {}  # by the number of the trial
        self.shown: dict[int, list[float]] = {}  # by the row, maximised

    def ask(self, number: int) -> Work:
        taken = set(self.rows.values())
        left = [row for row in range(len(self.features)) if row not in taken]
        drawn = self.rng.sample(left, min(CANDIDATES, len(left)))
        self.rows[number] = drawn[0] if number < RANDOM or len(self.shown) < 2 else self._best(drawn)
        return number, self.rows[number]

    def _best(self, drawn: Sequence[int]) -> int:
        torch.manual_seed(self.seed * 1_000_003 + len(self.rows))
        known = list(self.shown)
        x, y = self.features[known], torch.tensor([self.shown[row] for row in known], dtype=torch.float64)
        pending = [row for row in self.rows.values() if row not in self.shown]
        gain = qLogNoisyExpectedHypervolumeImprovement(
            model=_fitted(x, y),
            ref_point=y.min(dim=0).values.tolist(),
            X_baseline=x,
            X_pending=self.features[pending] if pending else None,
            sampler=SobolQMCNormalSampler(torch.Size([DRAWS]), seed=self.seed),
            prune_baseline=True,
        )
        choices = self.features[list(drawn)]
        best, _ = optimize_acqf_discrete(gain, q=1, choices=choices, max_batch_size=256)
        return drawn[int((choices - best).abs().sum(dim=1).argmin())]

    def report(self, _number: int, _epoch: int, _values: list[float]) -> Verdict:
        return Verdict.GO

    def end(self, number: int, _epoch: int, values: list[float]) -> None:
        self.shown[self.rows[number]] = [-axis.read(value) for axis, value in zip(self.axes, values, strict=True)]

    def fail(self, number: int) -> None:
        """Leave it pending: BoTorch has no word for a failure."""


def _fitted(x: Tensor, y: Tensor) -> ModelListGP:
    """Return one Gaussian process for each objective.

    Args:
        x: rows that were trained `t d`, in [0, 1].
        y: what they showed `t m`.
    """
    model = ModelListGP(*(SingleTaskGP(x, y[:, place : place + 1]) for place in range(y.shape[1])))
    likelihood = SumMarginalLogLikelihood(model.likelihood, model)
    fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": ITERATIONS}})
    return model


PEERS: dict[str, MakePeer] = {"botorch-qlognehvi": BoTorchPeer}
