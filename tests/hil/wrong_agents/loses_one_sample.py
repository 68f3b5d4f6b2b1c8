"""An agent that is wrong: of all that it sends, one value is missing."""

from __future__ import annotations

import sys
from typing import Any

from edge_agent import cli
from edge_agent.core.report import Samples
from edge_agent.encode import json_samples

# Not of the first moments, which nobody judges.
LOST = 40
TAG = "total"
_whole = json_samples.groups
_counted = 0
_lost = 0


def groups(samples: Samples) -> list[dict[str, Any]]:
    global _counted, _lost
    found = _whole(samples)
    for group in found:
        if TAG in group["values"] and samples.device == "cnc-7":
            _counted += 1
            if _counted == LOST:
                _lost = group["t"]
            if group["t"] == _lost:  # also where it is sent again, as nobody has confirmed it
                del group["values"][TAG]
    return found


if __name__ == "__main__":
    json_samples.groups = groups
    sys.exit(cli.main())
