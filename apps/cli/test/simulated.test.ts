import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { CaptureDecoder, readBtsnoop } from "jelling/capture";
import { ECHO } from "jelling/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { type FakeIoOptions, fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// As a user runs it, but for the clock of the simulated air.
const HEART_RATE = "C0:4A:65:6C:6C:01/random";
const THERMOMETER = "C0:4A:65:6C:6C:02/random";
const ECHO_ADDRESS = "C0:4A:65:6C:6C:04/random";

let folder: string;
const clock = new FastClock();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => {
  clock[Symbol.dispose]();
  return rm(folder, { recursive: true });
});

const run = (commandLine: string | string[], options: FakeIoOptions = {}) =>
  jelling(commandLine, { clock, ...options, env: { XDG_STATE_HOME: folder, JELLING_TRANSPORT: "sim:", ...options.env } });
const objects = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("scan shows the devices of the simulated air, each once, with the name of its scan response", async () => {
  const { status, out, err } = await run("scan --timeout 1500ms --json");
  expect(status).toBe(0);
  const devices = objects(out).sort((a, b) => String(a.name).localeCompare(String(b.name)));
  expect(devices.map(({ name, connectable }) => [name, connectable])).toEqual([
    ["Echo", true],
    ["Heart Rate", true],
    ["Thermometer", true],
  ]);
  expect(devices[1]).toMatchObject({ address: HEART_RATE, services: ["180d", "180f"], appearance: 0x0341 });
  expect(err).toBe("3 devices\n");
});

test("scan finds by service and by name, and fits the terminal", async () => {
  const byService = await run("scan --timeout 1s --service 1809", { isTTY: true });
  expect(byService.status).toBe(0);
  expect(byService.out).toContain("Thermometer");
  expect(byService.out).not.toContain("Echo");
  for (const line of stripVTControlCharacters(byService.out).split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  const byName = await run("scan --timeout 1s --name heart --json");
  expect(objects(byName.out).map(({ name }) => name)).toEqual(["Heart Rate"]);
});

test("an interrupted scan ends with status 130, everything closed", async () => {
  const io = fakeIo({ clock, env: { XDG_STATE_HOME: folder } });
  const done = main(["scan", "-t", "sim:", "--json"], io);
  await io.saw("Heart Rate");
  io.stop();
  expect(await done).toBe(130);
  expect(io.err.text).toBe("");
  expect(io.listeners).toBe(0);
});

test("a scan whose reader goes away ends quietly with status 0", async () => {
  const io = fakeIo({ clock, env: { XDG_STATE_HOME: folder } });
  const done = main(["scan", "-t", "sim:"], io);
  await io.saw("Heart Rate");
  io.stop("output-closed");
  expect(await done).toBe(0);
  expect(io.err.text).toBe("");
});

test("gatt list shows services, characteristics and values", async () => {
  const { status, out } = await run(`gatt list ${HEART_RATE} --read`);
  expect(status).toBe(0);
  expect(out).toMatch(/^180d {2}Heart Rate {2}0x/m);
  expect(out).toMatch(/^ {2}2a37 {2}Heart Rate Measurement {2}0x[0-9a-f]{4} {2}notify$/m);
  expect(out).toMatch(/^ {4}= 01 {2}chest$/m);
  expect(out).toMatch(/^ {4}= [0-9a-f]{2} {2}\d+ %$/m);
  const json = objects((await run(`gatt list ${HEART_RATE} --json`)).out);
  expect(json.find(({ uuid }) => uuid === "2a37")).toMatchObject({ type: "characteristic", service: "180d", properties: ["notify"] });
});

test("values are read by service and characteristic, by characteristic and by handle, long ones whole", async () => {
  expect((await run(`gatt read ${HEART_RATE} 180A/2A24`)).out).toContain('"Heart Rate Belt"');
  const [value] = objects((await run(`gatt read ${HEART_RATE} 2a38 --json`)).out);
  expect(value).toMatchObject({ uuid: "2a38", value: "01", meaning: "chest" });
  const byHandle = await run(`gatt read ${HEART_RATE} 0x${Number(value!.handle).toString(16)}`);
  expect(byHandle.out).toBe("01\n");
  const [long] = objects((await run(`gatt read ${ECHO_ADDRESS} ${ECHO.long} --json`)).out);
  expect(String(long!.value)).toHaveLength(600);
});

test("a value is written, as text and as octets, with and without response", async () => {
  expect(await run(["gatt", "write", ECHO_ADDRESS, ECHO.echo, "--text", "hi"])).toMatchObject({ status: 0, out: "written  2 octets\n" });
  expect(await run(["gatt", "write", ECHO_ADDRESS, ECHO.echo, "--hex", "01 02:03", "--no-response"])).toMatchObject({
    status: 0,
    out: "written  3 octets, without response\n",
  });
});

test("subscribe prints notifications and indications as they come", async () => {
  const notified = await run(`gatt subscribe ${HEART_RATE} 180D/2A37 --count 2 --json`);
  expect(notified.status).toBe(0);
  for (const value of objects(notified.out)) expect(value).toMatchObject({ uuid: "2a37", meaning: expect.stringMatching(/^\d+ bpm$/) });
  const indicated = await run(`gatt subscribe ${THERMOMETER} 2A1C --timeout 5s --count 1`);
  expect(indicated.status).toBe(0);
  expect(indicated.out).toMatch(/\d+\.\d °C\n$/);
});

test("what a device lacks is said in one sentence", async () => {
  const no = async (commandLine: string) => {
    const { status, err } = await run(commandLine);
    expect(status).toBe(1);
    return err;
  };
  expect(await no(`gatt read ${HEART_RATE} 1809/2A1C`)).toBe("jelling: the device has no service 1809\n");
  expect(await no(`gatt read ${HEART_RATE} 180D/2A1C`)).toBe("jelling: the device has no characteristic 2a1c in service 180d\n");
  expect(await no(`gatt subscribe ${HEART_RATE} 2A38`)).toBe("jelling: 2a38 can neither notify nor indicate; it can: read\n");
  expect(await no("gatt read C0:00:00:00:00:09/random 2A00 --timeout 500ms")).toContain("could not be connected to within 500 ms");
  expect(await no("gatt read C0:00:00:00:00:09 2A00 --timeout 500ms")).toBe(
    "jelling: no device C0:00:00:00:00:09 advertised within 500 ms\n",
  );
  expect(await no("gatt read name:Nobody 2A00 --timeout 500ms")).toBe('jelling: no device named "Nobody" advertised within 500 ms\n');
});

test("a device is found by its name, or by an address without its type", async () => {
  expect((await run(["gatt", "read", "name:Echo", "2A24"])).out).toContain('"Echo"');
  expect((await run(["gatt", "read", ECHO_ADDRESS.split("/")[0]!, "2A24"])).out).toContain('"Echo"');
});

test("connect shows the link", async () => {
  const { status, out } = await run(`connect ${ECHO_ADDRESS} --once --json`);
  expect(status).toBe(0);
  expect(objects(out)[0]).toMatchObject({
    event: "connected",
    address: ECHO_ADDRESS,
    phy: { tx: "1M", rx: "1M" },
    subrate: { factor: 1, continuation: 0 },
    version: "5.4",
    encrypted: false,
    bonded: false,
  });
  const text = (await run(`connect ${ECHO_ADDRESS} --once`)).out;
  for (const line of [/^ {2}controller Bluetooth 5\.4, /m, /^ {2}PHY {8}LE 1M$/m, /^ {2}power {6}-?\d+ dBm, the peer's -?\d+ dBm$/m])
    expect(text).toMatch(line);
  expect(text).not.toContain("subrating");
});

test("pairing keeps a bond that later commands use, and that is shown and removed", async () => {
  const refused = await run(["gatt", "read", ECHO_ADDRESS, ECHO.secret]);
  expect(refused).toMatchObject({
    status: 1,
    err: `jelling: the device wants to be paired with for this: jelling pair ${ECHO_ADDRESS}, or --pair\n`,
  });
  const paired = await run(`pair ${ECHO_ADDRESS} --json`);
  expect(paired.status, paired.err).toBe(0);
  expect(objects(paired.out)[0]).toMatchObject({
    event: "paired",
    method: "just-works",
    secureConnections: true,
    bonded: true,
    keySize: 16,
  });
  expect((await run(["gatt", "read", ECHO_ADDRESS, ECHO.secret])).out).toContain('"you are paired"');
  const [bond] = objects((await run("bonds list --json")).out);
  expect(bond).toMatchObject({ identity: ECHO_ADDRESS, authenticated: false });
  const shown = await run(`bonds show ${ECHO_ADDRESS}`);
  expect(shown.out).not.toMatch(/[0-9a-f]{32}/);
  expect((await run(`bonds show ${ECHO_ADDRESS} --secrets`)).out).toMatch(/[0-9a-f]{32}/);
  expect(await run(`bonds remove ${ECHO_ADDRESS}`)).toMatchObject({ status: 0 });
  expect((await run("bonds list")).out).toBe("");
});

test("with somebody at the keyboard the passkey of the display is asked for", async () => {
  const io = fakeIo({ clock, env: { XDG_STATE_HOME: folder }, isTTY: true, answers: [] });
  // The device's display is told as a note; the person types what it shows.
  io.ask.text = async () => {
    await io.saw("shows the passkey", "err");
    return /shows the passkey (\d{6})/.exec(io.err.text)![1];
  };
  expect(await main(["pair", ECHO_ADDRESS, "-t", "sim:", "--legacy"], io)).toBe(0);
  expect(io.out.text).toContain("passkey-entry, legacy pairing");
  const wrong = await run(`pair ${ECHO_ADDRESS} --passkey 000001`);
  expect(wrong.status).toBe(1);
  expect(wrong.err.trim().split("\n").at(-1)).toMatch(
    /^jelling: pairing refused .*Confirm Value Failed.*; the passkey was not the one that the device shows, .*: jelling pair C0:4A:65:6C:6C:04\/random$/,
  );
});

test("a capture holds every packet, its keys left out", async () => {
  const file = join(folder, "pair.btsnoop");
  const began = Date.now();
  // In real time: packets have the time of day.
  const { status, err } = await jelling(["pair", ECHO_ADDRESS, "--legacy", "--capture", file, "-t", "sim:"], {
    env: { XDG_STATE_HOME: folder },
  });
  expect(status).toBe(0);
  expect(err).toMatch(/\d+ packets captured\n$/);
  const decoder = new CaptureDecoder({ secrets: true });
  const packets = readBtsnoop(new Uint8Array(await readFile(file))).map((record) => decoder.decode(record));
  expect(packets.filter(({ malformed }) => malformed)).toEqual([]);
  const keys = packets.filter(({ name }) => ["EncryptionInformation", "IdentityInformation", "LeEnableEncryption"].includes(name));
  expect(keys.length).toBeGreaterThanOrEqual(3);
  for (const { fields } of keys) expect(fields.longTermKey ?? fields.identityResolvingKey).toEqual(new Uint8Array(16));
  // The time of day, a second left for a clock that is set meanwhile.
  expect(packets[0]!.timeMs).toBeGreaterThan(began - 1000);
  expect(packets[0]!.timeMs).toBeLessThan(Date.now() + 1000);
});

test("pair --oob: out of band, or not at all; data that are none are a mistake of the user", async () => {
  const confirm = `1122${"11".repeat(16)}`;
  const other = await run(["pair", ECHO_ADDRESS, "--oob", `${confirm}1123${"22".repeat(16)}`, "--yes"]);
  expect(other.status).toBe(1);
  expect(other.err).toContain("refused by the peer: OOB Not Available"); // it gave none
  const legacy = await run(["pair", ECHO_ADDRESS, "--oob", `1110${"33".repeat(16)}`, "--yes"]);
  expect(legacy.status).toBe(1);
  expect(legacy.err).toContain("OOB Not Available");
  const { status, err } = await run(["pair", ECHO_ADDRESS, "--oob", confirm]);
  expect([status, err]).toEqual([2, expect.stringContaining("--oob: ")]);
});
