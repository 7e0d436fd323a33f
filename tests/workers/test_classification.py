"""What is said of validation images, against its definition by scikit-learn."""

import math

import pytest
import torch
from sklearn import metrics

from spaces.errors import TrialFailure
from workers.classification import Evaluation, loss


def evaluation(logits: torch.Tensor, labels: torch.Tensor, batch: int = 7) -> Evaluation:
    made = Evaluation(logits.shape[1], logits.device, keep=True)
    for start in range(0, len(labels), batch):
        made.add(logits[start : start + batch], labels[start : start + batch])
    return made


def drawn(classes: int, count: int = 100, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator)
    logits[torch.arange(count), labels] += 1.0
    return logits, labels


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_every_metric_is_what_its_name_means(classes: int) -> None:
    logits, labels = drawn(classes)
    made, guessed = evaluation(logits, labels), logits.argmax(dim=1)
    assert made.accuracy == pytest.approx(metrics.accuracy_score(labels, guessed))
    assert made.loss == pytest.approx(metrics.log_loss(labels, logits.double().softmax(dim=1)), rel=1e-5)
    assert made.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, guessed))
    assert made.macro_f1 == pytest.approx(metrics.f1_score(labels, guessed, average="macro"))


def test_the_best_five_are_counted() -> None:
    logits, labels = drawn(10)
    expected = metrics.top_k_accuracy_score(labels, logits, k=5)
    assert evaluation(logits, labels).top5_accuracy == pytest.approx(expected)


def test_the_area_under_the_roc_curve_is_of_class_1_and_does_not_hang_on_a_threshold() -> None:
    logits, labels = drawn(2)
    expected = metrics.roc_auc_score(labels, logits.softmax(dim=1)[:, 1])
    assert evaluation(logits, labels).roc_auc == pytest.approx(expected)
    assert evaluation(logits + torch.tensor([3.0, 0.0]), labels).roc_auc == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_it_is_of_two_classes_that_are_both_there(labels: list[int]) -> None:
    with pytest.raises(TrialFailure, match=r"^data: roc_auc needs validation images of two classes, and of both$"):
        _ = evaluation(torch.randn(3, 2 if max(labels) == 0 else 3), torch.tensor(labels)).roc_auc


def test_a_class_without_an_image_says_nothing() -> None:
    logits, labels = drawn(3)
    present = labels != 2
    made = evaluation(logits[present], labels[present])
    assert 0 < made.balanced_accuracy <= 1
    assert math.isfinite(made.macro_f1)


def test_the_loss_of_a_batch_is_smoothed_over_all_classes() -> None:
    logits, labels = drawn(4)
    plain = torch.nn.functional.cross_entropy(logits, labels)
    uniform = -logits.log_softmax(dim=1).mean()
    assert loss(logits, labels, smoothing=0.2) == pytest.approx(float(0.8 * plain + 0.2 * uniform), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_weights_and_smoothing_compose_as_the_formula_says(smoothing: float) -> None:
    logits, labels = drawn(4)
    weights = torch.tensor([0.1, 0.4, 1.0, 2.5])
    target = torch.eye(4)[labels] * (1 - smoothing) + smoothing / 4
    each = -(target * weights * logits.log_softmax(dim=1)).sum(dim=1)
    found = loss(logits, labels, smoothing=smoothing, weights=weights)
    assert float(found) == pytest.approx(float(each.sum() / weights[labels].sum()), rel=1e-5)
    assert float(loss(logits, labels, smoothing=smoothing, weights=weights * 7)) == pytest.approx(float(found))
    alike = loss(logits, labels, smoothing=smoothing, weights=torch.ones(4))
    assert float(alike) == pytest.approx(float(loss(logits, labels, smoothing=smoothing)))
