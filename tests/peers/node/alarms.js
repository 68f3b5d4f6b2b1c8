// A node-opcua server with real alarms: node alarms.js PORT FOLDER-FOR-CERTIFICATES.
// ns=1;s=Temp has the non-exclusive limits 10 and 90 (alarm s=Hot, source Temp), ns=1;s=Door is off normal
// when 1 (alarm s=DoorOpen, source Door). Each line on standard input, a JSON list, is answered with a line:
// ["write", name, value], ["severity", alarm, value], ["event", severity, text] (a plain one, source Server).
const readline = require("node:readline");
const { OPCUAServer, OPCUACertificateManager, Variant, DataType, SecurityPolicy, MessageSecurityMode } =
  require("node-opcua");

// Standard output is for answers: what the library has to say goes elsewhere.
const answer = (text) => process.stdout.write(`${text}\n`);
console.log = console.warn = () => {};

(async () => {
  const server = new OPCUAServer({
    port: Number(process.argv[2]),
    host: "127.0.0.1",
    serverCertificateManager: new OPCUACertificateManager({
      automaticallyAcceptUnknownCertificate: true, rootFolder: process.argv[3],
    }),
    securityPolicies: [SecurityPolicy.None],
    securityModes: [MessageSecurityMode.None],
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  space.installAlarmsAndConditionsService();
  const own = space.getOwnNamespace();
  const place = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Cell", nodeId: "s=Cell",
    notifierOf: space.rootFolder.objects.server, eventNotifier: 1 });
  const variables = {}, alarms = {};
  for (const name of ["Temp", "Door"])
    variables[name] = own.addVariable({ componentOf: place, eventSourceOf: place, nodeId: `s=${name}`, browseName: name,
      dataType: "Double", value: new Variant({ dataType: DataType.Double, value: name === "Temp" ? 50 : 0 }) });
  alarms.Hot = own.instantiateNonExclusiveLimitAlarm("NonExclusiveLimitAlarmType", {
    browseName: "Hot", nodeId: "s=Hot", conditionSource: variables.Temp, inputNode: variables.Temp, componentOf: place,
    optionals: ["ConfirmedState", "Confirm"], highLimit: 90, lowLimit: 10, highHighLimit: 99, lowLowLimit: 1,
  });
  const normal = own.addVariable({ componentOf: place, browseName: "DoorNormal", dataType: "Double",
    value: new Variant({ dataType: DataType.Double, value: 0 }) });
  alarms.DoorOpen = own.instantiateOffNormalAlarm({
    browseName: "DoorOpen", nodeId: "s=DoorOpen", conditionSource: variables.Door, inputNode: variables.Door,
    normalState: normal, componentOf: place,
  });
  await server.start();
  answer("ready");
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const [what, name, value] = JSON.parse(line);
    if (what === "write") variables[name].setValueFromSource({ dataType: DataType.Double, value });
    if (what === "severity") alarms[name].severity.setValueFromSource({ dataType: DataType.UInt16, value });
    if (what === "event")
      space.rootFolder.objects.server.raiseEvent("BaseEventType", {
        message: { dataType: DataType.LocalizedText, value: { text: value } },
        severity: { dataType: DataType.UInt16, value: name },
      });
    answer(JSON.stringify("ok"));
  });
})();
