"""Describe one network: its stages, its cost, its paths, and what was published of it.

    python -m spaces.describe wrn-28-10 [--set field=value ...] [--classes N] [--image CxHxW] [--json]

Instead of a name it takes a JSON file of an architecture, as the store and `search.front --json` write it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from spaces import cli
from spaces.architecture import Architecture
from spaces.counting import BATCH
from spaces.description import Description, Row, describe, to_json
from spaces.errors import InputError
from spaces.fields import DEFAULTS
from spaces.names import FAMILIES, Named, asked
from spaces.paths import Paths
from spaces.published import Result
from spaces.settings import read_image

MOST_IMAGES = 1_000_000  # in a batch


def main(argv: Sequence[str] | None = None) -> int:
    """Print the description and return the exit code."""
    return cli.run(_parser(), argv, _print)


def _print(given: argparse.Namespace) -> int:
    told = describe(_asked(given), batch=given.batch)
    print(json.dumps(to_json(told), indent=2) if given.json else "\n".join(lines(told, batch=given.batch)))
    return 0


def _asked(given: argparse.Namespace) -> Named:
    if not 1 <= given.batch <= MOST_IMAGES:
        raise InputError(f"{given.batch} is not from 1 to {MOST_IMAGES:,}", place="--batch")
    found = asked(given.name, given.set)
    usual = found.image
    sizes = f"{usual.channels}x{usual.height}x{usual.width}" if given.image is None else given.image
    return replace(found, image=read_image(sizes, usual.classes if given.classes is None else given.classes))


def lines(told: Description, *, batch: int = BATCH) -> list[str]:
    """Return a description for people."""
    image, cost = told.image, told.cost
    return [
        f"{told.name}: {told.layers} layers, for images of {image.channels}x{image.height}x{image.width} "
        f"in {image.classes} classes",
        "",
        *_table(told.rows),
        "",
        f"params       {cost.params:,}",
        f"macs         {cost.macs:,} per image",
        f"activations  {cost.activations:,} per image",
        f"weights      {cost.weight_bytes / 2**20:,.1f} MiB",
        f"training     at most {cost.training_bytes / 2**20:,.0f} MiB for a batch of {batch}",
        f"paths        {_shown(told.paths)}",
        f"digest       {told.architecture.digest}",
        f"fields       {_fields(told.architecture)}",
        *_ignored(told.architecture),
        *_published(told),
    ]


def _table(rows: Sequence[Row]) -> list[str]:
    lined = [("part", "blocks", "channels", "map", "params", "macs")]
    for row in rows:
        height, width = row.map
        counted = (f"{row.cost.params:,}", f"{row.cost.macs:,}")
        lined.append((row.part, str(row.blocks), f"{row.channels:,}", f"{height}x{width}", *counted))
    widths = [max(map(len, column)) for column in zip(*lined, strict=True)]
    return ["  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lined]


def _shown(found: Paths) -> str:
    # A number beyond a float's range is told by its digits.
    count = f"{found.count:,}" if found.count < 10**9 else f"about 10^{len(str(found.count)) - 1}"
    lengths = f"{found.shortest} to {found.longest} layers, {found.mean:.2f} in the mean, deviation {found.std:.2f}"
    return f"{count}, of {lengths}"


def _fields(architecture: Architecture) -> str:
    read = architecture.canonical()
    changed = {name: getattr(read, name) for name, usual in DEFAULTS.items() if getattr(read, name) != usual}
    texts = {name: ",".join(map(str, value)) if isinstance(value, tuple) else value for name, value in changed.items()}
    return " ".join(f"{name}={text}" for name, text in texts.items()) or "all at their default"


def _ignored(architecture: Architecture) -> list[str]:
    """Return a line that names the fields which were given and which a block of this kind does not read."""
    read = architecture.canonical()
    ignored = [name for name in DEFAULTS if getattr(architecture, name) != getattr(read, name)]
    return [f"ignored      {', '.join(ignored)}: without effect on block {architecture.block} so"] if ignored else []


def _published(told: Description) -> list[str]:
    if told.published:
        return [f"published    {_result(found)}" for found in told.published]
    if told.near is None:
        return ["published    nothing of this network or one near it"]
    settings = f" with {told.near.settings}" if told.near.settings else ""
    return [f"nearest      {told.near.network}{settings}, {told.near.params:,} params: {_result(told.near)}"]


def _result(found: Result) -> str:
    return f"{found.error_percent:g} % error on {found.data} ({found.source})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m spaces.describe",
        description="Describe one network.",
        epilog=f"Names look like {', '.join(example for _, _, example in FAMILIES)}.",
    )
    parser.add_argument("name", help="a network of the literature, or a JSON file of an architecture")
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="FIELD=VALUE", help="change fields of the architecture"
    )
    parser.add_argument("--classes", type=int, help="classes that the head tells apart")
    parser.add_argument("--image", metavar="CxHxW", help="channels, height and width, such as 3x32x32")
    parser.add_argument("--batch", type=int, default=BATCH, help="images in a batch, for the memory of training")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
