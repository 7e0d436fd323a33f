"""Take the shortcuts out of a network: the plain one that it is compared with (He et al. 2015, Li et al. 2018)."""

from dataclasses import replace

from spaces.architecture import Architecture, plan
from spaces.errors import InputError
from spaces.kinds import AROUND, kind_of


def plain_of(architecture: Architecture) -> Architecture:
    """Return the same network without its shortcuts; what drops shortcuts or whole branches goes with them.

    Raises:
        InputError: it has none, or its blocks cannot be without.
    """
    kind = kind_of(architecture)
    if not kind.shortcuts or architecture.shortcut == "none":
        raise InputError(f"block {architecture.block} with shortcut {architecture.shortcut} has none to take out")
    if "@" in kind.makes:
        raise InputError(f"block {architecture.block} is a package's: nobody knows its shortcuts")
    dropout = "none" if architecture.dropout in AROUND else architecture.dropout
    made = replace(architecture, shortcut="none", levels=1, dropout=dropout).canonical()
    plan(made)
    return made
