"""Train networks of one plan together as one network: other seeds, rates of dropout or learning rates.

Each member draws its images, their order and what it drops by its own seed, as alone, and its checkpoint is that of a
training alone, which may go on as one. What is summed in another order differs in its last bits, so a member is equal
to a training alone within a bound, and not to the bit.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from spaces.errors import InputError, TrialFailure
from spaces.network import monte_carlo
from spaces.packs import Pack
from workers import classification
from workers.calibration import LAST_BATCHES, averaged, norms, untracked
from workers.checkpoint import Checkpoint
from workers.classification import Evaluation
from workers.company import NOBODY, Company
from workers.datasets import Dataset
from workers.device import Laps
from workers.failures import breaks_context, classify
from workers.measurement import Measurement
from workers.numerics import Numerics, casts
from workers.optimizer import Part, joined
from workers.pulse import MEASURING, SAVING, TRAINING, WAITING, Beat, no_beat
from workers.together import in_common
from workers.trainer import EVAL_BATCH, Trainer, TrialSpec, begin, epoch_seed, learning_rate, optimizer_of

News = Measurement | TrialFailure


def train_pack(
    specs: Sequence[TrialSpec],
    data: Dataset,
    *,
    checkpoint_paths: Sequence[str | Path | None],
    beat: Beat = no_beat,
    pick: Callable[[str | None], Numerics] | None = None,
    taken_up: Callable[[int, int, str], object] = lambda _member, _epochs, _why: None,
    measured: Collection[int] | None = None,
    flow: bool = False,
    left: Collection[int] = (),
    company: Company = NOBODY,
) -> Iterator[tuple[int, News]]:
    """Train to full fidelity and yield, after every epoch, each member's place and its measurement, or why it failed.

    Who is behind is trained until all are at one epoch; a member that fails leaves the others as they are.

    Args:
        specs: what to train: of one plan, but for rates of dropout, and of one recipe, but for the learning rate.
        data: as for `workers.trainer.train`.
        checkpoint_paths: of each member, as for `train`.
        beat: called with the phase at every step.
        pick: as for `train`.
        taken_up: called for each member: its place, the epochs that its checkpoint holds, and what it is if none.
        measured: as for `train`.
        flow: as for `train`.
        left: places of members that nobody wants any more; looked at before each epoch.
        company: as for `train`.

    Raises:
        InputError: the members cannot be trained together.
        OSError: as for `train`.
    """
    check_alike(specs)
    checkpoints = [None if path is None else Checkpoint(path) for path in checkpoint_paths]
    members: dict[int, Trainer] = {}
    for place, (spec, checkpoint) in enumerate(zip(specs, checkpoints, strict=True)):
        members[place], why = begin(spec, data, checkpoint, beat=beat, pick=pick, company=company)
        taken_up(place, members[place].epoch, why)
        yield from ((place, each) for each in members[place].history)
    pack: PackTrainer | None = None
    while turn := _turn({place: each for place, each in members.items() if place not in left}):
        if pack is None or pack.members != list(turn.values()):
            pack = PackTrainer(list(turn.values()), beat)
        epoch = pack.epoch + 1
        measures = measured is None or epoch in measured or epoch == specs[0].recipe.epochs
        found = dict(zip(turn, pack.run_epoch(measure=measures, flow=flow and measures), strict=True))
        for place, news in found.items():
            checkpoint = checkpoints[place]
            if isinstance(news, TrialFailure):
                del members[place]
            elif checkpoint is not None:
                beat(SAVING)
                checkpoint.save(members[place].state())
        yield from found.items()


def _turn(members: dict[int, Trainer]) -> dict[int, Trainer]:
    """Return who is trained next: of those who are not done, the ones that are farthest behind, in one precision.

    Where checkpoints are of machines that compute otherwise, each member stays with what its own was trained in.
    """
    at_work = {place: each for place, each in members.items() if each.epoch < each.spec.recipe.epochs}
    behind = min(at_work.values(), key=lambda each: each.epoch, default=None)
    if behind is None:
        return {}
    how = behind.epoch, behind.numerics
    return {place: each for place, each in at_work.items() if (each.epoch, each.numerics) == how}


def check_alike(specs: Sequence[TrialSpec]) -> None:
    """Refuse members of which one could not be trained in the steps of another.

    Raises:
        InputError: saying what they differ in.
    """
    first = _but_for_variants(specs[0])
    for each in specs[1:]:
        if (other := _but_for_variants(each)) != first:
            names = ("architecture", "recipe", "data", "measures", "start", "fingerprint")
            differing = next((name for name in names if getattr(other, name) != getattr(first, name)), "packages")
            raise InputError(f"networks that are trained together are alike, and these differ in their {differing}")


def _but_for_variants(spec: TrialSpec) -> TrialSpec:
    """Return what members of a pack have in common."""
    architecture, recipe = in_common(spec.architecture, spec.recipe)
    return replace(spec, architecture=architecture, recipe=recipe, seed=0)


class PackTrainer:
    """Trainings of one plan at one epoch, as one, between epochs. They go on in it, and later in another or alone."""

    def __init__(self, members: Sequence[Trainer], beat: Beat = no_beat) -> None:
        """Take members, which share the pack's weights from now on.

        Raises:
            InputError: they are of several plans, at several epochs, or nobody can keep them apart.
        """
        self.members = list(members)
        self.first = members[0]
        self.beat = beat
        if len({each.epoch for each in members}) > 1:
            raise InputError("networks that are trained together are at one epoch")
        if len({each.numerics for each in members}) > 1:
            raise InputError("networks that are trained together are trained in one precision and layout")
        self.first.numerics.apply()
        self.pack = Pack([each.network for each in members])
        self.pack.network.to(memory_format=self.first.numerics.memory_format)
        self.norms = norms(self.pack.network)
        self.casts = self.first.numerics.bfloat16 and casts(self.pack.network)
        self.optimizer = optimizer_of(self.pack.network, self.first.spec.recipe)
        if self.epoch:
            self.optimizer.load_state_dict(joined([each.optimizer.state_dict() for each in members]))
        rates = [each.spec.recipe.learning_rate for each in members]
        if len(set(rates)) > 1:
            self.optimizer.set_paces([rate / rates[0] for rate in rates])
        self.pack.share([each.network for each in members])
        for each in members:
            each.sharing = self.first.sharing  # one hold on the device: two of one process would wait for each other
        for place, each in enumerate(members):
            each.optimizer = Part(self.optimizer, partial(self.pack.part, index=place))

    @property
    def epoch(self) -> int:
        """Return how many epochs are trained."""
        return self.first.epoch

    def run_epoch(self, *, measure: bool = True, flow: bool = False) -> list[News]:
        """Train one epoch, and return what is known of each member; the time is shared out among them."""
        with self.first.sharing.training(partial(self.beat, WAITING)):
            return self._epoch(measure=measure, flow=flow)

    def _epoch(self, *, measure: bool, flow: bool) -> list[News]:
        laps, waited_s = Laps(self.first.device), self.first.sharing.waited_s
        totals = self._train(keeping=0 if measure else LAST_BATCHES)
        waited_s = self.first.sharing.waited_s - waited_s
        laps.split()
        seen = self._look() if measure else [None] * len(self.members)
        self.first.company.waits(self.first.device)
        totals = totals.cpu()  # the device is waited for
        train_s, eval_s = laps.seconds()
        shares = max(0.0, train_s - waited_s) / len(self.members), eval_s / len(self.members)
        ended = zip(self.members, totals, seen, strict=True)
        return [self._told(*each, lambda: shares, measure=measure, flow=flow) for each in ended]

    def _told(
        self,
        member: Trainer,
        total: Tensor,
        evaluation: Evaluation | None,
        seconds: Callable[[], tuple[float, float]],
        *,
        measure: bool,
        flow: bool,
    ) -> News:
        """Return what is known of a member; what it fails of is its own."""
        total = total.to(self.first.device)
        try:
            together = len(self.members)
            return member.conclude(total, evaluation, seconds, measure=measure, flow=flow, together=together)
        except Exception as error:  # of what is measured too, which may be a person's own code
            if breaks_context(error):  # of all
                raise
            return classify(error)

    def _train(self, *, keeping: int) -> Tensor:
        """Train an epoch and return the sum of each member's losses `K`: see `Trainer`."""
        self._draw_by([epoch_seed(each.spec.seed, self.epoch) for each in self.members])
        drawn = enumerate(zip(*(each.batches() for each in self.members), strict=True))
        self.pack.network.train()
        total = torch.zeros(len(self.members), device=self.first.device)
        with self.optimizer.in_bfloat16() if self.casts else nullcontext():
            with untracked(self.norms):
                for step, batches in islice(drawn, max(0, self.first.steps - keeping)):
                    total += self._step(step, batches)
            if keeping:
                with averaged(self.norms):
                    for step, batches in drawn:
                        total += self._step(step, batches)
        return total

    def _step(self, step: int, batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Train a batch of each member and return their losses."""
        self._advance(TRAINING)
        images = torch.cat([images for images, _ in batches], dim=1)
        losses = self._losses(images, torch.stack([labels for _, labels in batches], dim=1))
        self.optimizer.step(learning_rate(self.first.spec.recipe, self.epoch + step / self.first.steps))
        return losses

    def _advance(self, phase: str) -> None:
        """Tell that there is another step: see `Trainer.advance`."""
        self.first.sharing.give_way(partial(self.beat, WAITING))
        self.beat(phase)

    def _losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return each member's loss of a batch, with its gradients where the optimizer takes them."""
        with self.first.autocast():
            logits = self.pack(images)
        smoothing = self.first.spec.recipe.label_smoothing
        losses = classification.losses(logits, labels, smoothing=smoothing, weights=self.first.weights)
        self.optimizer.zero()
        losses.sum().backward()  # type: ignore[no-untyped-call]  # torch's own stub
        return losses.detach()

    def _draw_by(self, seeds: Sequence[int]) -> None:
        self.pack.members.begin(seeds, self.first.device)

    def _look(self) -> Sequence[Evaluation | None]:
        """Return what each member says of the images that all are measured on, where there are any."""
        self._recalibrate()
        if not len(self.first.data.val_labels):
            return [None] * len(self.members)
        self._draw_by([epoch_seed(each.spec.seed, -1 - self.epoch) for each in self.members])
        return self._seen()

    @torch.inference_mode()
    def _recalibrate(self) -> None:
        """Measure the statistics that normalisations use at evaluation anew, each member's on its own images."""
        self.pack.network.eval()
        for norm in self.norms:
            norm.train()
        size, count = self.first.batch, len(self.first.calibration)
        with averaged(self.norms):
            for at in range(0, count - min(size, count) + 1, size):
                self._advance(MEASURING)
                chosen = [each.data.train_images[each.calibration[at : at + size]] for each in self.members]
                with self.first.autocast():
                    self.pack(torch.cat([self.first.scale(images) for images in chosen], dim=1))

    @torch.inference_mode()
    def _seen(self) -> list[Evaluation]:
        self.pack.network.eval()
        data, count = self.first.data, len(self.members)
        found = [Evaluation(data.classes, self.first.device, keep=self.first.keeps) for _ in self.members]
        size = max(1, EVAL_BATCH // count)  # images of all members together as many as of one alone
        for at in range(0, len(data.val_labels), size):
            images = self.first.scale(data.val_images[at : at + size]).repeat(1, count, 1, 1)
            logits, labels = self._logits(images), data.val_labels[at : at + size]
            for place, each in enumerate(found):
                each.add(logits[:, place], labels)
        return found

    def _logits(self, images: Tensor) -> Tensor:
        """Return logits `n K k`: as `Trainer` has them of one network."""
        passes = self.first.spec.recipe.monte_carlo
        self._advance(MEASURING)
        if not passes:
            with self.first.autocast():
                return self.pack(images)
        total = torch.full((), -math.inf, device=self.first.device)
        for _ in range(passes):
            self._advance(MEASURING)
            with monte_carlo(self.pack.network), self.first.autocast():
                logits = self.pack(images)
            total = torch.logaddexp(total, logits.float().log_softmax(dim=2))
        return total - math.log(passes)
