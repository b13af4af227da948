// Two programs in two processes, each with a controller that a third one serves over TCP.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { SystemClock } from "../src/async/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { serveController } from "../src/transport/index.ts";
import { withProgram } from "./support/documented-programs.ts";

const PROGRAM = `
import { openTransport } from "jelling";
import { BLE, Flag, UUID } from "jelling/micropython";

const [role, spec, peer] = process.argv.slice(2);
const SERVICE = new UUID("6e400001-b5a3-f393-e0a9-e50e24dcca9e");
const VALUE = new UUID("6e400002-b5a3-f393-e0a9-e50e24dcca9e");
const ble = new BLE({ controller: await openTransport(spec) });
const events = [];
const waiting = [];
const next = (type) => new Promise((resolve) => {
  const at = events.findIndex((event) => event.type === type);
  if (at >= 0) resolve(events.splice(at, 1)[0]);
  else waiting.push({ type, resolve });
});
ble.irq((event) => {
  if (event.type === "gattsWrite") console.log("write", Buffer.from(ble.gattsRead(event.attrHandle)).toString());
  const at = waiting.findIndex(({ type }) => type === event.type);
  if (at >= 0) waiting.splice(at, 1)[0].resolve(event);
  else events.push(event);
});
await ble.active(true);
if (role === "peripheral") {
  const [[value]] = await ble.gattsRegisterServices([[SERVICE, [[VALUE, Flag.Read | Flag.Write | Flag.Notify]]]]);
  ble.gattsWrite(value, "from here");
  await ble.gapAdvertise(20_000, Uint8Array.of(2, 1, 6));
  const { connHandle } = await next("centralConnect");
  await next("gattsWrite");
  await ble.gattsNotify(connHandle, value, "thank you");
  await next("centralDisconnect");
  console.log("gone");
} else {
  await ble.gapConnect(0, Uint8Array.from(Buffer.from(peer, "hex")), 20_000);
  const { connHandle } = await next("peripheralConnect");
  await ble.gattcDiscoverServices(connHandle, SERVICE);
  const { startHandle, endHandle } = await next("gattcServiceResult");
  await next("gattcServiceDone");
  await ble.gattcDiscoverCharacteristics(connHandle, startHandle, endHandle);
  const { valueHandle } = await next("gattcCharacteristicResult");
  await next("gattcCharacteristicDone");
  await ble.gattcRead(connHandle, valueHandle);
  console.log("read", Buffer.from((await next("gattcReadResult")).data).toString());
  await next("gattcReadDone");
  await ble.gattcWrite(connHandle, valueHandle, "from there", 1);
  await next("gattcWriteDone");
  console.log("notified", Buffer.from((await next("gattcNotify")).data).toString());
  await ble.gapDisconnect(connHandle);
  await next("peripheralDisconnect");
}
await ble.close();
`;

test("a peripheral and a central in two processes talk over controllers that are served over TCP", async () => {
  await using air = new SimulatedAir({ seed: 1, clock: new SystemClock(), traceCapacity: 0 });
  const controllers = ["peripheral", "central"].map((name) => air.addController({ name }));
  const servers = await Promise.all(controllers.map((controller) => serveController(controller, "tcp:127.0.0.1:0")));
  try {
    const run = promisify(execFile);
    const peer = controllers[0]!.address.toHex().replaceAll(":", "");
    const [peripheral, central] = await withProgram(PROGRAM, (file) =>
      Promise.all(
        ["peripheral", "central"].map((role, i) => run(process.execPath, [file, role, servers[i]!.spec, peer], { timeout: 120_000 })),
      ),
    );
    expect([peripheral!.stdout, peripheral!.stderr]).toEqual(["write from there\ngone\n", ""]);
    expect([central!.stdout, central!.stderr]).toEqual(["read from here\nnotified thank you\n", ""]);
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
});
