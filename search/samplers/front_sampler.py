"""Propose the network by which the front is expected to gain most: costs are known, so only quality is modelled.

A sampler as any other of Optuna's, for studies whose trials suggest what a catalogue offers.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from search.models.extrapolation import Axis, Expected, draws_at, expected
from search.models.improvement import attainment, cost_bounds, expected_gain, integration_points
from search.models.pareto import front
from search.samplers.candidates import Array, Network, Pool, Scale
from search.samplers.catalogue import Catalogue, Coordinate

if TYPE_CHECKING:
    from search.models.surrogate import Surrogate

N_STARTUP_TRIALS = 10  # trials over all costs before the model is asked
MIN_COMPLETE = 3  # of them trained in full
RUNG = "rung:"  # a trial's attribute `rung:3` holds what it showed in epoch 3: the values of all objectives
MOST_KNOWN = 500  # trials that the model learns from
ADJUST = 1.05  # the kernel is fitted anew once there are so many times more trials
FADE = 10  # trials that a person's weights are worth: the gain of a network counts (its prior) ** (FADE / trials) times
WORST = 0.75  # share of the space whose expected error counts as an error at all
MILDNESS = 0.05  # of several learned objectives, what the better ones count beside the worst
TAIL_CUT = 3.0  # errors are cut where they are so many times farther above the median than the best is below


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
        self._known = len(costs) - len(self._learned)
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
        past = self._past(study, trial.number)
        fresh = [network for network in self._pool.networks if network.identity not in past.tried]
        if not fresh:
            return dict(self._pool.draw())
        if len(past.done) < MIN_COMPLETE or len(past.done) + len(past.partial) < N_STARTUP_TRIALS:
            return dict(self._first(fresh, len(past.tried)).params)
        with threadpool_limits(1):  # the matrices are small, and other cores train
            return dict(self._best(study, past, fresh).params)

    def _past(self, study: Study, number: int) -> "_Past":
        """Return what became of the trials so far."""
        past = _Past()
        for trial in study.get_trials(deepcopy=False):
            network = self._pool.known(trial.params) if trial.params and trial.number != number else None
            if network is not None and (network.allowed or _taught(trial)):
                past.add(trial, network)
        return past

    def _first(self, fresh: list[Network], count: int) -> Network:
        """Return a network of another cost than those before: the first ones are spread over all costs."""
        ordered = sorted(fresh, key=lambda network: network.costs[:1])
        place, step = 0.0, 0.5
        while count:  # 0, 1/2, 1/4, 3/4, 1/8 and so on
            place, count, step = place + step * (count % 2), count // 2, step / 2
        start = int(place * len(ordered))
        there = ordered[start : start + max(1, len(ordered) // (2 * N_STARTUP_TRIALS))]
        return self._rng.choices(there, [network.prior for network in there])[0]

    def _best(self, study: Study, past: "_Past", fresh: list[Network]) -> Network:
        """Return the network by which the front is expected to gain most."""
        self._scale = self._scale or Scale(fresh)
        trained, partial = past.most(MOST_KNOWN)
        error = self._error(study, np.array([past.done[network] for network in trained], dtype=np.float64))
        known = _expected(error, past, trained, partial)
        features = self._scale([*trained, *partial])
        model = self._model(features, known)
        within = np.array([network.allowed for network in trained])  # constraints may have changed: the others teach
        truth = model.trained(features, known.middle)[: len(trained)][within]
        trained = list(compress(trained, within))
        best = list(compress(trained, front(np.column_stack([truth, self._costs(trained)]))))
        candidates = fresh + (self._pool.close(best, past.tried) if best else [])
        shown = set(past.partial)
        running = [network for network in past.running if network not in shown]
        resting = [network for network in past.running if network in shown]
        if running:  # as if they had shown what is expected of them: the next one is for something else
            waiting = self._scale(running)
            believed = model.predict(waiting).mean
            truth = np.concatenate([truth, believed])
            zeros = np.zeros(len(believed))
            known = Expected(np.concatenate([known.middle, believed]), np.concatenate([known.deviation, zeros]))
            model.fit(np.concatenate([features, waiting]), known.middle, known.deviation**2, adjust=False)
        if resting:
            truth = np.concatenate([truth, model.predict(self._scale(resting)).mean])
        belief = model.predict(self._scale(candidates))
        worst = float(np.quantile(belief.mean[: len(fresh)], WORST))
        costs = self._costs(candidates)
        points = integration_points(*cost_bounds(costs))
        heights = attainment(points, self._costs([*trained, *running, *resting]), truth, worst)
        gain = expected_gain(points, heights, costs, belief.mean, belief.deviation)
        wanted = np.array([network.prior for network in candidates]) ** (FADE / len(known.middle))
        return candidates[int((gain * wanted).argmax())]

    def _costs(self, networks: Sequence[Network]) -> Array:
        """Return the known objectives `n k` of networks, of which there may be none."""
        return np.array([network.costs for network in networks], dtype=np.float64).reshape(len(networks), self._known)

    def _error(self, study: Study, done: Array) -> "_Error":
        """Return how the objectives make one error: of several learned ones by weights drawn for this proposal."""
        signs = np.array([-1.0 if way is StudyDirection.MAXIMIZE else 1.0 for way in study.directions])
        return _Error(done, signs, self._learned, np.array([self._rng.expovariate(1) for _ in self._learned]))

    def _model(self, features: Array, known: Expected) -> "Surrogate":
        """Return the surrogate, having learned."""
        from search.models.surrogate import Surrogate  # half a second of a processor, and first needed here

        self._surrogate = self._surrogate or Surrogate(features.shape[1])
        adjust = len(features) >= max(self._adjusted + 3, ADJUST * self._adjusted)
        self._surrogate.fit(features, known.middle, known.deviation**2, adjust=adjust)
        self._adjusted = len(features) if adjust else self._adjusted
        return self._surrogate


def _taught(trial: FrozenTrial) -> bool:
    """Whether training has shown anything of a network."""
    return trial.state is TrialState.COMPLETE or any(rung_of(name) is not None for name in trial.user_attrs)


class _Past:
    """Sort networks by what became of their trials."""

    def __init__(self) -> None:
        self.done: dict[Network, Sequence[float]] = {}  # trained in full, with their values
        self.rungs: dict[Network, dict[int, Sequence[float]]] = {}  # what each showed on its way, by epoch
        self.running: list[Network] = []
        self.tried: set[str] = set()  # by identity

    def add(self, trial: FrozenTrial, network: Network) -> None:
        """Take in what became of one."""
        self.tried.add(network.identity)
        shown = {rung: trial.user_attrs[name] for name in trial.user_attrs if (rung := rung_of(name)) is not None}
        if shown:
            self.rungs[network] = shown
        if trial.state is TrialState.COMPLETE:
            self.done[network] = trial.values
        elif trial.state is TrialState.RUNNING:
            self.running.append(network)

    @property
    def partial(self) -> list[Network]:
        """Return those that showed something, and not all."""
        return [network for network in self.rungs if network not in self.done]

    def most(self, count: int) -> tuple[list[Network], list[Network]]:
        """Return the latest that were trained in full, and the latest partial ones, so many in all."""
        done = list(self.done)[-count:]
        left = count - len(done)
        return done, self.partial[-left:] if left else []


class _Error:
    """Make one error of the learned objectives: of several, the worst by weights."""

    def __init__(self, done: Array, signs: Array, learned: list[int], weights: Array) -> None:
        self._signs, self._learned = signs, learned
        errors = self._minimised(done)
        self._low, self._span = errors.min(axis=0), np.maximum(np.ptp(errors, axis=0), 1e-12)
        self._weights = weights / weights.sum()
        single = self._single(errors)
        middle, best = np.median(single), single.min()
        self._most = middle + TAIL_CUT * (middle - best)

    def __call__(self, values: Array) -> Array:
        """Return the errors `n` of objective values `n m`, cut where they are out of all proportion."""
        return np.asarray(np.minimum(self._single(self._minimised(values)), self._most))

    def uncut(self, values: Array) -> Array:
        """Return the errors `n` as they are."""
        return self._single(self._minimised(values))

    def _minimised(self, values: Array) -> Array:
        return np.asarray((values * self._signs)[:, self._learned])

    def _single(self, errors: Array) -> Array:
        if errors.shape[1] == 1:
            return np.asarray(errors[:, 0])
        scaled = (errors - self._low) / self._span * self._weights
        return np.asarray(scaled.max(axis=1) + MILDNESS * scaled.sum(axis=1))


def _expected(error: _Error, past: _Past, trained: list[Network], partial: list[Network]) -> Expected:
    """Return what is known of networks: of those trained in full their error, of others what they will come to."""
    final = error(np.array([past.done[network] for network in trained], dtype=np.float64))
    latest = [max(past.rungs[network]) for network in partial]

    def examples(epoch: int) -> tuple[Array, Array]:
        there = [place for place, network in enumerate(trained) if epoch in past.rungs.get(network, {})]
        return _shown(error, [past.rungs[trained[place]][epoch] for place in there]), final[there]

    def everyone(epoch: int) -> Array:
        return _shown(error, [shown[epoch] for shown in past.rungs.values() if epoch in shown])

    shown = _shown(error, [past.rungs[network][epoch] for network, epoch in zip(partial, latest, strict=True)])
    told = expected(draws_at(Axis(final), everyone, examples, latest, shown))
    zeros = np.zeros(len(final))
    return Expected(np.concatenate([final, told.middle]), np.concatenate([zeros, told.deviation]))


def _shown(error: _Error, values: Sequence[Sequence[float]]) -> Array:
    """Return the errors at a rung, which may be out of all proportion to final ones: these are not cut."""
    return error.uncut(np.array(values, dtype=np.float64)) if values else np.empty(0)


def rung_attr(epoch: int) -> str:
    """Return the name of a trial's attribute that holds what it showed at a rung."""
    return f"{RUNG}{epoch}"


def rung_of(name: str) -> int | None:
    """Return the epoch of the rung that an attribute is of, or None where it is of none."""
    return int(name.removeprefix(RUNG)) if name.startswith(RUNG) else None
