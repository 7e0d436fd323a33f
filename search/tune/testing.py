"""Let Ray's workers measure weights on the test split."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from search.tune.nodes import Need
from spaces.errors import StudyError, WidefrontError, first_line
from workers.testing import measure_test
from workers.trainer import TrialSpec

LOOK_S = 1.0


def measure_all(
    asked: Mapping[int, tuple[TrialSpec, str]], need: Need, stop: Callable[[], bool]
) -> Iterator[tuple[int, dict[str, float] | StudyError]]:
    """Yield what weights come to on the test split, in the order in which that is known.

    Args:
        asked: by number, what was trained and the address of its checkpoint.
        need: what one measurement may take.
        stop: asked about once a second; what is not known by then is left.
    """
    remote: Any = ray.remote(num_cpus=need.cpus, num_gpus=need.gpus)(measure_test)  # Ray's types know no names
    left = {
        remote.remote(spec, address, gpus=need.gpus, threads=need.cpus): number
        for number, (spec, address) in asked.items()
    }
    while left and not stop():
        done, _ = ray.wait(list(left), timeout=LOOK_S)
        for one in done:
            yield left.pop(one), _result(one)


def _result(one: "ray.ObjectRef[dict[str, float]]") -> dict[str, float] | StudyError:
    try:
        found: dict[str, float] = ray.get(one)
        return found
    except RayTaskError as error:
        cause = error.cause
        return StudyError(str(cause) if isinstance(cause, WidefrontError) else first_line(cause))
    except RayError as error:
        return StudyError(first_line(error))
