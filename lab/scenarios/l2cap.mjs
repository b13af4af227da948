// @ts-check
/**
 * Credit based channels between Jelling on hci1 and the kernel's own on hci0, opened by either side, in both modes, without bluetoothd. Inside the
 * lab: node lab/run.mjs -- node lab/scenarios/l2cap.mjs
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Device } from "jelling";
import { adapterHas, btmgmt, Program, startEmulator } from "../guest/bluez.mjs";
import { startMonitor } from "../guest/monitor.mjs";
import { runScenario } from "../guest/scenario.mjs";

const kernel = "00:AA:01:00:00:00";
const own = "00:AA:01:01:00:01";
const program = fileURLToPath(new URL("../guest/l2cap-program.mjs", import.meta.url));
const octets = (/** @type {number} */ length) => Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff);

/** As l2test fills and checks its SDUs: a number, the length, and one octet over and over. */
function numbered(/** @type {number} */ number, /** @type {number} */ length) {
  const sdu = new Uint8Array(length).fill(0x7f);
  new DataView(sdu.buffer).setUint32(0, number, true);
  new DataView(sdu.buffer).setUint16(4, length, true);
  return sdu;
}

await runScenario("l2cap", async ({ use, step, capturePath, capture }) => {
  use(await startEmulator({ leOnly: true }));
  // Off by default in Linux 6.1.
  await writeFile("/sys/module/bluetooth/parameters/enable_ecred", "Y");
  await btmgmt(0, ["power", "on"]);
  await adapterHas(0, ["powered"]);
  use(await startMonitor(0, capturePath("bluez")));
  const device = use(await Device.open("hci:1", { name: "Jelling in the lab", capture: await capture("jelling") }));
  assert.equal(device.address.toHex(), own);

  /** Jelling connects to the kernel, which advertises. */
  const connect = async () => {
    await btmgmt(0, ["clr-adv"]);
    await btmgmt(0, ["add-adv", "-c", "1"]);
    for (let attempt = 1; ; attempt++) {
      try {
        return await device.connect(`${kernel}/public`, { timeoutMs: 20_000 });
      } catch (error) {
        // The emulator fails a connection to somebody who does not advertise at that moment.
        if (attempt === 3) throw error;
      }
    }
  };

  await step("LE flow control: l2test takes what Jelling sends", async () => {
    const l2test = use(new Program("l2test", ["-r", "-i", "hci0", "-V", "le_public", "-P", "129", "-I", "500"]));
    await l2test.expect(/Waiting for connection/);
    const connection = await connect();
    const channel = await connection.l2cap.connect(129);
    assert.deepEqual([channel.mode, channel.peerMtu], ["credit", 500]);
    for (let i = 0; i < 20; i++) await channel.send(numbered(i, 500 - i));
    await l2test.expect(/Connected to/);
    await channel.close();
    await l2test.expect(/Disconnect/);
    assert.doesNotMatch(l2test.output, /mismatch/);
    await connection.disconnect();
  });

  await step("LE flow control: Jelling takes what l2test sends", async () => {
    const listener = device.l2cap.listen(129, { mode: "credit" });
    const advertising = use(await device.advertise({ data: { name: "Jelling" }, intervalMs: 50 }));
    const l2test = use(new Program("l2test", ["-s", "-i", "hci0", "-V", "le_public", "-P", "129", "-b", "400", "-N", "20", own]));
    const channel = await first(listener);
    let sdus = 0;
    for await (const sdu of channel) {
      assert.deepEqual(sdu.subarray(0, 6), numbered(sdus, 400).subarray(0, 6));
      assert.equal(sdu.length, 400);
      if (++sdus === 20) break;
    }
    await l2test.ended(60_000);
    listener[Symbol.dispose]();
    await advertising.stop();
    await channel.connection.disconnect();
  });

  await step("a channel that the kernel refuses is refused by name", async () => {
    const connection = await connect();
    await assert.rejects(connection.l2cap.connect(0xf1), { code: "ERR_L2CAP_REFUSED", resultName: "SpsmNotSupported" });
    await assert.rejects(connection.l2cap.connect(0xf1, { mode: "enhanced" }), {
      code: "ERR_L2CAP_REFUSED",
      resultName: "SpsmNotSupported",
    });
    await connection.disconnect();
  });

  for (const mode of /** @type {const} */ (["credit", "enhanced"])) {
    await step(`${mode}: Jelling opens a channel to a socket of the kernel, and everything comes back`, async () => {
      const listening = use(new Program(process.execPath, [program, "listen", kernel, "130", mode]));
      await listening.expect(/"listening":130/);
      const connection = await connect();
      const channel = await connection.l2cap.connect(130, { mode, mtu: 700 });
      assert.equal(channel.peerMtu, 600);
      await listening.expect(/"accepted":true,"sendMtu":700/);
      for (const length of [1, 2, 100, 186, 187, 245, 246, 300, 599, 600]) {
        await channel.send(octets(length));
        assert.deepEqual(await channel.receive({ timeoutMs: 20_000 }), octets(length));
      }
      if (mode === "enhanced") {
        await connection.l2cap.reconfigure([channel], { mtu: 1200 });
        assert.equal(channel.mtu, 1200);
      }
      await channel.close();
      await listening.expect(/"closed":true,"sdus":10/);
      await connection.disconnect();
      await listening[Symbol.asyncDispose]();
    });

    for (const count of mode === "enhanced" ? [1, 3] : [1]) {
      await step(`${mode}: the kernel opens ${count === 1 ? "a channel" : "three channels with one request"} to Jelling`, async () => {
        const listener = device.l2cap.listen(131, { mode });
        let opened = 0;
        /** @type {Set<import("jelling/device").Connection>} */
        const connections = new Set();
        listener.onChannel = (channel) => {
          connections.add(channel.connection);
          opened++;
          channel.onSdu = (sdu) => void channel.send(sdu);
          channel.on("reconfigured", () => void channel.send(octets(channel.peerMtu)));
        };
        const advertising = use(await device.advertise({ data: { name: "Jelling" }, intervalMs: 50 }));
        const connecting = use(new Program(process.execPath, [program, "connect", kernel, "131", mode, own, String(count)]));
        await connecting.expect(new RegExp(`"connected":${count}`), { timeoutMs: 60_000, failure: /errno \d+/ });
        if (count === 1) await connecting.expect(/"echoed":8/, { timeoutMs: 60_000, failure: /Error.*/ });
        if (count === 1 && mode === "enhanced")
          await connecting.expect(/"reconfigured":900,"received":900/, { timeoutMs: 60_000, failure: /Error.*/ });
        assert.equal(await connecting.ended(60_000), 0);
        assert.equal(opened, count);
        listener[Symbol.dispose]();
        await advertising.stop();
        for (const connection of connections) await connection.disconnect();
      });
    }
  }
});

/**
 * @template T
 * @param {AsyncIterable<T>} items
 * @returns {Promise<T>}
 */
async function first(items) {
  for await (const item of items) return item;
  throw new Error("there was none");
}
