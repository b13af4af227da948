import { expect, test } from "vitest";
import { jelling } from "./fake-io.ts";

const COMMANDS = ["scan", "advertise", "connect", "gatt", "pair", "bonds", "pump", "mgmt", "sim", "decode", "doctor"];

test("help lists every command and the exit status, on standard output", async () => {
  const { status, out, err } = await jelling("--help");
  expect(status).toBe(0);
  expect(err).toBe("");
  for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
  expect(out).toContain("0 done, 1 failed, 2 wrong usage, 130 interrupted");
  for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});

test.each([
  "scan",
  "advertise",
  "connect",
  "gatt list",
  "gatt export",
  "gatt subscribe",
  "pair",
  "bonds list",
  "pump demo",
  "pump pair",
  "mgmt power",
  "mgmt add-adv",
  "sim",
  "decode",
  "doctor",
])("help of %s names the common options", async (command) => {
  const { status, out } = await jelling(`${command} --help`);
  expect(status).toBe(0);
  for (const option of ["--transport", "--json", "--timeout", "--log", "--capture"]) expect(out).toContain(option);
});

test("the version is the package's", async () => {
  const { status, out } = await jelling("--version");
  expect(status).toBe(0);
  expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  ["scam", "unknown command 'scam'; did you mean scan?"],
  ["gatt raed C0:11:22:33:44:55 2a00", "unknown command 'raed'; did you mean read?"],
  ["scan --jsn", "unknown option '--jsn'; did you mean --json?"],
  ["scan extra", "too many arguments for 'scan'. Expected 0 arguments but got 1."],
  ["connect", "missing required argument 'ADDRESS'"],
  ["pump pair", "required option '-k, --keys <FILE>' not specified"],
  ["scan --log loud", "option '--log <LEVEL>' argument 'loud' is invalid. Allowed choices are silent, error, warn, info, debug, trace."],
  ["scan --timeout soon", '"soon" is no duration: expected for example 10s, 500ms or 2m'],
  ["scan --timeout 0", '"0" leaves no time: expected more than that, for example 10s, 500ms or 2m'],
  ["scan --interval 0ms", '"0ms" leaves no time: expected more than that, for example 10s, 500ms or 2m'],
  ["scan --timeout 577h", '"577h" is too long: expected 24 days at most'],
  [
    "sim -t sim:",
    "--transport is nothing for jelling sim: it serves controllers and opens none; --tcp, --unix, --ws, --pty, --serial and --vhci say where",
  ],
  ["decode --transport hci:0 file", "--transport is nothing for jelling decode: it opens no controller"],
  ["doctor -t hci:0", "--transport is nothing for jelling doctor: it looks at the whole machine"],
  ["pump demo -t hci:0", "--transport is nothing for jelling pump demo: it has an air of its own"],
  ["pump keys -t hci:0 file", "--transport is nothing for jelling pump keys: it opens no controller"],
  ["bonds list --capture file", "--capture is nothing for jelling bonds list: it sees no packets"],
  ["sim --controllers 0", 'controllers "0": expected a whole number from 1 to 64'],
  ["pair C0:11:22:33:44:55 --passkey 1234567", 'passkey "1234567": expected the six digits that the device shows, zeros in front included'],
  ["pair C0:11:22:33:44:55 --passkey 12", 'passkey "12": expected the six digits that the device shows, zeros in front included'],
  ["pair C0:11:22:33:44:55 --passkey 0x1234", 'passkey "0x1234": expected the six digits that the device shows, zeros in front included'],
  ["mgmt pair C0:11:22:33:44:55 --passkey 12", 'passkey "12": expected the six digits that the device shows, zeros in front included'],
])("%s is wrong usage: one sentence, status 2", async (commandLine, sentence) => {
  const { status, out, err } = await jelling(commandLine);
  expect(err).toBe(`jelling: ${sentence}\n`);
  expect(out).toBe("");
  expect(status).toBe(2);
});

test.each(["", "gatt", "bonds", "pump", "mgmt"])("jelling %s without a command shows which there are, status 2", async (commandLine) => {
  const { status, out, err } = await jelling(commandLine);
  expect(status).toBe(2);
  expect(out).toBe("");
  expect(err).toMatch(/^(Commands|Adapters):$/m);
});
