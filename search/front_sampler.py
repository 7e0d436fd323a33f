"""Propose the network by which the front is expected to gain most: costs are known, so only quality is modelled.

A sampler as any other of Optuna's, for studies whose trials suggest what a catalogue offers.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from search.catalogue import Catalogue, Coordinate
from search.features import Array, Network, Scale
from search.gain import expected_gain, reached, readings
from search.pareto import front
from search.pool import Pool
from search.surrogate import Surrogate

FIRST = 10  # trials over all costs before the model is asked
MOST_KNOWN = 500  # trials that the model learns from
ADJUST = 1.05  # the kernel is fitted anew once there are so many times more trials
WORST = 0.75  # share of the space whose expected error counts as an error at all
MILD = 0.05  # of several learned objectives, what the better ones count beside the worst
TAIL = 3.0  # errors are cut where they are so many times farther above the median than the best is below


class FrontSampler(BaseSampler):
    """Search for the front of learned objectives against known ones."""

    def __init__(
        self,
        catalogue: Catalogue,
        distributions: Mapping[str, BaseDistribution],
        costs: Sequence[Coordinate | None],
        seed: int,
    ) -> None:
        """Take what there is to propose.

        Args:
            catalogue: of networks.
            distributions: of all parameters that a trial may suggest.
            costs: for each of the study's objectives how it is known, or None where training has to show it.
            seed: two samplers of one seed propose the same.
        """
        self._distributions = dict(distributions)
        self._learned = [index for index, cost in enumerate(costs) if cost is None]
        self._rng = random.Random(seed)
        self._random = RandomSampler(seed=seed)
        self._pool = Pool(catalogue, [cost for cost in costs if cost is not None], self._rng)
        self._scale: Scale | None = None
        self._surrogate: Surrogate | None = None
        self._adjusted = 0  # trials that the kernel was fitted on

    def reseed_rng(self) -> None:
        """Propose something else from now on."""
        self._rng.seed()
        self._random.reseed_rng()

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: ARG002  # as Optuna calls it
        """Return every parameter: all of them are proposed together."""
        return self._distributions

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Return any value, for a parameter that the catalogue does not know."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def sample_relative(
        self,
        study: Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002  # as Optuna calls it
    ) -> dict[str, Any]:
        """Return the parameters of the network to train next."""
        self._pool.refresh()
        done, running, stopped = self._past(study, trial.number)
        tried = {network.digest for network in (*done, *running, *stopped)}
        fresh = [network for network in self._pool.networks if network.digest not in tried]
        if not fresh:
            return dict(self._pool.draw())
        if len(done) < FIRST:
            return dict(self._first(fresh, len(tried)).params)
        with threadpool_limits(1):  # the matrices are small, and other cores train
            return dict(self._best(study, done, running, fresh).params)

    def _past(self, study: Study, number: int) -> tuple[dict[Network, Sequence[float]], list[Network], list[Network]]:
        """Return the networks that were trained in full, with their values, those on their way, and all others."""
        done: dict[Network, Sequence[float]] = {}
        running: list[Network] = []
        stopped: list[Network] = []
        for trial in study.get_trials(deepcopy=False):
            network = self._pool.find(trial.params) if trial.params and trial.number != number else None
            if network is not None and trial.state is TrialState.COMPLETE:
                done[network] = trial.values
            elif network is not None:
                (running if trial.state is TrialState.RUNNING else stopped).append(network)
        return done, running, stopped

    def _first(self, fresh: list[Network], count: int) -> Network:
        """Return a network of another cost than those before: the first ones are spread over all costs."""
        ordered = sorted(fresh, key=lambda network: network.costs[:1])
        place, step = 0.0, 0.5
        while count:  # 0, 1/2, 1/4, 3/4, 1/8 and so on
            place, count, step = place + step * (count % 2), count // 2, step / 2
        start = int(place * len(ordered))
        return self._rng.choice(ordered[start : start + max(1, len(ordered) // (2 * FIRST))])

    def _best(
        self, study: Study, done: dict[Network, Sequence[float]], running: list[Network], fresh: list[Network]
    ) -> Network:
        """Return the network by which the front is expected to gain most."""
        self._scale = self._scale or Scale(fresh)
        trained = list(done)[-MOST_KNOWN:]
        features = self._scale(trained)
        errors = self._errors(study, np.array([done[network] for network in trained], dtype=np.float64))
        model = self._model(features, errors)
        truth = model.trained(features, errors)
        best = front(np.column_stack([truth, _costs(trained)]))
        candidates = fresh + self._pool.close(list(compress(trained, best)), {*done, *running})
        if running:  # as if they had shown what is expected of them: the next one is for something else
            waiting = self._scale(running)
            believed = model.predict(waiting).mean
            features, errors = np.concatenate([features, waiting]), np.concatenate([errors, believed])
            truth = np.concatenate([truth, believed])
            model.fit(features, errors, adjust=False)
        belief = model.predict(self._scale(candidates))
        worst = float(np.quantile(belief.mean[: len(fresh)], WORST))
        costs = _costs(candidates)
        points = readings(costs.min(axis=0), costs.max(axis=0))
        heights = reached(points, _costs(trained + running), truth, worst)
        gain = expected_gain(points, heights, costs, belief.mean, belief.deviation)
        return candidates[int(gain.argmax())]

    def _errors(self, study: Study, values: Array) -> Array:
        """Return the learned objectives as one error: of several, the worst by weights drawn for this proposal."""
        signs = np.array([-1.0 if way is StudyDirection.MAXIMIZE else 1.0 for way in study.directions])
        errors = (values * signs)[:, self._learned]
        if errors.shape[1] > 1:
            weights = np.array([self._rng.expovariate(1) for _ in self._learned])
            scaled = (errors - errors.min(axis=0)) / np.maximum(np.ptp(errors, axis=0), 1e-12) * weights / weights.sum()
            errors = scaled.max(axis=1, keepdims=True) + MILD * scaled.sum(axis=1, keepdims=True)
        middle, best = np.median(errors), errors.min()
        return np.asarray(np.minimum(errors[:, 0], middle + TAIL * (middle - best)))

    def _model(self, features: Array, errors: Array) -> Surrogate:
        """Return the surrogate, having learned."""
        self._surrogate = self._surrogate or Surrogate(features.shape[1])
        adjust = len(errors) >= max(self._adjusted + 3, ADJUST * self._adjusted)
        self._surrogate.fit(features, errors, adjust=adjust)
        self._adjusted = len(errors) if adjust else self._adjusted
        return self._surrogate


def _costs(networks: Sequence[Network]) -> Array:
    return np.array([network.costs for network in networks], dtype=np.float64).reshape(len(networks), -1)
