"""Our own certificate and that of a user: made, kept, read; every way in which a pair can be wrong."""

from __future__ import annotations

import shutil
import stat
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent.api import AccessDenied, Wanted
from edge_agent_opcua.security import glue, make
from edge_agent_opcua.security.certificate import CertificateTrouble
from edge_agent_opcua.security.pki import Own, Pki, application_uri
from edge_agent_opcua.security.store import Place
from edge_agent_opcua.security.tools import OpcUaCertificates
from tests.peers.opcua_certificates import (
    DAY,
    NOW,
    authority,
    certificate,
    key_of,
)

OURS = "urn:gateway-3:edge-agent:gw-01"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


def own(pki: Pki, now: datetime = NOW, uri: str = OURS) -> Own:
    return pki.own(uri, ["gateway-3", "10.0.0.3"], now)


# -- our own certificate -------------------------------------------------------------------------


def test_a_device_with_security_needs_no_preparation(pki):
    made = own(pki)
    assert made.uri == OURS
    assert own(pki).fingerprint == made.fingerprint
    assert (made.expires - NOW).days == 5 * 365
    assert made.certificate.not_valid_before_utc == NOW - DAY
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.key_file.parent.stat().st_mode) == 0o700
    assert not list(pki.folder.rglob("*.part"))


def test_the_certificate_says_what_part_6_asks_for(pki):
    made = own(pki).certificate
    said = {type(one.value): one for one in made.extensions}
    names = said[x509.SubjectAlternativeName].value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [OURS]
    assert names.get_values_for_type(x509.DNSName) == ["gateway-3"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.3"]
    used = said[x509.KeyUsage]
    assert used.critical
    assert all(getattr(used.value, name) for name in ("digital_signature", "content_commitment", "key_encipherment",
                                                      "data_encipherment", "key_cert_sign"))  # fmt: skip
    assert set(said[x509.ExtendedKeyUsage].value) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    assert said[x509.BasicConstraints].value.ca is False
    assert {x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier} <= said.keys()
    assert made.subject.rfc4514_string() == "CN=edge-agent gw-01"
    assert made.signature_hash_algorithm.name == "sha256"
    assert made.version is x509.Version.v3
    made.verify_directly_issued_by(made)


def test_it_is_accepted_by_our_own_judgement_as_a_server_and_as_a_client(pki, tmp_path):
    made, other = own(pki), Pki(tmp_path / "other")
    other.store.put(Place.TRUSTED, made.certificate)
    assert other.judge(made.cert_der, "gateway-3", OURS, NOW) == []
    assert other.judge(made.cert_der, "", OURS, NOW, "client") == []


def test_names_no_certificate_can_have_are_left_out(pki):
    made = pki.own(OURS, ["网关", "a b", "gateway_3"], NOW)
    assert make.application_uri("网关 3", "gw") == "urn:---3:edge-agent:gw"
    names = made.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gateway_3"]


def test_an_agent_with_the_longest_id_gets_a_certificate(pki):
    assert own(pki, uri=application_uri("gateway-3", "g" * 63)).uri.endswith("g" * 63)


def test_a_certificate_with_another_name_is_used_under_that_name(pki):
    trust_name = certificate("by hand", uri="urn:by:hand")
    (pki.folder / "own/certs").mkdir(parents=True)
    (pki.folder / "own/private").mkdir()
    shutil.copy(trust_name.write(pki.folder, "x")[0], pki.folder / "own/certs/any.der")
    shutil.copy(pki.folder / "x.pem", pki.folder / "own/private/any.pem")
    assert own(pki).uri == "urn:by:hand"


def test_a_key_without_its_certificate_gets_one_as_after_a_power_cut_between_the_two(pki):
    made = own(pki)
    made.file.unlink()
    again = own(pki)
    assert again.key.private_numbers() == made.key.private_numbers()
    assert again.fingerprint != made.fingerprint


def test_many_devices_at_once_make_one_certificate(pki):
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(own(pki).fingerprint)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def spoil(pki: Pki, how: str) -> None:
    made = own(pki)
    other = certificate(uri=OURS, key=key_of(2048, 2))
    match how:
        case "no key":
            made.key_file.unlink()
        case "other key":
            other.write(pki.folder, "x")
            shutil.copy(pki.folder / "x.pem", made.key_file)
        case "no certificate in it":
            made.file.write_bytes(b"\x30\x82nonsense")
        case "half a key":
            made.key_file.write_bytes(made.key_file.read_bytes()[:200])
        case "locked key":
            locked = BestAvailableEncryption(b"secret")
            made.key_file.write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        case "no uri":
            made.file.write_bytes(certificate(uri="", key=made.key).der)
        case "weak":
            weak, _ = certificate(uri=OURS, key=key_of(1024)).write(pki.folder, "x")
            shutil.copy(weak, made.file)
            shutil.copy(pki.folder / "x.pem", made.key_file)
        case "waits":
            made.file.unlink()
            (pki.folder / "own/edge-agent.csr").write_text("…")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no key", "edge-agent.der has no private key; put it into .*private, or make a new pair: edge-agent cert "),
        ("other key", "does not belong to the certificate"),
        ("no certificate in it", r"edge-agent.der cannot be used \(it holds nothing of the kind\)"),
        ("half a key", r"edge-agent.pem cannot be used \(it holds no private key\)"),
        ("locked key", "it is encrypted: its password is needed"),
        ("no uri", "names no application URI"),
        ("weak", "has 1024 bits, which servers refuse"),
        ("waits", "waits for the certificate of your authority; put that into .*own/certs"),
    ],
)
def test_what_is_wrong_with_our_pair_is_said_with_the_way_out_and_the_way_out_works(pki, how, words):
    spoil(pki, how)
    with pytest.raises(CertificateTrouble, match=words) as error:
        own(pki)
    assert isinstance(error.value, AccessDenied)
    assert f"cert new --force --pki {pki.folder}" in str(error.value)
    OpcUaCertificates().new(pki.folder, Wanted(force=True), NOW)
    assert own(pki).uri.startswith("urn:")


def test_an_ended_certificate_is_said_to_have_ended_and_the_clock_is_shown(pki):
    own(pki)
    late = NOW + timedelta(days=5 * 365 + 1)
    words = r"has ended on 2031-11-25; make a new one .*clock of this computer \(2031"
    with pytest.raises(CertificateTrouble, match=words):
        own(pki, late)


def test_nothing_is_made_while_the_clock_is_in_1970_but_what_is_there_is_used(pki):
    early = datetime.fromtimestamp(1000, tz=NOW.tzinfo)
    with pytest.raises(CertificateTrouble, match="the clock of this computer says 1970-01-01; set it"):
        own(pki, early)
    assert not list(pki.folder.rglob("*.pem"))
    made = own(pki)
    assert own(pki, early).fingerprint == made.fingerprint


def test_what_an_authority_signed_is_preferred_to_what_we_signed_ourselves(pki):
    made = own(pki)
    signed = certificate("edge-agent", uri=OURS, key=made.key, by=authority(), ends=NOW + 90 * DAY)
    (pki.folder / "own/certs/from-it.crt").write_bytes(signed.pem)
    assert own(pki).certificate == signed.certificate


def test_a_folder_that_cannot_be_written_is_named(pki):
    pki.folder.parent.joinpath("pki").write_text("a file")
    with pytest.raises(CertificateTrouble, match=r"cannot be (read|written)"):
        own(pki)


# -- a user's certificate ------------------------------------------------------------------------


def test_a_users_certificate_is_read_in_either_form_with_its_password(tmp_path):
    user = certificate("operator", uri="")
    cert, key = user.write(tmp_path, "user")
    assert glue.user_certificate(cert, key).certificate == user.certificate
    cert.write_bytes(user.pem + authority().pem)
    locked = BestAvailableEncryption(b"secret")
    key.write_bytes(user.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, locked))
    found = glue.user_certificate(cert, key, "secret")
    assert len(found.chain) == 1
    assert "Private" not in repr(found)
    for password, words in (("", "its password is needed"), ("wrong", "or the password is wrong")):
        with pytest.raises(CertificateTrouble, match=words):
            glue.user_certificate(cert, key, password)


def test_a_users_certificate_with_another_key_or_none_is_refused_by_name(tmp_path):
    cert, _ = certificate("operator").write(tmp_path, "user")
    _, other = certificate(key=key_of(2048, 4)).write(tmp_path, "other")
    with pytest.raises(CertificateTrouble, match=r"login.key .* does not belong to login.cert"):
        glue.user_certificate(cert, other)
    with pytest.raises(CertificateTrouble, match=r"login.cert .*No such file"):
        glue.user_certificate(tmp_path / "none", other)
    with pytest.raises(CertificateTrouble, match=r"login.key .*it holds no private key"):
        glue.user_certificate(cert, cert)
