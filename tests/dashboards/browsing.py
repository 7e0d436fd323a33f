"""Look at a page in a real browser: what a test asks of the live page and of the report alike."""

from collections.abc import Callable
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Page

GUARD_MS = 120_000  # that only keeps a test from hanging
TEXT = 4.5  # the contrast that WCAG 2.2 wants of text
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
OpenPage = Callable[..., Page]

CONTRASTS = """() => {
  const parsed = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const over = ([r, g, b, share = 1], ground) => [r, g, b].map((c, i) => c * share + ground[i] * (1 - share));
  const linear = c => c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ground = element => {
    const under = element.parentElement ? ground(element.parentElement) : [255, 255, 255];
    return over(parsed(getComputedStyle(element).backgroundColor), under);
  };
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || !parent.checkVisibility() || parent.closest("script, noscript, button:disabled")) continue;
    const style = getComputedStyle(parent), under = ground(parent);
    const drawn = parent instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(over(parsed(drawn), under)), light(under)];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), text]);
  }
  return found;
}"""


def is_complaint(said: str) -> bool:
    """Whether the console says more than that a server cannot be reached."""
    return "ERR_CONNECTION_REFUSED" not in said and "ERR_INCOMPLETE_CHUNKED_ENCODING" not in said


def answered(page: Page) -> dict[str, int]:
    """Return the trials that the sentence about the budget names, by what they are there."""
    read = "all => all.map(each => [each.dataset.role, Number(each.dataset.trial)])"
    return dict(page.eval_on_selector_all("#answer button", read))


def limit_of(page: Page) -> float:
    """Return the budget that the page's address keeps."""
    return float(page.evaluate("Number(location.hash.split('=')[1])"))


def texts_read(page: Page) -> int:
    """Return how many texts the page shows, all of which can be read."""
    found = page.evaluate(CONTRASTS)
    assert not [each for each in found if each[0] < TEXT]
    return len(found)


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe finds that keeps somebody from using the page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))  # as the page's own policy lets no script in
    told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]])
        for each in told["violations"]
        if each["impact"] in ("serious", "critical")
    ]
