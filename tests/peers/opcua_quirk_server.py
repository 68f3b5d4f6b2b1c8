"""OPC UA servers that misbehave as told; each a process of its own, there within a tenth of a second.

`python -m tests.peers.opcua_quirk_server` loads the library and the standard address space once, prints `ready`,
and forks a server for each `["start", name, {"port": …, …}]` on standard input; see `Options`. Other lines are
answered with a line as well: `["kill", name]`, and `["ask", name, command, …]`, which hands a command to a server;
see `Plant.obey`. `tests.peers.opcua_world` speaks this language.

Variables, in http://acme.example/cnc/: n0 … (Double, number of the round · 10 000 + own number, all changed at
`hz`), Count (UInt32, one more every `count_ms`), Temp (Double), State (String). The decoy namespace
http://acme.example/robot/ has the same identifiers with other values: negative numbers and WRONG ROOM.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import Server, ua
from asyncua.server.address_space import AttributeValue, NodeData
from asyncua.server.internal_session import InternalSession

from tests.peers import opcua_quirks as quirks

CNC, ROBOT = "http://acme.example/cnc/", "http://acme.example/robot/"
ROUND = 10_000
DIE_WITH_PARENT = 1                 # prctl(PR_SET_PDEATHSIG)
LIMITS = "Server_ServerCapabilities_OperationLimits_"
KINDS = {"n": ua.VariantType.Double, "Temp": ua.VariantType.Double, "Count": ua.VariantType.UInt32}
DATA_TYPES = {ua.VariantType.Double: 11, ua.VariantType.UInt32: 7, ua.VariantType.String: 12}


@dataclass
class Options:
    """What a server is started with."""

    port: int
    namespaces: list[str] = field(default_factory=lambda: [CNC, ROBOT])
    many: int = 0
    hz: float = 0.0
    count_ms: float = 100.0
    first: int = 0
    """what Count starts with"""
    certificate: str = ""
    key: str = ""
    uri: str = "urn:acme:quirk-server"
    faults: dict[str, Any] = field(default_factory=dict)
    announce: dict[str, int] = field(default_factory=dict)
    """operation limit → number, as MaxMonitoredItemsPerCall: 10"""


class Plant:
    """The variables of one server."""

    def __init__(self, server: Server, options: Options) -> None:
        self._server, self._options = server, options
        self.here = quirks.install(server, quirks.Faults(**options.faults))
        self.here.faults.ignore = set(self.here.faults.ignore)
        self._space = server.iserver.aspace
        self._index: dict[str, int] = {}
        self._value: dict[str, AttributeValue] = {}
        self._began = time.time()
        self._count = options.first
        self._round = 0
        self._counted: deque[tuple[int, int]] = deque(maxlen=5000)

    async def fill(self) -> None:
        """Make the namespaces and all variables in them."""
        for uri in self._options.namespaces:
            self._index[uri] = await self._server.register_namespace(uri)
        for name in ("Count", "Temp", "State", *(f"n{i}" for i in range(self._options.many))):
            self.add(name)
        for name, number in self._options.announce.items():
            await self.announce(name, number)

    async def announce(self, limit: str, number: int) -> None:
        node = self._server.get_node(ua.NodeId(getattr(ua.ObjectIds, LIMITS + limit)))
        await node.write_value(ua.Variant(number, ua.VariantType.UInt32))

    def add(self, name: str) -> None:
        """A variable and its decoy; in no time, unlike the library's own way, which looks at all there are."""
        kind = KINDS.get(name.rstrip("0123456789"), ua.VariantType.String)
        own = int(name[1:]) if name[1:].isdecimal() else 0
        first = {"Count": self._count, "State": "RUN", "Temp": 20.0}.get(name, float(own))
        wrong = {"Count": 4_000_000_000, "State": "WRONG ROOM"}.get(name, -1.0 - own)
        for uri, value in ((CNC, first), (ROBOT, wrong)):
            if uri in self._index:
                held = self._insert(ua.NodeId(name, self._index[uri]), name, self._sample(value, kind))
                if uri == CNC:
                    self._value[name] = held

    def _insert(self, node: Any, name: str, sample: Any) -> AttributeValue:
        browse = ua.QualifiedName(name, node.NamespaceIndex)
        shown, kind = ua.LocalizedText(name), sample.Value.VariantType
        held = AttributeValue(sample)
        attributes = {
            ua.AttributeIds.NodeId: ua.Variant(node), ua.AttributeIds.BrowseName: ua.Variant(browse),
            ua.AttributeIds.NodeClass: ua.Variant(2, ua.VariantType.Int32),
            ua.AttributeIds.DisplayName: ua.Variant(shown),
            ua.AttributeIds.DataType: ua.Variant(ua.NodeId(DATA_TYPES[kind])),
            ua.AttributeIds.ValueRank: ua.Variant(-1, ua.VariantType.Int32),
            ua.AttributeIds.AccessLevel: ua.Variant(3, ua.VariantType.Byte),
            ua.AttributeIds.UserAccessLevel: ua.Variant(3, ua.VariantType.Byte),
        }  # fmt: skip
        data = NodeData(node)
        data.attributes = {key: AttributeValue(ua.DataValue(value)) for key, value in attributes.items()}
        data.attributes[ua.AttributeIds.Value] = held
        self._space[node] = data
        self._space[ua.NodeId(ua.ObjectIds.ObjectsFolder)].references.append(
            ua.ReferenceDescription(
                ReferenceTypeId=ua.NodeId(ua.ObjectIds.Organizes), IsForward=True, NodeId=node, BrowseName=browse,
                DisplayName=shown, NodeClass=ua.NodeClass.Variable, TypeDefinition=ua.NodeId(63),
            )
        )  # fmt: skip
        return held

    def _now(self) -> datetime:
        """The device's clock."""
        clock = self.here.faults.clock
        if isinstance(clock, str):
            began = datetime.fromisoformat(clock)
            return began if self.here.faults.frozen_clock else began + timedelta(seconds=time.time() - self._began)
        return datetime.now(UTC) + timedelta(seconds=clock)

    def _sample(self, value: Any, kind: Any, status: str = "Good") -> Any:
        code = getattr(ua.StatusCodes, status)
        variant = ua.Variant(value, kind) if status == "Good" else ua.Variant(None, ua.VariantType.Null)
        return ua.DataValue(variant, ua.StatusCode(code), self._now(), datetime.now(UTC))

    async def write(self, name: str, sample: Any) -> None:
        held = self._value[name]
        held.value = sample
        for handle, callback in list(held.datachange_callbacks.items()):
            await callback(handle, sample)

    async def keep_counting(self) -> None:
        """Count."""
        due = time.monotonic()
        while True:
            due += self._options.count_ms / 1e3
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._count += 1
            sample = self._sample(self._count, ua.VariantType.UInt32)
            self._counted.append((self._count, _ns(sample.SourceTimestamp)))
            await self.write("Count", sample)

    async def keep_changing(self) -> None:
        """All the many, `hz` times a second."""
        due = time.monotonic()
        while self._options.hz > 0 and self._options.many:
            due = max(due + 1 / self._options.hz, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self.change(self._options.many)

    async def change(self, count: int) -> None:
        self._round += 1
        now, received = self._now(), datetime.now(UTC)
        good, double = ua.StatusCode(), ua.VariantType.Double
        for i in range(count):
            value = ua.Variant(float(self._round * ROUND + i), double)
            await self.write(f"n{i}", ua.DataValue(value, good, now, received))

    async def obey(self, command: list[Any]) -> Any:
        """`["write", name, value, status]`, `["add", name]`, `["change", n]`, `["fault", name, value]` (see `Faults`),
        `["announce", limit, n]`, `["expire", status]`, `["drop_subscriptions", status or ""]`, `["drop_sessions", …]`,
        `["orphan"]` ends the sessions but not their subscriptions, `["skip", n]` message numbers, `["abort"]` ends the
        connections, `["counted"]`, `["seen"]` and what they tell."""
        here, faults = self.here, self.here.faults
        match command:
            case ["write", name, value, *status]:
                kind = KINDS.get(name.rstrip("0123456789"), ua.VariantType.String)
                await self.write(name, self._sample(value, kind, *status))
            case ["add", name]:
                self.add(name)
            case ["change", n]:
                await self.change(n)
            case ["fault", name, value]:
                setattr(faults, name, set(value) if name == "ignore" else value)
            case ["announce", limit, number]:
                await self.announce(limit, number)
            case ["expire", status]:
                await quirks.expire_subscriptions(here, status)
            case ["drop_subscriptions", answer]:
                await quirks.drop_subscriptions(here, answer)
            case ["drop_sessions", answer]:
                await quirks.drop_sessions(here, answer)
            case ["orphan"]:
                await quirks.drop_sessions(here, "BadSessionClosed", subscriptions=False)
            case ["skip", n]:
                for sub in here.subscriptions:
                    sub._notification_seq += n
            case ["abort"]:
                for transport in list(self._server.iserver.asyncio_transports):
                    transport.abort()
            case ["counted"]:
                return list(self._counted)
            case ["seen"]:
                return {
                    "sessions": len(here.sessions), "requests": dict(here.requests),
                    "operations": dict(here.operations), "items": [
                        len(sub.monitored_item_srv._monitored_items) for sub in here.subscriptions
                    ], "ids": [str(session.session_id) for session in here.sessions],
                }  # fmt: skip
            case _:
                raise ValueError(f"does not know {command}")
        return "ok"


def _ns(moment: datetime) -> int:
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


async def serve(server: Server, options: Options, control: socket.socket) -> None:
    """One server, until it is killed or nobody controls it any more."""
    # A server that starts again has other tokens; the ids of its subscriptions may well be the same.
    InternalSession._auth_counter = random.randrange(10_000, 2_000_000_000)
    InternalSession._counter = random.randrange(10_000, 2_000_000_000)
    plant = Plant(server, options)
    await server.set_application_uri(options.uri)
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_identity_tokens([ua.AnonymousIdentityToken])
    if options.certificate:
        await server.load_certificate(options.certificate)
        await server.load_private_key(options.key)
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    await plant.fill()
    reader, writer = await asyncio.open_connection(sock=control)
    async with server:
        tasks = [asyncio.create_task(plant.keep_counting()), asyncio.create_task(plant.keep_changing())]
        writer.write(b'"ready"\n')
        while line := await reader.readline():
            try:
                answer = await plant.obey(json.loads(line))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            writer.write(json.dumps(answer).encode() + b"\n")
        for task in tasks:
            task.cancel()


class Child:
    """A forked server as its parent sees it."""

    def __init__(self, server: Server, options: Options) -> None:
        ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            try:
                asyncio.run(serve(server, options, theirs))
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        theirs.close()
        self._socket, self._file = ours, ours.makefile("rw", encoding="utf-8")
        self.greeting = self._file.readline().strip()

    def ask(self, command: list[Any]) -> str:
        self._file.write(json.dumps(command) + "\n")
        self._file.flush()
        return self._file.readline().strip() or '"it has ended"'

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._file.close()
        self._socket.close()


async def prepared() -> Server:
    """A server with the standard address space and nothing else."""
    server = Server()
    await server.init()
    return server


def main() -> None:
    logging.disable(logging.CRITICAL)
    server = asyncio.run(prepared())
    children: dict[str, Child] = {}
    print("ready", flush=True)
    for line in sys.stdin:
        match json.loads(line):
            case ["start", name, options]:
                children[name] = Child(server, Options(**options))
                answer = json.dumps([children[name].greeting == '"ready"', children[name].pid])
            case ["kill", name]:
                children.pop(name).kill()
                answer = '"ok"'
            case ["ask", name, *command]:
                answer = children[name].ask(command)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
