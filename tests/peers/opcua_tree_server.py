"""An OPC UA server with a plant to be discovered: opcua_tree_server.py PORT [--many N] [--slow MS] [--turned]

Below Objects: Plant (namespace http://acme.example/plant/) with units, ranges, enumerations, arrays, a structure, a
variable nobody may read, a folder that leads back to its own parent, and N variables in folders of 50; and machines of
three companion specifications, their types made by hand. `--slow` delays each answer to a browse request; `--turned`
registers the namespaces in another order, so that every index is another one. It prints `ready` once it serves.
"""

import argparse
import asyncio
import logging

from asyncua import Server, ua
from asyncua.server.internal_session import InternalSession

PLANT = "http://acme.example/plant/"
PACKML = "http://opcfoundation.org/UA/PackML/"
MACHINERY = "http://opcfoundation.org/UA/Machinery/"
MACHINE_TOOL = "http://opcfoundation.org/UA/MachineTool/"
FOLDER_OF = 50


class Space:
    """Makes nodes with string ids in a namespace."""

    def __init__(self, server, uri, index):
        self.server, self.uri, self.index = server, uri, index

    def id(self, text):
        return ua.NodeId(text, self.index)

    def name(self, text):
        return ua.QualifiedName(text, self.index)

    async def object(self, parent, name, type_=None, id_=None):
        return await parent.add_object(self.id(id_ or name), self.name(name), objecttype=type_)

    async def variable(self, parent, name, value, kind, id_=None, **options):
        return await parent.add_variable(self.id(id_ or name), self.name(name), value, varianttype=kind, **options)

    async def type(self, name, base=None):
        made = await self.server.get_node(base or ua.NodeId(58)).add_object_type(self.id(name), self.name(name))
        return made.nodeid


async def prop(node, name, value):
    """A property of namespace 0, as the standard's are."""
    await node.add_property(ua.NodeId(f"{node.nodeid.Identifier}.{name}", node.nodeid.NamespaceIndex),
                            ua.QualifiedName(name, 0), value)


async def fill_press(plant, top):
    press = await plant.object(top, "Press 1")
    speed = await plant.variable(press, "CurMachSpeed", 61.5, ua.VariantType.Double)
    await prop(speed, "EURange", ua.Range(Low=0.0, High=120.0))
    rpm = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 5394509, ua.LocalizedText("rpm"))
    await prop(speed, "EngineeringUnits", rpm)
    await plant.variable(press, "Total", 4711, ua.VariantType.UInt32)
    await plant.variable(press, "Order", "A100", ua.VariantType.String)
    await plant.variable(press, "Running", True, ua.VariantType.Boolean)
    await plant.variable(press, "Quoted", 1.5, ua.VariantType.Double, id_='"DB1"."Speed" #2')
    await plant.variable(press, "State", 0, ua.VariantType.Int32, datatype=ua.NodeId(ua.ObjectIds.ServerState))
    lamp = await plant.variable(press, "Lamp", 1, ua.VariantType.UInt32)
    await prop(lamp, "EnumStrings", [ua.LocalizedText(text) for text in ("Off", "Green", "Red")])
    await plant.variable(press, "Axes", [1.0, 2.0, 3.0], ua.VariantType.Double)
    await plant.variable(press, "Trace", [0.0] * 1000, ua.VariantType.Float)
    job = ua.Argument(Name="job", DataType=ua.NodeId(11), ValueRank=-1)
    await plant.variable(press, "Job", job, ua.VariantType.ExtensionObject, datatype=ua.NodeId(296))
    secret = await plant.variable(press, "Secret", 1, ua.VariantType.Int32)
    for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
        await secret.write_attribute(attribute, ua.DataValue(ua.Variant(0, ua.VariantType.Byte)))
    setpoint = await plant.variable(press, "Setpoint", 60.0, ua.VariantType.Double)
    await setpoint.set_writable()
    await press.add_reference(top, ua.NodeId(35))           # a circle
    favourites = await plant.object(top, "Favourites")
    await favourites.add_reference(speed, ua.NodeId(35))     # a second way to the same variable


async def fill_many(plant, top, many):
    folder = top
    for n in range(many):
        if n % FOLDER_OF == 0:
            folder = await plant.object(top, f"Cell{n // FOLDER_OF}")
        await plant.variable(folder, f"Value{n % FOLDER_OF}", float(n), ua.VariantType.Double, id_=f"v{n}")


async def fill_machines(server, spaces):
    plant, packml, machinery, tool = (spaces[uri] for uri in (PLANT, PACKML, MACHINERY, MACHINE_TOOL))
    base = await packml.type("PackMLBaseObjectType")
    own = await plant.type("FillerType", base)
    await plant.object(server.nodes.objects, "Filler 1", own, "filler")
    state_type = await machinery.type("MachineryItemState_StateMachineType")
    tool_type = await tool.type("MachineToolType")
    machines = await machinery.object(server.nodes.objects, "Machines", ua.NodeId(61))
    cnc = await plant.object(machines, "CNC-7", tool_type, "cnc")
    await add_state(plant, machinery, cnc, state_type)
    robot = await plant.object(machines, "Robot", None, "robot")
    await add_state(plant, machinery, robot, state_type)
    parts = await machinery.object(robot, "Components", ua.NodeId(61), "robot.parts")
    gripper = await plant.object(parts, "Gripper", None, "gripper")
    await add_state(plant, machinery, gripper, state_type)
    await plant.object(machines, "Conveyor", None, "conveyor")


async def add_state(plant, machinery, machine, state_type):
    owner = machine.nodeid.Identifier
    blocks = await machinery.object(machine, "MachineryBuildingBlocks", ua.NodeId(61), f"{owner}.blocks")
    state = await machinery.object(blocks, "MachineryItemState", state_type, f"{owner}.state")
    current = ua.LocalizedText("Executing")
    node = ua.NodeId(f"{owner}.state.current", machinery.index)
    await state.add_variable(node, ua.QualifiedName("CurrentState", 0), current)


def slow_down(seconds):
    browse = InternalSession.browse

    async def slowly(self, parameters):
        await asyncio.sleep(seconds)
        return await browse(self, parameters)

    InternalSession.browse = slowly


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--many", type=int, default=0)
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--turned", action="store_true")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    uris = [PLANT, PACKML, MACHINERY, MACHINE_TOOL]
    spaces = {}
    for uri in reversed(uris) if options.turned else uris:
        spaces[uri] = Space(server, uri, await server.register_namespace(uri))
    top = await spaces[PLANT].object(server.nodes.objects, "Plant")
    await fill_press(spaces[PLANT], top)
    await fill_many(spaces[PLANT], top, options.many)
    await fill_machines(server, spaces)
    if options.slow:
        slow_down(options.slow / 1e3)
    async with server:
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
