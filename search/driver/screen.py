"""Draw on a terminal's other screen, which wraps and scrolls nothing: no change of its size leaves traces."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import IO, cast

from rich.console import Console, ConsoleRenderable, RenderableType, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.screen import Screen as Filled
from rich.segment import ControlType

from search.core.interrupts import interrupts


@contextmanager
def meanwhile(console: Console, words: str) -> Iterator[None]:
    """Say on a terminal what is being done, as long as it is; elsewhere there is nothing to wait before."""
    shown = console.is_terminal and not console.is_dumb_terminal
    if shown:
        console.print(words, end="", markup=False, highlight=False)
    try:
        yield
    finally:
        if shown:
            console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))


class Screen(RenderHook):
    """The other screen while it is shown; what is printed meanwhile is kept for after it.

    Everything else that a program could print on would be wrapped anew when the terminal is made narrower, and scroll
    out of reach when it is made lower.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.said: list[ConsoleRenderable] = []
        self._redirected = ExitStack()

    def start(self) -> None:
        """Show the other screen."""
        interrupts.drawing = True
        self.console.set_alt_screen(True)
        self.console.show_cursor(False)
        self.console.push_render_hook(self)
        self._redirected.enter_context(redirect_stdout(cast(IO[str], FileProxy(self.console, sys.stdout))))
        self._redirected.enter_context(redirect_stderr(cast(IO[str], FileProxy(self.console, sys.stderr))))

    def draw(self, drawing: RenderableType) -> None:
        """Fill the screen, whatever size it has by now."""
        with self.console:  # written in one piece
            self.console.control(Control.home())
            self.console.print(Filled(drawing))

    def stop(self) -> None:
        """Empty the screen, show the first one again, and print there what was said meanwhile."""
        self.draw("")
        self._redirected.close()
        self.console.pop_render_hook()
        self.console.control(Control.home())
        self.console.show_cursor(True)
        self.console.set_alt_screen(False)
        interrupts.drawing = False
        for each in self.said:
            self.console.print(each, soft_wrap=True)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Let drawings through, and keep the rest."""
        self.said += [each for each in renderables if not isinstance(each, Filled)]
        return [each for each in renderables if isinstance(each, Filled)]
