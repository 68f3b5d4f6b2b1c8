"""The engineer's tools of this driver, as `edge-agent discover` and `edge-agent probe` find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.api import Branch, Discovery, Inquiry, Measured


class OpcUaTools:
    """See `Tools`. What does the work is imported when it is wanted: an agent carries no tools."""

    schemes: Sequence[str] = ("opc.tcp",)

    async def discover(self, url: str, inquiry: Inquiry) -> Discovery:
        """See `Tools.discover`."""
        from edge_agent_opcua.commission.discover import discover

        return await discover(url, inquiry)

    async def probe(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Mapping[str, Any]]:
        """See `Tools.probe`."""
        from edge_agent_opcua.commission.probe import probe

        return await probe(url, addresses, inquiry)

    async def limits(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Measured]:
        """See `Tools.limits`."""
        from edge_agent_opcua.commission.limits import limits

        return await limits(url, addresses, inquiry)

    async def browse(self, url: str, node: str, inquiry: Inquiry) -> Branch:
        """See `Browser.browse`."""
        from edge_agent_opcua.commission.browse import browse

        return await browse(url, node, inquiry)
