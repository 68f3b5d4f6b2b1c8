"""An OPC UA server under the tests' control: opcua_server.py PORT [--namespace URI]… [--many N] [--user U:P]

Its variables lie in http://acme.example/cnc/ as s=<name>; a second one, http://acme.example/robot/,
has an s=State of its own, to be mistaken for the first. It prints `ready`, then answers each JSON
line on standard input with a line: `["write", name, type, value, status, age_s]` sets a variable
(status and age optional; age null sends no source time), `["many", n]` changes the first n of the
many, `["delete", name]` takes one away, `["service-level", n]` sets what it says of its fitness, `["sessions"]` counts
activated sessions.
"""

import argparse
import asyncio
import json
import logging
import sys
import uuid
from datetime import UTC, datetime, timedelta

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_session import InternalSession

CNC, ROBOT = "http://acme.example/cnc/", "http://acme.example/robot/"
FIRST = {
    "Boolean": True, "SByte": -5, "Byte": 200, "Int16": -300, "UInt16": 60_000, "Int32": -70_000,
    "UInt32": 4_000_000_000, "Int64": -(2**40), "UInt64": 2**40, "Float": 0.5, "Double": 3.25,
    "String": "A100", "State": "RUN", "Temp": 20.0, "Count": 0,
}  # fmt: skip
TYPE_OF = {"State": "String", "Temp": "Double", "Count": "UInt32"}


def variant(kind, value):
    match kind:
        case "Null":
            return ua.Variant(None, ua.VariantType.Null)
        case "Array":
            return ua.Variant(value, ua.VariantType.Double, is_array=True)
        case "Structure":
            return ua.Variant(ua.Argument(Name="a"), ua.VariantType.ExtensionObject)
        case "DateTime":
            value = datetime.fromisoformat(value)
        case "Guid":
            value = uuid.UUID(value)
        case "ByteString":
            value = bytes.fromhex(value)
        case "LocalizedText":
            value = ua.LocalizedText(value, "en")
        case "QualifiedName":
            value = ua.QualifiedName(value, 2)
        case "NodeId":
            value = ua.NodeId.from_string(value)
        case "StatusCode":
            value = ua.StatusCode(getattr(ua.StatusCodes, value))
    return ua.Variant(value, getattr(ua.VariantType, kind))


def sample(kind, value, status="Good", age_s=0.0):
    now = datetime.now(UTC)
    code = status if isinstance(status, int) else getattr(ua.StatusCodes, status)
    source = None if age_s is None else now - timedelta(seconds=age_s)
    return ua.DataValue(variant(kind, value), ua.StatusCode(code), source, now)


class Users:
    def __init__(self, known):
        self.known = known

    def get_user(self, iserver, username=None, password=None, certificate=None):
        return User(role=UserRole.User) if f"{username}:{password}" == self.known else None


async def fill(server, options):
    index = {uri: await server.register_namespace(uri) for uri in options.namespace or (CNC, ROBOT)}
    objects = server.nodes.objects
    for name, value in FIRST.items():
        first = variant(TYPE_OF.get(name, name), value)
        await objects.add_variable(ua.NodeId(name, index[CNC]), ua.QualifiedName(name, index[CNC]), first)
    if ROBOT in index:
        wrong = ua.Variant("WRONG ROOM", ua.VariantType.String)
        node = ua.NodeId("State", index[ROBOT])
        await objects.add_variable(node, ua.QualifiedName("State", index[ROBOT]), wrong)
    for i in range(options.many):
        node = ua.NodeId(f"n{i}", index[CNC])
        await objects.add_variable(node, ua.QualifiedName(f"n{i}", index[CNC]), 0.0)
    return index[CNC]


async def obey(server, cnc, command):
    match command:
        case ["write", name, *rest]:
            node = ua.NodeId(name, cnc)
            if node not in server.iserver.aspace:
                first = ua.DataValue(variant(rest[0], rest[1]))
                await server.nodes.objects.add_variable(node, ua.QualifiedName(name, cnc), first.Value)
            # Without a former value the server does not insist on its type.
            server.iserver.aspace[node].attributes[ua.AttributeIds.Value].value = None
            await server.write_attribute_value(node, sample(*rest))
        case ["many", n]:
            for i in range(n):
                held = server.iserver.aspace[ua.NodeId(f"n{i}", cnc)].attributes[ua.AttributeIds.Value].value
                await server.write_attribute_value(
                    ua.NodeId(f"n{i}", cnc), sample("Double", held.Value.Value + 1.0)
                )
        case ["delete", name]:
            await server.delete_nodes([server.get_node(ua.NodeId(name, cnc))])
        case ["service-level", level]:
            node = server.get_node(ua.NodeId(ua.ObjectIds.Server_ServiceLevel))
            await server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(level, ua.VariantType.Byte)))
        case ["sessions"]:
            return InternalSession._current_connections
    return "ok"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--namespace", action="append")
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--user")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    server = Server(user_manager=Users(options.user)) if options.user else Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.set_identity_tokens([ua.UserNameIdentityToken if options.user else ua.AnonymousIdentityToken])
    cnc = await fill(server, options)
    async with server:
        print("ready", flush=True)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            try:
                answer = await obey(server, cnc, json.loads(line))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            print(json.dumps(answer), flush=True)


asyncio.run(main())
