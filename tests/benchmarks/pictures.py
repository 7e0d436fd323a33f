"""Take the pictures of docs/: a study on its live page and in its report, light and dark, and its front in a terminal.

python -m tests.benchmarks.pictures docs                                # runs space.yaml, in a folder of its own
python -m tests.benchmarks.pictures docs --page http://127.0.0.1:8480/  # of a page that is there, and nothing else
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.text import Text

from tests.extras import EXTRAS

SIZE = {"width": 1280, "height": 960}
SCHEMES = ("light", "dark")
SPACE = Path(__file__).parents[2] / "space.yaml"
ENOUGH = 4  # networks on the front, for a picture of what goes on
GUARD_MS = 900_000
WIDE = 118  # characters in a line of the terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pictures, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument(
        "--page", metavar="URL", help="take those of a live page that is there, such as `launch --page`'s"
    )
    given = parser.parse_args(argv)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXTRAS["chromium"].place, args=["--no-sandbox"])
        if given.page:
            take(browser, given.page, given.folder, "live")
        else:
            with TemporaryDirectory() as scratch:
                of_a_study(browser, Path(scratch), given.folder)
        browser.close()
    return 0


def of_a_study(browser: Browser, scratch: Path, folder: Path) -> None:
    """Run a study, and take its pictures on the way and at its end."""
    with launched(scratch) as address:
        take(browser, address, folder, "live", best=ENOUGH)
    report = (scratch / "report.html").as_uri()
    take(browser, report, folder, "report")
    with shown(browser, report, "light") as page:
        save(page, folder / "digits-front.png", "#front")
    told = run(scratch, "search.front", "sqlite:///widefront.db", FORCE_COLOR="1", COLUMNS=str(WIDE))
    (scratch / "terminal.html").write_text(as_html(told), encoding="utf-8")
    with shown(browser, (scratch / "terminal.html").as_uri(), "dark", wait="pre") as page:
        save(page, folder / "terminal.png", "pre")


@contextmanager
def launched(scratch: Path) -> Iterator[str]:
    """Give the address of the page of a study that runs, and wait for its end."""
    command = [sys.executable, "-m", "search.launch", str(SPACE), "--page"]
    with subprocess.Popen(command, cwd=scratch, stdout=subprocess.PIPE, text=True, env=environment()) as study:
        assert study.stdout is not None
        found = (re.search(r"http://127\.0\.0\.1:\d+/", line) for line in study.stdout)
        yield next(filter(None, found))[0]
        print(study.stdout.read(), end="")
    if study.returncode:
        raise SystemExit(study.returncode)


def run(scratch: Path, module: str, *given: str, **more: str) -> str:
    """Return what a command says."""
    command = [sys.executable, "-m", module, *given]
    env = environment(**more)
    return subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=True, env=env).stdout


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SPACE.parent), **more}


def as_html(told: str) -> str:
    """Return what a terminal shows as a page."""
    console = Console(record=True, width=WIDE, file=StringIO())
    console.print(Text.from_ansi(f"$ python -m search.front sqlite:///widefront.db\n{told}"))
    styles = (
        "body { margin: 0; background: #14171c; color: #e8eaee; } pre { margin: 0; padding: 16px; width: max-content; }"
    )
    inner = console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")
    return f"<!doctype html><meta charset=utf-8><style>{styles}</style>{inner}"


@contextmanager
def shown(browser: Browser, address: str, scheme: str, wait: str = "body[data-seq]") -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(GUARD_MS)
    page.goto(address)
    page.wait_for_selector(wait)
    yield page
    context.close()


def take(browser: Browser, address: str, folder: Path, name: str, best: int = 1) -> None:
    """Take a picture of a page in each colour scheme."""
    for scheme in SCHEMES:
        with shown(browser, address, scheme) as page:
            page.locator(".mark").nth(best - 1).wait_for()
            page.wait_for_timeout(1_000)
            save(page, folder / f"{name}-{scheme}.png")


def save(page: Page, path: Path, part: str = "") -> None:
    (page.locator(part) if part else page).screenshot(path=path)
    print(path)


if __name__ == "__main__":
    raise SystemExit(main())
