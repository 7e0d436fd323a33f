"""Print the JSON schema of a study's file, by which editors complete and check it.

python -m search.schema > space.schema.json
"""

import argparse
import json
import sys
from collections.abc import Sequence

from search import cli
from search.config.schema import schema


def main(argv: Sequence[str] | None = None) -> int:
    """Print it and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m search.schema", description=__doc__.splitlines()[0])
    return cli.run(parser, argv, _print)


def _print(_given: argparse.Namespace) -> int:
    print(json.dumps(schema(), indent=2))
    return cli.DONE


if __name__ == "__main__":
    sys.exit(main())
