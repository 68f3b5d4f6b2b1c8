"""An OPC UA server with a model: opcua_model_server.py PORT [--namespace URI]… [--many N]

Objects, enumerations and structures lie in http://acme.example/machine/ and http://acme.example/parts/,
registered in the order of the --namespace options. With --many, as many axes with a load each lie below
Objects/Line/Many. It prints `ready`, then answers each JSON line on standard input with a line:
`["raw", name, encoding, hex]` gives the variable s=<name> an extension object of these bytes, `["encoding", type]`
says which node id is that of a structure's binary encoding.
"""

import argparse
import asyncio
import json
import logging
import sys
from datetime import UTC, datetime

from asyncua import Server, ua
from asyncua.common.structures104 import new_struct, new_struct_field
from asyncua.common.type_dictionary_builder import DataTypeDictionaryBuilder

MACHINE, PARTS = "http://acme.example/machine/", "http://acme.example/parts/"
V = ua.VariantType
MODES = {0: "Idle", 3: "Run", 7: "Fault"}
WHEN = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)


class Model:
    """Builds the address space; `index` are the namespace indexes of machine and parts."""

    def __init__(self, server, index):
        self.server, self.m, self.p = server, index[MACHINE], index[PARTS]

    def name(self, text, namespace=None):
        return ua.QualifiedName(text, self.m if namespace is None else namespace)

    async def object(self, parent, text, namespace=None):
        namespace = self.m if namespace is None else namespace
        return await parent.add_object(ua.NodeId(0, namespace), self.name(text, namespace))

    async def variable(self, parent, text, value, kind=None, data_type=None, node=None, namespace=None):
        namespace = self.m if namespace is None else namespace
        node = ua.NodeId(0 if node is None else node, namespace)
        return await parent.add_variable(node, self.name(text, namespace), value, kind, data_type)

    async def property(self, node, text, value):
        await node.add_property(ua.NodeId(0, self.m), ua.QualifiedName(text, 0), value)

    async def tree(self, many):
        line = self.line = await self.object(self.server.nodes.objects, "Line")
        press = await self.object(line, "Press")
        speed = await self.variable(press, "Speed", 12.5, node="Speed")
        await speed.write_attribute(ua.AttributeIds.Description, ua.DataValue(ua.LocalizedText("of the ram")))
        await self.property(speed, "EURange", ua.Range(0.0, 80.0))
        unit = ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
            UnitId=int.from_bytes(b"C16", "big"), DisplayName=ua.LocalizedText("mm/s"),
        )  # fmt: skip
        await self.property(speed, "EngineeringUnits", unit)
        await self.variable(press, "Temp", 21.0, node="Temp")
        for number in (1, 2, 3):
            axis = await self.object(line, f"Axis{number}")
            await self.variable(axis, "Load", float(number), node=f"Load{number}")
            if number == 2:
                await self.variable(axis, "Load", -2.0, node="Load2", namespace=self.p)
        await self.object(line, "Press", self.p)
        for text in ("Odd/Name#1", "A&B", "Star*", "2:Two", "What?", "<b>"):
            await self.variable(line, text, 1, node=f"odd {text}")
        twice = await self.object(line, "Twice")
        for number in (1, 2):
            await self.variable(twice, "Same", number, node=f"Same{number}")
        everything = await self.object(line, "Many")
        for number in range(many):
            axis = await self.object(everything, f"Axis{number}")
            await self.variable(axis, "Load", float(number), node=f"Many{number}")

    async def enumerations(self):
        base = self.server.nodes.enum_data_type
        self.mode = await base.add_data_type(ua.NodeId("type Mode", self.m), self.name("Mode"))
        fields = [
            ua.EnumField(Name=text, DisplayName=ua.LocalizedText(f"shown {text}"), Value=number)
            for number, text in MODES.items()
        ]
        await self.mode.write_data_type_definition(ua.EnumDefinition(Fields=fields))
        strings = await base.add_data_type(ua.NodeId("type Level", self.m), self.name("Level"))
        await self.property(strings, "EnumStrings", [ua.LocalizedText(one) for one in ("Low", "", "High")])
        values = await base.add_data_type(ua.NodeId("type Gear", self.m), self.name("Gear"))
        gears = [ua.EnumValueType(Value=n, DisplayName=ua.LocalizedText(t)) for n, t in ((-1, "R"), (0, "N"), (5, "V"))]
        await self.property(values, "EnumValues", gears)
        bits = await self.server.get_node(ua.NodeId(7)).add_data_type(ua.NodeId("type Bits", self.m), self.name("Bits"))
        field = ua.EnumField(Name="Hot", Value=2)
        await bits.write_data_type_definition(ua.EnumDefinition(Fields=[field]))
        line = self.line
        for text, value, kind, data_type in (
            ("Mode", 3, V.Int32, self.mode), ("Level", 2, V.Int32, strings), ("Gear", -1, V.Int32, values),
            ("Bits", 4, V.UInt32, bits),
        ):  # fmt: skip
            await self.variable(line, text, value, kind, data_type.nodeid, node=text)
        multi = await self.variable(line, "Multi", 1, V.UInt32, node="Multi")
        await self.property(multi, "EnumStrings", [ua.LocalizedText(one) for one in ("Closed", "Open")])
        valued = await self.variable(line, "Valued", 20, V.Byte, node="Valued")
        await self.property(valued, "EnumValues", [ua.EnumValueType(Value=20, DisplayName=ua.LocalizedText("Twenty"))])
        two = await self.variable(line, "Two", True, node="Two")
        await self.property(two, "TrueState", ua.LocalizedText("on"))
        await self.property(two, "FalseState", ua.LocalizedText("off"))

    async def structures(self):
        m, server = self.m, self.server
        field = new_struct_field
        counter = await server.get_node(ua.NodeId(5)).add_data_type(ua.NodeId("type Pieces", m), self.name("Pieces"))
        offset, _ = await new_struct(server, m, "Offset", [field("X", V.Double), field("Y", V.Double)])
        position, _ = await new_struct(server, m, "Position", [
            field("Name", V.String), field("Offset", offset), field("Mode", self.mode),
            field("Loads", V.Double, array=True), field("Points", offset, array=True), field("At", V.DateTime),
            field("Text", V.LocalizedText), field("Count", counter), field("Unit", ua.NodeId(887)),
            field("Raw", V.ByteString), field("On", V.Boolean), field("Last", V.Float),
        ])  # fmt: skip
        optional, _ = await new_struct(server, m, "Optional", [
            field("Id", V.UInt32), field("Note", V.String, optional=True), field("Factor", V.Double, optional=True),
            field("Sizes", V.Int32, array=True, optional=True), field("Last", V.Byte),
        ])  # fmt: skip
        choice, _ = await new_struct(
            server, m, "Choice", [field("Number", V.Double), field("Word", V.String), field("Offset", offset)], True
        )
        holder, _ = await new_struct(server, m, "Holder", [
            field("Any", V.Variant), field("Inner", ua.NodeId(22)), field("After", V.Int16),
        ])  # fmt: skip
        tree, _ = await new_struct(server, m, "Tree", [field("Value", V.Int32)])
        definition = await tree.read_data_type_definition()
        definition.Fields.append(field("Children", tree, array=True))
        await tree.write_data_type_definition(definition)
        base, _ = await new_struct(server, m, "Base", [field("A", V.Int32), field("B", V.String)])
        derived = await base.add_data_type(ua.NodeId(0, m), self.name("Derived"))
        bare = await server.nodes.base_structure_type.add_data_type(ua.NodeId(0, m), self.name("Bare"))
        self.types = {
            "Offset": offset, "Position": position, "Optional": optional, "Choice": choice, "Holder": holder,
            "Tree": tree, "Derived": derived, "Bare": bare,
        }  # fmt: skip

    async def values(self):
        ua.register_basetype("Pieces", ua.NodeId("type Pieces", self.m), ua.UInt16)     # what the library does not find
        await self.server.load_data_type_definitions()
        offsets = [ua.Offset(float(n), -float(n)) for n in range(3)]
        position = ua.Position(
            "A1", ua.Offset(1.5, -2.5), 7, [0.5, 1.5], offsets, WHEN, ua.LocalizedText("hallo", "de"), 60_000,
            ua.EUInformation(UnitId=5, DisplayName=ua.LocalizedText("mm")), b"\x01\xff", True, 0.25,
        )  # fmt: skip
        some, none = ua.Optional(), ua.Optional()
        some.Id, some.Factor, some.Last = 9, 2.5, 200
        none.Id, none.Last = 10, 201
        word, nothing = ua.Choice(), ua.Choice()
        word.Word = "seven"
        place = ua.Choice()
        place.Offset = ua.Offset(3.0, 4.0)
        put = self.structure
        await put("Position", position)
        await put("Positions", [position, position], "Position")
        await put("Some", some, "Optional")
        await put("None", none, "Optional")
        await put("Word", word, "Choice")
        await put("Place", place, "Choice")
        await put("Nothing", nothing, "Choice")
        branch = ua.Tree(1, [ua.Tree(2, []), ua.Tree(3, [ua.Tree(4, [])])])
        await put("Tree", branch)
        await put("Open", ua.Offset(8.0, 9.0), ua.NodeId(22))
        await put("Anything", ua.Offset(6.0, 7.0), ua.NodeId(24))
        await put("Range", ua.Range(1.0, 2.0), ua.NodeId(884))
        await put("Matrix", [[1, 2, 3], [4, 5, 6]], ua.NodeId(6), V.Int32)

    async def structure(self, text, value, data_type=None, kind=V.ExtensionObject):
        data_type = self.types[data_type or text].nodeid if not isinstance(data_type, ua.NodeId) else data_type
        await self.variable(self.line, text, value, kind, data_type, node=text)

    async def raw(self):
        """Variables whose values come as bytes; a type that names only the fields it adds."""
        own = ua.StructureDefinition(
            DefaultEncodingId=ua.NodeId("derived encoding", self.m), Fields=[new_struct_field("C", V.Double)]
        )
        await self.types["Derived"].write_data_type_definition(own)
        for text in ("Holder", "Derived", "Bare"):
            value = ua.ExtensionObject(ua.NodeId("nothing", self.m), b"")
            await self.variable(self.line, text, value, V.ExtensionObject, self.types[text].nodeid, node=f"raw {text}")

    async def dictionary(self):
        """Types that are described in a type dictionary only, as before version 1.04."""
        builder = DataTypeDictionaryBuilder(self.server, self.m, MACHINE, "Old")
        await builder.init()
        inner = await builder.create_data_type("OldInner")
        inner.add_field("X", V.Double)
        outer = await builder.create_data_type("OldOuter")
        outer.add_field("Name", V.String)
        outer.add_field("Inner", inner)
        outer.add_field("Loads", V.Float, is_array=True)
        outer.add_field("Inners", inner, is_array=True)
        outer.add_field("Last", V.Int16)
        await builder.set_dict_byte_string()
        await self.server.load_type_definitions()
        old_inner, old_outer = ua.OldInner, ua.OldOuter
        value = old_outer()
        first, second, third = old_inner(), old_inner(), old_inner()
        first.X, second.X, third.X = 1.0, 2.0, 3.0
        value.Name, value.Inner, value.Loads, value.Inners, value.Last = "old", first, [0.5, 1.5], [second, third], -7
        await self.variable(self.line, "Old", value, V.ExtensionObject, outer.data_type, node="Old")


async def obey(model, command):
    match command:
        case ["raw", name, encoding, body]:
            value = ua.ExtensionObject(ua.NodeId.from_string(encoding), bytes.fromhex(body))
            node = model.server.get_node(ua.NodeId(name, model.m))
            await model.server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, V.ExtensionObject)))
        case ["encoding", name]:
            definition = await model.types[name].read_data_type_definition()
            return definition.DefaultEncodingId.to_string()
    return "ok"


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--namespace", action="append")
    parser.add_argument("--many", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = {uri: await server.register_namespace(uri) for uri in options.namespace or (MACHINE, PARTS)}
    model = Model(server, index)
    await model.tree(options.many)
    await model.enumerations()
    await model.structures()
    await model.values()
    await model.raw()
    await model.dictionary()
    async with server:
        print("ready", flush=True)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            try:
                answer = await obey(model, json.loads(line))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            print(json.dumps(answer), flush=True)


asyncio.run(main())
