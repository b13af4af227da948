import { execFile, execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fromHex, toHex } from "jelling/bytes";
import { type CaptureRecord, CaptureWriter, createMonitorRecord, MemorySink, MonitorOpcode, readCapture } from "jelling/capture";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jelling } from "../apps/cli/test/fake-io.ts";
import { FastClock } from "../apps/cli/test/fast-clock.ts";
import { completeHex, LE_COMMANDS, LE_EVENTS, LE_RETURNS } from "./support/hci-octets.ts";
import { leaveOut } from "./support/left-out.ts";

// tshark is a judge nobody here wrote. Without it the tests are left out, and say so; with JELLING_TSHARK=required they fail.
const tshark = process.env.TSHARK ?? "tshark";
const found = spawnSync(tshark, ["--version"]).status === 0;
const isRequired = process.env.JELLING_TSHARK === "required";
if (!found && !isRequired) leaveOut("the check of captures by tshark (apt-get install tshark)");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

const execute = promisify(execFile);

async function malformed(file: string): Promise<string> {
  return (await execute(tshark, ["-r", file, "-Y", "_ws.malformed"])).stdout;
}

function fields(file: string, ...names: string[]): string[] {
  const text = execFileSync(tshark, ["-r", file, "-T", "fields", ...names.flatMap((name) => ["-e", name])], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, TZ: "UTC" },
  });
  return text.replace(/\n$/, "").split("\n");
}

/** What tshark says of a packet that it finds fault with. */
const FAULT = ["_ws.malformed", "_ws.expert.severity", "_ws.col.Info", "_ws.expert.message"];
/** Warnings and errors; chats and notes are less (epan/proto.h). */
const WARNING = 0x0060_0000;

/** Both of one run, which takes as long as a run for either: the fields, and a line for each packet with a fault. */
function fieldsAndFaults(file: string, ...names: string[]): { values: string[]; faults: string[] } {
  const lines = fields(file, ...FAULT, ...names).map((line) => line.split("\t"));
  const isFault = ([malformed = "", severities = ""]: string[]): boolean =>
    malformed !== "" || severities.split(",").some((severity) => Number(severity) >= WARNING);
  return {
    values: lines.map((line) => line.slice(FAULT.length).join("\t")),
    faults: lines.filter(isFault).map((line) => line.slice(2, FAULT.length).join("\t")),
  };
}

const KEY = "f0e1d2c3b4a5968778695a4b3c2d1e0f";
/** A pairing in short, as the host sees it: commands with keys, key distribution, a key cut into two ACL packets. */
const PACKETS: readonly (readonly ["sent" | "received", string])[] = [
  ["sent", "01030c00"],
  ["received", "040e0401030c00"],
  ["sent", "01182000"],
  ["received", "040e0c01182000a1a2a3a4a5a6a7a8"],
  ["sent", `01172020${KEY}${KEY}`],
  ["received", `040e1401172000${KEY}`],
  ["received", "043e1301004000010106050403 02c1180000004800 00".replaceAll(" ", "")],
  ["sent", `0119201c4000000000000000000000 00${KEY}`.replaceAll(" ", "")],
  ["received", "040f0400011920"],
  ["received", "04080400400001"],
  ["received", `024020150011000600 06${KEY}`.replaceAll(" ", "")],
  ["received", "0240200f000b000600073412a1a2a3a4a5a6a7a8"],
  ["received", "024020080011000600 08f0e1d2".replaceAll(" ", "")],
  ["received", `0240100d00${KEY.slice(6)}`],
  ["received", "0240200c000800060009010605040302c1"],
  ["sent", `0127202700060504030201${KEY}${KEY}`],
  ["received", "040e0401272000"],
  ["sent", `024000150011000600 0a${KEY}`.replaceAll(" ", "")],
  ["received", "0413050140000100"],
];

test("a capture with its keys taken out is as well-formed as before", { skip: !found && !isRequired }, async () => {
  for (const secrets of [true, false]) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { secrets, epochMs: 1_709_210_096_000 });
    PACKETS.forEach(([direction, hex], i) => {
      writer.write(direction, fromHex(hex), i * 10 + 0.25);
    });
    const file = join(folder, `pairing-${secrets}.btsnoop`);
    await writeFile(file, sink.bytes());
    const { values, faults } = fieldsAndFaults(file, "frame.time_epoch", "btsmp.long_term_key");
    expect(faults).toEqual([]);
    const packets = values.map((line) => line.split("\t"));
    expect(packets).toHaveLength(PACKETS.length);
    expect(packets.map(([, key]) => (key ?? "").replaceAll(":", "")).join("")).toBe(secrets ? KEY : "00".repeat(16));
    expect(packets[0]![0]).toBe("1709210096.000250000");
  }
});

test("pcapng says the same as btsnoop, octet for octet, with its directions", { skip: !found && !isRequired }, async () => {
  const shown = [];
  for (const format of ["btsnoop", "pcapng"] as const) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format, secrets: true, epochMs: 1_709_210_096_000 });
    PACKETS.forEach(([direction, hex], i) => {
      writer.write(direction, fromHex(hex), i * 10 + 0.25);
    });
    await writer.close();
    const file = join(folder, `pairing.${format}`);
    await writeFile(file, sink.bytes());
    const asked = [
      "frame.time_epoch",
      "hci_h4.direction",
      "hci_h4.type",
      "_ws.col.Info",
      "btsmp.long_term_key",
      "frame.packet_flags_direction",
    ];
    const { values, faults } = fieldsAndFaults(file, ...asked);
    expect(faults).toEqual([]);
    // btsnoop has no flags.
    const both = values.map((line) => line.split("\t"));
    shown.push(both.map((line) => line.slice(0, 5)));
    if (format === "pcapng") expect(both.slice(0, 2).map((line) => line[5])).toEqual(["0x00000002", "0x00000001"]);
  }
  expect(shown[1]).toEqual(shown[0]);
  expect(shown[1]).toHaveLength(PACKETS.length);
});

test("tshark reads the monitor's records as we mean them, in both formats", { skip: !found && !isRequired }, async () => {
  const records = [
    ["NewIndex", { type: 0, bus: 1, address: "01:02:03:04:05:06", name: "hci3" }],
    ["OpenIndex", { payload: new Uint8Array(0) }],
    ["CommandPacket", { payload: fromHex("030c00") }],
    ["EventPacket", { payload: fromHex("0e0401030c00") }],
    ["IndexInfo", { address: "01:02:03:04:05:06", manufacturer: 0x05f1 }],
    ["SystemNote", { text: "a note" }],
    ["UserLogging", { priority: 6, identifier: "app", message: "hello" }],
    ["ControlOpen", { cookie: 7, format: 2, version: 1, revision: 22, flags: 1, command: "btmgmt" }],
    ["ControlClose", { cookie: 7 }],
    ["EventPacket", { payload: fromHex("3e13 01 00 4000 00 01 0605040302c1 1800 0000 4800 00") }],
    ["AclTx", { payload: fromHex("4000 0700 0300 0400 0a0300") }],
    ["AclRx", { payload: fromHex("4020 0700 0300 0400 0b0048") }],
    ["CloseIndex", { payload: new Uint8Array(0) }],
    ["DelIndex", { payload: new Uint8Array(0) }],
  ] as const;
  for (const format of ["btsnoop", "pcapng"] as const) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format, content: "monitor" });
    records.forEach(([name, value], i) => {
      writer.writeRecord(createMonitorRecord(name, { index: 3, timeMs: 1_709_210_096_000 + i, fields: value }));
    });
    const file = join(folder, `monitor.${format}`);
    await writeFile(file, sink.bytes());
    const { values, faults } = fieldsAndFaults(file, "hci_mon.adapter_id", "hci_mon.opcode", "hci_mon.system_note", "hci_mon.command");
    // Of user logging it knows the beginning only.
    expect(faults.filter((line) => !line.endsWith("Opcode: User Logging\tUnknown data"))).toEqual([]);
    const told = values.map((line) => line.split("\t"));
    expect(told.map(([id, opcode]) => `${id}\t${opcode}`)).toEqual(records.map(([name]) => `3\t${MonitorOpcode[name]}`));
    expect(told.map((line) => line.slice(2).join("")).join("")).toBe("a notebtmgmt");
  }
});

const READ_BY_TSHARK = [
  "bthci_cmd.adv_duration",
  "bthci_cmd.max_extended_advertising_events",
  "bthci_cmd.le_scan_interval",
  "bthci_cmd.le_scan_window",
  "bthci_cmd.le_con_interval_max",
  "bthci_cmd.advertising_sid",
  "bthci_cmd.subrate_max",
];

test("every LE command, answer and event of 5.4 is read by tshark without fault, and made anonymous it still is", {
  skip: !found && !isRequired,
}, async () => {
  const packets: ["sent" | "received", string][] = [
    ...LE_COMMANDS.map(([, , hex]): ["sent", string] => ["sent", hex]),
    ...LE_RETURNS.map(([, , hex]): ["received", string] => ["received", completeHex(hex)]),
    ...LE_EVENTS.map(([, , hex]): ["received", string] => ["received", hex]),
  ];
  for (const anonymous of [false, true]) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { anonymous, secrets: !anonymous });
    packets.forEach(([direction, hex], i) => {
      writer.write(direction, fromHex(hex), i);
    });
    const file = join(folder, `le-${anonymous}.btsnoop`);
    await writeFile(file, sink.bytes());
    const lines = fields(file, "frame.number", "_ws.malformed", "bthci_cmd.opcode", ...READ_BY_TSHARK).map((line) => line.split("\t"));
    expect(lines).toHaveLength(packets.length);
    expect(lines.filter(([, problem = ""]) => problem !== "")).toEqual([]);
    // And it means the same: the values of several sets and PHYs stand as we put them.
    const values = (opcode: string): string[] =>
      lines.flatMap(([, , which, ...found]) => (which === opcode ? [found.filter((value) => value !== "").join(" ")] : []));
    expect(["0x2036", "0x2039", "0x2041", "0x2043", "0x207e"].map(values)).toEqual([
      ["0x0f"],
      ["258,0 5,255", ""],
      ["96 48", "96,65535 48,4"],
      ["96,65535 48,65534 3200,3200"],
      ["500"],
    ]);
  }
});

test("losses are in the statistics of a pcapng file", { skip: !found && !isRequired }, async () => {
  const sink = new MemorySink(250);
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  for (let i = 0; i < 10; i++) writer.write("sent", fromHex("01030c00"), i);
  await writer.close();
  expect([writer.records, writer.dropped]).toEqual([3, 7]);
  const file = join(folder, "losses.pcapng");
  await writeFile(file, sink.bytes());
  expect(fields(file, "frame.number")).toEqual(["1", "2", "3"]);
});

test("pcapng that Wireshark wrote is read", { skip: !found && !isRequired }, async () => {
  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { secrets: true, epochMs: 1_709_210_096_000 });
  PACKETS.forEach(([direction, hex], i) => {
    writer.write(direction, fromHex(hex), i);
  });
  const [ours, theirs] = [join(folder, "ours.btsnoop"), join(folder, "theirs.pcapng")];
  await writeFile(ours, sink.bytes());
  execFileSync(tshark, ["-r", ours, "-F", "pcapng", "-w", theirs], { stdio: "ignore" });
  const read = readCapture(new Uint8Array(await readFile(theirs))) as CaptureRecord[];
  const wanted = readCapture(sink.bytes()) as CaptureRecord[];
  const told = ({ direction, packet, timeMs }: CaptureRecord): unknown[] => [direction, toHex(packet), timeMs];
  expect(read.map(told)).toEqual(wanted.map(told));
});

test("captures of whole commands hold nothing that tshark calls malformed", { skip: !found && !isRequired, timeout: 300_000 }, async () => {
  const address = "C0:4A:65:6C:6C:04/random";
  const commands: string[][] = [
    ["scan", "--timeout", "1s"],
    ["pair", address, "--legacy"],
    ["gatt", "list", address, "--read"],
    ["pair", address],
    ["gatt", "write", address, "7d1a0003-6563-4f68-8c05-6a656c6c7921", "--hex", "ab".repeat(300)],
    ["gatt", "subscribe", "C0:4A:65:6C:6C:01/random", "2a37", "--count", "2"],
    ["l2cap", "connect", address, "--measure", "--count", "10"],
  ];
  using clock = new FastClock();
  /** What tshark has to say of each, while the next ones run. */
  const told: Promise<[string, string]>[] = [];
  for (const [i, command] of commands.entries()) {
    const file = join(folder, `${i}.${i % 2 ? "pcapng" : "btsnoop"}`);
    const { status, err } = await jelling([...command, "-t", "sim:", "--capture", file], { clock, env: { XDG_STATE_HOME: folder } });
    expect([status, err], command.join(" ")).toEqual([0, expect.stringContaining("packets captured")]);
    const said = (text: unknown): [string, string] => [command.join(" "), String(text)];
    told.push(malformed(file).then(said, said));
    if (command[0] !== "l2cap") continue;
    // K-frames are put together to SDUs; without values their lengths stay, and so does what tshark makes of them.
    const anonymous = join(folder, "channel-anonymous.pcapng");
    expect((await jelling(["decode", file, "--anonymous", "--capture", anonymous])).status).toBe(0);
    const channel = (which: string): string[] => fields(which, "btl2cap.cid", "btl2cap.le_sdu_length", "_ws.malformed");
    expect(channel(file).filter((line) => line.startsWith("0x0040\t2221\t")).length).toBeGreaterThanOrEqual(10);
    expect(channel(anonymous)).toEqual(channel(file));
  }
  expect(await Promise.all(told)).toEqual(commands.map((command) => [command.join(" "), ""]));
});

test("pcap as it is written, and PacketLogger's files as they are read, are what tshark takes them for", {
  skip: !found && !isRequired,
}, async () => {
  const sink = new MemorySink();
  const writer = new CaptureWriter(sink, { format: "pcap", epochMs: 1_709_210_096_000 });
  const ordered = { big: [] as Uint8Array[], little: [] as Uint8Array[] };
  PACKETS.forEach(([direction, hex], i) => {
    const packet = fromHex(hex);
    writer.write(direction, packet, i * 10 + 0.25);
    // Kinds: command, event, ACL data sent, ACL data received.
    const kind = packet[0] === 2 ? (direction === "sent" ? 2 : 3) : direction === "sent" ? 0 : 1;
    for (const order of ["big", "little"] as const) {
      const header = new DataView(new ArrayBuffer(13));
      [8 + packet.length, 1_709_210_096, i * 10_000 + 250].forEach((value, at) => {
        header.setUint32(4 * at, value, order === "little");
      });
      header.setUint8(12, kind);
      ordered[order].push(new Uint8Array(header.buffer), packet.subarray(1));
    }
  });
  const files = { "a.pcap": [sink.bytes()], "big.pklg": ordered.big, "little.pklg": ordered.little };
  for (const [name, parts] of Object.entries(files)) {
    const path = join(folder, name);
    await writeFile(path, Buffer.concat(parts));
    // Of PacketLogger the kind of record tells the direction: events and what is received are odd.
    const asked = ["_ws.malformed", "frame.time_epoch", "hci_h4.direction", "packetlogger.type"];
    const told = fields(path, ...asked).map((line) => line.split("\t"));
    expect(told.filter(([malformed]) => malformed !== "")).toEqual([]);
    const theirs = told.map((line) => line.slice(1));
    const ours = readCapture(await readFile(path)) as CaptureRecord[];
    expect(theirs.map(([time, direction, kind]) => [Math.round(Number(time) * 1e6), Number(direction || kind) & 1])).toEqual(
      ours.map(({ timeMs, direction }) => [Math.round(timeMs * 1000), direction === "controller-to-host" ? 1 : 0]),
    );
    expect(ours).toHaveLength(PACKETS.length);
  }
});
