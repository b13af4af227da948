import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { concat, fromHex } from "jelling/bytes";
import { createMonitorRecord, encodeMonitorRecord, isMonitorRecord, MonitorOpcode, type MonitorRecord, readCapture } from "jelling/capture";
import { commands, encodeCommand, encodeCommandComplete, openMonitor } from "jelling/mgmt";
import { type KernelSocket, TransportClosed, TransportError } from "jelling/transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MonitorCommandOptions, monitor } from "../src/commands/mgmt/monitor.ts";
import { type CommonOptions, Context } from "../src/context.ts";
import { InterruptedError } from "../src/errors.ts";
import { type FakeIo, type FakeIoOptions, fakeIo } from "./fake-io.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

class FakeMonitorSocket implements KernelSocket {
  readonly info = { spec: "monitor", remedy: "" } as const;
  onPacket: KernelSocket["onPacket"];
  onClose: KernelSocket["onClose"];
  droppedPackets = 0;
  closed = false;
  say(...records: MonitorRecord[]): void {
    for (const record of records) this.onPacket?.(encodeMonitorRecord(record));
  }
  write(): undefined {}
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

const KEY = "f0e1d2c3b4a5968778695a4b3c2d1e0f";
const record = (opcode: number, index: number, payload: Uint8Array): MonitorRecord => ({ opcode, index, payload, timeMs: 0 });
function management(opcode: number, packet: Uint8Array): MonitorRecord {
  return record(opcode, packet[2]! | (packet[3]! << 8), concat(Uint8Array.of(1, 0, 0, 0), packet.subarray(0, 2), packet.subarray(6)));
}
const RECORDS: readonly MonitorRecord[] = [
  createMonitorRecord("SystemNote", { index: 0xffff, timeMs: 0, fields: { text: "Linux version 6.1.0 (x86_64)" } }),
  createMonitorRecord("ControlOpen", {
    index: 0xffff,
    timeMs: 0,
    fields: { cookie: 1, format: 2, version: 1, revision: 22, flags: 1, command: "btmgmt" },
  }),
  management(MonitorOpcode.ControlCommand, encodeCommand(commands.setPrivacy, 0, { privacy: 1, identityResolvingKey: fromHex(KEY) })),
  record(MonitorOpcode.CommandPacket, 0, fromHex("030c00")),
  record(MonitorOpcode.EventPacket, 1, fromHex("0e0401030c00")),
  management(MonitorOpcode.ControlEvent, encodeCommandComplete(commands.setPrivacy, 0, 0, { currentSettings: 0x2001 })),
];

/** Runs the command on a monitor that tells all records; it is over when `until` has let it be. */
async function run(
  options: MonitorCommandOptions & Partial<CommonOptions> & { io?: FakeIoOptions },
  until: (fake: { io: FakeIo; socket: FakeMonitorSocket }) => void = ({ io }) => io.stop(),
): Promise<{ out: string; err: string; error: unknown; socket: FakeMonitorSocket }> {
  const { io: ioOptions, index, hci, filter, ...common } = options;
  const io = fakeIo(ioOptions);
  const socket = new FakeMonitorSocket();
  using context = new Context(io, { log: "warn", ...common });
  const running = monitor(context, { index, hci, filter }, async ({ signal }) => {
    const opened = await openMonitor({ socket, signal });
    socket.say(...RECORDS);
    return opened;
  });
  const error = await Promise.all([running, io.saw("Reset").then(() => until({ io, socket }))]).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { out: io.out.text, err: io.err.text, error, socket };
}

/** Lines without their times. */
const bare = (out: string): string[] =>
  out
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(0, 6) + line.slice(19));

test("records are printed a line each, keys left out, until Ctrl-C", async () => {
  const { out, err, error, socket } = await run({});
  expect(bare(out)).toEqual([
    '     1       = mon   SystemNote text="Linux version 6.1.0 (x86_64)"',
    "     2       = mon   0x0001 (btmgmt) ControlOpen format=2 (management) version=1 revision=22 flags=0x01 (privileged)",
    "     3 hci0  > mgmt  0x0001 (btmgmt) SetPrivacy privacy=1 (Always) identityResolvingKey=(redacted)",
    "     4 hci0  > hci   Reset",
    "     5 hci1  < hci   CommandComplete Reset status=Success (0x00)",
    "     6 hci0  < mgmt  0x0001 (btmgmt) CommandComplete SetPrivacy status=Success (0x00) currentSettings=0x00002001 (Powered, Privacy)",
  ]);
  expect(err).toBe("6 records\n");
  expect(error).toBeInstanceOf(InterruptedError);
  expect(socket.closed).toBe(true);
  expect((await run({ secrets: true })).out).toContain(`identityResolvingKey=${KEY}`);
});

test("one controller, no HCI, some lines", async () => {
  const numbers = async (options: Parameters<typeof run>[0]): Promise<number[]> =>
    (await run(options, ({ io }) => io.stop())).out
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.slice(0, 6)));
  expect(await numbers({ index: 0 })).toEqual([1, 2, 3, 4, 6]);
  expect(await numbers({ transport: "hci:0" })).toEqual([1, 2, 3, 4, 6]);
  expect(await numbers({ filter: ["RESET"] })).toEqual([4, 5]);
});

test("JSON is an object a line", async () => {
  const { out } = await run({ json: true });
  const objects = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects[2]).toMatchObject({
    index: 0,
    program: "btmgmt",
    name: "SetPrivacy",
    fields: { privacy: "Always", identityResolvingKey: "(redacted)" },
  });
  expect(objects).toHaveLength(6);
});

test.each(["btsnoop", "pcapng"])("--capture writes what is printed, as %s", async (ending) => {
  const capture = join(folder, `a.${ending}`);
  const { err } = await run({ capture, index: 0 });
  expect(err).toContain("5 packets captured");
  const records = readCapture(new Uint8Array(await readFile(capture)));
  expect(records.map((each) => (isMonitorRecord(each) ? each.opcode : each.index))).toEqual([12, 14, 16, 0, 17]);
  expect(Buffer.from(await readFile(capture)).toString("hex")).not.toContain(KEY);
});

test("records that were lost are counted at the end, and a socket that is gone is a failure", async () => {
  const gone = new TransportClosed("the socket is gone");
  const { err, error } = await run({}, ({ socket }) => {
    socket.droppedPackets = 3;
    socket.onClose?.(gone);
  });
  expect(err).toBe("6 records, 3 lost in the kernel\n");
  expect(error).toBe(gone);
});

test("the time of the command ends it without a failure", async () => {
  const { error, err } = await run({ timeout: 50 }, () => {});
  expect([error, err]).toEqual([undefined, "6 records\n"]);
});

test("without permission nothing is written, and the sentence is the socket's", async () => {
  const io = fakeIo();
  const capture = join(folder, "none.pcapng");
  using context = new Context(io, { log: "warn", capture });
  const denied = new TransportError("permission", "the monitor channel needs CAP_NET_RAW");
  await expect(monitor(context, {}, () => Promise.reject(denied))).rejects.toBe(denied);
  await expect(readFile(capture)).rejects.toMatchObject({ code: "ENOENT" });
  expect(io.err.text).toBe("");
});

test("a simulated kernel has no monitor channel", async () => {
  using context = new Context(fakeIo(), { log: "warn", transport: "sim:" });
  await expect(monitor(context)).rejects.toThrow("the monitor channel is the kernel's");
});
