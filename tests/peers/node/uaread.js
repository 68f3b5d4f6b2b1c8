// A client that is not ours: node uaread.js '{"url":…, "cert":…, "key":…, "uri":…, "user":…, "password":…, "folder":…,
// "mode":"SignAndEncrypt"|"Sign"|"None", "policy":"Basic256Sha256"|…, "namespace":…, "keys":[…], "write":key, "watch":key}'.
// Prints one line of JSON: {"values":[{value, type, status, source, server}], "written":status, "watched":[…]}, or
// {"failed": why}. With "watch" it first prints the line `watching`, then takes the next value as the end.
const {
  OPCUAClient, OPCUACertificateManager, MessageSecurityMode, SecurityPolicy, UserTokenType, AttributeIds, DataType,
  ClientMonitoredItem, TimestampsToReturn,
} = require("node-opcua");

const plain = (dataValue) => ({
  value: dataValue.value ? dataValue.value.value : null,
  type: dataValue.value ? DataType[dataValue.value.dataType] : null,
  status: dataValue.statusCode.name,
  source: dataValue.sourceTimestamp,
  server: dataValue.serverTimestamp,
});

(async () => {
  const ask = JSON.parse(process.argv[2]);
  const manager = new OPCUACertificateManager({ rootFolder: ask.folder, automaticallyAcceptUnknownCertificate: true });
  await manager.initialize();
  const client = OPCUAClient.create({
    endpointMustExist: false,
    securityMode: MessageSecurityMode[ask.mode || "None"],
    securityPolicy: SecurityPolicy[ask.policy || "None"],
    connectionStrategy: { maxRetry: 0, initialDelay: 100 },
    clientCertificateManager: manager,
    ...(ask.cert ? { certificateFile: ask.cert, privateKeyFile: ask.key, applicationUri: ask.uri } : {}),
  });
  const told = {};
  try {
    await client.connect(ask.url);
    const login = ask.user ? { type: UserTokenType.UserName, userName: ask.user, password: ask.password } : undefined;
    const session = await client.createSession(login);
    const index = (await session.readNamespaceArray()).indexOf(ask.namespace);
    const node = (key) => `ns=${index};s=${key}`;
    told.values = (await session.read(ask.keys.map((key) => ({ nodeId: node(key), attributeId: AttributeIds.Value }))))
      .map(plain);
    if (ask.write) {
      const status = await session.write({
        nodeId: node(ask.write), attributeId: AttributeIds.Value, value: { value: { dataType: DataType.Double, value: 1 } },
      });
      told.written = status.name;
    }
    if (ask.watch) {
      const subscription = await session.createSubscription2({
        requestedPublishingInterval: 100, requestedLifetimeCount: 600, requestedMaxKeepAliveCount: 20,
        maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 0,
      });
      told.watched = [];
      const item = ClientMonitoredItem.create(
        subscription, { nodeId: node(ask.watch), attributeId: AttributeIds.Value },
        { samplingInterval: 100, queueSize: 10, discardOldest: true }, TimestampsToReturn.Both,
      );
      await new Promise((done) => item.on("changed", (dataValue) => {
        told.watched.push(plain(dataValue));
        if (told.watched.length === 1) console.log("watching");
        else done();
      }));
      await subscription.terminate();
    }
    await session.close();
    await client.disconnect();
  } catch (error) {
    told.failed = error.message;
  }
  console.log(JSON.stringify(told));
  process.exit(0);
})();
