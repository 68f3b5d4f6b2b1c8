"""`edge-agent cert new`: another pair of certificate and key, or a request for the plant's authority."""

from __future__ import annotations

import socket
from datetime import datetime
from pathlib import Path

from edge_agent.api import Handled, Refused, Wanted
from edge_agent_opcua.security import own
from edge_agent_opcua.security.certificate import CertificateTrouble, day
from edge_agent_opcua.security.entry import shown
from edge_agent_opcua.security.expiry import EARLY
from edge_agent_opcua.security.make import DAYS, Wish, application_uri, request
from edge_agent_opcua.security.store import Place, Store


def new(folder: Path, wanted: Wanted, now: datetime) -> Handled:
    """See `Certificates.new`."""
    store, host = Store(folder), socket.gethostname()
    if wanted.request and wanted.days is not None:
        raise ValueError("the authority says how long its certificate is good: leave the days out of a request")
    wish = Wish(
        uri=application_uri(host, wanted.agent),
        names=wanted.names or own.host_names([host]),
        organization=wanted.organization,
        bits=wanted.bits or 2048,
        days=DAYS if wanted.days is None else wanted.days,
    )
    with store.alone():
        return _request(store, wish, wanted, now) if wanted.request else _pair(store, wish, wanted, now)


def _pair(store: Store, wish: Wish, wanted: Wanted, now: datetime) -> Handled:
    try:
        found = own.find(store, now)
    except CertificateTrouble as error:
        if not wanted.force:
            raise Refused(str(error), sent=False) from None
        found = None
    if found is not None and found.expires - now >= EARLY and not wanted.force:
        raise Refused(
            f"there is a certificate until {day(found.expires)}: {found.file}; with --force another one takes its "
            "place, which every server then has to trust", sent=False,
        )  # fmt: skip
    old = own.retire(store, now)
    made = own.make_pair(store, wish, now)
    advice = [f"kept the old one as {file}" for file in old]
    advice.append(
        f"every server has to trust it: copy {made.file} into its trusted certificates; or let the agent connect once, "
        "then move it from the server's rejected to its trusted certificates"
    )
    return Handled([shown(made.certificate, Place.OWN, made.file, now)], [made.file, made.key_file], advice)


def _request(store: Store, wish: Wish, wanted: Wanted, now: datetime) -> Handled:
    """A request for the key that is there, so that its certificate is good until the authority's arrives."""
    old = own.retire(store, now) if wanted.force else []
    key_file, key = own.first_key(store) or own.new_key(store, wish, now)
    if wanted.bits is not None and key.key_size != wanted.bits:
        raise Refused(f"the key {key_file} has {key.key_size} bits; with --force one of {wanted.bits} takes its place",
                      sent=False)  # fmt: skip
    file = store.folder / Place.OWN / f"{own.NAME}.csr"
    store.write(file, request(key, wish))
    advice = [f"kept the old one as {one}" for one in old]
    advice += [
        f"give {file} to your certificate authority",
        f"put the certificate it gives back into {store.certificates(Place.OWN)} (DER or PEM)",
    ]
    return Handled(files=[file], advice=advice)
