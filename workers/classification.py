"""Classification of images: the loss that is trained on, and what is said of validation images."""

import math
from functools import cached_property

import torch
import torch.nn.functional as F  # noqa: N812  # torch's own documentation names it so
from torch import Tensor

from spaces.errors import TrialFailure
from workers.kinds import FailureKind


def loss(logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of a batch, in nats.

    Args:
        logits: `n k`.
        labels: `n`, class numbers.
        smoothing: share of the label that is spread over all classes.
        weights: `k`, of each class; the mean is then over weights, and what is spread is weighed too, as in torch's
            `cross_entropy`, so only what they are to each other counts.
    """
    return F.cross_entropy(logits.float(), labels, weight=weights, label_smoothing=smoothing)


def losses(logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of each member's batch `K`, in nats: `loss` of each, in a few operations for all.

    Args:
        logits: `n K k`.
        labels: `n K`, class numbers.
        smoothing: as of `loss`.
        weights: as of `loss`.
    """
    each = F.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), weight=weights, label_smoothing=smoothing, reduction="none"
    ).view(labels.shape)  # fmt: skip
    return each.mean(dim=0) if weights is None else each.sum(dim=0) / weights[labels].sum(dim=0)


class Evaluation:
    """What a network says of validation images, put together batch by batch; all means are over images."""

    def __init__(self, classes: int, device: torch.device, *, keep: bool = False) -> None:
        """Begin with no image.

        Args:
            classes: how many there are.
            device: of the logits.
            keep: all logits, for metrics that need more than right or wrong.
        """
        self.classes = classes
        self.count = 0
        self._keep = keep
        self._correct = torch.zeros((), device=device)
        self._loss = torch.zeros((), device=device)
        self._logits: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._read: tuple[float, float] | None = None

    def add(self, logits: Tensor, labels: Tensor) -> None:
        """Take in a batch: logits `n k`, labels `n`."""
        self.count += len(labels)
        self._read = None
        self._correct += (logits.argmax(dim=1) == labels).sum()
        self._loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        if self._keep:
            self._logits.append(logits.float())
            self._labels.append(labels)

    @property
    def sums(self) -> tuple[Tensor, Tensor]:
        """Return the summed loss and how many are classified right, on the device."""
        return self._loss, self._correct

    def read(self, loss: float, correct: float) -> None:
        """Take what `sums` came to, where somebody has brought it here with other numbers."""
        self._read = (loss, correct)

    def _brought(self) -> tuple[float, float]:
        """Return the sums: the device is waited for, unless they are here already."""
        if self._read is None:
            loss, correct = torch.stack(self.sums).tolist()
            self._read = (loss, correct)
        return self._read

    @property
    def accuracy(self) -> float:
        """Return the share of images that are classified right."""
        return self._brought()[1] / self.count

    @property
    def loss(self) -> float:
        """Return the mean cross-entropy, in nats."""
        return self._brought()[0] / self.count

    @cached_property
    def logits(self) -> Tensor:
        """Return all logits `n k`, on the CPU."""
        return torch.cat(self._logits).cpu()

    @cached_property
    def labels(self) -> Tensor:
        """Return all labels `n`, on the CPU."""
        return torch.cat(self._labels).cpu()

    @cached_property
    def confusion(self) -> Tensor:
        """Return how often each class (rows) was taken for each (columns) `k k`."""
        pairs = self.labels * self.classes + self.logits.argmax(dim=1)
        return pairs.bincount(minlength=self.classes**2).reshape(self.classes, self.classes).double()

    @property
    def balanced_accuracy(self) -> float:
        """Return the mean over classes of the share of their images that is classified right."""
        per_class = self.confusion.diagonal() / self.confusion.sum(dim=1)
        return float(per_class.nanmean())  # a class without an image says nothing

    @property
    def macro_f1(self) -> float:
        """Return the mean over classes of the harmonic mean of precision and recall; of none in either, none counts."""
        both = self.confusion.sum(dim=0) + self.confusion.sum(dim=1)
        return float((2 * self.confusion.diagonal() / both).nanmean())

    @property
    def top5_accuracy(self) -> float:
        """Return the share of images whose class is among the five that are thought likeliest."""
        best = self.logits.topk(min(5, self.classes), dim=1).indices
        return float((best == self.labels[:, None]).any(dim=1).double().mean())

    @property
    def roc_auc(self) -> float:
        """Return the chance that an image of class 1 is thought likelier one than an image of class 0.

        Raises:
            TrialFailure: there are not two classes, or no image of one.
        """
        from sklearn.metrics import roc_auc_score  # here: a second of every worker that does not ask for it

        if self.classes != 2 or len(self.labels.bincount().nonzero()) != 2:
            raise TrialFailure(FailureKind.DATA, "roc_auc needs validation images of two classes, and of both")
        found = float(roc_auc_score(self.labels.numpy(), (self.logits[:, 1] - self.logits[:, 0]).numpy()))
        return found if math.isfinite(found) else 0.5
