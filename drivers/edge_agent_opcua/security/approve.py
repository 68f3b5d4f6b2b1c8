"""`edge-agent cert list`, `trust` and `reject`: whom we know, and what we think of him."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from edge_agent.api import Certificate, Handled, Refused
from edge_agent_opcua.security import store as files
from edge_agent_opcua.security.certificate import (
    application_uris,
    certificates_in,
    day,
    extension,
    fingerprint,
    subject,
)
from edge_agent_opcua.security.entry import entry, shown
from edge_agent_opcua.security.own import command
from edge_agent_opcua.security.store import Held, Place, Store

# With fewer digits of a fingerprint, a slip of the finger means another certificate.
LEAST_DIGITS: Final = 4

_DIGITS: Final = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")


def entries(folder: Path, now: datetime) -> list[Certificate]:
    """See `Certificates.entries`."""
    store = Store(folder)
    return [entry(one, now) for place in Place for one in store.look(place)]


def read_file(file: Path, place: str, now: datetime) -> list[Certificate]:
    """See `Certificates.read`."""
    try:
        return [shown(one, place, file, now) for one in certificates_in(files.read(file))]
    except (OSError, ValueError) as error:
        return [Certificate(place, file, remarks=[f"cannot be read ({files.reason(error)})"])]


def trust(folder: Path, what: str, issuer: bool, now: datetime) -> Handled:
    """See `Certificates.trust`."""
    store, place = Store(folder), Place.ISSUERS if issuer else Place.TRUSTED
    digits = _digits(what)
    if digits is None or (Path(what).is_file() and not _matching(store, digits, Place.REJECTED)):
        return _trust_file(store, Path(what), place, now)
    found = _matching(store, digits, Place.REJECTED)
    if not found and (there := _matching(store, digits, place)):
        return _handled(store, there, place, now)
    if not found:
        raise Refused(f"no rejected certificate has a fingerprint that begins with {digits}; "
                      f"{command('list', store)} shows them", sent=False)  # fmt: skip
    if len({one.certificate for one in found}) > 1:
        raise Refused(_not_one(digits, found), sent=False)
    _check_issuer(found[0].certificate, what, place)
    return _handled(store, [Held(place, store.move(found[0], place), found[0].certificate)], place, now)


def _trust_file(store: Store, file: Path, place: Place, now: datetime) -> Handled:
    """Keep what a file holds: certificates, or else a revocation list."""
    try:
        data = files.read(file)
    except FileNotFoundError:
        raise ValueError(
            f"{str(file)!r} is neither a file nor the beginning of a fingerprint: at least {LEAST_DIGITS} digits "
            "0-9 a-f"
        ) from None
    except (OSError, ValueError) as error:
        raise Refused(f"{file} cannot be read ({files.reason(error)})", sent=False) from None
    try:
        found = certificates_in(data)
    except ValueError:
        return _keep_list(store, file, data, place)
    if len(found) > 1 and place is Place.TRUSTED:
        raise Refused(f"{file} holds {len(found)} certificates; give the one to be trusted a file of its own, and the "
                      "others to --issuer", sent=False)  # fmt: skip
    for one in found:
        _check_issuer(one, str(file), place)
    held = [Held(place, store.put(place, one), one) for one in found]
    for rejected in store.held(Place.REJECTED):
        if rejected.certificate in found:
            store.drop(rejected.file)
    return _handled(store, held, place, now)


def _keep_list(store: Store, file: Path, data: bytes, place: Place) -> Handled:
    try:
        revoked = files.revocation_list(data)
    except ValueError:
        raise Refused(f"{file} holds neither a certificate nor a revocation list, in DER or PEM", sent=False) from None
    return Handled(files=[store.put_list(place, revoked, data)], advice=["it holds from the next connection on"])


def _check_issuer(certificate: x509.Certificate, what: str, place: Place) -> None:
    constraints = extension(certificate, x509.BasicConstraints)
    if place is Place.ISSUERS and (constraints is None or not constraints.ca):
        raise Refused(f"{what} is no certificate of an authority; leave --issuer out to trust {subject(certificate)}",
                      sent=False)  # fmt: skip


def _handled(store: Store, held: Sequence[Held], place: Place, now: datetime) -> Handled:
    """What is said of certificates that are approved now."""
    advice = [told for one in held for told in _advice(store, one.certificate, place)]
    return Handled([entry(one, now) for one in held], [one.file for one in held], advice)


def _advice(store: Store, certificate: x509.Certificate, place: Place) -> Iterator[str]:
    constraints = extension(certificate, x509.BasicConstraints)
    if place is Place.TRUSTED and constraints is not None and constraints.ca:
        yield (
            f"if {subject(certificate)} is a certificate authority, everything it signs is trusted now; one that only "
            "completes chains belongs to --issuer"
        )
    uris = set(application_uris(certificate))
    for other in store.held(place) if uris else ():
        if other.certificate != certificate and uris.intersection(application_uris(other.certificate)):
            back = command("reject", store, fingerprint(other.certificate)[:16])
            yield (
                "another certificate of the same application is trusted too, until "
                f"{day(other.certificate.not_valid_after_utc)}; take that back once it is out of use: {back}"
            )


def reject(folder: Path, what: str, now: datetime) -> Handled:
    """See `Certificates.reject`."""
    store, digits = Store(folder), _digits(what)
    if digits is None:
        raise ValueError(f"{what!r} is not the beginning of a fingerprint: at least {LEAST_DIGITS} digits 0-9 a-f")
    found = _matching(store, digits, Place.TRUSTED, Place.ISSUERS)
    if not found:
        raise Refused(f"no trusted certificate has a fingerprint that begins with {digits}; "
                      f"{command('list', store)} shows them", sent=False)  # fmt: skip
    if len({one.certificate for one in found}) > 1:
        raise Refused(_not_one(digits, found), sent=False)
    moved = [Held(Place.REJECTED, store.move(one, Place.REJECTED), one.certificate) for one in found]
    advice = ["it is refused from the next connection on; one that is open stays open until it ends"]
    return Handled([entry(moved[0], now)], [moved[0].file], advice)


def _digits(what: str) -> str | None:
    """`3F:2A:9C` → 3f2a9c; None if that is no beginning of a fingerprint."""
    digits = re.sub("[: ]", "", what).lower()
    return digits if _DIGITS.fullmatch(digits) else None


def _matching(store: Store, digits: str, *places: Place) -> list[Held]:
    return [one for one in store.held(*places) if fingerprint(one.certificate).startswith(digits)]


def _not_one(digits: str, found: Sequence[Held]) -> str:
    told = ", ".join(f"{fingerprint(one.certificate)[:16]} ({subject(one.certificate)})" for one in found)
    return f"{digits} is the beginning of several fingerprints: {told}; give more of it"
