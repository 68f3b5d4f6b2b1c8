"""How devices of cloud platforms prove who they are: computed at each connection, for the instant given.

No function looks at a clock or keeps anything; secrets come as they stand in the platform's console.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

from edge_agent.encode.profile import Credentials

_SECOND: Final = 1_000_000_000
_MS: Final = 1_000_000

AliyunMethod = Literal["hmacsha256", "hmacsha1", "hmacmd5"]
TencentMethod = Literal["hmacsha256", "hmacsha1"]

TENCENT_SDK: Final = "12010126"
"""the `sdkappid` of Tencent's own SDKs; the server wants one and does not look at it"""


def _mac(key: bytes, said: str, digest: str) -> bytes:
    return hmac.new(key, said.encode(), digest).digest()


def base64_key(secret: str) -> bytes:
    """The bytes of a secret that is written in base64; ValueError if it is not."""
    try:
        key = b64decode(secret, validate=True)
    except NotBase64 as problem:
        raise ValueError("is not base64") from problem
    if not key:
        raise ValueError("is empty")
    return key


def huawei(device: str, secret: str | None, now_ns: int, *, checked: bool) -> Credentials:
    """Huawei IoTDA: `{device}_0_{0|1}_{YYYYMMDDHH}`, the hour in UTC; it is the key, the secret the message.

    `checked`: the platform refuses a clock that is off by more than an hour. No secret: a certificate says it.
    """
    hour = datetime.fromtimestamp(now_ns // _SECOND, UTC).strftime("%Y%m%d%H")
    client_id = f"{device}_0_{int(checked)}_{hour}"
    password = None if secret is None else _mac(hour.encode(), secret, "sha256").hex()
    return Credentials(client_id, device, password)


def aliyun_signature(said: Mapping[str, str], secret: str, method: AliyunMethod = "hmacsha256") -> str:
    """The hexadecimal HMAC over all names and values, by name (Alibaba Cloud, MQTT connection authentication)."""
    text = "".join(f"{name}{said[name]}" for name in sorted(said))
    return _mac(secret.encode(), text, method.removeprefix("hmac")).hex()


def aliyun(
    product: str, device: str, secret: str, client: str, now_ns: int, *, tls: bool,
    method: AliyunMethod = "hmacsha256",
) -> Credentials:  # fmt: skip
    """Alibaba Cloud: `{client}|securemode=2,signmethod=…,timestamp=…|`, 2 over TLS and 3 over TCP."""
    stamp = str(now_ns // _MS)
    mode = 2 if tls else 3
    client_id = f"{client}|securemode={mode},signmethod={method},timestamp={stamp}|"
    said = {"clientId": client, "deviceName": device, "productKey": product, "timestamp": stamp}
    return Credentials(client_id, f"{device}&{product}", aliyun_signature(said, secret, method))


def tencent(
    product: str, device: str, psk: str | None, now_ns: int, life_ns: int, method: TencentMethod = "hmacsha256"
) -> Credentials:
    """Tencent: user `{product}{device};{sdkappid};{connid};{expiry}`; the password is its HMAC and `;hmacsha256`."""
    client_id = f"{product}{device}"
    connection = f"{now_ns // _MS % 36**5:05x}"[-5:]
    user = f"{client_id};{TENCENT_SDK};{connection};{(now_ns + life_ns) // _SECOND}"
    if psk is None:     # the certificate says who it is; the server wants a password all the same
        return Credentials(client_id, user, "certificate")
    return Credentials(client_id, user, f"{_mac(base64_key(psk), user, method.removeprefix('hmac')).hex()};{method}")


def tencent_binding(product: str, device: str, psk: str, nonce: int, time_s: int) -> str:
    """What a sub-device's secret says to its being bound to a gateway, base64 (`hmacsha1`)."""
    return b64encode(_mac(base64_key(psk), f"{product}{device};{nonce};{time_s}", "sha1")).decode()


def azure(hub: str, device: str, key: str | None, now_ns: int, life_ns: int, api_version: str) -> Credentials:
    """Azure IoT Hub: a shared access signature as password; no key: a certificate says it."""
    user = f"{hub}/{device}/?api-version={api_version}"
    if key is None:
        return Credentials(device, user, None)
    expiry = (now_ns + life_ns) // _SECOND
    resource = quote(f"{hub}/devices/{device}", safe="")
    signature = b64encode(_mac(base64_key(key), f"{resource}\n{expiry}", "sha256")).decode()
    token = f"SharedAccessSignature sr={resource}&sig={quote(signature, safe='')}&se={expiry}"
    return Credentials(device, user, token)
