"""Run every check in stages, each whatever became of those before it, and list at the end all that failed.

python -m tests.stages [--bare | --extras]
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

BIN = Path(sys.executable).parent
NOTHING_RAN = 5  # pytest's exit code where no test was chosen
NEVER = "not gpu and not very_slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command, and how long it takes on two cores."""

    name: str
    minutes: str
    command: tuple[str, ...]
    is_pytest: bool = False

    def run(self, folder: Path, *, bare: bool) -> list[str]:
        """Run it with its output shown, and return a line for each thing that failed."""
        report = folder / f"{self.name}.xml"
        options = [f"--junit-xml={report}", *(["--bare"] if bare else [])] if self.is_pytest else []
        code = subprocess.run([str(BIN / self.command[0]), *self.command[1:], *options], check=False).returncode
        if code in (0, NOTHING_RAN if self.is_pytest else 0):
            return []
        return (_failed(report) if report.exists() else []) or [f"{' '.join(self.command)}: exit code {code}"]


def _pytest(name: str, minutes: str, marks: str, *options: str) -> Stage:
    return Stage(name=name, minutes=minutes, command=("pytest", "-m", marks, *options), is_pytest=True)


CHECKS = (
    Stage(name="lint", minutes="seconds", command=("ruff", "check", ".")),
    Stage(name="format", minutes="seconds", command=("ruff", "format", "--check", ".")),
    Stage(name="types", minutes="1 min", command=("mypy",)),
    Stage(name="imports", minutes="seconds", command=("lint-imports",)),
)
TESTS = (
    _pytest("tests", "19 min", f"not cluster and {NEVER}", "-n", "2", "--dist", "worksteal"),
    # Two at once, but for what watches the memory of the whole machine.
    _pytest("studies", "25 min", f"cluster and not alone and {NEVER}", "-n", "2", "--dist", "worksteal"),
    _pytest("alone", "1 min", f"alone and {NEVER}"),
)
EXTRAS = (_pytest("extras", "3 min", f"extra and {NEVER}"),)


def _failed(report: Path) -> list[str]:
    """Return the names of the tests that failed."""
    cases = ElementTree.parse(report).getroot().iter("testcase")  # pytest's own
    return [f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}" for case in cases
            if case.find("failure") is not None or case.find("error") is not None]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stages and return 1 where anything failed."""
    given = _parser().parse_args(argv)
    stages = EXTRAS if given.extras else (*CHECKS, *TESTS)
    print(f"on two cores: {', '.join(f'{stage.name} {stage.minutes}' for stage in stages)}", flush=True)
    failed: list[str] = []
    with TemporaryDirectory() as folder:
        for number, stage in enumerate(stages, start=1):
            print(f"\n--- {number} of {len(stages)}: {stage.name}, {stage.minutes}", flush=True)
            began = time.monotonic()
            found = stage.run(Path(folder), bare=given.bare)
            failed += [f"{stage.name}: {line}" for line in found]
            said = f"{len(found)} failed" if found else "passed"
            print(f"--- {stage.name}: {said} in {time.monotonic() - began:.0f} s", flush=True)
    print("\n" + "\n".join(failed or ["all passed"]))
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.stages", description="Run every check.")
    parser.add_argument("--bare", action="store_true", help="as on a machine without what README does not name")
    parser.add_argument("--extras", action="store_true", help="run just what --bare skips")
    return parser


if __name__ == "__main__":
    sys.exit(main())
