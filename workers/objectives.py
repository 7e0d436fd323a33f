"""What a study can optimise or bound: an entry says direction, unit, when it is known, and how it is found.

A new measured objective is one entry with `measure`, which is asked in the worker after each epoch that is measured; a
new static one is one entry with `count`. Both are stored by name. No torch here: what measures is given what it needs.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from spaces.architecture import Architecture, ImageSpec
from spaces.cost import NAMES, Cost
from spaces.errors import InputError, shortened
from workers.measurement import Measurement

TINY = 1e-12  # what a cost of nothing counts as, for its logarithm
SHOWN = 100  # characters of what is no number


class Epoch(Protocol):
    """An epoch that was trained and evaluated, as a worker shows it to whatever measures."""

    @property
    def evaluation(self) -> Any:
        """Return what the task says of the validation images, such as `workers.classification.Evaluation`."""

    @property
    def peak_bytes(self) -> int:
        """Return the most memory held on the device so far (CUDA), or by the process (CPU)."""

    def latency_ms(self) -> float:
        """Return the median milliseconds for one image on the device; it takes a second or two."""

    def first(self, name: str) -> float | None:
        """Return what a metric was in the trial's first epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """How one number about a network is found and read.

    A static objective is known before training: an exact function of the architecture, or what a command has found of
    it on a device, which is known of those networks alone that somebody has asked for.
    """

    name: str
    title: str  # for axes and tables
    unit: str
    direction: str  # minimize or maximize, Optuna's words
    static: bool
    asked: bool = False  # static, and found by a command
    quality: bool = False  # says how good a network is, not what it costs
    ends: tuple[float, float] | None = None  # of a measured cost, for shares of hypervolume on a log axis
    best: float = 0.0  # of a quality; its worst is what guessing reaches
    worst: Callable[[int], float] | None = None  # by the number of classes
    measure: Callable[[Any], float] | None = None  # takes an Epoch
    suits: Callable[[int], bool] | None = None  # a number of classes; where it does not, nothing can be told by it
    count: Callable[[Architecture, ImageSpec], float] | None = None  # of a static one that `Cost` has no field for
    read: Callable[[Measurement], float] | None = None  # of one that follows from others, such as seconds

    @property
    def counts(self) -> bool:
        """Whether it is known of every network that there is."""
        return self.static and not self.asked

    @property
    def is_rate(self) -> bool:
        """Whether it is a share in [0, 1]."""
        return self.unit == "fraction"

    def value(self, cost: Cost, measurement: Measurement | None) -> float:
        """Return its value for a network; NaN for what no epoch has revealed yet."""
        if self.asked:
            return cost.more.get(self.name, math.nan)
        if self.static:
            return cost.value(self.name)
        if measurement is None:
            return math.nan
        found = self.read(measurement) if self.read else measurement.get(self.name)
        return math.nan if found is None else float(found)

    def minimised(self, value: float) -> float:
        """Return the value with its sign such that less is better."""
        return -value if self.direction == "maximize" else value

    def coordinate(self, value: float) -> float:
        """Return a cost minimised, on an axis where equal steps matter alike: its logarithm."""
        return self.minimised(math.log(max(value, TINY)))

    def share(self, value: float, *, classes: int, bounds: tuple[float, float] | None) -> float:
        """Return a value brought to [0, 1], 0 at its best and 1 at its worst: chance level, or the largest cost.

        Args:
            value: as it was found.
            classes: of the images.
            bounds: smallest and largest of a static one in the space.
        """
        if self.worst is not None:
            return min((value - self.best) / (self.worst(classes) - self.best), 1.0)
        low, high = self.ends or bounds or (1.0, 1.0)
        # A front of one cost has no width on that axis; half of it keeps the other axis readable.
        return min(max(0.0, math.log(max(value, TINY) / low) / math.log(high / low)), 1.0) if high > low else 0.5


def _rate(
    name: str, title: str, worst: Callable[[int], float], measure: Callable[[Any], float], **how: Any
) -> Objective:
    return Objective(
        name=name, title=title, unit="fraction", direction="maximize", static=False, quality=True,
        best=1.0, worst=worst, measure=measure, **how,
    )  # fmt: skip


def _measured(name: str, title: str, unit: str, ends: tuple[float, float], **how: Any) -> Objective:
    return Objective(name=name, title=title, unit=unit, direction="minimize", static=False, ends=ends, **how)


def _static(name: str, title: str, unit: str) -> Objective:
    return Objective(name=name, title=title, unit=unit, direction="minimize", static=True)


def _guessing(classes: int) -> float:
    return 1 / classes


_ALL = (
    _rate("accuracy", "validation accuracy", _guessing, lambda epoch: epoch.evaluation.accuracy),
    Objective(
        name="loss", title="validation loss", unit="nats", direction="minimize", static=False, quality=True,
        worst=math.log, measure=lambda epoch: epoch.evaluation.loss,
    ),
    _rate(
        "balanced_accuracy", "mean accuracy over classes", _guessing, lambda epoch: epoch.evaluation.balanced_accuracy
    ),
    _rate("macro_f1", "mean F1 over classes", _guessing, lambda epoch: epoch.evaluation.macro_f1),
    _rate(
        "top5_accuracy", "accuracy of the best five", lambda classes: min(5 / classes, 0.999),
        lambda epoch: epoch.evaluation.top5_accuracy, suits=lambda classes: classes > 5,
    ),
    _rate(
        "roc_auc", "area under the ROC curve", lambda _classes: 0.5, lambda epoch: epoch.evaluation.roc_auc,
        suits=lambda classes: classes == 2,
    ),
    _static("params", "parameters", "count"),
    _static("macs", "multiply-accumulates", "count per image"),
    _static("activations", "activations", "count per image"),
    _static("weight_bytes", "weights", "bytes"),
    _static("training_bytes", "memory of training, at most", "bytes"),
    # Measured where the trial trains; latency with the device alone, where that can be, the others beside whatever else
    # runs there. Latency hangs on the weights' number, not their values: once is enough.
    _measured(
        "latency_ms", "latency for one image", "ms", (1e-2, 1e4),
        measure=lambda epoch: epoch.first("latency_ms") or epoch.latency_ms(),
    ),
    _measured("epoch_s", "time of an epoch", "s", (1e-3, 1e5), read=lambda measurement: measurement.wall_s),
    _measured(
        "peak_bytes", "peak memory of training", "bytes", (2**20, 2**38), measure=lambda epoch: epoch.peak_bytes
    ),
)  # fmt: skip
BUILT_IN: Mapping[str, Objective] = {each.name: each for each in _ALL}
OBJECTIVES: dict[str, Objective] = dict(BUILT_IN)  # and those of packages that were loaded


def to_measure(objectives: tuple[str, ...], always: tuple[str, ...]) -> tuple[str, ...]:
    """Return the objectives that have to be measured beside those that always are, in order."""
    measured = (name for name in objectives if name in OBJECTIVES and OBJECTIVES[name].measure)
    return tuple(sorted(name for name in measured if name not in always))


def told(objective: Objective, classes: int) -> dict[str, Any]:
    """Return as plain values all that whoever only reads has to know of it; of a quality also what guessing reaches.

    Args:
        objective: of a study, perhaps of a package that will not be there when the study is read.
        classes: of the study's images.
    """
    plain = {name: getattr(objective, name) for name in ("name", "title", "unit", "direction", "static", "quality")}
    asked = {"asked": True} if objective.asked else {}
    ends = {"ends": list(objective.ends)} if objective.ends else {}
    worst = {"best": objective.best, "worst": objective.worst(classes)} if objective.worst else {}
    return {**plain, **asked, **ends, **worst}


def retold(plain: Mapping[str, Any]) -> Objective:
    """Return the objective that `told` described: it can be read and compared, but neither measured nor counted.

    Raises:
        InputError: it is described in no such way.
    """
    given = dict(plain)
    worst, ends = given.pop("worst", None), given.pop("ends", None)
    try:
        found = Objective(
            **given, ends=ends and (float(ends[0]), float(ends[1])),
            worst=None if worst is None else lambda _classes: float(worst),
        )  # fmt: skip
    except (TypeError, ValueError, IndexError) as error:
        raise InputError(f"{plain!r} describes no objective") from error
    return checked(found)


def checked(objective: Objective) -> Objective:
    """Return an objective of somebody else's, if it can be read.

    Raises:
        InputError: saying what is wrong with it.
    """
    name = objective.name
    for field in ("name", "title", "unit"):
        text = getattr(objective, field)
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"objective {name!r} has no {field}")
        if len(text) > SHOWN or not text.isprintable():
            told = f"is no text of at most {SHOWN} characters that can be seen"
            raise InputError(f"objective {name!r}: {field} {shortened(repr(text), SHOWN)} {told}")
    if objective.direction not in ("minimize", "maximize"):
        raise InputError(f"objective {name!r} has direction {objective.direction!r}; minimize or maximize is wanted")
    if objective.quality and objective.worst is None:
        raise InputError(f"objective {name!r} is a quality and does not say what guessing reaches (worst)")
    if objective.ends and not 0 < objective.ends[0] < objective.ends[1] < math.inf:
        raise InputError(f"objective {name!r} has ends {objective.ends}; two rising numbers above 0 are wanted")
    return objective


def counted(architecture: Architecture, image: ImageSpec) -> dict[str, float]:
    """Return the static objectives that `Cost` has no field for.

    Raises:
        InfeasibleArchitecture: the network cannot be built.
        InputError: one of them fails, or is no finite number of at least 0.
    """
    return {
        name: _counted(each, architecture, image)
        for name, each in OBJECTIVES.items()
        if each.count is not None and name not in NAMES
    }


def _counted(objective: Objective, architecture: Architecture, image: ImageSpec) -> float:
    assert objective.count is not None
    try:
        found = objective.count(architecture, image)
    except InputError:
        raise
    except Exception as error:  # whatever a person's code raises
        raise InputError(f"objective {objective.name} fails: {type(error).__name__}: {error}") from error
    value = number(found)
    if not math.isfinite(value) or (value < 0 and not objective.quality):  # costs stand on logarithmic axes
        wanted = "no finite number" if objective.quality else "no finite number from 0 on"
        raise InputError(f"objective {objective.name} counts {_shown(found)}: {wanted}")
    return value


def finite(objective: Objective, found: object, epoch: int) -> float:
    """Return what an objective has measured.

    Raises:
        InputError: it is no finite number.
    """
    value = number(found)
    if not math.isfinite(value):
        raise InputError(f"objective {objective.name} measures {_shown(found)} in epoch {epoch}: no finite number")
    return value


def _shown(found: object) -> str:
    return shortened(repr(found) if isinstance(found, str) else str(found), SHOWN)


def number(found: object) -> float:
    """Return what somebody's code has found as a number, NaN where it is none: a text never is, whatever it says."""
    try:
        return math.nan if isinstance(found, (str, bytes)) else float(found)  # type: ignore[arg-type]  # is caught
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: of a tensor of several
        return math.nan
