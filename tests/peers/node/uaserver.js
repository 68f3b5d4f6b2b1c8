// An OPC UA server that is not ours: node uaserver.js PORT FOLDER-FOR-CERTIFICATES.
// Anonymous, or user edge / s3cret; passwords are taken encrypted only. It calls itself by a host
// name nobody can reach. Variables in ns=1: s=Fast counts up every 100 ms, s=Speed is a double,
// s=Level an enumeration, s=Mode a localized text.
const {
  OPCUAServer, OPCUACertificateManager, Variant, DataType, SecurityPolicy, MessageSecurityMode,
} = require("node-opcua");

(async () => {
  const port = Number(process.argv[2]);
  const certificates = new OPCUACertificateManager({
    automaticallyAcceptUnknownCertificate: true, rootFolder: process.argv[3],
  });
  const server = new OPCUAServer({
    port,
    host: "127.0.0.1",
    hostname: "unreachable.invalid",
    serverCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    userManager: { isValidUser: (user, password) => user === "edge" && password === "s3cret" },
    serverCapabilities: { operationLimits: { maxMonitoredItemsPerCall: 50 } },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.getOwnNamespace();
  const place = space.rootFolder.objects;
  let count = 0;
  const fast = own.addVariable({
    organizedBy: place, nodeId: "s=Fast", browseName: "Fast", dataType: "UInt32", minimumSamplingInterval: 50,
    value: new Variant({ dataType: DataType.UInt32, value: 0 }),
  });
  setInterval(() => fast.setValueFromSource({ dataType: DataType.UInt32, value: ++count }), 100);
  own.addVariable({ organizedBy: place, nodeId: "s=Speed", browseName: "Speed", dataType: "Double",
    value: new Variant({ dataType: DataType.Double, value: 12.5 }) });
  own.addVariable({ organizedBy: place, nodeId: "s=Level", browseName: "Level", dataType: "ServerState",
    value: new Variant({ dataType: DataType.Int32, value: 3 }) });
  own.addVariable({ organizedBy: place, nodeId: "s=Mode", browseName: "Mode", dataType: "LocalizedText",
    value: new Variant({ dataType: DataType.LocalizedText, value: { text: "automatic", locale: "en" } }) });
  for (let i = 0; i < 120; i++)
    own.addVariable({ organizedBy: place, nodeId: `s=n${i}`, browseName: `n${i}`, dataType: "Double",
      value: new Variant({ dataType: DataType.Double, value: i }) });
  await server.start();
  console.log("ready");
})();
