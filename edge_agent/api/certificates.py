"""What an engineer does with certificates: make ours, look at all, approve those of others, take it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as people want to see it; of a file that cannot be read only `place`, `file` and `remarks`.

    place        own, trusted, issuers, rejected; or the key of the site file that names it
    uri          its application URI, '' if it has none      names  host names and IP addresses
    fingerprint  SHA-256, 64 hex digits                      thumbprint  SHA-1, as many servers show it
    remarks      what to know of it: ended, ends soon, key too short
    """

    place: str
    file: Path
    subject: str = ""
    uri: str = ""
    names: Sequence[str] = ()
    fingerprint: str = ""
    thumbprint: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a new certificate.

    agent    id of the agent, '' if nobody knows it   days, bits  None: as usual
    names    host names and IP addresses; none: the name of this computer
    request  make a signing request for the plant's authority instead
    force    even if there is a good one
    """

    agent: str = ""
    days: int | None = None
    bits: int | None = None
    organization: str = ""
    names: Sequence[str] = ()
    request: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Handled:
    """What was done: the certificates it was done to, files that were written, and what to do next, a sentence each."""

    certificates: Sequence[Certificate] = ()
    files: Sequence[Path] = ()
    advice: Sequence[str] = ()


class Certificates(Protocol):
    """A driver's certificates, in a PKI folder that need not be there yet. All block on the disk.

    All raise `ValueError` for words that cannot be meant, `Refused` where it makes no sense here and now, and
    `AccessDenied` where files stand in the way; each says what to do.
    """

    def new(self, folder: Path, wanted: Wanted, now: datetime) -> Handled:
        """Make our certificate and key, or a signing request; what was there is kept under another name."""
        ...

    def entries(self, folder: Path, now: datetime) -> Sequence[Certificate]:
        """Every certificate of the folder, ours first."""
        ...

    def trust(self, folder: Path, what: str, issuer: bool, now: datetime) -> Handled:
        """Approve a rejected certificate, named by the beginning of its fingerprint, or one in a file; `issuer`:
        only as one that completes a chain. A revocation list in a file is kept as well."""
        ...

    def reject(self, folder: Path, what: str, now: datetime) -> Handled:
        """Take the approval back of a certificate, named by the beginning of its fingerprint."""
        ...

    def read(self, file: Path, place: str, now: datetime) -> Sequence[Certificate]:
        """The certificates of any file, as `place`; one that says why if it cannot be read."""
        ...
