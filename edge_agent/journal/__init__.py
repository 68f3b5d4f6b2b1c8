"""The durable log: what is appended here survives, and every destination follows it at its own pace.

Start reading at `log.py`: what is promised and how it works.
"""

from __future__ import annotations

from edge_agent.journal.alive import Alive
from edge_agent.journal.audit import Audit
from edge_agent.journal.audit_check import audit_entries, audit_faults, audit_page
from edge_agent.journal.commit import SYNC_PLACES_S
from edge_agent.journal.cursor import Cursor
from edge_agent.journal.folder import FolderUnusable
from edge_agent.journal.lane import LANES, LaneName
from edge_agent.journal.log import Journal
from edge_agent.journal.ranges import Range
from edge_agent.journal.record import HEAD_SIZE, Record, RecordKind
from edge_agent.journal.survey import CursorFacts, FolderFacts, SegmentFacts, records, stat, verify
from edge_agent.journal.wear import bytes_a_day

__all__ = [
    "HEAD_SIZE", "LANES", "SYNC_PLACES_S", "Alive", "Audit", "Cursor", "CursorFacts", "FolderFacts", "FolderUnusable",
    "Journal", "LaneName", "Range", "Record", "RecordKind", "SegmentFacts", "audit_entries", "audit_faults",
    "audit_page", "bytes_a_day", "records", "stat", "verify",
]  # fmt: skip
