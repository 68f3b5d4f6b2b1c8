"""An OPC UA server with all security policies: opcua_secure_server.py PORT CERT KEY URI [options]

Policies Basic256Sha256, Aes128_Sha256_RsaOaep and Aes256_Sha256_RsaPss, each signed and encrypted; with --none also
without security. It takes sessions without a login, user edge with s3cret, and the user whose certificate is the file
--user-cert. With --trust FOLDER it refuses clients whose certificate is none of the folder's files.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from cryptography.hazmat.primitives.serialization import Encoding

POLICIES = [getattr(ua.SecurityPolicyType, f"{policy}_{mode}")
            for policy in ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
            for mode in ("Sign", "SignAndEncrypt")]  # fmt: skip


class Users:
    def __init__(self, certificate):
        self.certificate = certificate

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username is not None:
            return User(role=UserRole.User) if (username, password) == ("edge", "s3cret") else None
        # Without a user certificate asyncua passes the one of the client's application.
        if self.certificate is not None and certificate == self.certificate:
            return User(role=UserRole.Admin, name="by certificate")
        return User(role=UserRole.User, name="anonymous")


def only(folder):
    async def check(certificate, _application):
        data = certificate.public_bytes(Encoding.DER)
        if not any(file.read_bytes() == data for file in folder.glob("*.der")):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    return check


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("cert", type=Path)
    parser.add_argument("key", type=Path)
    parser.add_argument("uri")
    parser.add_argument("--none", action="store_true")
    parser.add_argument("--user-cert", type=Path)
    parser.add_argument("--trust", type=Path)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    server = Server(user_manager=Users(options.user_cert.read_bytes() if options.user_cert else None))
    await server.init()
    await server.set_application_uri(options.uri)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([*POLICIES, *([ua.SecurityPolicyType.NoSecurity] if options.none else [])])
    server.set_identity_tokens([ua.AnonymousIdentityToken, ua.UserNameIdentityToken, ua.X509IdentityToken])
    await server.load_certificate(options.cert)
    await server.load_private_key(options.key)
    if options.trust:
        server.set_certificate_validator(only(options.trust))
    async with server:
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
