"""Say whether a study would train a network that somebody wants, before anybody is asked."""

from collections.abc import Mapping
from typing import Any

from search.config.identity import searched
from search.config.space import chosen
from search.core.records import StudyRecord
from search.driver.initial import oversteps
from spaces.domains import Scalar
from spaces.errors import InputError
from spaces.space import SearchSpace


def wanted(study: StudyRecord, like: Mapping[str, Scalar], changed: Mapping[str, Any]) -> Mapping[str, Scalar]:
    """Return the values of a network as the study would propose them.

    Args:
        study: whose space and constraints hold.
        like: values to begin with; what does not exist beside the others is left out.
        changed: values in their place, all of which have to exist.

    Raises:
        InputError: the study would not propose it, and why.
    """
    config = searched(study)
    params = chosen(config.search_space, _joined(config.search_space, like, changed), "values")
    if over := oversteps(config, params, study.image_spec):
        raise InputError(f"oversteps the constraint on {over[0]} by {over[1]:.0%}", place="values")
    return params


def _joined(space: SearchSpace, like: Mapping[str, Scalar], changed: Mapping[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for item in space.parameters:
        if item.exists(params) and (item.name in changed or item.name in like):
            params[item.name] = changed.get(item.name, like.get(item.name))
    return {**params, **changed}
