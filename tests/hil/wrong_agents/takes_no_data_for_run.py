"""An agent that is wrong: while nothing comes from a machine, it believes that all goes on as before."""

from __future__ import annotations

import sys
from typing import Any

from edge_agent import cli
from edge_agent.south.reader import Reader


def mark(_self: Reader, _which: Any, _reason: int) -> None:
    """Nothing is marked."""


if __name__ == "__main__":
    Reader._mark = mark  # type: ignore[method-assign]
    sys.exit(cli.main())
