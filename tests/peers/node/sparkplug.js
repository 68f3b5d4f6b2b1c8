// A reader that is not ours: for each line of standard input, a payload in base64, prints a line of JSON with what
// sparkplug-payload makes of it. That library knows values only where a datatype stands beside them, which data have
// not; there `raw` is what its protobuf decoder found, by the name of the field.
const { get } = require("sparkplug-payload");
const proto = require("sparkplug-payload/lib/sparkplugPayloadProto.js");
const Payload = proto.org.eclipse.tahu.protobuf.Payload;
const spec = get("spBv1.0");

const FIELDS = ["intValue", "longValue", "floatValue", "doubleValue", "booleanValue", "stringValue", "bytesValue"];
const plain = (key, value) => {
  if (value && typeof value === "object" && "low" in value && "high" in value) {
    return (BigInt.asIntN(64, (BigInt(value.high) << 32n) | BigInt(value.low >>> 0))).toString();
  }
  if (value && value.type === "Buffer") return Buffer.from(value.data).toString("hex");
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
};

require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
  try {
    const bytes = Buffer.from(line, "base64");
    const said = spec.decodePayload(bytes);
    const raw = Payload.decode(bytes).metrics.map((metric) =>
      Object.fromEntries(FIELDS.filter((field) => Object.prototype.hasOwnProperty.call(metric, field)
        && metric[field] !== null).map((field) => [field, metric[field]])));
    console.log(JSON.stringify({ ...said, raw }, plain));
  } catch (error) {
    console.log(JSON.stringify({ failed: String(error) }));
  }
});
