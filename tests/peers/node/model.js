// An OPC UA server with a model that is not ours: node model.js PORT FOLDER-FOR-CERTIFICATES.
// Objects/Plant (namespace http://acme.example/model/) has 50 lines Line0 … Line49 of 100 variables V0 … V99 each,
// an enumeration of its own, and values of the structures of OPC 30010 (AutoID): inherited and optional fields,
// unions, and structures in arrays.
const {
  OPCUAServer, OPCUACertificateManager, Variant, VariantArrayType, DataType, SecurityPolicy, MessageSecurityMode, nodesets,
} = require("node-opcua");

const AUTO_ID = "http://opcfoundation.org/UA/AutoID/";

(async () => {
  const server = new OPCUAServer({
    port: Number(process.argv[2]),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    serverCertificateManager: new OPCUACertificateManager({
      automaticallyAcceptUnknownCertificate: true, rootFolder: process.argv[3],
    }),
    securityPolicies: [SecurityPolicy.None],
    securityModes: [MessageSecurityMode.None],
    nodeset_filename: [nodesets.standard, nodesets.di, nodesets.autoId],
    serverCapabilities: { operationLimits: {
      maxNodesPerBrowse: 200, maxNodesPerTranslateBrowsePathsToNodeIds: 1000, maxNodesPerRead: 1000,
    } },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("http://acme.example/model/");
  const plant = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  for (let line = 0; line < 50; line++) {
    const parent = own.addObject({ componentOf: plant, browseName: `Line${line}` });
    for (let i = 0; i < 100; i++)
      own.addVariable({ componentOf: parent, nodeId: `s=L${line}V${i}`, browseName: `V${i}`, dataType: "Double",
        value: new Variant({ dataType: DataType.Double, value: line + i / 100 }) });
  }

  const colour = own.addEnumerationType({
    browseName: "Colour", enumeration: [{ displayName: "Red", value: 1 }, { displayName: "Green", value: 5 }],
  });
  own.addVariable({ componentOf: plant, nodeId: "s=Colour", browseName: "Colour", dataType: colour.nodeId,
    value: new Variant({ dataType: DataType.Int32, value: 5 }) });
  const multi = own.addMultiStateDiscrete({
    componentOf: plant, nodeId: "s=Multi", browseName: "Multi", enumStrings: ["Closed", "Open"], value: 1,
  });
  const analog = own.addAnalogDataItem({
    componentOf: plant, nodeId: "s=Speed", browseName: "Speed", dataType: "Double",
    engineeringUnitsRange: { low: 0, high: 3000 }, engineeringUnits: { displayName: "rpm",
      namespaceUri: "http://www.opcfoundation.org/UA/units/un/cefact", unitId: 0x52504d, description: "revolutions" },
    value: new Variant({ dataType: DataType.Double, value: 1450 }),
  });

  const type = (name) => space.findDataType(name, space.getNamespaceIndex(AUTO_ID));
  const make = (name, fields) => space.constructExtensionObject(type(name), fields);
  const put = (name, dataType, value, arrayType) =>
    own.addVariable({ componentOf: plant, nodeId: `s=${name}`, browseName: name, dataType, valueRank: arrayType ? 1 : -1,
      value: new Variant({ dataType: DataType.ExtensionObject, arrayType, value }) });
  const when = new Date("2026-03-01T06:30:00Z");
  const sighting = (antenna, strength) => ({ antenna, strength, timestamp: when, currentPowerLevel: 7 });
  const scan = make("RfidScanResult", {
    codeType: "UID", scanData: { string: "E200 3412" }, timestamp: when,
    location: { local: { x: 1.5, y: 2.5, z: 3.5, timestamp: when, dilutionOfPrecision: 0.5, usefulPrecision: 2 } },
    sighting: [sighting(1, -40), sighting(2, -55)],
  });
  put("Scan", type("RfidScanResult").nodeId, scan);
  put("Scans", type("RfidScanResult").nodeId, [scan, scan], VariantArrayType.Array);
  put("AnyScan", type("ScanResult").nodeId, scan);
  put("Anything", space.findDataType("Structure").nodeId, scan);
  put("Optional", type("ScanSettings").nodeId,
    make("ScanSettings", { duration: 1500, cycles: 3, dataAvailable: true, locationType: 2 }));
  await server.start();
  console.log("ready");
})();
