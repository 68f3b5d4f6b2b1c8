"""The agent; what has waited through an outage of seconds is sent beside what is new, as else only minutes are."""

from __future__ import annotations

import sys

from edge_agent import cli
from edge_agent.north import drain

WORTH_BYTES = 2000      # a second or two of the campaign's samples

if __name__ == "__main__":
    drain.WORTH_BYTES = WORTH_BYTES     # type: ignore[misc]
    sys.exit(cli.main(sys.argv[1:]))
