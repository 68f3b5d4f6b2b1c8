"""The certificates of others: judged, kept, approved; every way in which one can be wrong; and warnings."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from edge_agent_opcua.security import approve, store
from edge_agent_opcua.security.certificate import CertificateTrouble, certificates_in, fingerprint
from edge_agent_opcua.security.pki import Own, Pki
from edge_agent_opcua.security.store import Place
from edge_agent_opcua.security.trust import Untrusted
from tests.peers.opcua_certificates import (
    DAY,
    HOST,
    NOW,
    URI,
    Pair,
    authority,
    by_openssl,
    certificate,
    key_of,
    usage,
)

OURS = "urn:gateway-3:edge-agent:gw-01"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def own(pki: Pki, now: datetime = NOW, uri: str = OURS) -> Own:
    return pki.own(uri, ["gateway-3", "10.0.0.3"], now)


def judged(pki: Pki, sent: bytes, host: str = HOST, uri: str = URI, now: datetime = NOW) -> list[str]:
    return pki.judge(sent, host, uri, now)


def refused(pki: Pki, sent: bytes, status: str, words: str, **options: object) -> str:
    with pytest.raises(Untrusted, match=words) as error:
        judged(pki, sent, **options)  # type: ignore[arg-type]
    assert error.value.status == status
    return str(error.value)


def trust(pki: Pki, *pairs: Pair, place: Place = Place.TRUSTED) -> None:
    for pair in pairs:
        pki.store.put(place, pair.certificate)


# -- judging others ------------------------------------------------------------------------------


def test_an_unknown_certificate_is_kept_and_the_message_approves_it_when_it_is_typed(pki):
    server = certificate()
    told = refused(pki, server.der, "BadCertificateUntrusted", "not trusted yet: CN=press-1, until 2027-11-26")
    print_of = fingerprint(server.certificate)
    assert f"SHA-256 fingerprint {print_of}" in told
    assert f"edge-agent cert trust {print_of[:16]} --pki {pki.folder}" in told
    [file] = (pki.folder / "rejected/certs").iterdir()
    assert file.name == f"press-1-{print_of[:16]}.der"
    approve.trust(pki.folder, print_of[:16], False, NOW)
    assert not file.exists()
    assert judged(pki, server.der) == []


def test_a_certificate_that_was_trusted_and_is_rejected_is_refused_like_an_unknown_one(pki):
    server = certificate()
    trust(pki, server)
    approve.reject(pki.folder, fingerprint(server.certificate)[:8], NOW)
    refused(pki, server.der, "BadCertificateUntrusted", "not trusted yet")


def test_a_new_certificate_of_a_known_server_is_refused_and_said_to_be_new(pki):
    old, new = certificate(), certificate(key=key_of(2048, 3))
    trust(pki, old)
    told = refused(pki, new.der, "BadCertificateUntrusted", "another certificate of this application is trusted")
    assert fingerprint(old.certificate)[:16] in told
    assert "was given a new one, or something poses as it" in told


def test_a_host_the_certificate_does_not_speak_for_is_worth_a_remark_only(pki):
    server = certificate(hosts=["PLC7"])
    trust(pki, server)
    assert judged(pki, server.der, host="Plc7") == []
    assert judged(pki, server.der, host="") == []
    [note] = judged(pki, server.der, host="10.0.0.9")
    assert "does not speak for 10.0.0.9, but for PLC7" in note


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({"ends": NOW - DAY / 2}, "TimeInvalid", r"has ended on 2026-11-26 \(the clock .* 12:00 UTC"),
        ({"begins": NOW + DAY}, "TimeInvalid", "begins only on 2026-11-27 12:00 UTC, and the clock"),
        ({"uri": "urn:other"}, "UriInvalid", "is that of urn:other, but the server calls itself urn:press"),
        ({"uri": ""}, "UriInvalid", "names no application URI"),
        ({"key": 1024}, "PolicyCheckFailed", "key of 1024 bits, which can be broken"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "PolicyCheckFailed", "no usable RSA key"),
        ({"key_usage": usage(encrypt=False)}, "UseNotAllowed", "may not be used to sign and to encrypt"),
        ({"key_usage": usage(sign=False)}, "UseNotAllowed", "may not be used to sign and to encrypt"),
        ({"purpose": ExtendedKeyUsageOID.CLIENT_AUTH}, "UseNotAllowed", "not made for a server"),
    ],
)
def test_a_wrong_certificate_is_refused_even_if_somebody_has_approved_it(pki, said, status, words):
    server = certificate(**{key: key_of(1024) if value == 1024 else value for key, value in said.items()})
    trust(pki, server)
    refused(pki, server.der, f"BadCertificate{status}", words)


@pytest.mark.peer
@pytest.mark.parametrize(
    ("digest", "bits", "words"),
    [("sha1", 2048, "signed with SHA1"), ("md5", 2048, "signed with MD5"), ("sha256", 512, "512 bits")],
)
def test_what_can_be_forged_is_refused_even_if_somebody_has_approved_it(pki, tmp_path, digest, bits, words):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    data = by_openssl(tmp_path, digest, bits)
    (pki.folder / "trusted/certs").mkdir(parents=True)
    (pki.folder / "trusted/certs/old.der").write_bytes(data)
    refused(pki, data, "BadCertificatePolicyCheckFailed", words, now=datetime.now(NOW.tzinfo))


def test_a_purpose_left_out_or_any_is_no_obstacle(pki):
    for purpose in (None, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE):
        server = certificate(purpose=purpose)
        trust(pki, server)
        assert judged(pki, server.der) == []


def test_a_certificate_changed_after_it_was_signed_is_refused(pki):
    sent = bytearray(certificate().der)
    sent[-1] ^= 1
    refused(pki, bytes(sent), "BadCertificateInvalid", "is not signed by itself")


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda some: certificate().der[: 40 + len(some)] + some))
def test_whatever_is_sent_instead_of_a_certificate_is_refused_in_words(tmp_path_factory, sent):
    with pytest.raises(Untrusted):
        judged(Pki(tmp_path_factory.getbasetemp() / "nobody"), sent)


def test_what_a_stranger_writes_into_his_certificate_cannot_forge_a_line_of_the_log(pki):
    told = refused(pki, certificate("x\n2026 ERROR \x1b[31m", uri=URI).der, "BadCertificateUntrusted", "not trusted")
    assert "\n" not in told
    assert "\x1b" not in told
    told = refused(pki, certificate(uri="urn:\n\x1b").der, "BadCertificateUriInvalid", "is that of urn:")
    assert "\n" not in told


def test_the_quarantine_keeps_the_newest_hundred(pki, monkeypatch):
    monkeypatch.setattr(store, "REJECTED_MOST", 3)
    servers = [certificate(f"n{i}") for i in range(5)]
    for second, server in enumerate(servers):
        with pytest.raises(Untrusted):
            judged(pki, server.der)
        [file] = (pki.folder / "rejected/certs").glob(f"n{second}-*")
        os.utime(file, (second, second))
    left = sorted(file.name[:2] for file in (pki.folder / "rejected/certs").iterdir())
    assert left == ["n2", "n3", "n4"]


def test_a_quarantine_that_cannot_be_written_does_not_hide_the_refusal(pki):
    pki.folder.mkdir()
    (pki.folder / "rejected").write_text("a file")
    with pytest.raises((Untrusted, CertificateTrouble)) as error:
        judged(pki, certificate().der)
    assert isinstance(error.value, Untrusted)


def test_an_unreadable_file_among_the_trusted_is_no_obstacle_and_is_warned_of(pki):
    server = certificate()
    trust(pki, server)
    (pki.folder / "trusted/certs/broken.der").write_bytes(b"?")
    (pki.folder / "trusted/certs/notes.txt").write_text("not a certificate, and not meant to be one")
    assert judged(pki, server.der) == []
    [warning] = pki.warnings(NOW)
    assert "broken.der cannot be used" in warning


def test_certificates_travel_alone_or_as_a_chain_and_lie_as_der_or_pem(pki):
    one, two = certificate("one"), authority("two")
    assert certificates_in(one.der + two.der) == [one.certificate, two.certificate]
    assert certificates_in(one.pem + two.pem) == [one.certificate, two.certificate]
    (pki.folder / "trusted/certs").mkdir(parents=True)
    (pki.folder / "trusted/certs/server.crt").write_bytes(one.pem)
    assert judged(pki, one.der) == []


# -- warnings ------------------------------------------------------------------------------------


def test_what_ends_within_sixty_days_is_said_early_with_what_to_do(pki):
    made = own(pki)
    for name, ends in (("a", NOW + 59 * DAY), ("b", NOW + 61 * DAY), ("c", NOW - DAY)):
        trust(pki, certificate(name, ends=ends))
    assert [one.partition(";")[0] for one in pki.warnings(NOW)] == [
        "the trusted OPC UA certificate CN=a ends on 2027-01-24, in 59 days",
        "the trusted OPC UA certificate CN=c has ended on 2026-11-25",
    ]
    [ours, *_] = pki.warnings(made.expires - 10 * DAY)
    assert "the agent's OPC UA certificate CN=edge-agent gw-01 ends on 2031-11-25, in 10 days; make a new one" in ours


def test_a_key_others_can_read_is_warned_of(pki):
    own(pki).key_file.chmod(0o644)
    [warning] = pki.warnings(NOW)
    assert "others on this computer can read the private key" in warning


def test_an_empty_folder_is_nothing_to_warn_of(pki):
    assert pki.warnings(NOW) == []
