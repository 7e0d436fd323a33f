"""Modules become one script: each once, behind what it imports, and nothing of a module's syntax is left."""

import re

import pytest

from dashboards import bundle


@pytest.mark.parametrize("entry", ["report.js", "live.js"])
def test_every_module_stands_behind_what_it_imports(entry: str) -> None:
    script = bundle.script(entry)
    defined: list[str] = []
    steps = re.compile(r"^modules\['([\w-]+\.js)'\] =|= modules\['([\w-]+\.js)'\];$", re.MULTILINE)
    for made, used in steps.findall(script):
        assert not used or used in defined[:-1]
        defined += [made] if made else []
    assert defined[-1] == entry
    assert len(defined) == len(set(defined)) > 8


@pytest.mark.parametrize("entry", ["report.js", "live.js"])
def test_no_line_is_left_that_only_a_module_understands(entry: str) -> None:
    assert not re.search(r"^(import|export)\b", bundle.script(entry), flags=re.MULTILINE)
    assert "</script" not in bundle.script(entry)


def test_every_name_that_is_imported_is_exported() -> None:
    for path in bundle.STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for names, module in bundle._IMPORT.findall(text):
            told = set(bundle._EXPORT.findall((bundle.STATIC / module).read_text(encoding="utf-8")))
            assert {name.strip() for name in names.split(",") if name.strip()} <= told, (path.name, module)
