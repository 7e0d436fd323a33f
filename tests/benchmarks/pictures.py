"""Take the pictures of docs/: the live page, light and dark, as it shows a study now.

python -m tests.benchmarks.pictures http://127.0.0.1:8480/ docs
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.extras import EXTRAS

SIZE = {"width": 1280, "height": 960}


def main(argv: Sequence[str] | None = None) -> int:
    """Write a picture in each colour scheme, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pictures", description=__doc__)
    parser.add_argument("page", help="address of a page, such as that of `launch --page`")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    given = parser.parse_args(argv)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXTRAS["chromium"].place, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()  # type: ignore[arg-type]
            page.goto(given.page)
            page.wait_for_selector("body[data-seq]")
            page.wait_for_timeout(1_000)
            page.screenshot(path=given.folder / f"live-{scheme}.png")
            print(given.folder / f"live-{scheme}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
