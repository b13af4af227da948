import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CaptureWriter, encodeBtsnoopHeader, encodeBtsnoopRecord, MemorySink, MonitorOpcode, readCapture } from "jelling/capture";
import { afterAll, beforeAll, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { fakeIo, jelling } from "./fake-io.ts";

const KEY = "0f0e0d0c0b0a09080706050403020100";
const PACKETS = [`>01030c00`, "<040e0401030c00", `>011a201240 00${KEY}`.replace(" ", ""), "<0240200700030004000a0300", "<0405020040"];
let folder: string;
let file: string;

function bytes(packets: string[]): Buffer {
  return Buffer.concat([
    encodeBtsnoopHeader(),
    ...packets.map((packet, i) =>
      encodeBtsnoopRecord({
        direction: packet[0] === ">" ? "host-to-controller" : "controller-to-host",
        packet: new Uint8Array(Buffer.from(packet.slice(1), "hex")),
        timeMs: 1_700_000_000_000 + i * 250,
      }),
    ),
  ]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
  file = join(folder, "a.btsnoop");
  await writeFile(file, bytes(PACKETS));
});
afterAll(() => rm(folder, { recursive: true }));

test("a capture is printed a line a packet, keys left out, malformed ones marked", async () => {
  const { status, out, err } = await jelling(["decode", file]);
  expect(out.split("\n")).toEqual([
    "     1     0.000000 > hci   Reset",
    "     2     0.250000 < hci   CommandComplete Reset status=Success (0x00)",
    "     3     0.500000 > hci   LeLongTermKeyRequestReply connectionHandle=0x0040 longTermKey=(redacted)",
    "     4     0.750000 < att   0x0040 AttReadReq attributeHandle=0x0003",
    "     5     1.000000 < hci   Malformed raw=0405020040 [malformed: DisconnectionComplete.connectionHandle: needs 2 bytes, has 1 at offset 4 of 5]",
    "",
  ]);
  expect(err).toBe("5 packets, 1 malformed\n");
  expect(status).toBe(0);
  expect((await jelling(["decode", file, "--secrets"])).out).toContain("longTermKey=000102030405060708090a0b0c0d0e0f");
});

test("an anonymous copy of a capture has the packets, and neither keys nor names nor values", async () => {
  const given = join(folder, "given.btsnoop");
  const away = join(folder, "away.pcapng");
  await writeFile(given, bytes(["<040e0a01091000665544332211", "<0240200800040004001b0300aa"]));
  const { status, err } = await jelling(["decode", given, "--anonymous", "--capture", away]);
  expect([status, err]).toEqual([0, "2 packets, 0 malformed\n2 packets captured\n"]);
  const copy = await readFile(away);
  for (const secret of ["665544332211", "0300aa"]) expect(copy.toString("hex")).not.toContain(secret);
  expect((await jelling(["decode", away])).out).toContain("AttHandleValueNtf attributeHandle=0x0003 attributeValue=00");
  expect((await jelling(["decode", given, "--anonymous"])).out).toContain("bdAddr=00:00:00:00:00:01");
  expect(await jelling(["decode", given, "--anonymous", "--secrets"])).toMatchObject({
    status: 2,
    err: expect.stringContaining("--secrets"),
  });
  expect(await jelling(["decode", given, "--capture", given])).toMatchObject({ status: 1, err: expect.stringContaining("over itself") });
});

test("JSON is one object a line", async () => {
  const { out } = await jelling(["decode", file, "--json"]);
  const objects = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects).toHaveLength(5);
  expect(objects[2]).toMatchObject({
    number: 3,
    name: "LeLongTermKeyRequestReply",
    fields: { connectionHandle: 64, longTermKey: "(redacted)" },
  });
  expect(objects[4]).toMatchObject({ malformed: expect.any(String) });
});

test("filters pick lines", async () => {
  expect((await jelling(["decode", file, "--malformed"])).out.trim().split("\n")).toHaveLength(1);
  expect((await jelling(["decode", file, "-f", "att", "-f", "reset"])).out.trim().split("\n")).toHaveLength(3);
});

test("colour on a terminal, none with NO_COLOR or in a pipe", async () => {
  expect((await jelling(["decode", file], { isTTY: true })).out).toContain("\u001b[");
  expect((await jelling(["decode", file], { isTTY: true, env: { NO_COLOR: "1" } })).out).not.toContain("\u001b[");
  expect((await jelling(["decode", file])).out).not.toContain("\u001b[");
});

test("a file that is missing, no capture, cut or damaged is one sentence and status 1; what could be read is printed", async () => {
  const missing = await jelling(["decode", join(folder, "none")]);
  expect([missing.status, missing.err]).toEqual([1, `jelling: ${join(folder, "none")}: no such file or folder\n`]);
  const other = join(folder, "other");
  await writeFile(other, "hello, this is text");
  const text = await jelling(["decode", other]);
  expect([text.status, text.err]).toEqual([1, "jelling: not a capture: it begins as none of btsnoop, pcapng, pcap and pklg does\n"]);
  await writeFile(other, bytes(PACKETS).subarray(0, 60));
  const cut = await jelling(["decode", other]);
  expect([cut.status, cut.err]).toEqual([1, "jelling: the capture ends inside record 2 at offset 44: 16 of 24 octets\n"]);
  expect(cut.out).toContain("Reset");
  const folderItself = await jelling(["decode", folder]);
  expect(folderItself.status).toBe(1);
  expect(folderItself.err.trim().split("\n")).toHaveLength(1);
});

test("a capture is not written over itself, by whatever name", { skip: process.platform === "win32" }, async () => {
  const content = bytes(PACKETS);
  const own = join(folder, "own.btsnoop");
  await writeFile(own, content);
  const [soft, hard] = [join(folder, "soft.btsnoop"), join(folder, "hard.btsnoop")];
  await symlink(own, soft);
  await link(own, hard);
  await mkdir(join(folder, "x"));
  for (const name of [own, soft, hard, `${folder}/x/../own.btsnoop`]) {
    const { status, err, out } = await jelling(["decode", own, "--capture", name]);
    expect([status, out, err]).toEqual([1, "", `jelling: ${own}: a capture cannot be written over itself\n`]);
  }
  expect(await readFile(own)).toEqual(content);
});

test("a capture from standard input: Ctrl-C ends it, whether or not more comes", async () => {
  let more: (() => void) | undefined;
  async function* stdin() {
    yield bytes(PACKETS).subarray(0, 50);
    await new Promise<void>((resolve) => (more = resolve));
  }
  const io = fakeIo({ stdin: stdin() });
  const done = main(["decode", "-"], io);
  await io.saw("Reset");
  io.stop();
  expect([await done, io.err.text]).toEqual([130, ""]);
  more?.();
});

test("a capture of the Linux monitor shows adapters, programs and what they ask of the kernel, in either format", async () => {
  for (const format of ["btsnoop", "pcapng"] as const) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format, content: "monitor" });
    const records: [keyof typeof MonitorOpcode, number, string][] = [
      ["SystemNote", 0xffff, "4c696e757800"],
      ["NewIndex", 0, "00000000000000006863693000000000"],
      ["ControlOpen", 0xffff, "010000000200011600010000001062746d676d7400000000000000000000"],
      ["ControlCommand", 0, "01000000050001"],
      ["CommandPacket", 0, "030c00"],
      ["ControlEvent", 0, "01000000010005000081000000"],
    ];
    for (const [name, index, hex] of records)
      writer.writeRecord({
        opcode: MonitorOpcode[name],
        index,
        payload: new Uint8Array(Buffer.from(hex, "hex")),
        timeMs: 1_700_000_000_000,
      });
    await writer.close();
    const path = join(folder, `monitor.${format}`);
    await writeFile(path, sink.bytes());
    const { status, out, err } = await jelling(["decode", path]);
    expect(out.split("\n").map((line) => line.slice(20))).toEqual([
      '      = mon   SystemNote text="Linux"',
      'hci0  = mon   NewIndex type=0 (primary) bus=0 (Virtual) address=00:00:00:00:00:00/public name="hci0"',
      "      = mon   0x0001 (btmgmt) ControlOpen format=2 (management) version=1 revision=22 flags=0x01 (privileged)",
      "hci0  > mgmt  0x0001 (btmgmt) SetPowered powered=1 (On)",
      "hci0  > hci   Reset",
      "hci0  < mgmt  0x0001 (btmgmt) CommandComplete SetPowered status=Success (0x00) currentSettings=0x00000081 (Powered, BREDR)",
      "",
    ]);
    expect([status, err]).toEqual([0, "6 packets, 0 malformed\n"]);
  }
});

test("packets that a pcapng capture says it lost are counted", async () => {
  const sink = new MemorySink(200);
  const writer = new CaptureWriter(sink, { format: "pcapng" });
  for (let i = 0; i < 10; i++) writer.write("sent", Uint8Array.of(1, 3, 0x0c, 0), i);
  await writer.close();
  const path = join(folder, "lost.pcapng");
  await writeFile(path, sink.bytes());
  const { err } = await jelling(["decode", path]);
  expect(err).toBe(`${writer.records} packets, 0 malformed, ${writer.dropped} lost by the capturing program\n`);
});

test("a capture goes to standard output, and what is printed to standard error; who looks on may leave", async () => {
  const { status, out, err } = await jelling(["decode", file, "--capture", "-"]);
  expect([status, err]).toEqual([0, expect.any(String)]);
  expect(readCapture(Buffer.from(out, "latin1"))).toHaveLength(5);
  expect(err).toContain("     1     0.000000 > hci   Reset\n");
  expect(err).toContain("5 packets captured\n");

  const io = fakeIo();
  const { write } = io.stdout;
  io.stdout.write = (chunk) => {
    io.stop("output-closed");
    return write(chunk);
  };
  expect(await main(["decode", file, "--capture", "-"], io)).toBe(0);
  expect(io.err.text).toContain("LeLongTermKeyRequestReply");
  expect(io.err.text).toContain("packets captured until nobody looked on any more\n");
});

test("a capture goes to a pipe that is made for it", { skip: process.platform === "win32" }, async () => {
  const io = fakeIo();
  const pipe = join(folder, "pipe");
  const decoding = main(["decode", file, "--capture", `pipe:${pipe}`], io);
  await io.saw(`wireshark -k -i ${pipe} shows the capture`, "err");
  const read = readFile(pipe);
  expect(await decoding).toBe(0);
  expect(readCapture(new Uint8Array(await read))).toHaveLength(5);
  expect(io.out.text.split("\n")).toHaveLength(6);
  expect(io.err.text).toContain("5 packets captured\n");
});
