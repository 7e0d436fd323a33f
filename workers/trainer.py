"""Train one network and measure it after every epoch, as a plain generator: no Ray, no Optuna, no SQL.

Randomness is a function of the trial's seed and the epoch alone, so a checkpoint needs no generator's state, and a
trial that goes on after being killed computes on a CPU what it would have computed without.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spaces.architecture import Architecture
from spaces.errors import InputError, TrialFailure
from spaces.network import build, monte_carlo
from workers import balance, classification, saving
from workers.augment import Augment
from workers.batches import Scale, batches
from workers.calibration import LAST_BATCHES, averaged, norms, untracked
from workers.checkpoint import Checkpoint
from workers.classification import Evaluation
from workers.company import NOBODY, Company
from workers.compiling import Compiling
from workers.datasets import Dataset
from workers.device import Laps, leaving
from workers.flow import flow
from workers.kinds import FailureKind
from workers.latency import measure_latency
from workers.measurement import ALONE, TRAIN_LOSS, Flow, Measurement
from workers.numerics import Numerics, casts, set_cuda, usual
from workers.objectives import OBJECTIVES, finite
from workers.optimizer import AdamW, Flat, Sgd
from workers.packages import require
from workers.pulse import MEASURING, SAVING, TRAINING, WAITING, Beat, no_beat
from workers.recipe import Recipe
from workers.sharing import Sharing
from workers.sources import DataSpec
from workers.tasks import CLASSIFICATION

EVAL_BATCH = 512  # images evaluated at once, on a GPU at least:
EVAL_BATCHES = 8  # of training, which keeps every map of a batch where evaluation keeps two or three
FLOWING = 128  # training images by which it is told what comes through each block, in batches as large as training's
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
    decided: Collection[int] | None = None,
    trained: Callable[[int], object] = lambda _epoch: None,
    flow: bool = False,
    company: Company = NOBODY,
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
        decided: the epochs after which somebody may end the training; nothing: those that are measured, and none where
            all are. After others the next epoch is trained in any case, on a GPU before they are told.
        trained: called with each epoch as soon as it is trained, however long until it is told.
        flow: record what comes through each block where the network is measured; it is no part of that either.
        company: of others that are trained in this process.

    Raises:
        InputError: the weights to begin with are of another network.
        TrialFailure: the loss or a gradient is not finite.
        OSError: the checkpoint cannot be written, or may be there and cannot be reached; what is there stays.
    """
    checkpoint = None if checkpoint_path is None else Checkpoint(checkpoint_path)
    trainer, why = begin(spec, data, checkpoint, beat=beat, pick=pick, start=start, company=company)
    taken_up(trainer.epoch, why)
    yield from trainer.history
    decided = sorted((measured if decided is None else decided) or ())
    epochs = _epochs(trainer, decided, trained, measured=measured, flow=flow)
    if checkpoint is None:
        yield from (measurement for measurement, _ in epochs)
    elif saving.pays(trainer.device):
        yield from _saved_beside(trainer, epochs, checkpoint)
    else:
        for measurement, _ in epochs:
            beat(SAVING)
            checkpoint.save(trainer.state())
            yield measurement


def _epochs(
    trainer: "Trainer",
    decided: Sequence[int],
    trained: Callable[[int], object],
    *,
    measured: Collection[int] | None,
    flow: bool,
) -> Iterator[tuple[Measurement, bool]]:
    """Yield what each epoch shows, and whether the next one is trained in any case."""
    last = trainer.spec.recipe.epochs
    while trainer.epoch < last:
        epoch = trainer.epoch + 1
        sure = next((each for each in decided if each >= epoch), last)
        measure = measured is None or epoch in measured or epoch == last
        found = trainer.run_epoch(measure=measure, flow=flow and measure, ahead=sure - epoch + 1)
        trained(epoch)
        yield found, epoch < sure


def _saved_beside(
    trainer: "Trainer", epochs: Iterator[tuple[Measurement, bool]], checkpoint: Checkpoint
) -> Iterator[Measurement]:
    """Yield what each epoch shows when its checkpoint is written: by then the next is trained, if it is in any case."""
    with saving.Saving(checkpoint) as writing:
        while True:
            try:
                found = next(epochs, None)
            except Exception:  # of the epoch behind the one that is still to be told
                yield from writing.told()
                raise
            trainer.beat(SAVING)  # as long as the one before is not written
            yield from writing.told()
            if found is None:
                return
            measurement, goes_on = found
            writing.begin(*trainer.leaving(), measurement)
            if not goes_on:
                yield from writing.told()


def begin(
    spec: TrialSpec,
    data: Dataset,
    checkpoint: Checkpoint | None,
    *,
    beat: Beat = no_beat,
    pick: Callable[[str | None], Numerics] | None = None,
    start: Mapping[str, Tensor] | None = None,
    company: Company = NOBODY,
) -> tuple["Trainer", str]:
    """Return a training where its checkpoint has left it, and what that is where it holds nothing: see `train`."""
    found = checkpoint.load() if checkpoint is not None else None
    state = found if is_of(spec, found) else None
    before = state.get("numerics") if state else None
    numerics = pick(before) if pick else usual(spec.recipe, data.train_images.device, before)
    trainer = Trainer(spec, data, beat, numerics, drawn=state is None and start is None, company=company)
    if state is not None:
        trainer.resume(state)
    elif start is not None:
        trainer.begin_with(start)
    return trainer, "" if state else "is missing or damaged" if found is None else "is of another training"


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

    def __init__(
        self,
        spec: TrialSpec,
        data: Dataset,
        beat: Beat = no_beat,
        numerics: Numerics | None = None,
        *,
        drawn: bool = True,
        company: Company = NOBODY,
    ) -> None:
        """Build the network; one that is not drawn has to take up weights before anything else."""
        self.spec = spec
        self.beat = beat
        self.company = company
        self.data = data
        self.device = data.train_images.device
        self.history: tuple[Measurement, ...] = ()
        self.evaluation: Evaluation | None = None  # of the latest epoch
        company.start_peak(self.device)
        self.numerics = numerics or usual(spec.recipe, self.device)
        self.numerics.apply()
        count = len(data.train_labels)
        self.batch = min(spec.recipe.batch_size, count)
        self.steps = count // self.batch  # of an epoch: a last, smaller batch is left out
        self.cuda = set_cuda(self.device, self.steps * spec.recipe.epochs)
        network = build(spec.architecture, data.image, generator=torch.Generator().manual_seed(spec.seed), drawn=drawn)
        self.network = network.to(self.device).to(memory_format=self.numerics.memory_format)
        self.compiling = Compiling(spec.recipe.compile)
        self.sharing = Sharing(self.device)
        self.is_alone = False  # while its latency was measured
        self.norms = norms(self.network)
        self.casts = self.numerics.bfloat16 and casts(self.network)
        self.optimizer = optimizer_of(self.network, spec.recipe)
        self.augment = augmentation(spec.recipe, data.augment)
        # Drawn once, at random: files of images often come sorted by class. In the classes' own shares however training
        # draws them: few images of a small class, many times each, tell its statistics worse.
        shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(spec.seed))
        self.calibration = shuffled[:RECALIBRATE].to(self.device)
        weighs = spec.recipe.balance == "weights"
        self.weights = balance.weights(data.train_labels, data.classes) if weighs else None
        self.scale = Scale.of(data, self.numerics.memory_format)

    @property
    def epoch(self) -> int:
        """Return how many epochs are trained."""
        return len(self.history)

    def run_epoch(self, *, measure: bool = True, flow: bool = False, ahead: int = 1) -> Measurement:
        """Train one epoch, measure the network and what comes through it, where wanted; return what is known.

        Args:
            measure: whether the network is measured.
            flow: whether what comes through it is recorded.
            ahead: epochs that will be trained in any case, this one among them.
        """
        if self.history and self.company.alone:  # in company the others would wait for the compiler
            self.compiling.consider(ahead * self.steps, self.history[-1].train_s / self.steps)
        with self.sharing.training(partial(self.beat, WAITING)):
            return self._epoch(measure=measure, flow=flow)

    def _epoch(self, *, measure: bool, flow: bool) -> Measurement:
        laps, waited_s = Laps(self.device), self.sharing.waited_s
        with self._drawing(epoch_seed(self.spec.seed, self.epoch)):
            total = self._train(keeping=0 if measure else LAST_BATCHES)
        waited_s = self.sharing.waited_s - waited_s
        laps.split()
        evaluation = self._look() if measure else None

        def seconds() -> tuple[float, float]:
            train_s, eval_s = laps.seconds()
            return max(0.0, train_s - waited_s), eval_s

        return self.conclude(total, evaluation, seconds, measure=measure, flow=flow)

    def conclude(
        self,
        total: Tensor,
        evaluation: Evaluation | None,
        seconds: Callable[[], tuple[float, float]],
        *,
        measure: bool,
        flow: bool = False,
        together: int = 1,
    ) -> Measurement:
        """Count an epoch as trained, and return what is known after it.

        Args:
            total: the sum of its steps' losses, on the device.
            evaluation: what the network says of the images that it is measured on.
            seconds: returns what training and measuring took, once the device has done all that it was given.
            measure: whether it is measured.
            flow: whether what comes through it is recorded.
            together: with how many networks, counting it, it was trained as one.

        Raises:
            TrialFailure: something is not finite.
        """
        self.evaluation = evaluation or self.evaluation
        train_loss = self._read(total, evaluation) / self.steps
        metrics = {name: self._measured(name) for name in self.measures} if measure else {}
        if "latency_ms" in metrics:
            known = self.first(ALONE)
            metrics[ALONE] = float(self.is_alone) if known is None else known
        through = self.flow() if flow else ()
        train_s, eval_s = seconds()
        metrics[TRAIN_LOSS] = train_loss
        measurement = Measurement(
            epoch=self.epoch + 1, metrics=metrics, train_s=train_s, eval_s=eval_s, together=together, flow=through
        )  # fmt: skip
        self.history = (*self.history, measurement)
        return measurement

    def advance(self, phase: str) -> None:
        """Tell that there is another step, before which somebody who measures may have the device alone."""
        self.sharing.give_way(partial(self.beat, WAITING))
        self.beat(phase)

    def _look(self) -> Evaluation | None:
        """Return what the network says of the images that it is measured on, where there are any."""
        self.recalibrate()
        if not len(self.data.val_labels):
            return None
        with self._drawing(epoch_seed(self.spec.seed, -1 - self.epoch)):  # other draws than those of any training
            return self._seen(self.data.val_images, self.data.val_labels, keep=self.keeps)

    def _read(self, total: Tensor, evaluation: Evaluation | None) -> float:
        """Bring what an epoch came to from the device, all of it at once, and return the sum of the steps' losses.

        Once an epoch is enough to find what is not finite: it stays so through the momentum, and asking a GPU at every
        step would stall it.
        """
        sums = evaluation.sums if evaluation is not None else ()
        self.company.waits(self.device)
        loss, gradient, *seen = torch.stack([total, self.optimizer.largest(), *sums]).tolist()
        self._check_finite(loss=loss, gradient=gradient)
        if evaluation is not None:
            self._check_finite(loss=seen[0])
            evaluation.read(*seen)
        return float(loss)

    def flow(self) -> tuple[Flow, ...]:
        """Return what comes through each block now, by the same few training images in every epoch."""
        batch = min(self.spec.recipe.batch_size, FLOWING, len(self.calibration))
        chosen = torch.split(self.calibration[:FLOWING], batch)
        losses = [(batch, partial(self._flowing, each)) for each in chosen if len(each) == batch]
        with self._drawing(self.spec.seed):  # a package's block may draw
            return flow(self.network, losses)

    def _flowing(self, chosen: Tensor) -> Tensor:
        """Return the loss of images that are not changed, as they would be trained on."""
        self.advance(MEASURING)
        with self.autocast():
            logits = self.network(self.scale(self.data.train_images[chosen]))
        labels, smoothing = self.data.train_labels[chosen], self.spec.recipe.label_smoothing
        return classification.loss(logits, labels, smoothing=smoothing, weights=self.weights)

    def evaluated(self) -> dict[str, float]:
        """Return what the network, as it stands, comes to on the images that it is measured on; nothing of its cost."""
        with self._drawing(epoch_seed(self.spec.seed, -1 - self.epoch)):
            self.evaluation = self._evaluate()
        names = [name for name in self.measures if OBJECTIVES[name].quality]
        return {name: self._measured(name) for name in names}

    def predicted(self) -> Tensor:
        """Return what the network, as it stands, says of the images that it is measured on: logits `n k`, on the CPU.

        They may be other than finite, where something was taken out of the network.
        """
        with self._drawing(epoch_seed(self.spec.seed, -1 - self.epoch)):
            return self._seen(self.data.val_images, self.data.val_labels, keep=True).logits

    def seen(self, images: Tensor, labels: Tensor) -> Evaluation:
        """Return what the network, as it stands, says of images; as `predicted`, it may be other than finite."""
        with self._drawing(epoch_seed(self.spec.seed, -1 - self.epoch)):
            return self._seen(images, labels, keep=False)

    def passed(self, images: Tensor) -> Tensor:
        """Return logits `n k` of one pass at evaluation, with what a gradient needs, where gradients are wanted."""
        self.network.eval()
        with self.autocast():
            logits: Tensor = self.network(self.scale(images))
        return logits

    def stepped(self) -> Tensor:
        """Take the steps of an epoch alone and return the sum of their losses, on the device; nothing is measured."""
        with self._drawing(epoch_seed(self.spec.seed, self.epoch)):
            return self._train(keeping=0)

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
        return self.company.peak_bytes(self.device)

    def latency_ms(self) -> float:
        """Return the median milliseconds for one image, where that can be with the device alone."""
        with self.sharing.alone(partial(self.beat, WAITING)) as self.is_alone:
            found = measure_latency(self.network, self.data.image, batch=1, device=self.device, numerics=self.numerics)
        return found.median_ms

    def first(self, name: str) -> float | None:
        """Return what a metric was in the first epoch that was measured."""
        return next((each.metrics[name] for each in self.history if name in each.metrics), None)

    def state(self) -> dict[str, Any]:
        """Return everything that `resume` needs; at full fidelity that is no optimizer, half of it all."""
        state, arrived = self.leaving()
        arrived()
        return state

    def leaving(self) -> tuple[dict[str, Any], Callable[[], None]]:
        """Return the state of now, whose tensors are on their way to the host, and what waits for them."""
        optimizer = self.optimizer.state_dict() if self.epoch < self.spec.recipe.epochs else None
        held = {"network": dict(self.network.state_dict()), "optimizer": optimizer}
        copied, arrived = leaving(held, self.device)  # no views
        state = {
            "spec": self.spec.to_json(),
            "numerics": self.numerics.name,
            "compiled": self.compiling.to_json(),
            "cuda": self.cuda,  # how it was set to compute; of a processor nothing
            "preprocess": self.data.preprocess.to_json(),  # so that the weights can be used without the data
            **copied,
            "history": [measurement.to_json() for measurement in self.history],
        }
        return state, arrived

    def resume(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint of the same trial holds."""
        self.network.load_state_dict(state["network"])
        if state["optimizer"] is not None:
            self.optimizer.load_state_dict(state["optimizer"])
        self.history = tuple(Measurement.from_json(fields) for fields in state["history"])
        self.compiling = Compiling(self.spec.recipe.compile, before=state.get("compiled", {}).get("on", False))

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take other weights in the place of those that the seed drew.

        Raises:
            InputError: they are of another network.
        """
        load_weights(self.network, weights)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the images and labels of each step of the next epoch."""
        generator = torch.Generator(self.device).manual_seed(epoch_seed(self.spec.seed, self.epoch))
        alike = self.spec.recipe.balance == "sampling"
        return batches(self.data, self.scale, self.augment, generator, size=self.batch, alike=alike)

    def _train(self, *, keeping: int) -> Tensor:
        """Train an epoch and return the sum of its losses, on the device; keep the statistics of the last batches."""
        drawn = enumerate(self.batches())
        self.network.train()
        total = torch.zeros((), device=self.device)
        with self.optimizer.in_bfloat16() if self.casts else nullcontext():
            with untracked(self.norms):
                for step, batch in islice(drawn, max(0, self.steps - keeping)):
                    total += self._step(step, *batch, compiling=self.compiling)
            if keeping:
                with averaged(self.norms):
                    for step, batch in drawn:
                        total += self._step(step, *batch)
        return total

    def _step(self, step: int, images: Tensor, labels: Tensor, *, compiling: Compiling | None = None) -> Tensor:
        """Train a batch and return its loss; what is compiled keeps no statistics."""
        self.advance(TRAINING)
        rate = learning_rate(self.spec.recipe, self.epoch + step / self.steps)
        if compiling is not None and (found := self.company.steps(self, images, labels, rate)) is not None:
            return found
        run = partial(self._loss, images, labels)
        loss = run(self.network) if compiling is None else compiling.step(self.network, run, self.beat)
        self.optimizer.step(rate)
        return loss

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch, with its gradients where the optimizer takes them."""
        return self._loss(images, labels, self.network)

    def _loss(self, images: Tensor, labels: Tensor, network: nn.Module) -> Tensor:
        """Return the loss of a batch, with its gradients where the optimizer takes them."""
        with self.autocast():
            logits = network(images)
        smoothing = self.spec.recipe.label_smoothing
        loss = classification.loss(logits, labels, smoothing=smoothing, weights=self.weights)
        self.optimizer.zero()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own stub
        return loss.detach()

    @torch.inference_mode()
    def recalibrate(self) -> None:
        """Measure the statistics that normalisations use at evaluation anew, with the weights as they now are.

        Running averages lag behind weights that move fast: without this, deep networks measured at chance after
        their first epochs, when a rung decides whether they go on.
        """
        self.network.eval()  # dropout is off, as it will be when the statistics are used
        for norm in self.norms:
            norm.train()
        batch = min(self.spec.recipe.batch_size, len(self.calibration))
        with averaged(self.norms):
            for start in range(0, len(self.calibration) - batch + 1, batch):  # no smaller batch at the end
                self.advance(MEASURING)
                with self.autocast():
                    self.network(self.scale(self.data.train_images[self.calibration[start : start + batch]]))

    @property
    def keeps(self) -> bool:
        """Return whether more is measured than what a sum tells."""
        return any(OBJECTIVES[name].quality for name in self.spec.measures if name in OBJECTIVES)

    def _evaluate(self) -> Evaluation:
        evaluation = self._seen(self.data.val_images, self.data.val_labels, keep=self.keeps)
        self._check_finite(loss=evaluation.loss)
        return evaluation

    @torch.inference_mode()
    def _seen(self, images: Tensor, labels: Tensor, *, keep: bool) -> Evaluation:
        self.network.eval()
        evaluation = Evaluation(self.data.classes, self.device, keep=keep)
        size = EVAL_BATCH if self.device.type == "cpu" else max(EVAL_BATCH, EVAL_BATCHES * self.batch)
        for start in range(0, len(labels), size):
            self.advance(MEASURING)
            evaluation.add(self._logits(self.scale(images[start : start + size])), labels[start : start + size])
        return evaluation

    def _logits(self, images: Tensor) -> Tensor:
        """Return logits `n k`: of one pass without dropout, or the logarithm of the mean probabilities of several."""
        if not self.spec.recipe.monte_carlo:
            with self.autocast():
                logits: Tensor = self.network(images)
            return logits
        total = torch.full((), -math.inf, device=self.device)
        for _ in range(self.spec.recipe.monte_carlo):
            self.advance(MEASURING)
            with monte_carlo(self.network), self.autocast():
                logits = self.network(images)
            total = torch.logaddexp(total, logits.float().log_softmax(dim=1))
        return total - math.log(self.spec.recipe.monte_carlo)

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Let dropout draw by the seed: it draws from torch's global generator, which is given back as it was found."""
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield

    def autocast(self) -> torch.autocast:
        """Let the network compute in its precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.numerics.bfloat16)

    def _check_finite(self, **found: float) -> None:
        """Refuse to go on with what cannot recover."""
        for name, value in found.items():
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


def epoch_seed(seed: int, epoch: int) -> int:
    """Return a seed of its own for each epoch of each trial."""
    return (seed * 1_000_003 + epoch) % 2**63


def optimizer_of(network: nn.Module, recipe: Recipe) -> Flat:
    """Return what steps the weights of a network, as the recipe has it."""
    if recipe.optimizer == "adamw":
        return AdamW(network, weight_decay=recipe.weight_decay, first_beta=recipe.momentum)
    return Sgd(network, weight_decay=recipe.weight_decay, momentum=recipe.momentum)
