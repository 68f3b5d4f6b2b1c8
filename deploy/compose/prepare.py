"""Makes what the services of compose.yaml must not have from a file that is known: a certificate, passwords, tokens.

    prepare.py FOLDER       each service gets a folder that its user alone can read; what is there is kept

    agent/     web.pem, web.key; mqtt-password; influxdb-token; mosquitto.pem, influxdb.pem (whom it trusts)
    mosquitto/ web.pem, web.key; passwords (user → hash)
    influxdb/  web.pem, web.key; password, token
    grafana/   web.pem, web.key; password; influxdb-token, influxdb.pem

`plant` may subscribe to everything at the broker: its password is in mosquitto/plant-password.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.web import certificate

# The users of the images.
USERS = {"agent": 10001, "mosquitto": 1883, "influxdb": 1000, "grafana": 472}
ROUNDS = 101        # of PBKDF2, as mosquitto_passwd has it


def main(folder: Path, names: Iterable[str]) -> None:
    """Make what is missing."""
    for service in USERS:
        (folder / service).mkdir(mode=0o700, parents=True, exist_ok=True)
        files, called = certificate.files_in(folder / service), [service, *names, *certificate.ALWAYS]
        if not certificate.is_good(files, called, datetime.now(UTC)):
            certificate.make(folder / service, called, datetime.now(UTC))
    agent, mosquitto, influxdb, grafana = (folder / service for service in USERS)
    passwords = {user: secret(place) for user, place in
                 (("agent", agent / "mqtt-password"), ("plant", mosquitto / "plant-password"))}  # fmt: skip
    if not (mosquitto / "passwords").exists():
        lines = [f"{user}:{hashed(password)}\n" for user, password in passwords.items()]
        write(mosquitto / "passwords", "".join(lines))
    secret(influxdb / "password")
    secret(grafana / "password")
    token = secret(influxdb / "token")
    for reader in (agent, grafana):
        write(reader / "influxdb-token", token)
        shutil.copyfile(influxdb / "web.pem", reader / "influxdb.pem")
    shutil.copyfile(mosquitto / "web.pem", agent / "mosquitto.pem")
    for service, user in USERS.items():
        for path in (folder / service, *(folder / service).iterdir()):
            os.chown(path, user, user)


def secret(path: Path) -> str:
    """What is in the file; something nobody can guess, if there was none."""
    if not path.exists():
        write(path, secrets.token_urlsafe(24))
    return path.read_text()


def write(path: Path, text: str) -> None:
    """For the owner alone."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def hashed(password: str) -> str:
    """As a line of mosquitto's password file has it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), [name for name in os.environ.get("NAMES", "").split(",") if name])
