"""The engineer's certificate tools of this driver, as `edge-agent cert` finds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from edge_agent.api import Certificate, Handled, Wanted


class OpcUaCertificates:
    """See `Certificates`. What does the work is imported when it is wanted: an agent carries no tools."""

    def new(self, folder: Path, wanted: Wanted, now: datetime) -> Handled:
        """See `Certificates.new`."""
        from edge_agent_opcua.security.renew import new

        return new(folder, wanted, now)

    def entries(self, folder: Path, now: datetime) -> Sequence[Certificate]:
        """See `Certificates.entries`."""
        from edge_agent_opcua.security.approve import entries

        return entries(folder, now)

    def trust(self, folder: Path, what: str, issuer: bool, now: datetime) -> Handled:
        """See `Certificates.trust`."""
        from edge_agent_opcua.security.approve import trust

        return trust(folder, what, issuer, now)

    def reject(self, folder: Path, what: str, now: datetime) -> Handled:
        """See `Certificates.reject`."""
        from edge_agent_opcua.security.approve import reject

        return reject(folder, what, now)

    def read(self, file: Path, place: str, now: datetime) -> Sequence[Certificate]:
        """See `Certificates.read`."""
        from edge_agent_opcua.security.approve import read_file

        return read_file(file, place, now)
