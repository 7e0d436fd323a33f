"""Print the JSON schema of a study's file, by which editors complete and check it.

python -m search.schema > space.schema.json
"""

import json
import sys

from search.config.schema import schema


def main() -> int:
    """Print it and return the exit code."""
    print(json.dumps(schema(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
