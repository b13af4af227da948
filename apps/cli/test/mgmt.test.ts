import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Command } from "commander";
import fc from "fast-check";
import { fromHex, toHex } from "jelling/bytes";
import { Uuid } from "jelling/core";
import {
  type AnyMgmtCommand,
  commandsByOpcode,
  commands as declarations,
  decodeCommand,
  ExperimentalFeature,
  encodeCommand,
  present,
  Settings,
} from "jelling/mgmt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { givenFields, parseObject, parseText } from "../src/commands/mgmt/parse-value.ts";
import { SIMPLE } from "../src/commands/mgmt/table.ts";
import { UsageError } from "../src/errors.ts";
import { createProgram } from "../src/program.ts";
import { main } from "../src/run.ts";
import { type FakeIoOptions, fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a subcommand in a simulated kernel. */
const mgmt = async (commandLine: string | string[], options: FakeIoOptions = {}) => {
  const words = typeof commandLine === "string" ? commandLine.split(" ").filter(Boolean) : commandLine;
  using clock = new FastClock();
  return await jelling(["mgmt", ...words], { clock, ...options, env: { JELLING_TRANSPORT: "sim:", ...options.env } });
};
const objects = (text: string) =>
  text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** btmgmt's subcommands; those of its menu "monitor" with the menu's name before them. */
const BTMGMT =
  "revision commands config info extinfo auto-power power discov connectable fast-conn bondable pairable linksec ssp sc hs le advertising bredr privacy class disconnect con find find-service stop-find name pair cancelpair unpair keys ltks irks block unblock add-uuid rm-uuid clr-uuids local-oob remote-oob did static-addr public-addr ext-config debug-keys conn-info io-cap scan-params get-clock add-device del-device clr-devices bredr-oob le-oob advinfo advsize add-adv rm-adv clr-adv add-ext-adv-params add-ext-adv-data appearance phy wbs secinfo expinfo exp-debug exp-privacy exp-quality exp-offload exp-iso read-sysconfig set-sysconfig get-flags set-flags conn-subrate hci-cmd monitor.features monitor.add-pattern monitor.add-pattern-rssi monitor.remove".split(
    " ",
  );

describe("what there is", () => {
  let subcommands: readonly Command[];
  let names: readonly string[];
  beforeAll(async () => {
    const program = await createProgram(fakeIo());
    subcommands = program.commands.find((command) => command.name() === "mgmt")!.commands;
    names = subcommands.flatMap((command) => [command.name(), ...command.aliases()]);
  });

  test("every subcommand of btmgmt has its name here, and its row in docs/mgmt.md", async () => {
    expect(BTMGMT.filter((name) => !names.includes(name))).toEqual([]);
    const document = await readFile(new URL("../../../docs/mgmt.md", import.meta.url), "utf8");
    for (const name of [...BTMGMT, "select"]) expect(document, `row of ${name}`).toContain(`\n| \`${name}\``);
  });

  test("no name is given twice, and every subcommand is in docs/mgmt.md", async () => {
    expect(new Set(names).size).toBe(names.length);
    const document = await readFile(new URL("../../../docs/mgmt.md", import.meta.url), "utf8");
    for (const command of subcommands) expect(document, command.name()).toContain(`\`${command.name()}`);
  });

  test("every command of the protocol can be sent by its name", async () => {
    const { status, out } = await mgmt("send --list --json");
    expect(status).toBe(0);
    expect(objects(out).map(({ name }) => name)).toEqual(Object.values(declarations).map(({ name }) => name));
    expect(objects(out)).toHaveLength(commandsByOpcode.size);
  });

  test("every command can be described, as text within the terminal and as JSON", async () => {
    for (const { name } of commandsByOpcode.values()) {
      const { status, out } = await mgmt(["describe", name], { isTTY: true, columns: 100 });
      expect(status).toBe(0);
      expect(out).toContain(name);
      for (const line of out.split("\n")) expect(stripVTControlCharacters(line).length, line).toBeLessThanOrEqual(100);
    }
  });

  test("the table names fields that exist", () => {
    for (const { command, arguments: given = [], options = [], fixed = {}, name } of SIMPLE) {
      const fields = Object.keys(declarations[command].parameters.fields);
      const used = [...given, ...options].flatMap(({ field }) => (field === undefined || field === "device" ? [] : [field]));
      for (const field of [...used, ...Object.keys(fixed), ...options.flatMap(({ bit }) => (bit ? [bit[0]] : []))])
        expect(fields, `${name}: ${field}`).toContain(field);
    }
  });

  test("every experimental feature of the library has a subcommand, and is understood by its name", () => {
    const { Zero, ...others } = ExperimentalFeature;
    expect(Zero.uuid).toMatch(/^0/);
    const features = SIMPLE.filter(({ name }) => name.startsWith("exp-")).map(({ fixed }) => fixed!.uuid!);
    expect(features.toSorted()).toEqual(Object.keys(others).toSorted());
    const { description } = declarations.setExperimentalFeature.parameters.fields.uuid;
    for (const [name, { uuid }] of Object.entries(ExperimentalFeature))
      expect(String(parseText("uuid", description, name))).toBe(String(Uuid.from(uuid)));
    expect(() => parseText("uuid", declarations.addUuid.parameters.fields.uuid.description, "Debug")).toThrow(UsageError);
  });

  test("help fits 80 columns, and says what every subcommand is for", async () => {
    const { status, out } = await mgmt("--help");
    expect(status).toBe(0);
    for (const command of subcommands) expect(out).toMatch(new RegExp(`^  ${command.name().replace(".", "\\.")} +\\S`, "m"));
    for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });
});

describe("what a command prints", () => {
  test("list: a controller a line", async () => {
    const { status, out, err } = await mgmt("list");
    expect([status, err]).toEqual([0, ""]);
    expect(out).toBe('hci0   02:4A:65:6C:00:01  on   "Jelling"\nhci1   02:4A:65:6C:00:02  off  "Second"\n');
  });

  test("info: settings by btmgmt's names in the order of their bits", async () => {
    const { out } = await mgmt("info -i hci0");
    expect(out.split("\n").map((line) => line.trim())).toContain("current settings    powered bondable ssp br/edr le secure-conn");
    expect(out.startsWith("hci0\n  address             02:4A:65:6C:00:01\n")).toBe(true);
  });

  test("info --json: one object a line with the names of the protocol description, for every controller", async () => {
    const { out } = await mgmt("info --json");
    const all = objects(out);
    expect(all.map(({ command, index }) => [command, index])).toEqual([
      ["ReadControllerInformation", 0],
      ["ReadControllerInformation", 1],
    ]);
    expect(all[0]).toMatchObject({ address: "02:4A:65:6C:00:01", bluetoothVersion: "5.0", name: "Jelling" });
    for (const setting of all[0]!.currentSettings as string[]) expect(Object.keys(Settings)).toContain(setting);
  });

  test("a long value is broken at the terminal's edge", async () => {
    const { out } = await mgmt("info", { isTTY: true, columns: 60, env: { NO_COLOR: "1" } });
    for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(60);
  });

  test.each([
    ["power off", "hci0  bondable ssp br/edr le secure-conn\n"],
    ["power on --index 1", "hci1  powered br/edr cis-central cis-peripheral\n"],
    ["-i 1 power yes", "hci1  powered br/edr cis-central cis-peripheral\n"],
    ["connectable on", "hci0  powered connectable bondable ssp br/edr le secure-conn\n"],
    ["pairable 0", "hci0  powered ssp br/edr le secure-conn\n"],
    ["sc only", "hci0  powered bondable ssp br/edr le secure-conn\n"],
    ["scan-params 60ms 0x30", "hci0  Set Scan Parameters: done\n"],
    ["clr-devices", "hci0  Remove Device: done\n"],
    ["revision", "version   1\nrevision  22\n"],
    ["send set-powered powered=no", "hci0  bondable ssp br/edr le secure-conn\n"],
  ])("%s", async (commandLine, expected) => {
    const { status, out, err } = await mgmt(commandLine);
    expect([err, out, status]).toEqual(["", expected, 0]);
  });

  test("power cycle ends on; auto-power switches on what there is", async () => {
    expect(await mgmt("power cycle")).toMatchObject({ status: 0, out: "hci0  powered bondable ssp br/edr le secure-conn\n" });
    expect(await mgmt("auto-power -i 1")).toMatchObject({
      status: 0,
      out: "hci1  powered bondable ssp br/edr le secure-conn cis-central cis-peripheral\n",
    });
    expect((await mgmt("auto-power")).out).toMatch(/^hci0 {2}/); // the lowest, though the kernel lists the youngest first
  });

  test("find lists devices once; as JSON with the names of the event", async () => {
    const { status, out, err } = await mgmt("find --le --timeout 1500ms --json");
    expect([status, err]).toEqual([0, "3 devices\n"]);
    const found = objects(out).sort((a, b) => String(a.address).localeCompare(String(b.address)));
    expect(found.map(({ event, addressType, name, rssi }) => [event, addressType, name, rssi])).toEqual([
      ["DeviceFound", "LERandom", "Heart Rate", -41],
      ["DeviceFound", "LERandom", "Thermometer", -57],
      ["DeviceFound", "LERandom", "Echo", -63],
    ]);
  });

  test("find-service asks the kernel for a service", async () => {
    const { out } = await mgmt("find-service -u 180d -r -70 --timeout 1s");
    expect(out).toContain("Heart Rate");
    expect(out).not.toContain("Thermometer");
  });

  test("advertise removes its instance at the end; --keep leaves it", async () => {
    expect(await mgmt("advertise --name Hello -u 180d --timeout 300ms")).toMatchObject({
      status: 0,
      err: "",
      out: "hci0  advertising as instance 1\n",
    });
    const kept = await mgmt("advertise --name Hello --keep --json");
    expect(objects(kept.out)).toEqual([{ event: "advertising", index: 0, instance: 1, kept: true }]);
  });

  test("watch tells which adapters are there", async () => {
    const { status, out } = await mgmt("watch --count 2 --json");
    expect(status).toBe(0);
    expect(objects(out).map(({ event, index, powered }) => [event, index, powered])).toEqual([
      ["present", 0, true],
      ["present", 1, false],
    ]);
  });
});

describe("events", () => {
  test("are printed until --timeout, one a line", async () => {
    const { status, out, err } = await mgmt("events --timeout 200ms");
    expect([status, out, err]).toEqual([0, "", ""]);
  });

  test("Ctrl-C ends them with status 130, quietly", async () => {
    const io = fakeIo({ env: { JELLING_TRANSPORT: "sim:" }, isTTY: true });
    const done = main(["mgmt", "events"], io);
    await io.saw("listening", "err");
    io.stop();
    expect(await done).toBe(130);
    expect(io.listeners).toBe(0);
  });

  test("a name that no event has is told, with the one that was meant", async () => {
    const { status, err } = await mgmt("events devicefuond");
    expect([status, err]).toEqual([2, 'jelling: there is no event "devicefuond"; did you mean deviceFound?\n']);
  });
});

describe("pairing", () => {
  const JUST_WORKS = "C0:4A:65:6C:6C:01/random";
  const COMPARES = "C0:4A:65:6C:6C:02/random";
  const SHOWS_PASSKEY = "C0:4A:65:6C:6C:04/random";

  test("without a terminal the command line answers", async () => {
    expect(await mgmt(`pair ${JUST_WORKS}`)).toMatchObject({ status: 0, err: "", out: expect.stringContaining(`paired  ${JUST_WORKS}\n`) });
    const compared = await mgmt(`pair ${COMPARES} --yes --json`);
    expect(objects(compared.out)).toMatchObject([
      {
        event: "paired",
        address: "C0:4A:65:6C:6C:02",
        addressType: "LERandom",
        authenticated: true,
        keys: [{ key: { value: "(redacted)" } }],
      },
    ]);
    const typed = await mgmt(`pair ${SHOWS_PASSKEY} --passkey 123456`);
    expect(typed.out).toContain("protected  against somebody in the middle");
    const pin = await mgmt("pair 02:4A:65:6C:6C:05 --type bredr --pin 0000 --json --secrets");
    expect(objects(pin.out)).toMatchObject([{ keys: [{ kind: "LinkKey", key: { value: expect.stringMatching(/^[0-9a-f]{32}$/) } }] }]);
  });

  test("what nobody answers is refused, and the option named", async () => {
    const { status, out, err } = await mgmt(`pair ${COMPARES} --io yes-no`);
    expect([status, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /^pairing asks for a comparison of \d{6} and nobody is there to answer: give --yes\njelling: Pair Device on hci0: /,
    );
    expect((await mgmt(`pair ${SHOWS_PASSKEY} --passkey 654321`)).err).toContain("AuthenticationFailed (0x05)");
  });

  test("at a terminal the user is asked", async () => {
    const { status, err } = await mgmt(`pair ${COMPARES}`, { isTTY: true, answers: [true], env: { NO_COLOR: "1" } });
    expect(status).toBe(0);
    expect(err).toMatch(/\? Does C0:4A:65:6C:6C:02\/random show \d{6}\?/);
  });

  test("a device that is not there is given up after --timeout; Ctrl-C gives up at once", async () => {
    const absent = "C0:11:22:33:44:55/random";
    const { status, err } = await mgmt(`pair ${absent} --timeout 300ms`);
    expect([status, err]).toEqual([1, `jelling: pairing with ${absent} did not finish within 300 ms\n`]);
    const io = fakeIo({ env: { JELLING_TRANSPORT: "sim:" }, isTTY: true });
    const done = main(["mgmt", "pair", absent], io);
    await io.saw("pairing with", "err");
    io.stop();
    expect(await done).toBe(130);
  });

  test("accept and watch-links wait until --timeout", async () => {
    expect(await mgmt("accept --timeout 200ms")).toMatchObject({ status: 0, out: "", err: "" });
    expect(await mgmt("watch-links --timeout 200ms")).toMatchObject({ status: 0, out: "", err: "" });
  });
});

describe("secrets", () => {
  test("are shown only when asked for", async () => {
    const key = "00112233445566778899aabbccddeeff";
    const { err, out } = await mgmt([
      "send",
      "AddRemoteOutOfBandData",
      "address=00:11:22:33:44:55/bredr",
      `hash192=${key}xx`,
      "randomizer192=00",
    ]);
    expect(err).not.toContain(key);
    expect(err).toContain("hash192: expected 16 octets");
    expect(out).toBe("");
  });

  test("local out-of-band data are redacted without --secrets", async () => {
    const hidden = await mgmt("local-oob --json");
    if (hidden.status !== 0) return expect(hidden.err).toContain("Read Local Out Of Band Data");
    expect(objects(hidden.out)[0]).toMatchObject({ hash192: "(redacted)" });
    expect(objects((await mgmt("local-oob --json --secrets")).out)[0]!.hash192).toMatch(/^[0-9a-f]{32}$/);
  });

  test("keys come from a file, as a list, one a line, or as events told them", async () => {
    const key = { address: "C0:11:22:33:44:55", addressType: "LERandom", value: "00112233445566778899aabbccddeeff" };
    const told = { event: "NewIdentityResolvingKey", index: 0, storeHint: "On", randomAddress: "00:00:00:00:00:00", key };
    const files = {
      list: JSON.stringify([key, key]),
      lines: `${JSON.stringify(key)}\n`,
      events: `${JSON.stringify(told)}\n{"event":"DeviceFound"}\n`,
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      await writeFile(path, content);
      const { status, err } = await mgmt(["irks", path]);
      expect([status, err]).toEqual([0, `${name === "list" ? "2 keys" : "1 key"} loaded\n`]);
    }
    const paired = await mgmt("pair C0:4A:65:6C:6C:02/random --yes --json --secrets");
    await writeFile(join(folder, "paired"), paired.out);
    expect((await mgmt(["ltks", join(folder, "paired")])).err).toBe("1 key loaded\n");
    const info = join(folder, "info");
    await writeFile(info, "[General]\nAddressType=public\n\n[IdentityResolvingKey]\nKey=00112233445566778899AABBCCDDEEFF\n");
    const fromBluetoothd = await mgmt(["irks", info]);
    expect(fromBluetoothd.err).toContain("keys[0].address"); // the folder is not an address here
    const broken = join(folder, "broken");
    await writeFile(broken, '{"value":"0011"}\n{"value": 0011}\n');
    expect((await mgmt(["ltks", broken])).err).toBe(`jelling: ${broken}: line 2 is no JSON\n`);
  });
});

describe("values", () => {
  const vectors = (
    JSON.parse(readFileSync(new URL("../../../test/vectors/mgmt.json", import.meta.url), "utf8")) as {
      vectors: { id: string; kind: string; hex: string }[];
    }
  ).vectors.filter(({ kind }) => kind === "command");

  test("what is printed of a command can be given again: the packet is the same", () => {
    expect(vectors.length).toBeGreaterThan(100);
    for (const { id, hex } of vectors) {
      const { declaration, index, parameters } = decodeCommand(fromHex(hex));
      if (!declaration || parameters instanceof Uint8Array) throw new Error(id);
      const { fields } = declaration.parameters;
      const printed = JSON.parse(JSON.stringify(present(fields, parameters, { secrets: true }))) as Record<string, unknown>;
      // A value that means "not known" is printed as null, and is not given.
      const given = Object.fromEntries(Object.entries(printed).filter(([, value]) => value !== null));
      const hexed = "pinCode" in given ? { ...given, pinCode: `hex:${String(given.pinCode)}` } : given;
      const values = parseObject("", fields, hexed, { unchecked: true });
      expect(toHex(encodeCommand(declaration, index, values as never)), id).toBe(hex);
    }
  });

  test("every text is taken or refused with a sentence, whatever it is", () => {
    const all = Object.values<AnyMgmtCommand>(declarations).flatMap(({ name, parameters }) =>
      givenFields(parameters.fields).map(([field, { description }]) => ({ name: `${name}.${field}`, description })),
    );
    const texts = fc.oneof(
      fc.string(),
      fc.constantFrom("on", "0x", "-1", "1e3", "[", "{}", "[[]]", "null", "@", "C0:11:22:33:44:55", "7", "text:x"),
    );
    fc.assert(
      fc.property(fc.constantFrom(...all), texts, ({ name, description }, text) => {
        try {
          parseText(name, description, text);
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          expect((error as Error).message).toMatch(/: expected |: the length says|: \d+ octets|has no parameter|takes/);
          if (description.secret && text.length > 6) expect((error as Error).message).not.toContain(text);
        }
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
});

test.each([
  ["connectable maybe", 'connectable: "maybe": expected one of Off, On (also on, off, yes, no, true, false)'],
  ["connectable 2", 'connectable: "2": expected one of Off, On'],
  ["discov sometimes", 'discoverable: "sometimes": expected one of NotDiscoverable, General, Limited'],
  ["scan-params 60.3ms 30ms", 'interval: "60.3ms": expected a multiple of 0.625 ms, the nearest is 60ms'],
  ["scan-params 1 1", "SetScanParameters.interval: 1: expected 4 to 16384"],
  ["io-cap disp", 'ioCapability: "disp": expected one of DisplayOnly, DisplayYesNo'],
  ["power perhaps", 'power "perhaps": expected on, off or cycle'],
  ["disconnect C0:11:22:33:44:55", "which kind of address is it? write C0:11:22:33:44:55/random or C0:11:22:33:44:55/public for LE"],
  ["disconnect C0:11:22:33:44:55/strange", 'address type "strange": expected random, public or bredr'],
  ["disconnect C0:11:22:33:44:55/random --type public", "--type public says another kind of address"],
  ["disconnect C0:11:22", 'device address "C0:11:22": expected six octets like C0:11:22:33:44:55, then /random, /public or /bredr'],
  ["disconnect -t 2 C0:11:22:33:44:55", "-t is the transport here, unlike in btmgmt"],
  ["info -t tcp:127.0.0.1:9000", "the management interface is the kernel's: expected hci:N, or sim:"],
  ["info -i first", 'controller index "first": expected a number, or a name like hci0'],
  ["info --capture a.btsnoop", "jelling mgmt monitor --capture FILE records what passes"],
  ["revision -i 1", "Read Management Version Information belongs to no controller: leave -i out"],
  ["add-uuid 18 0", 'uuid: "18": expected a UUID of 4, 8 or 32 hexadecimal digits'],
  ["set-sysconfig 001a:3:1234", "the length says 3 octets, there are 2"],
  ["set-sysconfig LEScanInterval=3", "expected one of BREDRPageScanType"],
  ["did usb:1d6b:xyz:0300", 'product: "0xxyz": expected a whole number from 0 to 65535'],
  ["monitor.add-pattern 0x16:0", 'patterns[0]: "0x16:0": expected {"adType"'],
  ["mesh-send 0g", 'data: "0g": expected pairs of hexadecimal digits, or text:TEXT'],
  ["send SetPowerd powered=on", 'there is no management command "SetPowerd"; did you mean SetPowered?'],
  ["send SetPowered on", '"on": expected NAME=VALUE; SetPowered takes powered'],
  ["send SetPowered power=on", 'SetPowered has no parameter "power": expected powered'],
  ["send SetPowered", "SetPowered needs powered (one of Off, On"],
  ["send SetPowered powered=on powered=off", "powered is given twice"],
  ["send SetScanParameters interval=2 window=2", "SetScanParameters.interval: 2: expected 4 to 16384"],
  ["send", "which command? jelling mgmt send --list shows them"],
  ["keys", "missing required argument 'FILE'"],
  ["irks", "which keys?"],
  ["find-service -r -200", 'signal "-200": expected a whole number from -127 to 20'],
  ["pwoer on", "unknown command 'pwoer'; did you mean power?"],
  ["list -t sim:strange", '"strange" is no kind of simulated kernel'],
])("jelling mgmt %s: wrong usage, one sentence, status 2", async (commandLine, sentence) => {
  const { status, out, err } = await mgmt(commandLine);
  expect(err).toContain(sentence);
  expect(err.trimEnd().split("\n"), err).toHaveLength(1);
  expect(out).toBe("");
  expect(status).toBe(2);
});

test.each([
  ["info -i 7", "there is no hci7, or another program has it to itself; there is hci0, hci1: jelling mgmt list"],
  ["power on -t sim:none", "there is no hci0, or another program has it to itself; there are no controllers"],
  ["power on -t sim:unprivileged", "PermissionDenied (0x14)"],
  ["power on -i 1 -t sim:blocked", 'rfkill blocks the radio (run "rfkill unblock bluetooth"'],
  ["discov yes", "Set Discoverable on hci0: Rejected (0x0b)"],
  ["send SetScanParameters interval=2 window=2 --unchecked", "Set Scan Parameters on hci0: InvalidParameters (0x0d)"],
  ["conn-info C0:11:22:33:44:55/random", "NotConnected (0x02)"],
  ["keys /nonexistent/keys.json", "/nonexistent/keys.json: no such file or folder"],
])("jelling mgmt %s: failed, one sentence, status 1", async (commandLine, sentence) => {
  const { status, out, err } = await mgmt(commandLine);
  expect(err).toContain(sentence);
  expect(err.trimEnd().split("\n"), err).toHaveLength(1);
  expect(out).toBe("");
  expect(status).toBe(1);
});
