"""`edge-agent journal`: what waits for whom, what the journal holds, and whether it is whole. Reads only.

An agent may be running on the same journal: files are opened for reading, no lock is taken.
"""

from __future__ import annotations

from edge_agent.journal_tools.command import add_commands

__all__ = ["add_commands"]
