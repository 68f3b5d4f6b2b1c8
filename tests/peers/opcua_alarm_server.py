"""An OPC UA server with alarms under the tests' control: opcua_alarm_server.py PORT [--no-refresh] [--others N]

It prints `ready`, then answers each JSON line on standard input with a line:

    ["condition", name, type, {field: value}]    a condition of the Server object; nothing is told yet
    ["tell", name, {field: value}, age_s]        change these fields of it and tell it, dated so long ago
    ["event", {field: value}, type]              a plain event
    ["forget", name]                             a refresh no longer tells it
    ["overflow"]                                 say that events were lost
    ["required"]                                 ask clients to refresh
    ["refuse", what, status]                     from now on refuse, with this status, event filters with a where
                                                 clause (what is where), or also those that name the type of
                                                 each field (types), or none ("")

`type` is a standard one such as AlarmConditionType, or PressAlarmType (a kind of AlarmConditionType) or
PressEventType, both in http://acme.example/press/, before which N namespaces of others may come.
"""

import argparse
import asyncio
import json
import logging
import sys
from datetime import UTC, datetime, timedelta

from asyncua import Server, ua
from asyncua.server import internal_subscription
from asyncua.server.monitored_item_service import MonitoredItemService

PRESS = "http://acme.example/press/"
BOOLEAN, TIME = ua.VariantType.Boolean, ua.VariantType.DateTime
KINDS = {
    "Retain": BOOLEAN, "EnabledState/Id": BOOLEAN, "ActiveState/Id": BOOLEAN, "AckedState/Id": BOOLEAN,
    "ConfirmedState/Id": BOOLEAN, "ActiveState/TransitionTime": TIME, "AckedState/TransitionTime": TIME,
    "BranchId": ua.VariantType.NodeId, "ConditionName": ua.VariantType.String,
    "Comment": ua.VariantType.LocalizedText, "Severity": ua.VariantType.UInt16,
    "SourceName": ua.VariantType.String, "Message": ua.VariantType.LocalizedText,
}  # fmt: skip


class Choosy(MonitoredItemService):
    """Refuses filters, as told."""

    what = status = ""

    def _create_events_monitored_item(self, params):
        chosen = params.RequestedParameters.Filter
        types = {operand.TypeDefinitionId for operand in chosen.SelectClauses if operand.BrowsePath}
        if self.what and (chosen.WhereClause.Elements or (self.what == "types" and len(types) > 1)):
            result, _ = self._make_monitored_item_common(params)
            result.StatusCode = ua.StatusCode(getattr(ua.StatusCodes, self.status))
            return result
        return super()._create_events_monitored_item(params)


def put(event, fields):
    for name, value in fields.items():
        kind = KINDS[name]
        if kind is TIME:
            value = datetime.now(UTC) - timedelta(seconds=value)
        if kind is ua.VariantType.LocalizedText:
            value = ua.LocalizedText(value)
        if kind is ua.VariantType.NodeId:
            value = ua.NodeId.from_string(value) if value else None
        event.add_property(name, value, kind)


class Obedient:
    def __init__(self, server, index):
        self.server, self.index = server, index
        self.types, self.told = {}, {}

    async def define(self):
        for name, base in (("PressAlarmType", "AlarmConditionType"), ("PressEventType", "BaseEventType")):
            made = await self.server.create_custom_event_type(self.index, name, getattr(ua.ObjectIds, base))
            self.types[name] = made.nodeid

    def type_of(self, name):
        return self.types.get(name) or ua.NodeId(getattr(ua.ObjectIds, name))

    async def obey(self, command):
        match command:
            case ["condition", name, kind, fields]:
                teller = await self.server.get_event_generator(self.type_of(kind))
                teller.event.EventType = self.type_of(kind)
                if not fields.pop("nameless", False):
                    teller.event.add_property("NodeId", ua.NodeId(name, self.index), ua.VariantType.NodeId)
                put(teller.event, {"ConditionName": name, **fields})
                self.told[name] = teller
            case ["tell", name, fields, *age]:
                put(self.told[name].event, fields)
                await self.told[name].trigger(datetime.now(UTC) - timedelta(seconds=age[0] if age else 0))
            case ["event", fields, kind]:
                teller = await self.server.get_event_generator(self.type_of(kind))
                put(teller.event, fields)
                await teller.trigger()
            case ["forget", name]:
                self.server.iserver.subscription_service._conditions.pop(ua.NodeId(name, self.index), None)
            case ["overflow"]:
                await (await self.server.get_event_generator(ua.ObjectIds.EventQueueOverflowEventType)).trigger()
            case ["required"]:
                await (await self.server.get_event_generator(ua.ObjectIds.RefreshRequiredEventType)).trigger()
            case ["refuse", what, status]:
                Choosy.what, Choosy.status = what, status
        return "ok"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--no-refresh", action="store_true")
    parser.add_argument("--others", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    internal_subscription.MonitoredItemService = Choosy
    server = Server()
    server.iserver.bind_condition_methods = 0 if options.no_refresh else 100
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for i in range(options.others):
        await server.register_namespace(f"urn:other{i}")
    obedient = Obedient(server, await server.register_namespace(PRESS))
    await obedient.define()
    async with server:
        print("ready", flush=True)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            try:
                answer = await obedient.obey(json.loads(line))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            print(json.dumps(answer), flush=True)


asyncio.run(main())
