// An OPC UA server that is not ours and misbehaves as told: node quirks.js '{"port": …, "pki": FOLDER, …}'.
//
// It prints `ready`, then answers each JSON line on standard input with a line. The variables are those of
// opcua_quirk_server.py, in namespaces registered in the order of `namespaces`: n0 … (Double, round · 10 000 +
// own number, `many` of them, changed `hz` times a second), Count (UInt32, one more every `count_ms`), Temp, State;
// and a decoy of each in http://acme.example/robot/. `limits` are node-opcua's server capabilities.
//
// ["write", name, value]; ["change", n]; ["fail", service, status, times] answers requests so, for ever if `times`
// is null; ["ignore", service, times] not at all; ["drop_sessions"]; ["drop_subscriptions"]; ["counted"]; ["told"],
// the counts it has put into messages; ["seen"] → sessions, subscriptions and requests by service.
const say = (line) => process.stdout.write(`${line}\n`);
process.stdin.on("end", () => process.exit(0)).on("close", () => process.exit(0)).resume();     // nobody is there any more
process.stdout.on("error", () => process.exit(0));
console.log = console.warn = console.error = () => undefined;     // the library tells its troubles on standard output
const {
  OPCUAServer, OPCUACertificateManager, DataType, StatusCodes, ServiceFault, SecurityPolicy, MessageSecurityMode,
  Subscription,
} = require("node-opcua");
const readline = require("readline");

const CNC = "http://acme.example/cnc/", ROBOT = "http://acme.example/robot/", ROUND = 10000;
const options = {
  namespaces: [CNC, ROBOT], many: 0, hz: 0, count_ms: 100, limits: {}, ...JSON.parse(process.argv[2]),
};
const faults = new Map();     // service → {status or null, left}
const requests = {};
const told = [];              // the counts that were put into messages, whether or not these arrived

const emit = Subscription.prototype.emit;
Subscription.prototype.emit = function (event, ...rest) {
  if (event === "notification")
    for (const part of rest[0].notificationData || [])
      for (const item of part.monitoredItems || [])
        if (item.value && item.value.value.dataType === DataType.UInt32) told.push(item.value.value.value);
  return emit.call(this, event, ...rest);
};

function faulty(server) {
  const usual = server.on_request.bind(server);
  server.on_request = (message, channel) => {
    const service = message.request.schema.name.replace(/Request$/, "");
    requests[service] = (requests[service] || 0) + 1;
    const fault = faults.get(service);
    if (!fault || fault.left === 0) return usual(message, channel);
    if (fault.left !== null) fault.left -= 1;
    if (fault.status === null) return undefined;
    server.prepare(message, channel);
    const response = new ServiceFault({ responseHeader: { serviceResult: StatusCodes[fault.status] } });
    return channel.send_response("MSG", response, message, () => undefined);
  };
}

function fill(space) {
  const place = space.rootFolder.objects, plant = { many: [], counted: [], count: 0, round: 0 };
  for (const uri of options.namespaces) {
    const own = space.registerNamespace(uri), real = uri === CNC;
    const add = (name, dataType, value) => own.addVariable({
      organizedBy: place, nodeId: `s=${name}`, browseName: name, dataType, minimumSamplingInterval: 0,
      value: { dataType: DataType[dataType], value },
    });
    const made = {
      Temp: add("Temp", "Double", real ? 20 : -1), State: add("State", "String", real ? "RUN" : "WRONG ROOM"),
      Count: add("Count", "UInt32", real ? 0 : 4000000000),
    };
    for (let i = 0; i < options.many; i++) {
      const one = add(`n${i}`, "Double", real ? i : -1 - i);
      if (real) plant.many.push(one);
    }
    if (real) Object.assign(plant, made);
  }
  plant.change = (n) => {
    plant.round += 1;
    for (let i = 0; i < n; i++)
      plant.many[i].setValueFromSource({ dataType: DataType.Double, value: plant.round * ROUND + i });
  };
  if (plant.Count) setInterval(() => {
    const now = new Date();
    plant.Count.setValueFromSource({ dataType: DataType.UInt32, value: ++plant.count }, StatusCodes.Good, now);
    plant.counted.push([plant.count, now.getTime() * 1e6]);
    if (plant.counted.length > 5000) plant.counted.shift();
  }, options.count_ms);
  if (options.hz > 0) setInterval(() => plant.change(options.many), 1000 / options.hz);
  return plant;
}

function obey(server, plant, [verb, ...rest]) {
  const engine = server.engine, sessions = () => Object.values(engine._sessions);
  switch (verb) {
    case "write": {
      const kinds = { Count: "UInt32", State: "String" }, [name, value] = rest;
      const variable = plant[name] || plant.many[Number(name.slice(1))];
      variable.setValueFromSource({ dataType: DataType[kinds[name] || "Double"], value });
      return "ok";
    }
    case "change": plant.change(rest[0]); return "ok";
    case "fail": faults.set(rest[0], { status: rest[1], left: rest[2] ?? null }); return "ok";
    case "ignore": faults.set(rest[0], { status: null, left: rest[1] ?? null }); return "ok";
    case "drop_sessions":
      for (const session of sessions()) engine.closeSession(session.authenticationToken, true, "Terminated");
      return "ok";
    case "drop_subscriptions":
      for (const session of sessions())
        for (const one of [...session.publishEngine.subscriptions]) session.deleteSubscription(one.id);
      return "ok";
    case "counted": return plant.counted;
    case "told": return told;
    case "seen": return {
      sessions: engine.currentSessionCount, subscriptions: engine.currentSubscriptionCount, requests,
      ids: sessions().map((session) => session.nodeId.toString()),
    };
    default: return `does not know ${verb}`;
  }
}

(async () => {
  const certificates = new OPCUACertificateManager({
    automaticallyAcceptUnknownCertificate: true, rootFolder: options.pki,
  });
  const server = new OPCUAServer({
    port: options.port, host: "127.0.0.1", serverCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None], securityModes: [MessageSecurityMode.None],
    serverCapabilities: options.limits,
  });
  await server.initialize();
  faulty(server);
  const plant = fill(server.engine.addressSpace);
  await server.start();
  say("ready");
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    let answer;
    try { answer = obey(server, plant, JSON.parse(line)); } catch (error) { answer = String(error.stack); }
    say(JSON.stringify(answer));
  });
})();
