// @ts-check
/** The Linux transports against a real kernel. Run inside the lab: node lab/run.mjs -- node lab/checks/transports.mjs */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { adapterHas, adapterPresent, adapterSettings, btmgmt, Program, startDaemon, startEmulator, until } from "../guest/bluez.mjs";

const dist = process.env.JELLING_DIST ?? new URL("../../dist", import.meta.url).href;
const { openHciUserChannel } = await import(`${dist}/transport/linux/hci-user-channel.js`);
const { restoreLeftBehind } = await import(`${dist}/node/index.js`);
const { openKernelSocket } = await import(`${dist}/transport/linux/kernel-socket.js`);
const { openVhci } = await import(`${dist}/transport/linux/vhci.js`);

const reset = Uint8Array.of(0x01, 0x03, 0x0c, 0x00);
const resetComplete = Uint8Array.of(0x04, 0x0e, 0x04, 0x01, 0x03, 0x0c, 0x00);

await startEmulator();

/** @param {string} name @param {(context: import("node:test").TestContext) => Promise<void>} body */
function check(name, body) {
  void test(name, body);
}

/**
 * A controller that does as little as the kernel accepts: every command succeeds, and everything asked for is zero.
 *
 * @param {import("../../src/hci/transport.ts").HciTransport} transport
 */
function answerEverything(transport) {
  transport.onPacket = (command) => {
    const answer = new Uint8Array(7 + 248); // a name is the longest thing asked for
    answer.set([0x04, 0x0e, answer.length - 3, 0x01, command[1] ?? 0, command[2] ?? 0]);
    // Read Buffer Size: 1021 octets and 8 packets for data, 64 and 8 for voice
    if (command[1] === 0x05 && command[2] === 0x10) answer.set([0xfd, 0x03, 0x40, 0x08, 0x00, 0x08, 0x00], 7);
    transport.send(answer);
  };
}

/** @param {import("../../src/hci/transport.ts").HciTransport} transport @returns {Promise<Uint8Array>} */
function nextPacket(transport) {
  return new Promise((resolve) => {
    transport.onPacket = resolve;
  });
}

/**
 * Lets another process take adapters and says when it has them.
 *
 * @param {number[]} indices
 * @param {import("node:test").TestContext} t
 * @param {{ quiet?: boolean }} [options] quiet: do not show why it fails
 */
async function borrower(indices, t, { quiet = false } = {}) {
  const opening = indices.map((index) => `await m.openHciUserChannel(${index});`).join(" ");
  const program = `const m = await import(${JSON.stringify(`${dist}/transport/linux/hci-user-channel.js`)}); ${opening} console.log("open"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", quiet ? "ignore" : "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  const opened = await Promise.race([once(child.stdout, "data").then(() => true), exited.then(() => false)]);
  return {
    opened,
    end: async (/** @type {NodeJS.Signals} */ signal) => {
      child.kill(signal);
      return await exited;
    },
  };
}

/** Runs a program in a process that lacks rights, and returns what it says. @param {string[]} lacking arguments of setpriv @param {string} program */
async function unprivileged(lacking, program) {
  const child = new Program("setpriv", [...lacking, process.execPath, "--input-type=module", "-e", program], { quiet: true });
  assert.equal(await child.ended(), 0, child.output);
  return child.output;
}

const nobody = ["--reuid=65534", "--clear-groups"];
const rootWithout = (/** @type {string} */ right) => [`--inh-caps=-${right}`, `--bounding-set=-${right}`];

/** @param {string} module @param {string} expression what is opened; it prints why that fails */
const explain = (module, expression) =>
  `import(${JSON.stringify(`${dist}/transport/${module}.js`)}).then((m) => ${expression}).then((t) => { console.log("opened"); return t[Symbol.asyncDispose](); }, (e) => console.log(e.reason, e.message))`;

const everySetting = [
  "connectable",
  "fast-connectable",
  "discoverable",
  "bondable",
  "ssp",
  "br/edr",
  "le",
  "advertising",
  "secure-conn",
  "debug-keys",
];

/** Switches on what an adapter has, and then its power. @param {number} index */
async function switchEverythingOn(index) {
  for (const setting of ["le", "ssp", "sc", "connectable", "bondable", "fast-conn", "advertising", "debug-keys"])
    await btmgmt(index, [setting, "on"]);
  await btmgmt(index, ["discov", "yes"]);
  await btmgmt(index, ["power", "on"]);
  await adapterHas(index, ["powered", ...everySetting]);
}

/** What an adapter is like after its first start. @param {number} index */
async function switchEverythingOff(index) {
  await btmgmt(index, ["power", "off"]);
  for (const setting of ["debug-keys", "advertising", "connectable", "bondable", "fast-conn", "sc", "ssp", "le"])
    await btmgmt(index, [setting, "off"]);
  await adapterHas(index, ["!powered", "br/edr", ...everySetting.filter((name) => name !== "br/edr").map((name) => `!${name}`)]);
}

/** @param {number} index @param {"0" | "1"} soft */
function setBlock(index, soft) {
  for (const radio of readdirSync("/sys/class/rfkill")) {
    if (readFileSync(`/sys/class/rfkill/${radio}/name`, "utf8").trim() === `hci${index}`)
      writeFileSync(`/sys/class/rfkill/${radio}/soft`, soft);
  }
}

check("a user channel carries a command and its answer", async () => {
  const transport = await openHciUserChannel(1);
  assert.deepEqual(transport.info, { spec: "hci:1", address: "00:AA:01:01:00:01" });
  const answer = nextPacket(transport);
  transport.send(reset);
  assert.deepEqual(await answer, resetComplete);
  await transport[Symbol.asyncDispose]();
});

check("once closing is over the adapter is free, ten times in a row", async (t) => {
  const times = [];
  for (let i = 0; i < 10; i += 1) {
    const transport = await openHciUserChannel(1);
    const answer = nextPacket(transport);
    transport.send(reset);
    await answer;
    const start = performance.now();
    await transport[Symbol.asyncDispose]();
    times.push(performance.now() - start);
  }
  t.diagnostic(`closed in ${times.map((time) => time.toFixed(1)).join(", ")} ms`);
});

check("an adapter that is powered is powered off, and on again afterwards", async () => {
  await btmgmt(1, ["power", "on"]);
  await adapterHas(1, ["powered"]);
  const transport = await openHciUserChannel(1);
  const answer = nextPacket(transport);
  transport.send(reset);
  assert.deepEqual(await answer, resetComplete);
  await transport[Symbol.asyncDispose]();
  assert.ok((await adapterSettings(1)).includes("powered"));
  await btmgmt(1, ["power", "off"]);
});

check("an adapter that is in use is busy, and the message says by whom", async () => {
  const transport = await openHciUserChannel(1);
  await assert.rejects(openHciUserChannel(1), { code: "ERR_TRANSPORT", reason: "busy", message: `hci1 is used by process ${process.pid}` });
  transport.send(reset); // the refused attempt has done it no harm
  assert.deepEqual(await nextPacket(transport), resetComplete);
  await transport[Symbol.asyncDispose]();
});

check("an adapter that is not there is not found, and the message says which are", async () => {
  await assert.rejects(openHciUserChannel(7), {
    code: "ERR_TRANSPORT",
    reason: "not-found",
    message: "there is no Bluetooth adapter hci7: there is hci0, hci1",
  });
});

check("in the hands of a program that leaves no note, it is busy, and the message names the program", async (t) => {
  const socket = `const { openBluetoothSocket } = await import(${JSON.stringify(`${dist}/transport/linux/bluetooth-socket.js`)}); const { loadLinuxCalls } = await import(${JSON.stringify(`${dist}/transport/linux/socket-calls.js`)});`;
  const program = `${socket} openBluetoothSocket(loadLinuxCalls("test"), "hci:1", 1, 1); console.log("open"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  await assert.rejects(openHciUserChannel(1), {
    code: "ERR_TRANSPORT",
    reason: "busy",
    message: new RegExp(`^hci1 is busy: another program has it for itself, perhaps .*\\(process ${child.pid}\\)`),
  });
  child.kill("SIGKILL");
  await once(child, "exit");
});

check("without the capability the message has the line that grants it", async () => {
  for (const power of ["off", "on"]) {
    await btmgmt(1, ["power", power]);
    for (const lacking of [nobody, rootWithout("net_admin")]) {
      assert.match(
        await unprivileged(lacking, explain("linux/hci-user-channel", "m.openHciUserChannel(1)")),
        /^permission hci1 needs the right to administer the network \(CAP_NET_ADMIN\): run "sudo setcap cap_net_admin,cap_net_raw\+eip \/.*node"/,
      );
    }
    assert.equal((await adapterSettings(1)).includes("powered"), power === "on");
  }
  await btmgmt(1, ["power", "off"]);
  assert.deepEqual(readdirSync("/run/jelling"), []);
});

check("a blocked one is switched off, and the message says what helps", async () => {
  setBlock(1, "1");
  await assert.rejects(openHciUserChannel(1), { reason: "refused", message: 'hci1 is switched off: run "rfkill unblock bluetooth"' });
  setBlock(1, "0");
});

check("an adapter comes back with every setting, name and class that it had", async () => {
  await btmgmt(1, ["name", "Jelling one", "J1"]);
  await switchEverythingOn(1);
  const before = await btmgmt(1, ["info"]);
  const transport = await openHciUserChannel(1);
  const answer = nextPacket(transport);
  transport.send(reset);
  await answer;
  await transport[Symbol.asyncDispose]();
  assert.equal(await btmgmt(1, ["info"]), before);
});

check("a limited time of being discoverable ends with the power, and comes back with a limit", async () => {
  await btmgmt(1, ["discov", "yes", "600"]);
  const monitor = await openKernelSocket("monitor");
  /** @type {string[]} */
  const commands = [];
  // Control Command: opcode 16, index and length, cookie, the management command's opcode and parameters
  monitor.onPacket = (/** @type {Uint8Array} */ packet) => {
    if (packet[0] === 16) commands.push(Buffer.from(packet.subarray(10)).toString("hex"));
  };
  const transport = await openHciUserChannel(1);
  await transport[Symbol.asyncDispose]();
  await until("the limit", () => commands.includes("060001b400"));
  await monitor[Symbol.asyncDispose]();
  await adapterHas(1, ["powered", ...everySetting]);
  await btmgmt(1, ["discov", "yes"]);
});

check("a signal that ends the process gives two adapters back as they were", async (t) => {
  await switchEverythingOn(0);
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    const { end } = await borrower([0, 1], t);
    assert.deepEqual(readdirSync("/run/jelling").sort(), ["hci0", "hci1"]);
    const [, endedBy] = await end(signal);
    assert.equal(endedBy, signal);
    for (const index of [0, 1])
      assert.deepEqual((await adapterSettings(index)).filter((name) => ["powered", ...everySetting].includes(name)).length, 11);
    assert.deepEqual(readdirSync("/run/jelling"), []);
  }
});

check("after a SIGKILL the next start restores: the same adapter, another one, or none at all", async (t) => {
  for (const next of ["the same", "another", "none"]) {
    const { end } = await borrower([1], t);
    await end("SIGKILL");
    await adapterHas(1, ["!powered", "br/edr"]);
    assert.ok(existsSync("/run/jelling/hci1"));
    await btmgmt(1, ["bondable", "off"]);
    if (next === "none") {
      assert.deepEqual(await restoreLeftBehind(), [
        { index: 1, address: "00:AA:01:01:00:01", outcome: "restored", settings: ["Bondable", "Powered"] },
      ]);
      await adapterHas(1, ["powered", ...everySetting]);
    } else {
      const transport = await openHciUserChannel(next === "the same" ? 1 : 0);
      if (next === "another") await adapterHas(1, ["powered", ...everySetting]);
      await transport[Symbol.asyncDispose]();
    }
    for (const index of [0, 1]) await adapterHas(index, ["powered", ...everySetting]);
    assert.deepEqual(readdirSync("/run/jelling"), []);
  }
  assert.deepEqual(await restoreLeftBehind(), []);
});

check("killed twice in a row, the first one's settings count; powered on by somebody since, his do", async (t) => {
  for (let i = 0; i < 2; i += 1) {
    const { end } = await borrower([1], t);
    await end("SIGKILL");
  }
  assert.equal((await restoreLeftBehind())[0]?.outcome, "restored");
  await adapterHas(1, ["powered", ...everySetting]);
  const { end } = await borrower([1], t);
  await end("SIGKILL");
  await btmgmt(1, ["bondable", "off"]);
  await btmgmt(1, ["power", "on"]);
  assert.equal((await restoreLeftBehind())[0]?.outcome, "taken-over");
  await adapterHas(1, ["powered", "!bondable"]);
  for (const index of [0, 1]) await switchEverythingOff(index);
});

check("of two that want an adapter at the same time one gets it, and it comes back all the same", async (t) => {
  await btmgmt(1, ["power", "on"]);
  const both = await Promise.all([0, 1].map(() => borrower([1], t, { quiet: true })));
  assert.equal(both.filter(({ opened }) => opened).length, 1);
  await Promise.all(both.map(({ end }) => end("SIGTERM")));
  await adapterHas(1, ["powered"]);
  assert.deepEqual(readdirSync("/run/jelling"), []);
  await btmgmt(1, ["power", "off"]);
});

check("beside bluetoothd an adapter is borrowed and comes back, after SIGKILL, too", async (t) => {
  const daemon = await startDaemon();
  t.after(() => daemon[Symbol.asyncDispose]());
  for (const index of [0, 1]) await adapterHas(index, ["powered", "le"]); // it switches every adapter on that it finds
  for (const setting of ["bondable on", "connectable on", "discov yes"]) await btmgmt(1, setting.split(" "));
  let before = "";
  let looks = 0;
  await until("bluetoothd to be content", async () => {
    const now = await btmgmt(1, ["info"]);
    looks = now === before ? looks + 1 : 0;
    before = now;
    return looks === 5; // between two of its changes it is as if it were
  });
  const transport = await openHciUserChannel(1);
  const answer = nextPacket(transport);
  transport.send(reset);
  await answer;
  await transport[Symbol.asyncDispose]();
  await until("the settings of before", async () => (await btmgmt(1, ["info"])) === before);
  const { end } = await borrower([1], t);
  await end("SIGKILL");
  const [restored] = await restoreLeftBehind();
  t.diagnostic(`after SIGKILL: ${restored?.outcome}`); // bluetoothd may have been faster, and then has the say
  await adapterHas(1, ["powered", "bondable"]);
  assert.deepEqual(readdirSync("/run/jelling"), []);
  await daemon[Symbol.asyncDispose]();
  for (const index of [0, 1]) await btmgmt(index, ["power", "off"]);
});

check("the management channel answers, and a write without a reply says with what it failed", async () => {
  const socket = await openKernelSocket("control");
  const answer = new Promise((resolve) => {
    socket.onPacket = resolve;
  });
  assert.equal(socket.write(Uint8Array.of(1, 0, 0xff, 0xff, 0, 0)), undefined);
  assert.deepEqual(/** @type {Uint8Array} */ (await answer).subarray(0, 11), Uint8Array.of(1, 0, 0xff, 0xff, 6, 0, 1, 0, 0, 1, 22));
  assert.equal(socket.write(Uint8Array.of(0xff, 0x0f, 0xff, 0xff, 0, 0)), undefined); // the dispatcher refuses it: the write gives 0
  assert.deepEqual(socket.write(Uint8Array.of(1, 0, 0xff, 0xff, 9, 0)), { errno: 22, code: "EINVAL" });
  // Add Device with an LE address on a closed controller
  const addDevice = Uint8Array.of(0x33, 0, 1, 0, 8, 0, 1, 2, 3, 4, 5, 0xc6, 2, 2);
  await btmgmt(1, ["le", "on"]);
  assert.deepEqual(socket.write(addDevice), { errno: 100, code: "ENETDOWN" });
  await btmgmt(1, ["le", "off"]);
  await socket[Symbol.asyncDispose]();
  assert.deepEqual(socket.write(addDevice), { errno: 9, code: "EBADF" });
});

check("a flood that nobody reads is kept as far as the buffer goes, and what is dropped is counted", async (t) => {
  const socket = await openKernelSocket("control");
  let received = 0;
  socket.onPacket = (/** @type {Uint8Array} */ packet) => {
    if (packet[6] === 2) received += 1;
  };
  let sent = 0;
  let failed = 0;
  for (; sent < 60_000 && failed < 100; sent += 1) if (socket.write(Uint8Array.of(2, 0, 0xff, 0xff, 0, 0))) failed += 1;
  await until("the last packet", () => received + (socket.droppedPackets ?? 0) >= sent);
  t.diagnostic(`${sent} sent, ${received} received, ${socket.droppedPackets} dropped, ${failed} writes failed`);
  assert.ok(received > 15_000);
  assert.equal(received + socket.droppedPackets, sent);
  await socket[Symbol.asyncDispose]();
});

check("the monitor channel begins with what there is; without CAP_NET_RAW it is explained", async () => {
  const socket = await openKernelSocket("monitor");
  /** @type {number[]} */
  const opcodes = [];
  socket.onPacket = (/** @type {Uint8Array} */ packet) => opcodes.push(packet[0] ?? -1);
  await until("a note and two adapters", () => opcodes.includes(12) && opcodes.filter((opcode) => opcode === 0).length >= 2);
  assert.equal(socket.write(Uint8Array.of(0, 0, 0, 0, 0, 0))?.code, "EOPNOTSUPP");
  await socket[Symbol.asyncDispose]();
  const monitor = explain("linux/kernel-socket", `m.openKernelSocket("monitor")`);
  for (const lacking of [nobody, rootWithout("net_raw")]) {
    assert.match(
      await unprivileged(lacking, monitor),
      /^permission the kernel's Bluetooth monitor needs the right to read the network raw \(CAP_NET_RAW\): run "sudo setcap /,
    );
  }
  assert.equal(await unprivileged(nobody, explain("linux/kernel-socket", `m.openKernelSocket("control")`)), "opened\n");
});

check("in a network of its own a process gets no Bluetooth, and the message says why", async () => {
  const child = new Program(
    "unshare",
    ["--net", process.execPath, "--input-type=module", "-e", explain("linux/kernel-socket", `m.openKernelSocket("control")`)],
    {
      quiet: true,
    },
  );
  assert.equal(await child.ended(), 0);
  assert.match(
    child.output,
    /^unsupported the kernel's Bluetooth management cannot be opened, for Bluetooth belongs to the machine's own network/,
  );
});

check("a virtual controller gets the kernel's commands, and its adapter goes when it goes", async (t) => {
  const controller = await openVhci();
  assert.equal(controller.info.index, 2);
  const first = await nextPacket(controller);
  assert.deepEqual(first, reset, "the kernel begins with a reset");
  await adapterPresent(2);
  const start = performance.now();
  await controller[Symbol.asyncDispose]();
  t.diagnostic(`closed in ${(performance.now() - start).toFixed(1)} ms, with the kernel waiting for an answer`);
  await assert.rejects(openHciUserChannel(2), { reason: "not-found" });
});

check("the removal of an adapter is told at once", async (t) => {
  const controller = await openVhci();
  const { index } = controller.info;
  answerEverything(controller);
  const transport = await until("the user channel", () => openHciUserChannel(index).catch(() => undefined));
  /** @type {Promise<{ code: string, message: string }>} */
  const closed = new Promise((resolve) => {
    transport.onClose = resolve;
  });
  const start = performance.now();
  const gone = controller[Symbol.asyncDispose]();
  const reason = await closed;
  t.diagnostic(`told after ${(performance.now() - start).toFixed(1)} ms`);
  assert.equal(reason.code, "ERR_TRANSPORT_CLOSED");
  assert.equal(reason.message, `hci:${index} is gone: the adapter was removed`);
  transport.send(reset);
  await gone;
  await transport[Symbol.asyncDispose]();
});

check("a user channel over a virtual controller in the same process closes without a deadlock", async (t) => {
  const controller = await openVhci();
  const { index } = controller.info;
  answerEverything(controller);
  const transport = await until("the user channel", () => openHciUserChannel(index).catch(() => undefined));
  transport.send(reset);
  assert.deepEqual((await nextPacket(transport)).subarray(4, 7), resetComplete.subarray(4));
  const start = performance.now();
  await transport[Symbol.asyncDispose]();
  const took = performance.now() - start;
  t.diagnostic(`closed in ${took.toFixed(1)} ms`);
  assert.ok(took < 1_000, `took ${took} ms, and the kernel waits 2 s for an answer that does not come`);
  await controller[Symbol.asyncDispose]();
});

check("a thousand packets pass in order", async (t) => {
  const transport = await openHciUserChannel(1);
  const count = 1_000;
  let answers = 0;
  const done = new Promise((resolve) => {
    transport.onPacket = () => {
      answers += 1;
      if (answers < count) transport.send(reset);
      else resolve(undefined);
    };
  });
  const start = performance.now();
  transport.send(reset);
  await done;
  t.diagnostic(`${Math.round(count / ((performance.now() - start) / 1000))} commands and answers a second, one after the other`);
  await transport[Symbol.asyncDispose]();
});

after(() => setImmediate(() => process.exit()));
