"""Put values of environment variables into texts, so that secrets need not stand in files or on command lines."""

import re
from collections.abc import Mapping

from spaces.errors import InputError


def expand(text: str, environment: Mapping[str, str], *, place: str = "") -> str:
    """Return the text with every `${NAME}` replaced.

    Raises:
        InputError: a variable is not set. Its value is never part of a message.
    """

    def look_up(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise InputError(f"the environment variable {found[1]} is not set", place=place)
        return environment[found[1]]

    return re.sub(r"\$\{(\w+)\}", look_up, text)
