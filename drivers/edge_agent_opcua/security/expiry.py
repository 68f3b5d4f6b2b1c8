"""Which certificates end soon, said early enough to do something about it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from edge_agent_opcua.security.certificate import CertificateTrouble, day, subject
from edge_agent_opcua.security.own import command, find
from edge_agent_opcua.security.store import Held, Place, Store, Unreadable

# Long enough for a certificate to pass through the hands of a plant's IT.
EARLY: Final = timedelta(days=60)


def warnings(store: Store, now: datetime) -> list[str]:
    """What ends within 60 days, has ended or cannot be read, of ours and of those we trust; a sentence each."""
    try:
        return [*_of_ours(store, now), *_of_others(store, now)]
    except (CertificateTrouble, OSError) as error:   # a file that was renamed at this moment
        return [str(error)]


def _of_ours(store: Store, now: datetime) -> Iterator[str]:
    try:
        found = find(store, now)
    except CertificateTrouble as error:
        yield str(error)
        return
    if found is not None and found.expires - now < EARLY:
        make = f"make a new one ({command('new', store)}) and have every server trust it"
        yield f"the agent's OPC UA certificate {subject(found.certificate)} {ends(found.expires, now)}; {make}"
    for file in store.key_files():
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield f"others on this computer can read the private key {file}; chmod 600 it"


def _of_others(store: Store, now: datetime) -> Iterator[str]:
    for place in (Place.TRUSTED, Place.ISSUERS):
        for one in store.look(place):
            if isinstance(one, Unreadable):
                yield f"{one.file} cannot be used ({one.why}); put the certificate right, or delete the file"
            elif one.certificate.not_valid_after_utc - now < EARLY:
                yield _of_other(one, now)
    for revoked in store.lists():
        if isinstance(revoked, Unreadable):
            yield f"the revocation list {revoked.file} cannot be used ({revoked.why})"


def _of_other(one: Held, now: datetime) -> str:
    until = ends(one.certificate.not_valid_after_utc, now)
    return (
        f"the trusted OPC UA certificate {subject(one.certificate)} {until}; have it renewed where it was made, "
        f"then approve the new one (edge-agent cert trust)"
    )


def ends(moment: datetime, now: datetime) -> str:
    """`ends on 2031-07-01, in 12 days` or `has ended on 2026-01-01`."""
    if moment <= now:
        return f"has ended on {day(moment)}"
    days = (moment - now).days
    return f"ends on {day(moment)}, in {days} day{'' if days == 1 else 's'}"
