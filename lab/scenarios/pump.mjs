// @ts-check
/**
 * The pump connector on hci1, as a user starts it, and BlueZ on hci0 in the pump's place: up to the first message of the SAKE handshake, for
 * which BlueZ has no keys. Inside the lab, with the command built: node lab/run.mjs -- node lab/scenarios/pump.mjs
 */
import assert from "node:assert/strict";
import { randomFillSync } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { Bluetoothctl } from "../guest/bluetoothctl.mjs";
import { adapterHas, Program, startDaemon, startEmulator } from "../guest/bluez.mjs";
import { decodedCapture, startMonitor } from "../guest/monitor.mjs";
import { runScenario } from "../guest/scenario.mjs";

const command = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const address = "00:AA:01:01:00:01";
const vendor = (/** @type {string} */ short) => `0000${short}-0000-1000-0000-009132591325`;
const sakePort = vendor("fe82");
const zeros = new Uint8Array(20);
/** The longest PDU that a pump takes while it discovers. */
const longestPdu = 23;

await runScenario("pump", async ({ use, step, capturePath }) => {
  use(await startEmulator({ leOnly: true }));
  use(await startDaemon());
  await adapterHas(0, ["powered"]);
  await adapterHas(1, ["powered"]);
  const monitor = await startMonitor(0, capturePath("bluez"));
  use(monitor);
  const bluez = use(await Bluetoothctl.start({ adapter: "00:AA:01:00:00:00" }));
  const keys = keyDatabase();
  const connector = use(startConnector("pair", keys, capturePath("jelling")));
  await connector.expect(/"type":"advertising","mode":"pair","name":"Mobile 700001"/);

  await step("the advertiser of FE82 is found by its name", async () => {
    assert.equal(await bluez.discover("Mobile 700001"), address);
    await bluez.expectInfo(address, /UUID: .*\(0000fe82-0000-1000-8000-00805f9b34fb\)/);
  });

  await step("connected, and the services are discovered", async () => {
    await bluez.connect(address);
    await connector.expect(/"type":"connected"/);
    await bluez.expect(/ServicesResolved: yes/);
    bluez.type("gatt", `list-attributes ${address}`);
    for (const uuid of [vendor("0900"), "0000fe82-0000-1000-8000-00805f9b34fb", sakePort]) await bluez.expect(new RegExp(uuid));
  });

  await step("paired: legacy, Just Works, with keys of both sides", async () => {
    await bluez.pair(address);
    const [line] = await connector.expect(/"type":"paired".*/);
    assert.match(line, /"method":"just-works","authenticated":false,"keySize":16,"localKeys":\["ltk","irk","identity","csrk"\]/);
  });

  await step("values of the vendor's information service are read", async () => {
    const text = (/** @type {string} */ value) => new TextEncoder().encode(value);
    await bluez.read("00002a29-0000-1000-8000-00805f9b34fb", text("Jelling"));
    await bluez.read("00002a25-0000-1000-8000-00805f9b34fb", text("Mobile 700001"));
    await bluez.read("00002a23-0000-1000-8000-00805f9b34fb", new Uint8Array(8));
  });

  await step("subscribed: the wake-up of 20 zero octets is notified", async () => {
    await bluez.subscribe(sakePort);
    await bluez.expectValue(zeros);
    await connector.expect(/"type":"sake","stage":0/);
  });

  await step("the pump's own 20 zero octets are answered with the first message", async () => {
    await bluez.write(sakePort, zeros);
    await connector.expect(/"type":"sake","stage":1/);
    await bluez.expect(/Value:/);
  });

  await step("Ctrl-C ends the connector and gives the adapter back", async () => {
    connector.kill("SIGINT");
    assert.equal(await connector.ended(), 130);
    await adapterHas(1, ["powered"]);
  });

  await step("started again, it waits on a private address; BlueZ knows it by the key it got, and the bond encrypts", async () => {
    const again = use(startConnector("read", keys, capturePath("jelling-again")));
    await again.expect(/"type":"advertising","mode":"reconnect".*"address":"resolvable","bonded":true/);
    await bluez.connect(address);
    await again.expect(/"type":"encrypted","bonded":true/);
    await bluez.subscribe(sakePort);
    await again.expect(/"type":"sake","stage":0/);
    again.kill("SIGTERM");
    await again.ended();
    await adapterHas(1, ["powered"]);
  });

  await monitor[Symbol.asyncDispose]();
  for (const [who, ours] of /** @type {const} */ ([
    ["jelling", "host-to-controller"],
    ["bluez", "controller-to-host"],
  ])) {
    await step(
      `in the capture of ${who} the subscription's response is before the wake-up, and nothing of ours is longer than 23 octets`,
      async () => {
        const att = (await decodedCapture(capturePath(who))).filter(({ layer }) => layer === "att");
        const wakeUp = att.findIndex(({ name }) => name === "AttHandleValueNtf");
        const [request, response, notification] = att.slice(wakeUp - 2, wakeUp + 1);
        assert.deepEqual([request?.name, request?.fields.attributeValue], ["AttWriteReq", Uint8Array.of(1, 0)]);
        assert.deepEqual([response?.name, response?.direction], ["AttWriteRsp", ours]);
        assert.deepEqual([notification?.direction, notification?.fields.attributeValue], [ours, zeros]);
        const sent = att.filter(({ direction }) => direction === ours);
        assert.ok(sent.length > 20);
        assert.ok(sent.every(({ name }) => name !== "AttExchangeMtuReq"));
        // H4 type, header of the ACL packet, then that of L2CAP
        assert.ok(sent.every(({ octets }) => octets.length <= 1 + 4 + 4 + longestPdu));
      },
    );
  }
});

/**
 * @param {"pair" | "read"} what
 * @param {string} keys
 * @param {string} capture
 */
function startConnector(what, keys, capture) {
  const options = ["--transport", "hci:1", "--json", "--capture", capture];
  return new Program(process.execPath, [command, ...options, "pump", what, "--name", "Mobile 700001", "--keys", keys]);
}

/** A file with keys made up now: they open nothing. */
function keyDatabase() {
  const content = randomFillSync(new Uint8Array(83));
  content[0] = 4; // of a phone
  content[1] = 1; // one entry
  content[2] = 1; // for a pump
  const file = Buffer.alloc(4 + content.length);
  file.writeUInt32BE(crc32(content));
  file.set(content, 4);
  const path = join(mkdtempSync(join(tmpdir(), "keys-")), "keys.bin");
  writeFileSync(path, file, { mode: 0o600 });
  return path;
}
