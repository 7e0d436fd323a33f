"""Say what normal and Student's distributions hold. The library that knows is loaded when the first is asked for."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def normal_below(at: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that a standard normal variable is below each value."""
    return np.asarray(_special().ndtr(at))


def student_quantile(freedom: ArrayLike, probability: ArrayLike) -> NDArray[np.float64]:
    """Return the value below which a variable of Student's distribution lies with a probability.

    Args:
        freedom: its degrees of freedom.
        probability: in (0, 1).
    """
    return np.asarray(_special().stdtrit(freedom, probability))


def _special() -> Any:
    from scipy import special  # a sixth of a second of a processor, which few commands need

    return special
