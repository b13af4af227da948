import { expect, test } from "vitest";
import { VirtualClock } from "../async/index.ts";
import { fromHex } from "../bytes/index.ts";
import { createMonitorRecord, encodeMonitorRecord, MonitorOpcode, type MonitorRecord } from "../capture/index.ts";
import { Logger, LogLevel } from "../core/index.ts";
import { type KernelSocket, TransportClosed } from "../transport/index.ts";
import { type MonitorListener, openMonitor } from "./monitor.ts";

/** A monitor channel that tells what a test says; what is said before anybody listens is kept, as a real socket does. */
class FakeMonitorSocket implements KernelSocket {
  readonly info = { spec: "monitor", remedy: "" } as const;
  onClose: KernelSocket["onClose"];
  droppedPackets = 0;
  closed = false;
  #onPacket: KernelSocket["onPacket"];
  #early: Uint8Array[] = [];

  get onPacket(): KernelSocket["onPacket"] {
    return this.#onPacket;
  }
  set onPacket(handler: KernelSocket["onPacket"]) {
    this.#onPacket = handler;
    for (const packet of this.#early.splice(0)) handler?.(packet);
  }
  say(packet: Uint8Array): void {
    if (this.#onPacket) this.#onPacket(packet);
    else this.#early.push(packet);
  }
  write(): { errno: number; code: string } {
    return { errno: 95, code: "EOPNOTSUPP" };
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
  }
}

const opened = (cookie: number, command: string): Uint8Array =>
  encodeMonitorRecord(
    createMonitorRecord("ControlOpen", {
      index: 0xffff,
      timeMs: 0,
      fields: { cookie, format: 2, version: 1, revision: 22, flags: 1, command },
    }),
  );
const reset = (index: number): Uint8Array =>
  encodeMonitorRecord({ opcode: MonitorOpcode.CommandPacket, index, payload: fromHex("030c00") });

async function some(records: AsyncIterable<MonitorRecord>, count: number): Promise<MonitorRecord[]> {
  const read: MonitorRecord[] = [];
  for await (const record of records) if (read.push(record) === count) break;
  return read;
}

test("records come in order with their time, those from before the loop too", async () => {
  const socket = new FakeMonitorSocket();
  const clock = new VirtualClock({ auto: false });
  socket.say(opened(1, "btmgmt"));
  await using monitor = await openMonitor({ socket, clock, epochMs: 1_000_000 });
  await clock.advance(20);
  socket.say(reset(0));
  socket.say(reset(1));
  expect((await some(monitor, 3)).map(({ opcode, index, timeMs }) => [opcode, index, timeMs])).toEqual([
    [MonitorOpcode.ControlOpen, 0xffff, 1_000_000],
    [MonitorOpcode.CommandPacket, 0, 1_000_020],
    [MonitorOpcode.CommandPacket, 1, 1_000_020],
  ]);
  expect(monitor.sockets.get(1)).toEqual({ program: "btmgmt", privileged: true });
});

test("in real time records have the time of day; simulated time begins in the year 2000", async () => {
  for (const [clock, from] of [
    [undefined, Date.now() - 1000],
    [new VirtualClock(), Date.UTC(2000, 0, 1)],
  ] as const) {
    const socket = new FakeMonitorSocket();
    await using monitor = await openMonitor({ socket, clock });
    socket.say(reset(0));
    const [record] = await some(monitor, 1);
    expect(record!.timeMs).toBeGreaterThanOrEqual(from);
    expect(record!.timeMs).toBeLessThan(clock ? from + 60_000 : Date.now() + 1000);
  }
});

test("of a flood the newest records are kept in their order, and the others counted", async () => {
  const socket = new FakeMonitorSocket();
  await using monitor = await openMonitor({ socket, capacity: 100 });
  for (let i = 0; i < 100_000; i++) socket.say(reset(i & 0xff));
  socket.droppedPackets = 7;
  expect([monitor.dropped, monitor.droppedByKernel]).toEqual([99_900, 7]);
  expect((await some(monitor, 100)).map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, i) => (99_900 + i) & 0xff));
});

test("octets that are no record are passed over and logged", async () => {
  const socket = new FakeMonitorSocket();
  const lines: string[] = [];
  const logger = new Logger("", LogLevel.Warn, (_level, scope, message) => lines.push(`${scope}: ${message}`));
  await using monitor = await openMonitor({ socket, logger });
  socket.say(fromHex("0200"));
  socket.say(fromHex("0e00 ffff 0100 01")); // a ControlOpen without a program is a record all the same
  socket.say(reset(3));
  expect((await some(monitor, 2)).map(({ opcode }) => opcode)).toEqual([MonitorOpcode.ControlOpen, MonitorOpcode.CommandPacket]);
  expect(lines).toEqual(["monitor: a record that cannot be read: MonitorRecord.index: needs 2 bytes, has 0 at offset 2 of 2"]);
});

test("a socket that is gone ends the loop with its reason, after what is queued", async () => {
  const socket = new FakeMonitorSocket();
  const monitor = await openMonitor({ socket });
  socket.say(reset(0));
  const gone = new TransportClosed("the socket is gone");
  socket.onClose?.(gone);
  socket.say(reset(1));
  const read: MonitorRecord[] = [];
  await expect(
    (async () => {
      for await (const record of monitor) read.push(record);
    })(),
  ).rejects.toBe(gone);
  expect(read).toHaveLength(1);
});

test("disposal closes the socket and ends a loop that waits", async () => {
  const socket = new FakeMonitorSocket();
  const monitor = await openMonitor({ socket });
  const loop = some(monitor, 1);
  await monitor[Symbol.asyncDispose]();
  expect(await loop).toEqual([]);
  expect(socket.closed).toBe(true);
});

test("the signal ends the loop with its reason; one that is aborted opens nothing", async () => {
  const controller = new AbortController();
  const monitor = await openMonitor({ socket: new FakeMonitorSocket(), signal: controller.signal });
  const loop = some(monitor, 1);
  controller.abort(new Error("enough"));
  await expect(loop).rejects.toThrow("enough");
  await expect(openMonitor({ socket: new FakeMonitorSocket(), signal: controller.signal })).rejects.toThrow("enough");
});

test("listeners get every record at once, until they leave or the monitor ends", async () => {
  const socket = new FakeMonitorSocket();
  const monitor = await openMonitor({ socket });
  const heard: unknown[] = [];
  const listener = (name: string): MonitorListener => ({
    record: ({ index }) => heard.push([name, index]),
    end: (reason) => heard.push([name, reason]),
  });
  const first = monitor.listen(listener("first"));
  monitor.listen(listener("second"));
  socket.say(reset(1));
  first[Symbol.dispose]();
  socket.say(reset(2));
  await monitor[Symbol.asyncDispose]();
  monitor.listen(listener("late"));
  expect(heard).toEqual([
    ["first", 1],
    ["second", 1],
    ["second", 2],
    ["second", undefined],
    ["late", undefined],
  ]);
});
