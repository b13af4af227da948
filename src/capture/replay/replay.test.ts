import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/index.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { type RandomSource, SeededRandom } from "../../core/index.ts";
import { Device } from "../../device/index.ts";
import { TransportClosed } from "../../hci/index.ts";
import { SimulatedAir } from "../../testing/index.ts";
import { readCapture } from "../capture-reader.ts";
import { CaptureWriter, MemorySink } from "../capture-writer.ts";
import type { AnyCaptureRecord, CaptureRecord } from "../record.ts";
import { recordController } from "./record-controller.ts";
import { type ReplayOptions, type ReplayTransport, replayTransport } from "./replay-transport.ts";

const SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e";
const VALUE = "6e400002-b5a3-f393-e0a9-e50e24dcca9e";
const NOTIFY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e";
const LONG = Uint8Array.from({ length: 300 }, (_, i) => i & 0xff);

/** What a program does with a device, and what it finds. */
async function life(device: Device, { pair = false }: { pair?: boolean } = {}): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { address, name, rssiDbm } of device.scan()) {
    found.push(address.toString(), name, rssiDbm);
    const connection = await device.connect(address);
    if (pair) found.push(await connection.pair());
    const value = await connection.gatt.characteristic(SERVICE, VALUE);
    found.push(toHex(await value.read()));
    await value.write(fromHex("0a0b0c"));
    found.push(toHex(await value.read()));
    const notify = await connection.gatt.characteristic(SERVICE, NOTIFY);
    for await (const notification of notify.notifications()) {
      found.push(toHex(notification));
      if (notification[0] === 3) break;
    }
    await connection.disconnect();
    break;
  }
  found.push(Math.round(device.clock.now() * 1000) / 1000);
  return found;
}

async function recorded({ pair = false, secrets = false, hasAddress = true } = {}): Promise<{ found: unknown[]; file: Uint8Array }> {
  await using air = new SimulatedAir({ seed: 5 });
  const peripheral = await air.device({ name: "thing" });
  const service = peripheral.gattServer.addService({
    uuid: SERVICE,
    characteristics: [
      { uuid: VALUE, properties: ["read", "write"], value: LONG },
      { uuid: NOTIFY, properties: ["notify"] },
    ],
  });
  const notify = service.characteristic(NOTIFY)!;
  notify.onSubscription = () => {
    for (let i = 1; i <= 3; i++) void notify.notify(Uint8Array.of(i, 7)).catch(() => undefined);
  };
  await peripheral.advertise({ data: { name: "thing" } });
  const { transport } = air.addController({ name: "recorded", ...(hasAddress ? {} : { address: "00:00:00:00:00:00" }) });
  const recording = recordController(transport, { clock: air.clock, secrets });
  const device = await Device.open(recording.transport, { clock: air.clock, random: new SeededRandom(5, "host") });
  const found = await life(device, { pair });
  await device.close();
  expect(recording.dropped).toBe(0);
  expect(recording.records).toEqual(readCapture(recording.file()));
  return { found, file: recording.file() };
}

async function played(
  replay: ReplayTransport,
  clock: VirtualClock,
  { pair = false, random = new SeededRandom(5, "host") }: { pair?: boolean; random?: RandomSource } = {},
): Promise<unknown[]> {
  const device = await Device.open(replay, { clock, random });
  const found = await life(device, { pair });
  await device.close();
  return found;
}

describe("a session of a device, played back with no air", () => {
  test("gives the same results at the same times", async () => {
    const { found, file } = await recorded();
    const clock = new VirtualClock();
    const replay = replayTransport(file, { clock });
    expect(await played(replay, clock)).toEqual(found);
    expect(found).toHaveLength(9);
    expect(found[0]).toMatch(/public$|^[0-9A-F:]+$/);
    replay.verify();
    expect(replay.remaining).toBe(0);
    expect(replay.error).toBeUndefined();
  });

  test("takes no time at once, and lets none pass", async () => {
    const { found, file } = await recorded();
    const clock = new VirtualClock();
    const replay = replayTransport(file, { clock, timing: "at-once" });
    const results = await played(replay, clock);
    expect(results.slice(0, -1)).toEqual(found.slice(0, -1));
    expect(results.at(-1)).toBe(0);
    replay.verify();
  });

  test("pairs where the capture has the keys", async () => {
    const { found, file } = await recorded({ pair: true, secrets: true });
    const clock = new VirtualClock();
    const replay = replayTransport(file, { clock });
    expect(await played(replay, clock, { pair: true })).toEqual(found);
    replay.verify();
  });

  test("another address is a mismatch, unless it may be another", async () => {
    const { found, file } = await recorded({ hasAddress: false });
    const clock = new VirtualClock();
    const other = (): RandomSource => new SeededRandom(6, "host");
    const strict = replayTransport(file, { clock });
    const error = await played(strict, clock, { random: other() }).catch((thrown: unknown) => thrown);
    expect(strict.error).toMatchObject({
      code: "ERR_REPLAY",
      reason: "mismatch",
      expected: { name: "LeSetRandomAddress" },
      got: { name: "LeSetRandomAddress" },
    });
    const causes: unknown[] = [];
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) causes.push(cause);
    expect(causes.some((cause) => cause instanceof TransportClosed)).toBe(true);
    expect(causes.at(-1)).toBe(strict.error);
    expect(() => strict.verify()).toThrow(strict.error);
    const again = new VirtualClock();
    const free = replayTransport(file, { clock: again, timing: "at-once", ignore: ["LeSetRandomAddress.randomAddress"] });
    expect((await played(free, again, { random: other() })).slice(0, -1)).toEqual(found.slice(0, -1));
    const lenient = replayTransport(file, { mode: "lenient" });
    expect((await played(lenient, new VirtualClock({ auto: false }), { random: other() })).slice(0, -1)).toEqual(found.slice(0, -1));
  });
});

// Packets by hand: what a host sends begins with ">", what its controller says with "<", each at a time.
const RESET = "01030c00";
const RESET_DONE = "040e0401030c00";
const READ_VERSION = "01011000";
const VERSION_DONE = "040e0c01011000" + "0d00000d00000000";
const VENDOR_EVENT = "04ff0101";
const RANDOM_ADDRESS = "01052006010203040506";
const OTHER_ADDRESS = "01052006010203040507";
const ADDRESS_SET = "040e0401052000";

function session(...lines: readonly string[]): CaptureRecord[] {
  return lines.map((line) => {
    const [way, timeMs, hex] = line.split(" ") as [string, string, string];
    const packet = fromHex(hex);
    const direction = way === ">" ? "host-to-controller" : "controller-to-host";
    return { direction, packet, timeMs: Number(timeMs), originalLength: packet.length, drops: 0 };
  });
}

const SESSION = session(`> 0 ${RESET}`, `< 5 ${RESET_DONE}`, `> 100 ${READ_VERSION}`, `< 107 ${VENDOR_EVENT}`, `< 109 ${VERSION_DONE}`);

/** A host that only listens. */
function host(capture: Iterable<AnyCaptureRecord> | Uint8Array, options: ReplayOptions = {}) {
  const clock = new VirtualClock({ auto: false });
  const replay = replayTransport(capture, { clock, ...options });
  const heard: string[] = [];
  const ends: TransportClosed[] = [];
  replay.onPacket = (packet) => heard.push(`${clock.now()} ${toHex(packet)}`);
  replay.onClose = (reason) => ends.push(reason);
  return { clock, replay, heard, ends, send: (hex: string) => replay.send(fromHex(hex)) };
}

describe("what the controller said", () => {
  test("comes when it came, counted from what the host sent", async () => {
    const { clock, heard, send, replay } = host(SESSION);
    await clock.advance(50);
    expect(heard).toEqual([]);
    send(RESET);
    await clock.advance(4.9);
    expect(heard).toEqual([]);
    await clock.advance(0.2);
    expect(heard).toEqual([`55 ${RESET_DONE}`]);
    await clock.advance(1000);
    expect(heard).toHaveLength(1);
    expect(() => replay.verify()).toThrow(
      expect.objectContaining({
        reason: "unfinished",
        expected: expect.objectContaining({ number: 3, name: "ReadLocalVersionInformation" }),
      }),
    );
    expect(replay.remaining).toBe(3);
    send(READ_VERSION);
    await clock.advance(20);
    expect(heard.slice(1)).toEqual([`1062.1 ${VENDOR_EVENT}`, `1064.1 ${VERSION_DONE}`]);
    replay.verify();
  });

  test("comes at once where it is asked to, in its order, and time stands", async () => {
    const { clock, heard, send } = host(SESSION, { timing: "at-once" });
    send(RESET);
    expect(heard).toEqual([]); // never inside `send`
    await clock.advance(0);
    send(READ_VERSION);
    await clock.advance(0);
    expect(heard).toEqual([`0 ${RESET_DONE}`, `0 ${VENDOR_EVENT}`, `0 ${VERSION_DONE}`]);
  });

  test("does not wait for a host that is early", async () => {
    const { clock, heard, send } = host(SESSION);
    send(RESET);
    send(READ_VERSION);
    await clock.advance(20);
    expect(heard).toEqual([`5 ${RESET_DONE}`, `12 ${VENDOR_EVENT}`, `14 ${VERSION_DONE}`]);
  });

  test("is the receiver's own", async () => {
    const records = session(`< 0 ${VENDOR_EVENT}`);
    const { clock, replay } = host(records);
    replay.onPacket = (packet) => packet.fill(0);
    await clock.advance(1);
    expect(toHex(records[0]!.packet)).toBe(VENDOR_EVENT);
  });

  test("ends with the transport", async () => {
    for (const timing of ["captured", "at-once"] as const) {
      const { clock, heard, ends, send, replay } = host(SESSION, { timing });
      send(RESET);
      await replay[Symbol.asyncDispose]();
      await clock.advance(100);
      send(READ_VERSION);
      await clock.advance(100);
      expect([heard, ends, clock.pending]).toEqual([[], [], []]);
    }
  });
});

describe("a host that does something else", () => {
  test("is told what was expected and what it sent, and hears nothing more", async () => {
    const { clock, heard, ends, send, replay } = host(SESSION);
    send(RESET);
    send("01030c00");
    await clock.advance(100);
    expect(heard).toEqual([]);
    expect(replay.error).toMatchObject({ reason: "mismatch", expected: { number: 3 }, got: { name: "Reset" } });
    expect(replay.error!.message).toContain("packet 3 of the capture is ReadLocalVersionInformation; the host sent Reset");
    expect(ends).toHaveLength(1);
    expect(ends[0]!.cause).toBe(replay.error);
    send(READ_VERSION);
    expect(replay.remaining).toBe(4);
  });

  test("that sends more than the capture has is told so", async () => {
    const { replay, send } = host(session(`> 0 ${RESET}`));
    send(RESET);
    replay.verify();
    send(RESET);
    expect(replay.error).toMatchObject({ reason: "unexpected", expected: undefined, got: { name: "Reset" } });
    expect(replay.error!.message).toContain("after the last packet of the capture the host sent Reset");
  });

  test("sends what comes later too early", () => {
    const { replay, send } = host(SESSION);
    send(READ_VERSION);
    expect(replay.error).toMatchObject({ reason: "mismatch", expected: { number: 1, name: "Reset" } });
  });

  test("never sees a key in the error", () => {
    const encrypt = (key: string): string => `01172020${key}${"00".repeat(16)}`;
    const secret = "a5".repeat(16);
    const { replay, send } = host(session(`> 0 ${encrypt(secret)}`));
    send(encrypt("5a".repeat(16)));
    expect(replay.error!.message).toContain("differ in octets that are not shown");
    expect(JSON.stringify(replay.error)).not.toMatch(/a5a5|165,165/);
    expect(replay.error!.message).not.toMatch(/a5a5|5a5a/);
  });
});

describe("keys", () => {
  const encrypt = (key: string): string => `01172020${key}${"00".repeat(16)}`;

  test("that the capture does not hold are not compared", () => {
    const { replay, send } = host(session(`> 0 ${encrypt("00".repeat(16))}`, `> 1 ${RESET}`));
    send(encrypt("5a".repeat(16)));
    send(RESET);
    replay.verify();
  });

  test("that it holds are", () => {
    const { replay, send } = host(session(`> 0 ${encrypt("00".repeat(16))}`, `> 1 ${encrypt("a5".repeat(16))}`));
    send(encrypt("5a".repeat(16)));
    expect(replay.error?.reason).toBe("mismatch");
  });

  test("are what chance gives, where the replay is lenient", () => {
    const { replay, send } = host(session(`> 0 ${encrypt("a5".repeat(16))}`), { mode: "lenient" });
    send(encrypt("5a".repeat(16)));
    replay.verify();
  });
});

describe("fields that may be other", () => {
  const ADDRESSES = session(`> 0 ${RANDOM_ADDRESS}`, `< 1 ${ADDRESS_SET}`);
  const accepts = (ignore: string[], hex: string): boolean => {
    const { replay, send } = host(ADDRESSES, { ignore });
    send(hex);
    return replay.error === undefined;
  };

  test("are named alone, or with their packet", () => {
    expect(accepts(["randomAddress"], OTHER_ADDRESS)).toBe(true);
    expect(accepts(["LeSetRandomAddress.randomAddress"], OTHER_ADDRESS)).toBe(true);
    expect(accepts(["LeSetAdvertisingSetRandomAddress.randomAddress"], OTHER_ADDRESS)).toBe(false);
    expect(accepts(["address"], OTHER_ADDRESS)).toBe(false);
    expect(accepts(["randomAddress"], RANDOM_ADDRESS)).toBe(true);
  });

  test("do not make another packet of it, nor a broken one", () => {
    expect(accepts(["randomAddress"], RESET)).toBe(false);
    expect(accepts(["randomAddress"], "0105200501020304ff")).toBe(false);
  });

  const acl = (handle: string, ...parts: string[]): string[] =>
    parts.map((part, i) => {
      const length = (part.length / 2).toString(16).padStart(2, "0");
      return `02${handle}${i === 0 ? "00" : "10"}${length}00${part}`;
    });
  // A write of 12 octets to attribute 0x0003, in two pieces.
  const write = (value: string, handle = "40"): string[] => {
    const frame = `0f00040012${"0300"}${value}`;
    return acl(handle, frame.slice(0, 24), frame.slice(24));
  };

  test("in a frame in pieces are found when it is whole", () => {
    const captured = session(...write("000102030405060708090a0b").map((hex, i) => `> ${i} ${hex}`), `> 9 ${RESET}`);
    const sendAll = (ignore: string[], packets: string[]): ReplayTransport => {
      const { replay, send } = host(captured, { ignore });
      for (const packet of packets) send(packet);
      return replay;
    };
    sendAll(["attributeValue"], [...write("ff0102030405060708090a0b"), RESET]).verify();
    sendAll(["attributeValue"], [...write("000102030405060708090aff"), RESET]).verify();
    // The piece that differs is the first, and what follows is the same to the octet.
    expect(sendAll(["attributeHandle"], write("ff0102030405060708090a0b")).error).toMatchObject({ expected: { number: 2 } });
    expect(sendAll([], write("ff0102030405060708090a0b")).error).toMatchObject({ expected: { number: 1 } });
    expect(sendAll(["attributeValue"], write("000102030405060708090a0b", "41")).error).toMatchObject({ expected: { number: 1 } });
  });
});

describe("a lenient replay", () => {
  const SIDE_BY_SIDE = session(
    `> 0 ${RESET}`,
    `< 1 ${RESET_DONE}`,
    `> 2 ${RANDOM_ADDRESS}`,
    `< 3 ${ADDRESS_SET}`,
    `> 4 ${READ_VERSION}`,
    `< 5 ${VENDOR_EVENT}`,
    `< 6 ${VERSION_DONE}`,
  );

  test("answers a command that overtook another, and leaves the other events where they were", async () => {
    const { clock, heard, send, replay } = host(SIDE_BY_SIDE, { mode: "lenient" });
    send(RESET);
    await clock.advance(1);
    send(READ_VERSION);
    await clock.advance(10);
    expect(heard.map((line) => line.split(" ")[1])).toEqual([RESET_DONE, VERSION_DONE]);
    send(OTHER_ADDRESS);
    await clock.advance(10);
    expect(heard.map((line) => line.split(" ")[1])).toEqual([RESET_DONE, VERSION_DONE, ADDRESS_SET, VENDOR_EVENT]);
    replay.verify();
    expect(replay.remaining).toBe(0);
  });

  test("answers with a status, too", async () => {
    const status = "040f0400010620" + "";
    const { clock, heard, send } = host(session(`> 0 ${RESET}`, `> 1 01062000`, `< 2 040f0400010620`), { mode: "lenient" });
    send("01062000");
    await clock.advance(5);
    expect(heard.map((line) => line.split(" ")[1])).toEqual([status]);
  });

  test("takes each packet once, and none that the capture does not have", () => {
    const { replay, send } = host(SIDE_BY_SIDE, { mode: "lenient" });
    send(RESET);
    send(RESET);
    expect(replay.error).toMatchObject({ reason: "mismatch", expected: { number: 3 }, got: { name: "Reset" } });
  });
});

describe("a capture that cannot be played", () => {
  test("is refused, with what is missing", () => {
    const [first, ...others] = SESSION as [CaptureRecord, ...CaptureRecord[]];
    expect(() => replayTransport([])).toThrow("there is no HCI packet in the capture");
    expect(() => replayTransport([{ ...first, originalLength: 9 }])).toThrow("packet 1 is cut: 4 of 9 octets");
    const lacking = [first, { ...others[0]!, drops: 2 }];
    expect(() => replayTransport(lacking)).toThrow("the capture lacks 2 packets before number 2");
    expect(() => replayTransport(lacking, { mode: "lenient" })).not.toThrow();
    const two = [{ ...first, index: 0 }, ...others.map((record) => ({ ...record, index: 1 }))];
    expect(() => replayTransport(two)).toThrow("several adapters");
    expect(replayTransport(two, { index: 1 }).remaining).toBe(4);
    expect(() => replayTransport(two, { index: 2 })).toThrow("there is no HCI packet");
    expect(() => replayTransport(fromHex("0102"))).toThrow(expect.objectContaining({ code: "ERR_CAPTURE" }));
  });

  test("a monitor's other records are passed over, and its number is the file's", () => {
    const note = { opcode: 12, index: 0xffff, payload: fromHex("00"), timeMs: 0 };
    const replay = replayTransport([note, ...SESSION.map((record) => ({ ...record, index: 3 }))]);
    expect(() => replay.verify()).toThrow(expect.objectContaining({ expected: expect.objectContaining({ number: 2 }) }));
  });

  test("options are checked", () => {
    const refused = (capture: unknown, options: unknown): string => {
      try {
        replayTransport(capture as Uint8Array, options as ReplayOptions);
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused(SESSION, { mood: "strict" })).toContain("mood");
    expect(refused(SESSION, { mode: "kind" })).toContain("replayTransport: mode");
    expect(refused(SESSION, { timing: "late" })).toContain("replayTransport: timing");
    expect(refused(SESSION, { timing: "captured" })).toContain("needs a clock");
    expect(refused(SESSION, { index: 0x10000 })).toContain("index");
    expect(refused(SESSION, { ignore: "randomAddress" })).toContain("ignore");
    expect(refused(SESSION, { ignore: [1] })).toContain("ignore");
    expect(refused("file", {})).toContain("expected a file or its records");
    expect(refused(null, {})).toContain("expected a file or its records");
  });
});

describe("a controller that is recorded", () => {
  test("keeps what fits", () => {
    const sent: string[] = [];
    const replay = replayTransport(SESSION);
    const recording = recordController(replay, { clock: new VirtualClock({ startMs: 42 }), capacity: 16 + 24 + 4, epochMs: 1000 });
    recording.transport.send(fromHex(RESET));
    recording.transport.send(fromHex(READ_VERSION));
    expect(recording.records.map(({ packet, timeMs, direction }) => [toHex(packet), timeMs, direction])).toEqual([
      [RESET, 1042, "host-to-controller"],
    ]);
    expect(recording.dropped).toBe(1);
    expect(replay.remaining).toBe(3);
    expect(sent).toEqual([]);
  });

  test("has keys only when asked", () => {
    const encrypt = `01172020${"a5".repeat(32)}`;
    const keysOf = (options: { secrets?: boolean }): boolean => {
      const recording = recordController(replayTransport(SESSION, { mode: "lenient" }), options);
      recording.transport.send(fromHex(encrypt));
      return toHex(recording.file()).includes("a5a5");
    };
    expect(keysOf({})).toBe(false);
    expect(keysOf({ secrets: true })).toBe(true);
  });

  test("is played from any kind of file", async () => {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { format: "pcapng", secrets: true });
    for (const record of SESSION) writer.writeRecord(record);
    const { clock, heard, send, replay } = host(sink.bytes());
    send(RESET);
    await clock.advance(5);
    expect(heard).toEqual([`5 ${RESET_DONE}`]);
    expect(replay.remaining).toBe(3);
  });

  test("asks for a transport and for options that there are", () => {
    expect(() => recordController({} as never)).toThrow("expected a transport");
    expect(() => recordController(replayTransport(SESSION), { capacity: 0 })).toThrow("capacity");
    expect(() => recordController(replayTransport(SESSION), { clocks: 1 } as never)).toThrow("clocks");
  });
});
