"""The PKI folder on the disk.

Layout (as OPC UA Part 12, F.1 proposes for certificate stores):

    own/certs/*.der       our certificate         own/private/*.pem    its key, readable for us only
    own/*.csr             a request that waits for the authority's certificate
    trusted/certs  /crl   whom we trust: applications or authorities; revocation lists
    issuers/certs  /crl   authorities that complete a chain, but whose mere signature is no reason to trust
    rejected/certs        whom we have refused; bounded, the oldest go

A certificate is DER or PEM whatever its file is called; files with other endings than those below are left
alone (what is retired is renamed `….until-2031-07-01`). Every file is written aside, synced and renamed: a power
cut leaves the old one or the new one. Folders appear when there is something to put into them.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography import x509

from edge_agent_opcua.security.certificate import (
    CertificateTrouble,
    certificates_in,
    common_name,
    der,
    fingerprint,
)

ENDINGS: Final = frozenset((".der", ".crt", ".cer", ".pem"))
KEY_ENDINGS: Final = frozenset((".pem", ".key", ".der"))
LIST_ENDINGS: Final = frozenset((".crl", ".der", ".pem"))

# Whoever reaches the network can fill the quarantine: it must not fill the disk, nor a page of the list.
REJECTED_MOST: Final = 100

# Certificates have 1 to 2 kB, chains 10, lists of a large authority a few MB.
FILE_MOST: Final = 16_000_000


class Place(StrEnum):
    """Where a certificate lies, which says what we think of it."""

    OWN = "own"
    TRUSTED = "trusted"
    ISSUERS = "issuers"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate and its file."""

    place: Place
    file: Path
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that should hold a certificate, a key or a list, and why it cannot be read."""

    place: Place
    file: Path
    why: str


class Store:
    """The folder. Everything blocks on the disk; CertificateTrouble where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))   # noqa: PTH100 — as written: a link stays a link

    def certificates(self, place: Place) -> Path:
        """The folder of the certificates of a place."""
        return self.folder / place / "certs"

    @property
    def private(self) -> Path:
        """The folder of our key."""
        return self.folder / Place.OWN / "private"

    @property
    def requests(self) -> list[Path]:
        """Requests the authority has not answered yet."""
        return _files(self.folder / Place.OWN, frozenset((".csr",)))

    def key_files(self) -> list[Path]:
        """The files of private keys."""
        return _files(self.private, KEY_ENDINGS)

    def look(self, place: Place) -> list[Held | Unreadable]:
        """Every certificate of a place, and every file that holds none."""
        found: list[Held | Unreadable] = []
        for file in _files(self.certificates(place), ENDINGS):
            try:
                found += [Held(place, file, certificate) for certificate in certificates_in(read(file))]
            except (OSError, ValueError) as error:
                found.append(Unreadable(place, file, reason(error)))
        return found

    def held(self, *places: Place) -> list[Held]:
        """Every readable certificate of these places."""
        return [one for place in places for one in self.look(place) if isinstance(one, Held)]

    def lists(self) -> list[x509.CertificateRevocationList | Unreadable]:
        """Every revocation list, wherever it lies."""
        found: list[x509.CertificateRevocationList | Unreadable] = []
        for place in (Place.TRUSTED, Place.ISSUERS):
            for file in _files(self.folder / place / "crl", LIST_ENDINGS):
                try:
                    found.append(revocation_list(read(file)))
                except (OSError, ValueError) as error:
                    found.append(Unreadable(place, file, reason(error)))
        return found

    def put(self, place: Place, certificate: x509.Certificate) -> Path:
        """Keep a certificate in a place; there it is once, whatever its file was called. The file it is in."""
        for one in self.held(place):
            if one.certificate == certificate:
                return one.file
        file = self.certificates(place) / file_name(certificate)
        self.write(file, der(certificate))
        return file

    def put_list(self, place: Place, revoked: x509.CertificateRevocationList, data: bytes) -> Path:
        """Keep a revocation list; a newer one of the same issuer takes the place of the older."""
        issuer = x509.Name(revoked.issuer).rfc4514_string()
        file = self.folder / place / "crl" / f"{_plain(issuer)}.crl"
        self.write(file, data)
        return file

    def move(self, held: Held, place: Place) -> Path:
        """Take one certificate to another place; the file it is in now."""
        others = [one for one in self.held(held.place) if one.file == held.file and one != held]
        if others:
            raise CertificateTrouble(
                f"{held.file} holds {len(others) + 1} certificates; give each a file of its own first"
            )
        file = self.put(place, held.certificate)
        self.drop(held.file)
        return file

    def drop(self, file: Path) -> None:
        """Delete a file, if it is still there."""
        with _worded(file, "deleted"):
            file.unlink(missing_ok=True)

    def quarantine(self, certificate: x509.Certificate) -> Path:
        """Keep a certificate we have refused, for people to look at; the oldest ones go."""
        file = self.put(Place.REJECTED, certificate)
        with _worded(file, "kept"):
            files = sorted(_files(file.parent, ENDINGS), key=lambda path: path.stat().st_mtime_ns)
            for old in files[: max(0, len(files) - REJECTED_MOST)]:
                old.unlink(missing_ok=True)
        return file

    def write(self, file: Path, data: bytes, mode: int = 0o644) -> None:
        """Write a file whole or not at all; `mode` holds from its first byte on."""
        with _worded(file, "written"):
            self._folder(file.parent)
            aside = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.part")
            aside.unlink(missing_ok=True)
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(file)
            _sync(file.parent)

    def retire(self, file: Path, until: str) -> Path:
        """Rename a file so that it is kept but no longer used."""
        name, number = f"{file.name}.until-{until}", 1
        while (old := file.with_name(name)).exists():
            number += 1
            name = f"{file.name}.until-{until}-{number}"
        with _worded(file, "renamed"):
            return file.rename(old)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While it lasts, no other thread or process that asks here too comes in."""
        lock = self.folder / ".lock"
        with _worded(lock, "written"):
            self._folder(self.folder)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _folder(self, folder: Path) -> None:
        mode = 0o700 if folder == self.private else 0o755
        folder.mkdir(mode=mode, parents=True, exist_ok=True)


def read(file: Path) -> bytes:
    """A file whole, if it is not absurdly large."""
    with file.open("rb") as stream:
        data = stream.read(FILE_MOST + 1)
    if len(data) > FILE_MOST:
        raise ValueError("is far too large")
    return data


def revocation_list(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list of DER or PEM; ValueError if it is none."""
    if b"-----BEGIN" in data:
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def reason(error: Exception) -> str:
    """Why a file cannot be read, in few words."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "it holds nothing of the kind"


def file_name(certificate: x509.Certificate) -> str:
    """`press-1-3f2a9c0112345678.der`: to be recognised by people, and unlike any other."""
    return f"{_plain(common_name(certificate)) or 'nameless'}-{fingerprint(certificate)[:16]}.der"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:60]


def _files(folder: Path, endings: frozenset[str]) -> list[Path]:
    """The files of a folder with one of these endings, by name; none if there is no such folder."""
    try:
        there = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CertificateTrouble(f"{folder} cannot be read ({reason(error)})") from None
    return [file for file in there if file.suffix.lower() in endings and not file.name.startswith(".")]


@contextmanager
def _worded(file: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CertificateTrouble(f"{file} cannot be {what} ({reason(error)})") from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
