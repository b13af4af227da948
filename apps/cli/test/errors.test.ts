import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { explain, OutputClosedError } from "../src/errors.ts";
import { jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

const hasAdapter = existsSync("/sys/class/bluetooth") && readdirSync("/sys/class/bluetooth").length > 0;
const ADDRESS = "C0:11:22:33:44:55/random";
const inFolder = () => ({ env: { XDG_STATE_HOME: folder } });

test.each([
  ["connect nonsense", 'device address "nonsense": expected six octets like C0:11:22:33:44:55, then /public or /random'],
  ["connect C0:11:22:33:44", 'device address "C0:11:22:33:44": expected six octets'],
  ["gatt read C0:11:22:33:44:5G 2a00", 'device address "C0:11:22:33:44:5G": expected'],
  ["pair C0:11:22:33:44:55/strange", "expected six octets"],
  ["bonds show nonsense", 'device address "nonsense"'],
  ["scan --service heart -t sim:", 'UUID "heart": expected 4, 8 or 32 hexadecimal digits'],
  [`gatt read ${ADDRESS} 180D/xyz`, 'UUID "xyz": expected 4, 8 or 32 hexadecimal digits'],
  [`gatt read ${ADDRESS} 1/2/3`, 'UUID "1/2/3": expected'],
  [`gatt read ${ADDRESS} 0x0`, 'handle "0x0": expected 0x0001 to 0xffff'],
  [`gatt read ${ADDRESS} 0x10000`, 'handle "0x10000": expected 0x0001 to 0xffff'],
  [`pair ${ADDRESS} -t sim: --legacy --secure-only`, "option '--legacy' cannot be used with option '--secure-only'"],
  [`advertise -t sim: --name ${"n".repeat(30)}`, "30 octets, and at most 29 fit into a scan response"],
  [`gatt write ${ADDRESS} 2a00 --hex 0g`, '"0g": expected pairs of hexadecimal digits'],
  [`gatt write ${ADDRESS} 2a00 --hex 012`, '"012": expected pairs of hexadecimal digits'],
  [`gatt write ${ADDRESS} 2a00`, "what shall be written? give either --hex or --text"],
  [`gatt write ${ADDRESS} 2a00 --hex 00 --text a`, "what shall be written? give either --hex or --text"],
  ["scan -t carrier-pigeon:", 'transport "carrier-pigeon:" is not known: expected one of sim:, tcp:HOST:PORT'],
  ["scan -t hci:first", 'transport "hci:first": expected hci:N, for example hci:0'],
  ["scan -t tcp:nowhere", "expected"],
  ["scan -t sim:toaster", '"toaster" is no simulated device: expected one of heart-rate, thermometer, battery, echo'],
  ["sim --device toaster", '"toaster" is no simulated device'],
  ["sim --loss 2", "loss 2: expected a share from 0 to 1"],
])("jelling %s: wrong usage, one sentence, status 2", async (commandLine, sentence) => {
  const { status, out, err } = await jelling(commandLine, inFolder());
  expect(err).toContain(sentence);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect(err.startsWith("jelling: ")).toBe(true);
  expect(out).toBe("");
  expect(status).toBe(2);
});

// Nobody can make a folder in /proc, so that there is none, whatever other programs leave behind.
test.each([
  ["scan -t tcp:127.0.0.1:1", "tcp:127.0.0.1:1"],
  ["scan -t unix:/proc/nonexistent/socket", "unix:/proc/nonexistent/socket"],
  ["scan -t hci:4711", "hci"],
  [`bonds remove ${ADDRESS}`, `there is no bond with ${ADDRESS}; jelling bonds list shows which there are`],
  [`decode ${import.meta.dirname}`, `${import.meta.dirname}: it is a folder`],
  [`pump keys ${import.meta.dirname}`, `the key database ${import.meta.dirname} is a folder: name the file`],
  ["sim --unix /proc/nonexistent/socket", "unix:/proc/nonexistent/socket: there is no such socket or folder"],
  [
    "gatt read C0:4A:65:6C:6C:01/random 180D/2A37 -t sim:",
    "the device does not let this be read; jelling gatt list shows what can be done with it",
  ],
  ["gatt write C0:4A:65:6C:6C:01/random 2A19 --hex 00 -t sim:", "the device does not let this be written"],
  ["gatt read C0:4A:65:6C:6C:01/random 0xffff -t sim:", "the device has no attribute with this handle"],
  [
    "scan -t sim: --capture /proc/nonexistent/a.btsnoop",
    "the capture /proc/nonexistent/a.btsnoop cannot be written: there is no such folder",
  ],
])("jelling %s: failed, one sentence, status 1", async (commandLine, sentence) => {
  using clock = new FastClock();
  const { status, out, err } = await jelling(commandLine, { clock, ...inFolder() });
  expect(err).toContain(sentence);
  expect(err.trimEnd().split("\n"), err).toHaveLength(1);
  expect(out).toBe("");
  expect(status).toBe(1);
});

test("without an adapter the way out is named", { skip: hasAdapter }, async () => {
  const { status, err } = await jelling("scan", inFolder());
  expect(status).toBe(1);
  expect(err).toContain("--transport sim:");
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});

test("a damaged bond file is named and left alone", async () => {
  const home = join(folder, "damaged");
  const file = join(home, "jelling", "bonds.json");
  await mkdir(join(home, "jelling"), { recursive: true });
  await writeFile(file, "{ this is not JSON");
  const { status, err } = await jelling("bonds list", { env: { XDG_STATE_HOME: home } });
  expect(err).toBe(`jelling: the bond file ${file} is damaged (not JSON); mend it or move it away, it was not changed\n`);
  expect(status).toBe(1);
});

test("an empty list of bonds says where it looked, and is no failure", async () => {
  const { status, out, err } = await jelling("bonds list", inFolder());
  expect([status, out]).toEqual([0, ""]);
  expect(err).toBe(`no bonds in ${join(folder, "jelling", "bonds.json")}\n`);
});

test("--log debug shows where a failure came from, and only then", async () => {
  const quiet = await jelling("scan -t tcp:127.0.0.1:1", inFolder());
  const loud = await jelling("scan -t tcp:127.0.0.1:1 --log debug", inFolder());
  expect(quiet.err).not.toContain("    at ");
  expect(loud.err).toContain("    at ");
  expect(loud.status).toBe(1);
});

test("failures of the system, of cleaning up and of nobody listening", () => {
  const missing = Object.assign(new Error("ENOENT: x"), { code: "ENOENT", syscall: "open", path: "/x" });
  expect(explain(missing)).toEqual({ status: 1, message: "/x: no such file or folder" });
  const suppressed = Object.assign(new Error("two"), { name: "SuppressedError", error: new Error("closing"), suppressed: missing });
  expect(explain(suppressed)).toEqual({ status: 1, message: "/x: no such file or folder" });
  expect(explain(new OutputClosedError())).toEqual({ status: 0, message: undefined });
  expect(explain(new TypeError("x is undefined")).message).toContain("a defect of jelling");
});
