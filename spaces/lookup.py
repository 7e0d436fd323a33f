"""Find the values by which a space chooses a network that is known by other means."""

from collections.abc import Mapping
from typing import Any

from spaces.architecture import Architecture, OwnNetwork
from spaces.domains import Domain, Int, Scalar, middle
from spaces.errors import InfeasibleArchitecture, InputError
from spaces.fields import FIELDS
from spaces.space import SearchSpace


def choice_of(
    space: SearchSpace,
    wanted: Architecture,
    beside: Mapping[str, Scalar] | None = None,
    known: Mapping[str, Any] | None = None,
) -> dict[str, Scalar]:
    """Return the values by which a space chooses a network.

    Args:
        space: that may have it.
        wanted: the network.
        beside: how it is trained, where that is searched too; what is not named or not in the space is in the middle.
        known: values by which it was chosen before, taken where the space has them: for a field that is dead in this
            network, its own does not tell.

    Raises:
        InputError: it cannot; the fields are named that it lacks.
    """
    fields, known = fields_of(wanted), known or {}
    params: dict[str, Scalar] = {}
    for item in space.parameters:
        if item.exists(params):
            if item.name in space.beside:
                params[item.name] = _beside(item.domain, (beside or {}).get(item.name))
            else:
                own = _own(item.domain, known.get(item.name))
                value = own if item.domain.contains(own) else _own(item.domain, fields.get(item.name))
                params[item.name] = _value(item.domain, value)
    try:
        found = space.architecture(params)
    except InfeasibleArchitecture as error:
        raise InputError(f"is not in the space: {error}") from error
    if found.digest != wanted.digest:
        raise InputError(f"is not in the space, which lacks {_lacking(found, wanted.canonical())}")
    return params


def with_beside(space: SearchSpace, params: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    """Return a network's values with those of how it is trained, in the middle where they are not given."""
    if not space.beside:
        return params
    whole: dict[str, Scalar] = dict(params)
    for item in space.parameters:
        if item.name in space.beside and item.name not in whole and item.exists(whole):
            whole[item.name] = middle(item.domain)
    return whole


def check_choice(space: SearchSpace, params: Mapping[str, Scalar]) -> None:
    """Refuse values that are not exactly those of one network of the space.

    Raises:
        InputError: a value is missing, is not one of its parameter's, or has no parameter.
    """
    existing = space.existing(params)
    for name in params.keys() - existing.keys():
        raise InputError(f"the space has no {name} beside the other values")
    for name, domain in existing.items():
        if name not in params:
            raise InputError(f"{name} is missing")
        if not domain.contains(params[name]):
            raise InputError(f"{name} {params[name]} is not in the space")
    try:
        space.architecture(params)
    except InfeasibleArchitecture as error:
        raise InputError(str(error)) from error


def fields_of(wanted: Architecture) -> dict[str, Any]:
    """Return a network's fields as a space's parameters tell them: lists as text, equal depths as one."""
    if isinstance(wanted, OwnNetwork):
        return dict(wanted.options)
    given = wanted.canonical()
    fields = {name: getattr(given, name) for name in FIELDS}
    depth = {"depth": given.depths[0]} if len(set(given.depths)) == 1 else {}
    return depth | {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value for name, value in fields.items()
    }


def _own(domain: Domain, value: Any) -> Any:
    """Return a value as a domain has it: 2.0 is a whole number where only whole ones are asked for."""
    return int(value) if isinstance(domain, Int) and isinstance(value, float) and value.is_integer() else value


def _value(domain: Domain, wanted: Any) -> Scalar:
    """Return the domain's own value that is wanted, or any: whether it matters the network's digest tells."""
    if not domain.contains(wanted):
        return domain.values()[0]
    return next((value for value in domain.values() if value == wanted), wanted)


def _beside(domain: Domain, wanted: Scalar | None) -> Scalar:
    return wanted if wanted is not None and domain.contains(wanted) else middle(domain)


def _lacking(found: Architecture, wanted: Architecture) -> str:
    """Return what the wanted network has and the nearest of the space has not."""
    if isinstance(wanted, OwnNetwork):
        if isinstance(found, OwnNetwork) and (found.network, found.source) == (wanted.network, wanted.source):
            others = dict(found.options)
            odd = [f"{name} {_text(value)}" for name, value in wanted.options if others.get(name, _text) != value]
            more = [name for name in others if name not in dict(wanted.options)]
            return ", ".join(odd + [f"networks without {name}" for name in more]) or "these options"
        return f"network {wanted.network}, source {wanted.source}"
    if isinstance(found, OwnNetwork):
        return "networks of blocks"
    fields = {name: value for name in FIELDS if (value := getattr(wanted, name)) != getattr(found, name)}
    return ", ".join(f"{name} {_text(value)}" for name, value in fields.items())


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
