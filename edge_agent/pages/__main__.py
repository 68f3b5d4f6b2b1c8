"""`python -m edge_agent.pages --url … --listen …`: the pages of an agent, as the agent itself starts them."""

from __future__ import annotations

import sys

from edge_agent.pages.command import main

sys.exit(main())
