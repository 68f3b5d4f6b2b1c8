// An OPC UA server with machines of the real companion specifications: node companion.js PORT FOLDER-FOR-CERTIFICATES.
// Its types are those the OPC Foundation publishes (PackML, Machinery, MachineTool): Filler is an instance of
// PackMLBaseObjectType, Machines/Lathe of MachineToolType, Machines/Robot of a plain object with building blocks.
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, nodesets } = require("node-opcua");

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
  });
  type("MachineToolType", "MachineTool").instantiate({ browseName: "Lathe", nodeId: "s=Lathe", organizedBy: machines });
  const robot = own.addObject({ browseName: "Robot", nodeId: "s=Robot", organizedBy: machines });
  const blocks = own.addObject({
    browseName: { name: "MachineryBuildingBlocks", namespaceIndex: index("Machinery") }, componentOf: robot,
  });
  type("MachineryItemState_StateMachineType", "Machinery").instantiate({
    browseName: { name: "MachineryItemState", namespaceIndex: index("Machinery") }, componentOf: blocks,
  });
  await server.start();
  console.log("ready");
})();
