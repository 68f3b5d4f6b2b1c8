"""`edge-agent cert` as an engineer meets it: what it makes, shows, approves, and with which exit code."""

from __future__ import annotations

import datetime
import json
import shlex
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from edge_agent import cli
from edge_agent.web.certificate import files_in, is_good
from edge_agent.web.tls import server_context
from edge_agent_opcua.security.pki import Pki
from edge_agent_opcua.security.trust import Untrusted
from tests.peers.certificates import Authority
from tests.peers.opcua_certificates import DAY, Pair, authority, certificate, key_of, revocation_list

Run = Callable[..., tuple[int, str, str]]


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "pki"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """`run("list", …)` → (exit code, stdout, stderr), in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> tuple[int, str, str]:
        try:
            code = cli.main(["cert", *map(str, words)])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return command


def document(answer: tuple[int, str, str]) -> dict:
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)


def server(name: str = "press-1", uri: str = "urn:press-1", number: int = 20, ends: float = 300) -> Pair:
    return certificate(name, uri=uri, hosts=["10.0.0.7"], begins=now() - DAY, ends=now() + ends * DAY,
                       key=key_of(2048, number))  # fmt: skip


def refusal(folder: Path, pair: Pair, uri: str = "urn:press-1") -> str:
    with pytest.raises(Untrusted) as error:
        Pki(folder).judge(pair.der, "10.0.0.7", uri, now())
    return str(error.value)


def is_trusted(folder: Path, pair: Pair, uri: str = "urn:press-1") -> bool:
    try:
        Pki(folder).judge(pair.der, "10.0.0.7", uri, now())
    except Untrusted:
        return False
    return True


def test_new_makes_a_certificate_and_says_what_to_do_with_it(run, folder):
    code, out, err = run("new", "--organization", "Acme", "--name", "gateway-3", "--name", "10.0.0.3", "--days", "400",
                         "--bits", "3072")  # fmt: skip
    assert code == 0
    made = x509.load_der_x509_certificate((folder / "own/certs/edge-agent.der").read_bytes())
    assert made.public_key().key_size == 3072
    assert "O=Acme" in out
    assert "gateway-3, 10.0.0.3" in out
    assert (made.not_valid_after_utc - now()).days in (399, 400)
    assert "copy" in err
    assert "trusted certificates" in err


def test_new_does_not_replace_a_good_certificate_unless_forced_and_then_keeps_it(run, folder):
    assert run("new")[0] == 0
    before = (folder / "own/certs/edge-agent.der").read_bytes()
    code, out, err = run("new")
    assert (code, out) == (1, "")
    assert "there is a certificate until" in err
    assert "--force" in err
    assert (folder / "own/certs/edge-agent.der").read_bytes() == before
    made = document(run("new", "--force", "--json"))
    assert len(made["advice"]) == 3
    [kept] = (folder / "own/certs").glob("edge-agent.der.until-*")
    assert kept.read_bytes() == before
    [key] = (folder / "own/private").glob("edge-agent.pem.until-*")
    assert key.stat().st_mode & 0o077 == 0


def test_new_replaces_a_certificate_that_ends_soon_without_being_forced(run):
    assert run("new", "--days", "59")[0] == 0
    assert run("new")[0] == 0
    assert run("new")[0] == 1


@pytest.mark.peer
def test_a_request_is_answered_by_an_authority_and_its_certificate_is_used(run, folder, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    assert run("new", "--csr")[0] == 0
    code, _, err = run("new")
    assert code == 1
    assert "waits for the certificate of your authority" in err
    issuer = authority("plant-ca", ends=now() + 900 * DAY)
    ca, key = issuer.write(tmp_path, "ca")
    signed = folder / "own/certs/answer.pem"
    signed.parent.mkdir(exist_ok=True)
    command = ["openssl", "x509", "-req", "-in", folder / "own/edge-agent.csr", "-CA", ca, "-CAkey", key,
               "-days", "800", "-copy_extensions", "copyall", "-out", signed]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    [own] = document(run("list", "--json"))["certificates"]
    assert own["remarks"] == ["signed by CN=plant-ca"]
    assert Pki(folder).own("urn:unused", [], now()).uri == own["uri"]
    Pki(tmp_path / "server").store.put("issuers", issuer.certificate)
    Pki(tmp_path / "server").store.put("trusted", x509.load_pem_x509_certificate(signed.read_bytes()))
    Pki(tmp_path / "server").judge(signed.read_bytes(), "", own["uri"], now(), "client")


def test_a_request_leaves_the_certificate_there_is_in_use(run, folder):
    assert run("new")[0] == 0
    before = Pki(folder).own("urn:x:y", [], now())
    assert run("new", "--csr")[0] == 0
    assert Pki(folder).own("urn:x:y", [], now()).fingerprint == before.fingerprint
    asked = x509.load_pem_x509_csr((folder / "own/edge-agent.csr").read_bytes())
    assert asked.public_key().public_numbers() == before.key.public_key().public_numbers()
    code, _, err = run("new", "--csr", "--bits", "4096")
    assert code == 1
    assert "has 2048 bits" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new", "--bits", "1024"], "1024 bits are none of 2048, 3072, 4096"),
        (["new", "--days", "0"], "0 days do not lie between 1 and"),
        (["new", "--csr", "--days", "9"], "leave the days out of a request"),
        (["new", "--name", "a b"], "'a b' is neither a host name nor an IP address"),
        (["new", "--organization", "x" * 65], "at most 64 characters"),
        (["new", "--days", "many"], "invalid int value"),
        (["trust", "abc"], "'abc' is neither a file nor the beginning of a fingerprint: at least 4"),
        (["trust", "nowhere.der"], "neither a file nor the beginning"),
        (["reject", "press-1"], "'press-1' is not the beginning of a fingerprint"),
        (["trust"], "required: WHAT"),
        ([], "required: ACTION"),
        (["list", "--site", "a", "--pki", "b"], "not allowed with"),
    ],
)
def test_wrong_usage_is_said_and_is_exit_code_2(run, folder, words, told):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert told in err
    assert not folder.exists()


def test_the_command_in_the_refusal_approves_the_certificate(run, folder):
    pair = server()
    told = refusal(folder, pair)
    command = shlex.split(told[told.index("edge-agent cert trust") :])
    code, out, _ = run(*command[2:])
    assert code == 0
    assert out.startswith(f"trusted: {command[3]}  CN=press-1  ")
    assert is_trusted(folder, pair)
    assert run(*command[2:])[0] == 0, "once more does no harm"


def test_a_fingerprint_may_be_short_upper_case_and_with_colons_but_must_be_of_one(run, folder):
    first, second = server(), server("press-2")
    for pair in (first, second):
        refusal(folder, pair)
    digits = Pki(folder).store.held("rejected")
    prints = sorted(one["fingerprint"] for one in document(run("list", "--json"))["certificates"])
    assert len(digits) == len(prints) == 2
    code, _, err = run("trust", "0000" if not any(one.startswith("0000") for one in prints) else "ffff")
    assert code == 1
    assert "no rejected certificate has a fingerprint that begins with" in err
    shown = ":".join(prints[0][at : at + 2] for at in range(0, 64, 2)).upper()
    assert run("trust", shown)[0] == 0
    assert run("trust", prints[1][:4])[0] == 0
    assert all(is_trusted(folder, pair) for pair in (first, second))


def test_digits_that_several_certificates_share_approve_none(run, folder, monkeypatch):
    from edge_agent_opcua.security import approve

    for pair in (server(), server("press-2")):
        refusal(folder, pair)
    monkeypatch.setattr(approve, "fingerprint", lambda one: "abcd" + one.subject.rfc4514_string())
    code, _, err = run("trust", "abcd")
    assert code == 1
    assert "is the beginning of several fingerprints" in err
    assert not is_trusted(folder, server())


def test_reject_takes_the_approval_back(run, folder, tmp_path):
    pair = server()
    cert, _ = pair.write(tmp_path, "server")
    assert run("trust", cert)[0] == 0
    assert is_trusted(folder, pair)
    [listed] = document(run("list", "--json"))["certificates"]
    code, out, err = run("reject", listed["fingerprint"][:8])
    assert code == 0
    assert out.startswith("rejected: ")
    assert "refused from the next connection on" in err
    assert not is_trusted(folder, pair)
    assert run("reject", listed["fingerprint"][:8])[0] == 1


def test_after_a_renewal_the_old_certificate_is_pointed_out(run, folder, tmp_path):
    old, _ = server().write(tmp_path, "old")
    new, _ = server(number=21).write(tmp_path, "new")
    assert run("trust", old)[0] == 0
    _, _, err = run("trust", new)
    assert "another certificate of the same application is trusted too" in err
    command = shlex.split(err[err.index("edge-agent cert reject") :])
    assert run(*command[2:])[0] == 0
    assert not is_trusted(folder, server())


def test_authorities_bundles_and_lists_go_where_they_belong(run, folder, tmp_path):
    ca = authority("plant-ca", ends=now() + 900 * DAY)
    pair = certificate("press-1", uri="urn:press-1", hosts=["10.0.0.7"], begins=now() - DAY, ends=now() + DAY, by=ca)
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "both.pem").write_bytes(ca.pem + pair.pem)
    (tmp_path / "plant.crl").write_bytes(revocation_list(ca, [pair.certificate.serial_number], ends=now() + DAY))
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    code, _, err = run("trust", "both.pem")
    assert code == 1
    assert "holds 2 certificates" in err
    code, _, err = run("trust", "--issuer", "both.pem")
    assert code == 1
    assert "is no certificate of an authority" in err
    assert run("trust", "--issuer", "ca.pem")[0] == 0
    assert not is_trusted(folder, pair)
    _, _, err = run("trust", "ca.pem")
    assert "everything it signs is trusted now" in err
    assert is_trusted(folder, pair)
    code, out, _ = run("trust", "plant.crl")
    assert code == 0
    assert "trusted/crl" in out
    assert "was revoked" in refusal(folder, pair)
    code, _, err = run("trust", "key.pem")
    assert code == 1
    assert "holds neither a certificate nor a revocation list" in err


def test_list_shows_everything_with_days_and_remarks(run, folder, tmp_path):
    assert run("new")[0] == 0
    cert, _ = server(ends=20.5).write(tmp_path, "server")
    assert run("trust", cert)[0] == 0
    refusal(folder, server("press-2", "urn:press-2", 22), "urn:press-2")
    (folder / "trusted/certs/broken.der").write_bytes(b"?")
    code, out, err = run("list")
    assert (code, err) == (0, "")
    head, own, broken, trusted, rejected = out.splitlines()
    assert head.split()[:3] == ["place", "fingerprint", "subject"]
    assert own.split()[0] == "own"
    assert "(1824 days)" in own
    assert "cannot be read" in broken
    assert "broken.der" in broken
    assert "(20 days)" in trusted
    assert "in 20 days" in trusted
    assert "urn:press-1" in trusted
    assert rejected.startswith("rejected  ")
    rows = document(run("list", "--json"))["certificates"]
    assert [row["place"] for row in rows] == ["own", "trusted", "trusted", "rejected"]
    assert rows[2]["days"] == 20
    assert rows[0]["ends"].endswith("+00:00")


def test_an_empty_folder_is_said_to_be_empty_and_is_not_made(run, folder):
    assert run("list") == (0, "no certificates in data/pki\n", "")
    assert not folder.parent.exists()


def test_with_a_site_file_its_folder_its_agent_and_its_tls_certificates_are_used(run, tmp_path):
    plant = Authority(tmp_path)
    api = plant.issue("api")
    site = tmp_path / "sites" / "site.yaml"
    site.parent.mkdir()
    site.write_text(f"""
agent: {{id: gw-07, data_dir: ./var}}
api: {{cert: {api.certificate}, key: {api.key}}}
publish:
  platform: {{type: mqtt, url: "mqtts://broker:8883", profile: json, ca: {plant.ca}}}
  again: {{type: mqtt, url: "mqtts://broker2:8883", profile: json, ca: ../gone.pem}}
""")
    code, out, _ = run("new", "--site", site)
    assert code == 0
    assert ":edge-agent:gw-07" in out
    assert (tmp_path / "sites/var/pki/own/certs/edge-agent.der").exists()
    rows = document(run("list", "--site", site, "--json"))["certificates"]
    assert {row["place"]: row["subject"] for row in rows} == {
        "own": "CN=edge-agent gw-07", "api.cert": "CN=api", "publish.platform.ca": "CN=test-ca",
        "publish.again.ca": "",
    }  # fmt: skip
    by_place = {row["place"]: row for row in rows}
    assert by_place["api.cert"]["remarks"] == ["ends on " + by_place["api.cert"]["ends"][:10] + ", in 0 days",
                                              "signed by CN=test-ca"]  # fmt: skip
    assert by_place["publish.again.ca"]["remarks"] == ["cannot be read (No such file or directory)"]


def test_a_wrong_site_file_is_exit_code_78(run, tmp_path):
    (tmp_path / "site.yaml").write_text("agent: {idd: gw}\n")
    code, _, err = run("list", "--site", "site.yaml")
    assert code == 78
    assert "idd" in err


def test_a_folder_that_cannot_be_used_is_exit_code_1(run, tmp_path):
    (tmp_path / "pki").write_text("a file")
    code, _, err = run("new", "--pki", "pki")
    assert code == 1
    assert "cannot be" in err


# -- of the API and the pages --------------------------------------------------------------------


def test_web_makes_what_the_api_is_served_with_and_clients_verify(run: Run, tmp_path: Path) -> None:
    code, out, err = run("web", "--out", "tls", "--name", "gateway-3.plant.example", "--name", "10.0.0.3")
    assert code == 0
    assert "written" in out
    assert "pages:" in err
    cert, key = tmp_path / "tls" / "web.pem", tmp_path / "tls" / "web.key"
    assert key.stat().st_mode & 0o007 == 0, "the key is not for everybody"
    trusts = ssl.create_default_context(cafile=cert)
    for name in ("gateway-3.plant.example", "10.0.0.3", "localhost", "127.0.0.1"):
        assert handshake(server_context(cert, key), trusts, name) is None
    assert "match" in str(handshake(server_context(cert, key), trusts, "elsewhere.example"))


def test_web_keeps_a_good_certificate_and_makes_another_for_other_names_or_near_its_end(
    run: Run, tmp_path: Path
) -> None:
    made = tmp_path / "web.pem"
    run("web", "--name", "gw")
    first = made.read_bytes()
    assert run("web", "--name", "gw")[1].startswith("kept")
    assert made.read_bytes() == first
    run("web", "--name", "gw", "--force")
    assert made.read_bytes() != first
    run("web", "--name", "other")
    names = x509.load_pem_x509_certificate(made.read_bytes()).extensions
    said = names.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "other" in said.get_values_for_type(x509.DNSName)
    ends = x509.load_pem_x509_certificate(made.read_bytes()).not_valid_after_utc
    assert is_good(files_in(tmp_path), ["other"], now())
    assert not is_good(files_in(tmp_path), ["other"], ends - 20 * DAY)
    (tmp_path / "web.key").write_bytes(first)
    assert not is_good(files_in(tmp_path), ["other"], now())


def test_web_where_nothing_can_be_written_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = run("web", "--out", "file/below")
    assert code == 1
    assert "Not a directory" in err


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLError | None:
    """What the client has against the server's certificate under this name."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error
    return None
