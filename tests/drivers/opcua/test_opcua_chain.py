"""Certificates that others vouch for: complete and broken chains, revocation, and who may sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent_opcua.security import approve
from edge_agent_opcua.security.certificate import fingerprint
from edge_agent_opcua.security.pki import Pki
from edge_agent_opcua.security.store import Place
from edge_agent_opcua.security.trust import Untrusted
from tests.peers.opcua_certificates import (
    DAY,
    HOST,
    NOW,
    URI,
    Pair,
    authority,
    certificate,
    key_of,
    revocation_list,
    usage,
)

ROOT = authority("root-ca")
BETWEEN = authority("line-ca", by=ROOT, key=key_of(2048, 2))
SERVER = certificate(by=BETWEEN)
EMPTY = {ROOT: revocation_list(ROOT), BETWEEN: revocation_list(BETWEEN)}


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def keep(pki: Pki, place: Place, *pairs: Pair) -> None:
    for pair in pairs:
        pki.store.put(place, pair.certificate)


def keep_lists(pki: Pki, *lists: bytes, place: str = "issuers") -> None:
    folder = pki.folder / place / "crl"
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(lists):
        (folder / f"{number}.crl").write_bytes(data)


def judged(pki: Pki, sent: bytes = SERVER.der) -> list[str]:
    return pki.judge(sent, HOST, URI, NOW)


def refused(pki: Pki, status: str, words: str, sent: bytes = SERVER.der) -> None:
    with pytest.raises(Untrusted, match=words) as error:
        judged(pki, sent)
    assert error.value.status == status


@pytest.mark.parametrize("trusted", [ROOT, BETWEEN, SERVER])
def test_one_trusted_certificate_of_a_complete_chain_is_enough(pki, trusted):
    keep(pki, Place.ISSUERS, *({ROOT, BETWEEN} - {trusted}))
    keep(pki, Place.TRUSTED, trusted)
    keep_lists(pki, *EMPTY.values())
    assert judged(pki) == []


def test_a_complete_chain_without_anybody_trusted_proves_nothing(pki):
    keep(pki, Place.ISSUERS, ROOT, BETWEEN)
    refused(pki, "BadCertificateUntrusted", "not trusted yet: CN=press-1")
    approve.trust(pki.folder, fingerprint(SERVER.certificate)[:16], False, NOW)
    keep_lists(pki, *EMPTY.values())
    assert judged(pki) == []


def test_a_missing_authority_is_named_with_the_command_that_adds_it(pki):
    keep(pki, Place.TRUSTED, SERVER)
    words = r"is trusted, but it is signed by CN=line-ca, whose .* then edge-agent cert trust --issuer FILE --pki"
    refused(pki, "BadCertificateChainIncomplete", words)
    keep(pki, Place.ISSUERS, BETWEEN)
    refused(pki, "BadCertificateChainIncomplete", "signed by CN=root-ca, whose")
    keep(pki, Place.ISSUERS, ROOT)
    keep_lists(pki, *EMPTY.values())
    assert judged(pki) == []


def test_of_an_unknown_certificate_by_an_unknown_authority_both_are_said_at_once(pki):
    words = "not trusted yet.*signed by CN=line-ca, whose certificate is not here.*cert trust"
    refused(pki, "BadCertificateUntrusted", words)


def test_a_server_may_send_who_vouches_for_it_along_but_that_alone_is_no_reason_to_trust(pki):
    sent = SERVER.der + BETWEEN.der + ROOT.der
    refused(pki, "BadCertificateUntrusted", "not trusted yet", sent)
    keep(pki, Place.TRUSTED, ROOT)
    keep_lists(pki, *EMPTY.values())
    assert judged(pki, sent) == []
    refused(pki, "BadCertificateUntrusted", "signed by CN=line-ca, whose")


def test_an_authority_of_the_same_name_but_another_key_vouches_for_nobody(pki):
    keep(pki, Place.TRUSTED, authority("line-ca", key=key_of(2048, 5)))
    refused(pki, "BadCertificateUntrusted", "signed by CN=line-ca, whose certificate is not here")


def test_a_renewed_authority_of_the_same_name_does_not_hide_the_one_that_signed(pki):
    keep(pki, Place.TRUSTED, authority("line-ca", key=key_of(2048, 5)), BETWEEN, ROOT)
    keep_lists(pki, *EMPTY.values())
    assert judged(pki) == []


@pytest.mark.parametrize("place", ["issuers", "trusted"])
@pytest.mark.parametrize(("by", "who"), [(BETWEEN, SERVER), (ROOT, BETWEEN)])
def test_what_its_authority_has_revoked_is_refused_wherever_the_list_lies(pki, place, by, who):
    keep(pki, Place.TRUSTED, SERVER, BETWEEN, ROOT)
    keep_lists(pki, revocation_list(by, [who.certificate.serial_number]), place=place)
    refused(pki, "BadCertificateRevoked", r"was revoked by CN=(line|root)-ca on 2026-11-25; the server needs a new")


def test_a_list_that_should_have_been_renewed_still_revokes(pki):
    keep(pki, Place.TRUSTED, SERVER, BETWEEN, ROOT)
    keep_lists(pki, revocation_list(BETWEEN, [SERVER.certificate.serial_number], ends=NOW - DAY))
    refused(pki, "BadCertificateRevoked", "was revoked")


def test_missing_and_old_lists_are_worth_a_remark_only(pki):
    keep(pki, Place.TRUSTED, SERVER, BETWEEN, ROOT)
    keep_lists(pki, revocation_list(ROOT, ends=NOW - DAY))
    assert judged(pki) == [
        "there is no revocation list of CN=line-ca: whether it has revoked CN=press-1 is not known",
        "the revocation list of CN=root-ca should have been renewed on 2026-11-25",
    ]


def test_a_list_signed_by_somebody_else_revokes_nothing(pki):
    keep(pki, Place.TRUSTED, SERVER, BETWEEN, ROOT)
    forged = revocation_list(BETWEEN, [SERVER.certificate.serial_number], signed_with=key_of(2048, 6))
    keep_lists(pki, forged, EMPTY[ROOT], b"no list at all")
    notes = judged(pki)
    assert any("2.crl cannot be read" in note for note in notes)
    assert any("no revocation list of CN=line-ca" in note for note in notes)


@pytest.mark.parametrize(
    ("ca", "status", "words"),
    [
        ({"ca": False}, "BadCertificateIssuerUseNotAllowed", "CN=bad, which has signed it, is no certificate auth"),
        ({"ends": NOW - DAY}, "BadCertificateIssuerTimeInvalid", "CN=bad is valid from 2026-11-16 to 2026-11-25"),
        ({"key": key_of(1024)}, "BadCertificatePolicyCheckFailed", "CN=bad has only 1024 bits"),
    ],
)
def test_an_authority_that_may_not_sign_is_named(pki, ca, status, words):
    bad = authority("bad", **ca)
    server = certificate(by=bad)
    keep(pki, Place.TRUSTED, bad)
    refused(pki, status, words, server.der)


def test_an_authority_with_fewer_levels_than_there_are_is_named(pki):
    root = authority("short", path=0)
    between = authority("line-ca", by=root, key=key_of(2048, 2))
    keep(pki, Place.TRUSTED, root, between)
    server = certificate(by=between)
    refused(pki, "BadCertificateIssuerUseNotAllowed", "CN=short may not have so many authorities below it", server.der)


def test_authorities_that_sign_each_other_end_no_chain_and_take_no_time(pki):
    keys = [key_of(2048, 10 + n) for n in range(2)]
    one = authority("one", key=keys[0])
    two = authority("two", by=one, key=keys[1])
    loop = authority("one", by=two, key=keys[0])
    server = certificate(by=loop)
    refused(pki, "BadCertificateUntrusted", "not trusted yet", server.der + (loop.der + two.der) * 20)


@pytest.mark.parametrize("authority", [False, True])
def test_an_application_certificate_vouches_for_nobody_whatever_its_key_may_sign(pki, authority):
    honest = certificate("honest", uri="urn:honest", key_usage=usage(authority=authority))
    posing = certificate("press-1", by=honest, key=key_of(2048, 7))
    keep(pki, Place.TRUSTED, honest)
    refused(pki, "BadCertificateIssuerUseNotAllowed", "CN=honest, which has signed it, is no cert", posing.der)
