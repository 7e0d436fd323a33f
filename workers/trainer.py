"""Train one network and measure it after every epoch, as a plain generator: no Ray, no Optuna, no SQL.

Randomness is a function of the trial's seed and the epoch alone, so a checkpoint needs no generator's state, and a
trial that goes on after being killed computes on a CPU what it would have computed without.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.errors import InputError, TrialFailure
from spaces.network import build, monte_carlo
from workers import balance, classification
from workers.augment import Augment, augment
from workers.checkpoint import Checkpoint
from workers.classification import Evaluation
from workers.datasets import Dataset
from workers.device import peak_bytes, start_peak
from workers.kinds import FailureKind
from workers.latency import measure_latency
from workers.measurement import TRAIN_LOSS, Measurement
from workers.numerics import Numerics, usual
from workers.objectives import OBJECTIVES, finite
from workers.optimizer import AdamW, Flat, Sgd
from workers.packages import require
from workers.pulse import MEASURING, SAVING, TRAINING, Beat, no_beat
from workers.recipe import Recipe
from workers.sources import DataSpec
from workers.tasks import CLASSIFICATION

EVAL_BATCH = 512
RECALIBRATE = 512  # training images that normalisations are measured on before each evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSpec:
    """What one trial trains: plain values, so that it can travel."""

    architecture: Architecture
    recipe: Recipe
    data: DataSpec
    seed: int
    measures: tuple[str, ...] = ()  # objectives to measure beside those that always are
    fingerprint: str = ""  # of what is trained on, where it is known: images are the same wherever they lie
    start: str = ""  # SHA-256 of the weights that it begins with; nothing: drawn by the seed
    packages: Mapping[str, str] = field(default_factory=dict)  # that it needs, with the hashes of their sources

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {
            "architecture": self.architecture.to_json(),
            "recipe": self.recipe.to_json(),
            "data": self.data.to_json(),
            "seed": self.seed,
            "measures": list(self.measures),
            "fingerprint": self.fingerprint,
            "start": self.start,
            "packages": dict(self.packages),
        }

    def trains_as(self, other: "TrialSpec") -> bool:
        """Return whether another means the same training: where the images lie does not count, where they are known."""
        mine, theirs = (replace(each, data=each.data.anywhere(), fingerprint="") for each in (self, other))
        if self.fingerprint and other.fingerprint:
            return mine == theirs and self.fingerprint == other.fingerprint
        understood = [(each.data.scale, each.data.channels) for each in (self, other)]
        return mine == theirs and understood[0] == understood[1]

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TrialSpec":
        """Return the specification that `to_json` described, with the packages loaded that it needs.

        Raises:
            InputError: a package is not here, or is another version.
        """
        require({"packages": {}, **fields}["packages"])  # files of before name none
        return cls(
            architecture=Architecture.from_json(fields["architecture"]),
            recipe=Recipe.from_json(fields["recipe"]),
            data=DataSpec.from_json(fields["data"]),
            seed=fields["seed"],
            measures=tuple(fields.get("measures", ["latency_ms"] if fields.get("latency") else [])),  # of before
            fingerprint=fields.get("fingerprint", ""),
            start=fields.get("start", ""),
            packages=fields.get("packages", {}),
        )


def train(
    spec: TrialSpec,
    data: Dataset,
    *,
    checkpoint_path: str | Path | None = None,
    beat: Beat = no_beat,
    pick: Callable[[str | None], Numerics] | None = None,
    taken_up: Callable[[int, str], object] = lambda _epochs, _why: None,
    start: Mapping[str, Tensor] | None = None,
    measured: Collection[int] | None = None,
) -> Iterator[Measurement]:
    """Train to full fidelity and yield a measurement after every epoch.

    Args:
        spec: what to train.
        data: already on the device that trains; its specification is `spec.data`.
        checkpoint_path: or its URL; written before each measurement is yielded. If it holds this trial's progress, the
            measurements made so far are yielded again, as they were, and training goes on behind them.
        beat: called with the phase at every step, so that somebody can see that there are any.
        pick: returns the precision and layout, given the name of that in which the checkpoint was trained, or None;
            without it they are the recipe's, as `workers.numerics.usual` reads it.
        taken_up: called once with the epochs that the checkpoint holds of this trial, and with what it is where it
            holds none.
        start: weights to begin with, by name; `spec.start` tells which.
        measured: the epochs after which the network is measured; nothing: all. After others only the loss in training
            is known, and after the last one it is measured in any case. It is no part of what a training is.

    Raises:
        InputError: the weights to begin with are of another network.
        TrialFailure: the loss or a gradient is not finite.
        OSError: the checkpoint cannot be written, or may be there and cannot be reached; what is there stays.
    """
    checkpoint = None if checkpoint_path is None else Checkpoint(checkpoint_path)
    found = checkpoint.load() if checkpoint is not None else None
    state = found if is_of(spec, found) else None
    before = state.get("numerics") if state else None
    trainer = Trainer(spec, data, beat, pick(before) if pick else usual(spec.recipe, data.train_images.device, before))
    if state is not None:
        trainer.resume(state)
    elif start is not None:
        trainer.begin_with(start)
    taken_up(trainer.epoch, "" if state else "is missing or damaged" if found is None else "is of another training")
    yield from trainer.history
    while trainer.epoch < spec.recipe.epochs:
        epoch = trainer.epoch + 1
        measurement = trainer.run_epoch(measure=measured is None or epoch in measured or epoch == spec.recipe.epochs)
        if checkpoint is not None:
            beat(SAVING)
            checkpoint.save(trainer.state())
        yield measurement


def is_of(spec: TrialSpec, state: dict[str, Any] | None) -> bool:
    """Whether a checkpoint's state is of this training, read with today's defaults.

    A field that did not exist when it was written was as it is now unless told.
    """
    if state is None:
        return False
    try:
        return TrialSpec.from_json(state["spec"]).trains_as(spec)
    except (KeyError, TypeError, InputError):  # of a version that knew more, or no checkpoint of a trial
        return False


class Trainer:
    """One network in training, between epochs."""

    def __init__(self, spec: TrialSpec, data: Dataset, beat: Beat = no_beat, numerics: Numerics | None = None) -> None:
        self.spec = spec
        self.beat = beat
        self.data = data
        self.device = data.train_images.device
        self.history: tuple[Measurement, ...] = ()
        self.evaluation: Evaluation | None = None  # of the latest epoch
        start_peak(self.device)
        self.numerics = numerics or usual(spec.recipe, self.device)
        self.numerics.apply()
        network = build(spec.architecture, data.image, generator=torch.Generator().manual_seed(spec.seed))
        self.network = network.to(self.device).to(memory_format=self.numerics.memory_format)
        self.optimizer = _optimizer(self.network, spec.recipe)
        self.augment = augmentation(spec.recipe, data.augment)
        # Drawn once, at random: files of images often come sorted by class. In the classes' own shares however training
        # draws them: few images of a small class, many times each, tell its statistics worse.
        drawn = torch.randperm(len(data.train_labels), generator=torch.Generator().manual_seed(spec.seed))
        self.calibration = drawn[:RECALIBRATE].to(self.device)
        weighs = spec.recipe.balance == "weights"
        self.weights = balance.weights(data.train_labels, data.classes) if weighs else None
        scale = (data.std * 255).reshape(1, -1, 1, 1)
        self.scale = (1 / scale).to(self.device)
        self.shift = (data.mean.reshape(1, -1, 1, 1) / (scale / 255)).to(self.device)

    @property
    def epoch(self) -> int:
        """Return how many epochs are trained."""
        return len(self.history)

    def run_epoch(self, *, measure: bool = True) -> Measurement:
        """Train one epoch, measure the network, if that is wanted, and return what is known."""
        began = time.perf_counter()
        with self._drawing(_epoch_seed(self.spec.seed, self.epoch)):
            train_loss = self._train()
        trained = time.perf_counter()
        metrics = self._measure() if measure else {}
        measurement = Measurement(
            epoch=self.epoch + 1,
            metrics={**metrics, TRAIN_LOSS: train_loss},
            train_s=trained - began,
            eval_s=time.perf_counter() - trained,
        )
        self.history = (*self.history, measurement)
        return measurement

    def _measure(self) -> dict[str, float]:
        """Return what the network comes to, in everything that is measured."""
        self._recalibrate()
        if len(self.data.val_labels):
            with self._drawing(_epoch_seed(self.spec.seed, -1 - self.epoch)):  # other draws than those of any training
                self.evaluation = self._evaluate()
        return {name: self._measured(name) for name in self.measures}

    def evaluated(self) -> dict[str, float]:
        """Return what the network, as it stands, comes to on the images that it is measured on; nothing of its cost."""
        with self._drawing(_epoch_seed(self.spec.seed, -1 - self.epoch)):
            self.evaluation = self._evaluate()
        names = [name for name in self.measures if OBJECTIVES[name].quality]
        return {name: self._measured(name) for name in names}

    def predicted(self) -> Tensor:
        """Return what the network, as it stands, says of the images that it is measured on: logits `n k`, on the CPU.

        They may be other than finite, where something was taken out of the network.
        """
        with self._drawing(_epoch_seed(self.spec.seed, -1 - self.epoch)):
            return self._seen(keep=True).logits

    def _measured(self, name: str) -> float:
        """Return what an objective has found of the network, as it stands."""
        measure = _measure(name)  # first, as it says where nothing is known by the name
        return finite(OBJECTIVES[name], measure(self), self.epoch + 1)

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the names of what is measured after each epoch; nothing of quality, where no images are for it."""
        names = (*CLASSIFICATION.always, *self.spec.measures)
        return names if len(self.data.val_labels) else tuple(n for n in names if not OBJECTIVES[n].quality)

    @property
    def peak_bytes(self) -> int:
        """Return the most memory held so far, on the device (CUDA) or by the process (CPU)."""
        return peak_bytes(self.device)

    def latency_ms(self) -> float:
        """Return the median milliseconds for one image."""
        found = measure_latency(self.network, self.data.image, batch=1, device=self.device, numerics=self.numerics)
        return found.median_ms

    def first(self, name: str) -> float | None:
        """Return what a metric was in the first epoch that was measured."""
        return next((each.metrics[name] for each in self.history if name in each.metrics), None)

    def state(self) -> dict[str, Any]:
        """Return everything that `resume` needs; at full fidelity that is no optimizer, half of it all."""
        return {
            "spec": self.spec.to_json(),
            "numerics": self.numerics.name,
            "preprocess": self.data.preprocess.to_json(),  # so that the weights can be used without the data
            "network": {name: held.clone() for name, held in self.network.state_dict().items()},  # no views of one
            "optimizer": self.optimizer.state_dict() if self.epoch < self.spec.recipe.epochs else None,
            "history": [measurement.to_json() for measurement in self.history],
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint of the same trial holds."""
        self.network.load_state_dict(state["network"])
        if state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.history = tuple(Measurement.from_json(fields) for fields in state["history"])

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take other weights in the place of those that the seed drew.

        Raises:
            InputError: they are of another network.
        """
        load_weights(self.network, weights)

    def _train(self) -> float:
        count = len(self.data.train_labels)
        batch = min(self.spec.recipe.batch_size, count)
        steps = count // batch  # a last, smaller batch is left out, as its statistics would be noisier
        generator = torch.Generator(self.device).manual_seed(_epoch_seed(self.spec.seed, self.epoch))
        alike = self.spec.recipe.balance == "sampling"
        shuffled = balance.drawn(self.data.train_labels, generator, alike=alike)
        self.network.train()
        total = torch.zeros((), device=self.device)
        for step in range(steps):
            self.beat(TRAINING)
            total += self._loss(shuffled[step * batch : (step + 1) * batch], generator)
            self.optimizer.step(learning_rate(self.spec.recipe, self.epoch + step / steps))
        self._check_finite(total)
        return float(total) / steps

    def _loss(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of a batch, with its gradients where the optimizer takes them."""
        images = augment(self._normalised(self.data.train_images[chosen]), self.augment, generator)
        with self._autocast():
            logits = self.network(images)
        labels = self.data.train_labels[chosen]
        smoothing = self.spec.recipe.label_smoothing
        loss = classification.loss(logits, labels, smoothing=smoothing, weights=self.weights)
        self.optimizer.zero()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub
        return loss.detach()

    @torch.inference_mode()
    def _recalibrate(self) -> None:
        """Measure the statistics that normalisations use at evaluation anew, with the weights as they now are.

        Running averages lag behind weights that move fast: without this, deep networks measured at chance after
        their first epochs, when a rung decides whether they go on.
        """
        norms = [layer for layer in self.network.modules() if isinstance(layer, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        self.network.eval()  # dropout is off, as it will be when the statistics are used
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over what follows
            norm.train()
        batch = min(self.spec.recipe.batch_size, len(self.calibration))
        for start in range(0, len(self.calibration) - batch + 1, batch):  # as in training, no smaller batch at the end
            self.beat(MEASURING)
            chosen = self.calibration[start : start + batch]
            with self._autocast():
                self.network(self._normalised(self.data.train_images[chosen]))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _evaluate(self) -> Evaluation:
        more = any(OBJECTIVES[name].quality for name in self.spec.measures if name in OBJECTIVES)
        evaluation = self._seen(keep=more)
        self._check_finite(evaluation.total_loss)
        return evaluation

    @torch.inference_mode()
    def _seen(self, *, keep: bool) -> Evaluation:
        self.network.eval()
        evaluation = Evaluation(self.data.classes, self.device, keep=keep)
        for start in range(0, len(self.data.val_labels), EVAL_BATCH):
            self.beat(MEASURING)
            images = self.data.val_images[start : start + EVAL_BATCH]
            labels = self.data.val_labels[start : start + EVAL_BATCH]
            evaluation.add(self._logits(self._normalised(images)), labels)
        return evaluation

    def _logits(self, images: Tensor) -> Tensor:
        """Return logits `n k`: of one pass without dropout, or the logarithm of the mean probabilities of several."""
        if not self.spec.recipe.monte_carlo:
            with self._autocast():
                logits: Tensor = self.network(images)
            return logits
        total = torch.full((), -math.inf, device=self.device)
        for _ in range(self.spec.recipe.monte_carlo):
            self.beat(MEASURING)
            with monte_carlo(self.network), self._autocast():
                logits = self.network(images)
            total = torch.logaddexp(total, logits.float().log_softmax(dim=1))
        return total - math.log(self.spec.recipe.monte_carlo)

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Let dropout draw by the seed: it draws from torch's global generator, which is given back as it was found."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def _normalised(self, images: Tensor) -> Tensor:
        scaled = images.to(memory_format=self.numerics.memory_format, dtype=torch.float32)
        return scaled.mul_(self.scale).sub_(self.shift)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.numerics.bfloat16)

    def _check_finite(self, total: Tensor) -> None:
        """Refuse to go on with what cannot recover.

        Once an epoch is enough: a value that is not finite stays so through the momentum, and asking a GPU at every
        step would stall it.
        """
        for name, value in (("loss", float(total)), ("gradient", float(self.optimizer.largest()))):
            if not math.isfinite(value):
                raise TrialFailure(FailureKind.NOT_FINITE, f"the {name} is {value} in epoch {self.epoch + 1}")


def load_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a network.

    Raises:
        InputError: they are of another one.
    """
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:  # torch's only word for it, of many lines
        raise InputError("they are of another network", place="--weights") from error


def _measure(name: str) -> Callable[[Any], float]:
    """Return what measures an objective.

    Raises:
        TrialFailure: no worker here knows it.
    """
    objective = OBJECTIVES.get(name)
    if objective is None or objective.measure is None:
        raise TrialFailure(FailureKind.DATA, f"nothing here measures {name!r}")
    return objective.measure


def augmentation(recipe: Recipe, own: Augment) -> Augment:
    """Return how images are changed: as the data say, but for what the recipe says otherwise."""
    crop, cutout = recipe.crop, recipe.cutout
    return replace(own, crop=own.crop if crop is None else crop, cutout=own.cutout if cutout is None else cutout)


def learning_rate(recipe: Recipe, epochs: float) -> float:
    """Return the rate after this many epochs: a linear warm-up, then by the schedule, down to zero at full fidelity."""
    warmup = min(recipe.warmup_epochs, recipe.epochs / 2)
    if epochs < warmup:
        return recipe.learning_rate * (0.1 + 0.9 * epochs / warmup)
    share = min((epochs - warmup) / (recipe.epochs - warmup), 1.0)
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "linear":
        return recipe.learning_rate * (1 - share)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def _epoch_seed(seed: int, epoch: int) -> int:
    """Return a seed of its own for each epoch of each trial."""
    return (seed * 1_000_003 + epoch) % 2**63


def _optimizer(network: nn.Module, recipe: Recipe) -> Flat:
    if recipe.optimizer == "adamw":
        return AdamW(network, weight_decay=recipe.weight_decay, first_beta=recipe.momentum)
    return Sgd(network, weight_decay=recipe.weight_decay, momentum=recipe.momentum)
