"""Whatever a study's file and data hold, a dry run says what is there or what is wrong, soon and in little memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.front_door import LONGEST_S, MOST_BYTES
from tests.end_to_end.hostile import TEXTS, data_case, study_file

ROOT = Path(__file__).resolve().parents[2]
FILES, DATA = 500, 200  # whose seeds are 10,000 and 20,000 and a number
LONGEST_LINE = 2_000  # characters of a refusal


def try_all(folder: Path) -> list[Path]:
    """Run every case in a folder and return them."""
    command = [sys.executable, "-m", "tests.end_to_end.front_door", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3_000)
    return sorted(path for path in folder.iterdir() if path.is_dir())


def faults(case: Path) -> list[str]:
    """Return what a case did that nothing may do."""
    ended: dict[str, Any] = json.loads((case / "ended.json").read_text())
    said, complained = ((case / name).read_text(errors="replace") for name in ("out.txt", "err.txt"))
    found = []
    if ended["code"] not in (0, 2):
        found.append(f"exit code {ended['code']}")
    if "Traceback" in said + complained:
        found.append("a traceback")
    if ended["seconds"] > LONGEST_S or ended["bytes"] > MOST_BYTES:
        found.append(f"{ended['seconds']:.0f} s and {ended['bytes'] / 1e6:,.0f} MB")
    lines = complained.splitlines()
    if [line for line in lines if not line.startswith(("error: ", "warning: "))] or len(lines) != (ended["code"] != 0):
        found.append(f"{len(lines)} lines of errors")
    if not all(line.isprintable() for line in (said + complained).split("\n")):
        found.append("control characters")
    if max(map(len, lines), default=0) > LONGEST_LINE:
        found.append(f"a line of {max(map(len, lines)):,} characters")
    if sorted(path.name for path in case.iterdir() if path.name in ("pwned", "widefront.db", "study.db", "runs")):
        found.append("a dry run that leaves files")
    return [f"{case.name}: {each}: {(lines or ['nothing said'])[-1][:300]}" for each in found]


def write_studies(folder: Path, numbers: range) -> None:
    for number in numbers:
        case = folder / f"file-{number:03}"
        case.mkdir()
        text, settings = study_file(number)
        (case / "space.yaml").write_bytes(text)
        arguments = ["space.yaml", "--dry-run", *(part for setting in settings for part in ("--set", setting))]
        (case / "arguments.json").write_text(json.dumps(arguments))


def write_data(folder: Path, numbers: range) -> None:
    for number in numbers:
        case = folder / f"data-{number:03}"
        case.mkdir()
        data_case(case, number)


def check(folder: Path, at_least: int) -> None:
    """Check every case, and that enough of them were good: a door that is shut to everyone would pass as well."""
    cases = try_all(folder)
    assert [fault for case in cases for fault in faults(case)] == []
    codes = [json.loads((case / "ended.json").read_text())["code"] for case in cases]
    assert min(codes.count(0), codes.count(2)) >= at_least


@pytest.mark.slow
def test_a_few_files_and_data_of_each_kind_end_in_one_line(tmp_path: Path) -> None:
    write_studies(tmp_path, range(len(TEXTS) - 8, len(TEXTS) + 16))
    write_data(tmp_path, range(12))
    check(tmp_path, 4)


@pytest.mark.very_slow
@pytest.mark.timeout(3_600)
def test_five_hundred_files_end_in_one_line(tmp_path: Path) -> None:
    write_studies(tmp_path, range(FILES))
    check(tmp_path, 60)


@pytest.mark.very_slow
@pytest.mark.timeout(3_600)
def test_two_hundred_folders_and_archives_end_in_one_line(tmp_path: Path) -> None:
    write_data(tmp_path, range(DATA))
    check(tmp_path, 20)
