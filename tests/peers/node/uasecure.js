// An OPC UA server that is not ours and trusts nobody yet: node uasecure.js PORT FOLDER.
// All three policies, signed and encrypted, and none. Whose certificate it does not know it refuses; that certificate
// then lies in FOLDER/rejected, and is trusted once it lies in FOLDER/trusted/certs.
const say = console.log;
console.log = console.warn = () => {};         // the first thing it says is "ready"
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode } = require("node-opcua");

(async () => {
  const certificates = new OPCUACertificateManager({
    automaticallyAcceptUnknownCertificate: false, rootFolder: process.argv[3],
  });
  const server = new OPCUAServer({
    port: Number(process.argv[2]),
    host: "127.0.0.1",
    serverCertificateManager: certificates,
    securityPolicies: [
      SecurityPolicy.None, SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    userManager: { isValidUser: (user, password) => user === "edge" && password === "s3cret" },
  });
  await server.start();
  say("ready");
})();
