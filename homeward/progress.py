"""How does whoever waits see what is being done, on a terminal and in a log alike? Always on standard error."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape


class Progress:
    """One step after another: a turning mark on a terminal, a line each elsewhere."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status = self.console.status("") if self.console.is_terminal else None
        self._step = ""
        self._since = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done(failed=kind is not None)

    def say(self, sentence: str) -> None:
        """Begin a step; the one before is done."""
        self.done()
        self._step, self._since = sentence, time.monotonic()
        if self._status is not None:
            self._status.update(f"{escape(sentence)} …")
            self._status.start()

    def detail(self, words: str) -> None:
        """Say how far the step has come, where somebody watches."""
        if self._status is not None:
            self._status.update(f"{escape(self._step)}: {escape(words)} …")

    def done(self, *, failed: bool = False) -> None:
        """End the last step."""
        if self._status is not None:
            self._status.stop()
        if self._step:
            mark = "[red]✗[/]" if failed else "[green]✓[/]"
            self.console.print(f"{mark} {escape(self._step)} [dim]({time.monotonic() - self._since:.1f} s)[/]")
        self._step = ""
