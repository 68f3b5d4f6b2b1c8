"""An OPC UA server whose variables can be written and whose methods can be called: opcua_writable_server.py PORT

Namespace http://acme.example/cnc/. Variables s=<name> of the types below, all writable; s=ReadOnly is not, s=Stubborn
takes every value and goes on holding 7, s=Mode is an enumeration (0 Manual, 1 Automatic), s=Array four
doubles, s=Any a variable of no declared type. The object s=Press has the methods Reset(),
SetSpeed(Double) → Double, Load(String, UInt32) and Jam(), which fails. It prints `ready`, then answers
`["value", name]` with the value of a variable and `["calls"]` with every call so far.
"""

import asyncio
import json
import logging
import sys

from asyncua import Server, ua, uamethod
from asyncua.common.callback import CallbackType

CNC = "http://acme.example/cnc/"
VARIABLES = {
    "Boolean": False, "SByte": 0, "Byte": 0, "Int16": 0, "UInt16": 0, "Int32": 0, "UInt32": 0, "Int64": 0, "UInt64": 0,
    "Float": 0.0, "Double": 0.0, "String": "", "Counter": 0, "Speed": 10.0,
}  # fmt: skip
TYPE = {"Counter": "UInt32", "Speed": "Double"}
CALLS: list[list[object]] = []


@uamethod
def reset(_parent):
    CALLS.append(["Reset"])


@uamethod
def set_speed(_parent, speed):
    CALLS.append(["SetSpeed", speed])
    return speed / 2


@uamethod
def load(_parent, program, count):
    CALLS.append(["Load", program, count])


@uamethod
def jam(_parent):
    CALLS.append(["Jam"])
    return ua.StatusCode(ua.StatusCodes.BadInvalidState)


async def fill(server):
    index = await server.register_namespace(CNC)
    objects = server.nodes.objects

    async def add(name, value, kind, **options):
        variable = await objects.add_variable(ua.NodeId(name, index), f"{index}:{name}", value, kind, **options)
        await variable.set_writable(name != "ReadOnly")
        return variable

    for name, value in VARIABLES.items():
        await add(name, value, getattr(ua.VariantType, TYPE.get(name, name)))
    await add("ReadOnly", 5, ua.VariantType.Int32)
    await add("Text", ua.LocalizedText("a"), ua.VariantType.LocalizedText)
    await add("Array", [1.0, 2.0, 3.0, 4.0], ua.VariantType.Double)
    await add("Any", 3, ua.VariantType.UInt16, datatype=ua.NodeId(24))
    stubborn = await add("Stubborn", 7, ua.VariantType.Int32)
    always = ua.DataValue(ua.Variant(7, ua.VariantType.Int32))

    async def back_to_7(event, _dispatcher):
        if event.request_params.NodesToWrite[0].NodeId == stubborn.nodeid:
            await server.write_attribute_value(stubborn.nodeid, always)

    server.subscribe_server_callback(CallbackType.PostWrite, back_to_7)
    mode = await server.nodes.enum_data_type.add_data_type(ua.NodeId("ModeType", index), f"{index}:ModeType")
    names = [ua.LocalizedText("Manual"), ua.LocalizedText("Automatic")]
    await mode.add_property(ua.NodeId("ModeNames", index), "0:EnumStrings", names, ua.VariantType.LocalizedText)
    await add("Mode", 0, ua.VariantType.Int32, datatype=mode.nodeid)
    press = await objects.add_object(ua.NodeId("Press", index), f"{index}:Press")
    await press.add_method(ua.NodeId("Reset", index), f"{index}:Reset", reset, [], [])
    double, text, number = ua.VariantType.Double, ua.VariantType.String, ua.VariantType.UInt32
    await press.add_method(ua.NodeId("SetSpeed", index), f"{index}:SetSpeed", set_speed, [double], [double])
    await press.add_method(ua.NodeId("Load", index), f"{index}:Load", load, [text, number], [])
    await press.add_method(ua.NodeId("Jam", index), f"{index}:Jam", jam, [], [])
    return index


async def main():
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await fill(server)
    async with server:
        print("ready", flush=True)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            command = json.loads(line)
            if command[0] == "calls":
                answer = CALLS
            else:
                answer = await server.get_node(ua.NodeId(command[1], index)).read_value()
                answer = getattr(answer, "Text", answer)
            print(json.dumps(answer), flush=True)


asyncio.run(main())
