"""Read claims from a file of them, each checked alone; every error names its place."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

from search.claims.networks import named
from search.core.claims import CHANCE, QUANTITIES, Claim, Kind
from spaces.errors import InputError, unknown
from workers.recipe import Recipe

FILE = Path(__file__).with_name("claims.toml")
NEEDED = ("says", "source", "of", "first")
ENDS = ("above", "below", "least", "most")
BY = ("difference", "ratio")
FORMS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys((*NEEDED, "second", "by", "diverged"), (str, "a text")),
    **dict.fromkeys(ENDS, ((int, float), "a number")),
    **dict.fromkeys(("small", "recipe"), (dict, "a table")),
    "lengths": (list, "a list such as [40, 72]"),
}
LONGEST = 64  # characters of a claim's id: a column of the database
MOST = 1e300  # of an end: no NaN and no infinity is below it
UNSET = ("epochs", "monte_carlo")  # of a recipe: the command says how long, and passes are no training


def read(path: Path = FILE) -> dict[str, Claim]:
    """Return the claims of a file by their ids, in its order.

    Raises:
        InputError: it cannot be read, or a claim in it is wrong.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(error.strerror or str(error), place=str(path)) from error
    except (ValueError, RecursionError) as error:  # no TOML, or no text
        raise InputError(f"is not TOML: {error}", place=str(path)) from error
    try:
        return {name: _claim(name, told) for name, told in given.items()}
    except InputError as error:
        raise InputError(error.message, place=f"{path} {error.place}") from error


def chosen(claims: Mapping[str, Claim], ids: Sequence[str]) -> list[Claim]:
    """Return the claims of these ids, each once; all of them where none is named.

    Raises:
        InputError: there is none of that id.
    """
    for each in ids:
        if each not in claims:
            raise InputError(unknown("claim", each, claims))
    return [claims[each] for each in dict.fromkeys(ids)] if ids else list(claims.values())


def _claim(name: str, told: object) -> Claim:
    try:
        if not isinstance(told, dict):
            raise InputError("is not a table such as [plain-is-worse-deep]")
        if len(name) > LONGEST:
            raise InputError(f"the name has {len(name)} characters, and {LONGEST} are the most")
        _check_keys(told)
        _check_small(told.get("small", {}))
        claim = Claim(id=name, **{**told, "lengths": tuple(told.get("lengths", (0, 0)))})
        for problem in chain(_of_words(claim), _of_parts(claim), _of_lengths(claim)):  # one by one: words come first
            raise InputError(problem)
        for text in filter(None, (claim.first, claim.second, *claim.small.values())):
            named(text)
        _check_recipe(claim.recipe)
    except InputError as error:
        raise error.at(name) from error
    return claim


def _check_keys(told: Mapping[str, Any]) -> None:
    for key, value in told.items():
        if key not in FORMS:
            raise InputError(unknown("key", key, FORMS))
        kind, words = FORMS[key]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise InputError(f"{value!r} is not {words}", place=key)
        if isinstance(value, (int, float)) and not -MOST < value < MOST:
            raise InputError(f"{value} is no end of a range", place=key)
    for key in NEEDED:
        if not str(told.get(key, "")).strip():
            raise InputError(f"{key} is missing")


def _check_small(told: Mapping[str, Any]) -> None:
    for key, text in told.items():
        if not (isinstance(text, str) and text.strip()):
            raise InputError(f"{text!r} is not the name of a network", place=f"small.{key}")


def _of_words(claim: Claim) -> Iterator[str]:
    """Yield what a claim names that nobody knows."""
    if claim.of not in QUANTITIES:
        yield unknown("quantity", claim.of, QUANTITIES)
    if claim.diverged not in ("", "chance"):
        yield unknown("outcome of a training that diverges", claim.diverged, ("chance",))
    if claim.by not in BY:
        yield unknown("by", claim.by, BY)


def _of_parts(claim: Claim) -> Iterator[str]:
    """Yield what of a claim does not go together, where its words are known."""
    if not claim.range:
        yield f"where the effect lies is missing: one or two of {', '.join(ENDS)}"
    low, high = claim.ends
    if low > high or (low == high and low in (claim.above, claim.below)):
        yield f"no effect lies in such a range: {claim.range}"
    if claim.by == "ratio" and not claim.second:
        yield "a ratio needs a second network"
    if claim.diverged and claim.of not in CHANCE:
        yield f"nobody knows {claim.of} by chance; of {', '.join(CHANCE)} that is known"
    wanted = {"first", "second"} if claim.second else {"first"}
    if claim.small and set(claim.small) != wanted:
        yield f"small has to name {' and '.join(sorted(wanted))}, and nothing else"
    if claim.kind is Kind.COUNTED and (claim.small or claim.recipe):
        yield "what is counted is trained on no images: small and recipe mean nothing there"


def _of_lengths(claim: Claim) -> Iterator[str]:
    if len(claim.lengths) != 2 or not all(isinstance(each, int) for each in claim.lengths):
        yield "lengths are the least and the most: [40, 72]"
    elif claim.lengths[0] > claim.lengths[1]:
        yield f"no path has such a length: {list(claim.lengths)}"


def _check_recipe(told: Mapping[str, Any]) -> None:
    known = [item.name for item in fields(Recipe) if item.name not in UNSET]
    for name in told:
        if name not in known:
            raise InputError(unknown("field", name, known), place="recipe")
    try:
        Recipe(**told)
    except InputError as error:
        raise error.at("recipe") from error
    except TypeError as error:
        raise InputError(f"a value is of the wrong kind: {error}", place="recipe") from error
