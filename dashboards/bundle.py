"""Put ES modules of `live/static` into one script, for a page of one file: a browser reads no module beside a file.

Only what these modules use is understood: `import {a, b} from "./x.js";`, and `export` before function, class or const.
"""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "live" / "static"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def script(entry: str) -> str:
    """Return a module with all that it imports, as one script."""
    parts = (f"modules[{name!r}] = {_wrapped(name)};" for name in _in_order(entry))
    return "\n".join(["(() => {", '"use strict";', "const modules = {};", *parts, "})();", ""])


def styles(*names: str) -> str:
    """Return style sheets, one after another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def _in_order(entry: str) -> list[str]:
    """Return the modules that one needs, each behind those that it imports."""
    found: list[str] = []

    def visit(name: str) -> None:
        for _, imported in _IMPORT.findall(_text(name)):
            visit(imported)
        if name not in found:
            found.append(name)

    visit(entry)
    return found


def _wrapped(name: str) -> str:
    text = _text(name)
    names = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(lambda found: f"const {{{found[1]}}} = modules[{found[2]!r}];\n", text))
    return f"(() => {{\n{body}return {{{names}}};\n}})()"


def _text(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
