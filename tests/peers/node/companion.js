// An OPC UA server with machines of the real companion specifications: node companion.js PORT FOLDER-FOR-CERTIFICATES.
// Its types are those the OPC Foundation publishes (PackML, Machinery, MachineTool): Filler is an instance of
// PackMLBaseObjectType, Machines/Lathe of MachineToolType, Machines/Robot of a plain object with building blocks; beside
// them lie the counters s=Total and s=Scrap. Commands, a line of JSON each, answered with "ok":
// ["set", "Filler/BaseStateMachine/CurrentState", "LocalizedText", "Cleared"], a null value takes it away (status
// Bad_StateNotActive); ["count", "Filler/Admin/ProdProcessedCount", 5].
const say = console.log;
console.log = console.warn = () => {};         // what is said on standard output are answers
const {
  OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, nodesets, DataType, Variant,
  VariantArrayType, StatusCodes, coerceLocalizedText,
} = require("node-opcua");
const readline = require("readline");

const space = (uri) => `http://opcfoundation.org/UA/${uri}/`;

(async () => {
  const server = new OPCUAServer({
    port: Number(process.argv[2]),
    host: "127.0.0.1",
    serverCertificateManager: new OPCUACertificateManager({ rootFolder: process.argv[3] }),
    securityPolicies: [SecurityPolicy.None],
    securityModes: [MessageSecurityMode.None],
    nodeset_filename: [
      nodesets.standard, nodesets.di, nodesets.ia, nodesets.isa95JobControl, nodesets.machinery,
      nodesets.machineryJobs, nodesets.machineTool, nodesets.packML,
    ],
  });
  await server.initialize();
  const address = server.engine.addressSpace;
  const own = address.getOwnNamespace();
  const index = (uri) => address.getNamespaceIndex(space(uri));
  const type = (name, uri) => address.findObjectType(name, index(uri));
  const machines = address.rootFolder.objects.getFolderElementByName("Machines", index("Machinery"));

  type("PackMLBaseObjectType", "PackML").instantiate({
    browseName: "Filler", nodeId: "s=Filler", organizedBy: address.rootFolder.objects,
    optionals: [
      "Admin.ProdProcessedCount", "Admin.ProdDefectiveCount", "Admin.StopReason", "Status.EquipmentBlocked",
      "Status.EquipmentStarved", "Status.UnitModeCurrent", "BaseStateMachine.MachineState",
      "BaseStateMachine.MachineState.ExecuteState",
    ],
  });
  type("MachineToolType", "MachineTool").instantiate({ browseName: "Lathe", nodeId: "s=Lathe", organizedBy: machines });
  const robot = own.addObject({ browseName: "Robot", nodeId: "s=Robot", organizedBy: machines });
  const blocks = own.addObject({
    browseName: { name: "MachineryBuildingBlocks", namespaceIndex: index("Machinery") }, componentOf: robot,
  });
  type("MachineryItemState_StateMachineType", "Machinery").instantiate({
    browseName: { name: "MachineryItemState", namespaceIndex: index("Machinery") }, componentOf: blocks,
  });
  for (const name of ["Total", "Scrap"])
    own.addVariable({ organizedBy: address.rootFolder.objects, nodeId: `s=${name}`, browseName: name, dataType: "UInt32",
      value: new Variant({ dataType: DataType.UInt32, value: 0 }) });

  const child = (node, name) =>
    node.findReferencesExAsObject("HierarchicalReferences").find((one) => one.browseName.name === name);
  const find = (path) => path.split("/").reduce((node, name) => {
    const found = child(node, name) || (node === address.rootFolder.objects && child(machines, name));
    if (!found) throw new Error(`no ${name} below ${node.browseName.toString()}`);
    return found;
  }, address.rootFolder.objects);
  const obey = ([word, path, ...rest]) => {
    const node = find(path);
    if (word === "count") {
      const packml = address.findDataType("PackMLCountDataType", index("PackML"));
      const value = [address.constructExtensionObject(packml, { id: 1, name: "bottles", count: rest[0], accCount: rest[0] })];
      node.setValueFromSource({ dataType: DataType.ExtensionObject, arrayType: VariantArrayType.Array, value });
    } else if (rest[1] === null)
      node.setValueFromSource({ dataType: DataType.Null }, StatusCodes.BadStateNotActive);
    else {
      const value = rest[0] === "LocalizedText" ? coerceLocalizedText(rest[1]) : rest[1];
      node.setValueFromSource({ dataType: DataType[rest[0]], value });
    }
    return "ok";
  };
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    let answer;
    try { answer = obey(JSON.parse(line)); } catch (error) { answer = String(error); }
    say(JSON.stringify(answer));
  });
  await server.start();
  say("ready");
})();
