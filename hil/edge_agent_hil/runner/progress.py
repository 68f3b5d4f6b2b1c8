"""Shows how far it is: a bar where there is a terminal and `rich`, a line at each beginning where there is not."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from edge_agent_hil.command import say, show


class Progress:
    """`with Progress(names) as progress:`, then `begin(name)`, `tell(what, share)` and `end()` for each."""

    def __init__(self, scenarios: int) -> None:
        self._scenarios = scenarios
        self._number = 0
        self._bar, self._task = _bar(), None

    def __enter__(self) -> Progress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def begin(self, name: str) -> None:
        """The next scenario."""
        self._number += 1
        title = f"{self._number}/{self._scenarios} {name}"
        if self._bar:
            self._task = self._bar.add_task(title, total=1.0, now="")
        else:
            say(f"{title} …")

    def tell(self, what: str, share: float) -> None:
        """What is going on in it, and which part of it is done, 0 to 1."""
        if self._bar:
            self._bar.update(self._task, completed=share, now=what)

    def end(self, lines: list[str]) -> None:
        """It is over, or all are; the lines that tell how it went."""
        if self._bar and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if self._bar and sys.stdout.isatty():
            self._bar.console.print("\n".join(lines), markup=False, highlight=False)
        else:
            show("\n".join(lines))


def _bar() -> Any:
    """A bar on stderr; None without a terminal or without `rich`."""
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
    except ImportError:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[now]}"))
    return Bar(*columns, console=Console(stderr=True))
