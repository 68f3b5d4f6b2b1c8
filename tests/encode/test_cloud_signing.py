"""Signatures against what vendors publish and against OpenSSL, which is not ours."""

from __future__ import annotations

import base64
import shutil
import subprocess
from urllib.parse import quote, unquote

import pytest

from edge_agent.encode import cloud_signing
from tests.encode.cloud_profiles import PSK, profile

OPENSSL = shutil.which("openssl")
S = 1_000_000_000
NOW = 1_795_384_805 * S     # 2026-11-22T22:00:05Z
KEY = base64.b64decode(PSK)


def openssl(digest: str, key: bytes, said: str) -> bytes:
    """The HMAC as the command line tool computes it."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    command = [OPENSSL, "dgst", f"-{digest}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    return subprocess.run(command, input=said.encode(), capture_output=True, check=True, timeout=30).stdout


def test_the_signature_that_alibaba_publishes() -> None:
    """Alibaba Cloud IoT Platform, "Establish MQTT connections over TCP": its example, and its result."""
    said = {"clientId": "12345", "deviceName": "device", "productKey": "pk", "timestamp": "789"}
    signed = cloud_signing.aliyun_signature(said, "secret", "hmacsha1")
    assert signed.upper() == "FAFD82A3D602B37FB0FA8B7892F24A477F851A14"


@pytest.mark.parametrize(("method", "digest"), [("hmacsha256", "sha256"), ("hmacsha1", "sha1"), ("hmacmd5", "md5")])
def test_alibaba(method: str, digest: str) -> None:
    who = profile("aliyun-iot", sign_method=method).credentials(NOW)
    assert who is not None
    assert who.client_id == f"a1gw.gw-01|securemode=2,signmethod={method},timestamp=1795384805000|"
    assert who.user == "gw-01&a1gw"
    said = "clientIda1gw.gw-01deviceNamegw-01productKeya1gwtimestamp1795384805000"
    assert who.password == openssl(digest, b"abc", said).hex()


def test_alibaba_says_whether_the_link_is_encrypted() -> None:
    who = profile("aliyun-iot", url="mqtt://127.0.0.1:1883").credentials(NOW)
    assert who is not None
    assert "securemode=3," in who.client_id


@pytest.mark.parametrize("checked", [False, True])
def test_huawei(checked: bool) -> None:
    who = profile("huawei-iotda", check_clock=checked).credentials(NOW)
    assert who is not None
    assert (who.client_id, who.user) == (f"gw_0_{int(checked)}_2026112222", "gw")
    assert who.password == openssl("sha256", b"2026112222", "abc").hex()


def test_each_connection_of_huawei_has_the_hour_it_is_made_in() -> None:
    made = profile("huawei-iotda")
    first, second = made.credentials(NOW), made.credentials(NOW + 3600 * S)
    assert first is not None
    assert second is not None
    assert (first.client_id[-2:], second.client_id[-2:]) == ("22", "23")
    assert first.password != second.password


@pytest.mark.parametrize(("method", "digest"), [("hmacsha256", "sha256"), ("hmacsha1", "sha1")])
def test_tencent(method: str, digest: str) -> None:
    who = profile("tencent-iot", sign_method=method, token_life="1h").credentials(NOW)
    assert who is not None
    assert who.client_id == "GWPRODUCT1gw-01"
    assert who.user is not None
    client_id, sdk, connection, expiry = who.user.split(";")
    assert (client_id, sdk, len(connection), int(expiry)) == (who.client_id, "12010126", 5, NOW // S + 3600)
    assert who.password == f"{openssl(digest, KEY, who.user).hex()};{method}"


def test_the_binding_of_a_sub_device_of_tencent() -> None:
    signed = cloud_signing.tencent_binding("PRESS", "press-1", PSK, 42, 1_795_384_805)
    assert base64.b64decode(signed) == openssl("sha1", KEY, "PRESSpress-1;42;1795384805")


def test_azure() -> None:
    who = profile("azure-iothub", token_life="1h").credentials(NOW)
    assert who is not None
    hub = "acme.azure-devices.example"
    assert (who.client_id, who.user) == ("gw-01", f"{hub}/gw-01/?api-version=2021-04-12")
    resource, expiry = quote(f"{hub}/devices/gw-01", safe=""), NOW // S + 3600
    assert who.password is not None
    assert who.password.startswith(f"SharedAccessSignature sr={resource}&sig=")
    assert who.password.endswith(f"&se={expiry}")
    signature = unquote(who.password.partition("&sig=")[2].partition("&")[0])
    assert base64.b64decode(signature) == openssl("sha256", KEY, f"{resource}\n{expiry}")


def test_with_a_certificate_there_is_no_secret_to_sign_with() -> None:
    shown = {"secret": None, "cert": "c.pem", "key": "k.pem"}
    passwords = {}
    for name in ("huawei-iotda", "tencent-iot", "azure-iothub"):
        who = profile(name, **shown).credentials(NOW)
        assert who is not None
        passwords[name] = who.password
    assert passwords == {"huawei-iotda": None, "tencent-iot": "certificate", "azure-iothub": None}


def test_things_of_aws_are_known_by_their_certificate_alone() -> None:
    assert profile("aws-iot").credentials(NOW) is None


def test_no_password_is_shown() -> None:
    who = profile("azure-iothub").credentials(NOW)
    assert "Shared" not in repr(who)
