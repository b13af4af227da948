import { expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import type { Connection, Device, DeviceOptions } from "../src/device/index.ts";
import type { CreditBasedChannel, ListenOptions } from "../src/l2cap/index.ts";
import { IoCapability } from "../src/smp/index.ts";
import { type ConnectedPairOptions, SimulatedAir, type SimulatedAirOptions } from "../src/testing/index.ts";

interface Ends extends AsyncDisposable {
  readonly air: SimulatedAir;
  readonly phone: Device;
  readonly sensor: Device;
  /** At the phone, which is the central, and at the sensor. */
  readonly link: Connection;
  readonly back: Connection;
}

async function meet(options: SimulatedAirOptions = {}, pair: ConnectedPairOptions = {}): Promise<Ends> {
  const air = new SimulatedAir({ seed: 1, traceCapacity: 0, ...options });
  const { central, peripheral } = await air.connectedPair(pair);
  return {
    air,
    phone: central.device,
    sensor: peripheral.device,
    link: central.connection,
    back: peripheral.connection,
    [Symbol.asyncDispose]: () => air[Symbol.asyncDispose](),
  };
}

/** A channel from the phone to the sensor, both ends of it. */
async function channelOf({ link, sensor }: Ends, options: ListenOptions<Connection> = {}, mode: "credit" | "enhanced" = "credit") {
  const listener = sensor.l2cap.listen("dynamic", options);
  const [near, far] = await Promise.all([
    link.l2cap.connect(listener.spsm, { mode }),
    listener[Symbol.asyncIterator]()
      .next()
      .then(({ value }) => value!),
  ]);
  return { listener, near, far };
}

const octets = (length: number, seed = 0): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + seed + (i >> 8)) & 0xff);

test.each(["credit", "enhanced"] as const)("mode %s: SDUs of any length go both ways, whole and in order", async (mode) => {
  await using ends = await meet();
  const { near, far } = await channelOf(ends, {}, mode);
  expect(far).toMatchObject({ spsm: 0x80, mode, role: "acceptor", mtu: 2221, peerMtu: 2221, mps: 247, peerMps: 247 });
  expect([near.connection, far.connection]).toEqual([ends.link, ends.back]);
  const lengths = [0, 1, 244, 245, 246, 247, 248, 491, 492, 2000, 2221];
  for (const [i, length] of lengths.entries()) {
    void near.send(octets(length, i));
    void far.send(octets(length, i + 1));
  }
  for (const [i, length] of lengths.entries()) {
    expect(await far.receive()).toEqual(octets(length, i));
    expect(await near.receive()).toEqual(octets(length, i + 1));
  }
  await near.close();
  expect(await far.receive()).toBeUndefined();
  expect([ends.link.l2cap.channels, ends.back.l2cap.channels]).toEqual([[], []]);
});

test("whatever the air loses, everything arrives; both ways, several channels, beside GATT", async () => {
  await using ends = await meet({ seed: 4, loss: 0.2 });
  const handle = ends.sensor.gattServer.add({ uuid: 0x2a29, value: octets(100) });
  const listener = ends.sensor.l2cap.listen(0x80);
  listener.onChannel = (channel) => {
    channel.onSdu = (sdu) => void channel.send(sdu.toReversed());
  };
  const channels = await ends.link.l2cap.connectSeveral(0x80, { count: 3 });
  await Promise.all([
    ...channels.map(async (channel, i) => {
      for (let n = 0; n < 5; n++) {
        await channel.send(octets(500 + n, i));
        expect(await channel.receive()).toEqual(octets(500 + n, i).toReversed());
      }
    }),
    (async () => {
      for (let n = 0; n < 3; n++) expect(await ends.link.gatt.read(handle)).toEqual(octets(100));
    })(),
  ]);
});

test("either side opens channels, at once too, to one SPSM and to several", async () => {
  await using ends = await meet();
  for (const device of [ends.phone, ends.sensor]) for (const spsm of [0x80, 0x81]) device.l2cap.listen(spsm).onChannel = () => undefined;
  const opened = await Promise.all(
    [ends.link, ends.back].flatMap(({ l2cap }) => [l2cap.connect(0x80), l2cap.connect(0x81), l2cap.connectSeveral(0x80, { count: 5 })]),
  );
  expect(opened.flat()).toHaveLength(14);
  expect([ends.link.l2cap.channels.length, ends.back.l2cap.channels.length]).toEqual([14, 14]);
  const cids = (connection: Connection, which: "localCid" | "remoteCid"): number[] =>
    connection.l2cap.channels.map((channel) => channel[which]).toSorted((a, b) => a - b);
  expect(cids(ends.link, "localCid")).toEqual(cids(ends.back, "remoteCid"));
  expect(new Set(cids(ends.link, "localCid")).size).toBe(14);
  await Promise.all(opened.flat().map((channel) => channel.close()));
  expect([ends.link.l2cap.channels.length, ends.back.l2cap.channels.length]).toEqual([0, 0]);
});

test("a slow reader slows the sender, and no more is kept than the window", async () => {
  await using ends = await meet();
  const { near, far } = await channelOf(ends, { mtu: 500, receiveWindow: 4000 });
  let sent = 0;
  const sending = (async () => {
    for (; sent < 40; sent++) await near.send(octets(500, sent));
  })();
  await ends.air.advance(5000);
  expect(far.available).toBeLessThanOrEqual(Math.ceil(4000 / 247));
  expect(sent).toBeLessThan(10);
  for (let i = 0; i < 40; i++) expect(await far.receive()).toEqual(octets(500, i));
  await sending;
});

test("K-frames leave room for ATT: a read takes a few connection events, whatever a channel sends", async () => {
  await using ends = await meet();
  const { near, far } = await channelOf(ends);
  far.onSdu = () => undefined;
  let isOn = true;
  const sending = (async () => {
    while (isOn) await near.send(octets(2221));
  })();
  await ends.air.advance(500);
  const before = ends.air.nowMs;
  await ends.link.gatt.read(3);
  expect(ends.air.nowMs - before).toBeLessThan(100);
  isOn = false;
  await sending;
});

test("channels share a link evenly", async () => {
  await using ends = await meet();
  const got = new Map<CreditBasedChannel<Connection>, number>();
  ends.sensor.l2cap.listen(0x80).onChannel = (channel) => {
    channel.onSdu = (sdu) => void got.set(channel, (got.get(channel) ?? 0) + sdu.length);
  };
  const channels = [await ends.link.l2cap.connect(0x80), ...(await ends.link.l2cap.connectSeveral(0x80, { count: 3 }))];
  let isOn = true;
  const sending = channels.map(async (channel) => {
    while (isOn) await channel.send(octets(2221));
  });
  await ends.air.advance(2000);
  const shares = [...got.values()];
  expect(shares).toHaveLength(4);
  expect(Math.min(...shares) / Math.max(...shares)).toBeGreaterThan(0.9);
  isOn = false;
  await Promise.all(sending);
});

test("at least 95 % of what the air allows, one way and both ways", async () => {
  await using ends = await meet({}, { connect: { intervalMs: 30 } });
  await ends.link.setPhy({ tx: "2M", rx: "2M" });
  await ends.air.advance(1000);
  const { near, far } = await channelOf(ends);
  const got = new Map([near, far].map((channel) => [channel, 0]));
  for (const channel of [near, far]) channel.onSdu = (sdu) => void got.set(channel, got.get(channel)! + sdu.length);
  for (const senders of [[near], [near, far]]) {
    let isOn = true;
    const sending = senders.map(async (channel) => {
      while (isOn) await channel.send(octets(channel.peerMtu));
    });
    await ends.air.advance(150);
    const before = [...got.values()];
    await ends.air.advance(20 * 30);
    // 251 octets on 2M take 1.064 ms, an answer without data 0.064 ms, and each is followed by 0.15 ms (docs/air.md).
    const packets = Math.floor((30 + 0.15) / (senders.length === 1 ? 1.064 + 0.044 + 0.3 : 2 * 1.064 + 0.3));
    const allowed = 20 * packets * 251;
    for (const channel of senders.length === 1 ? [far] : [near, far]) {
      const share = (got.get(channel)! - before[channel === near ? 0 : 1]!) / allowed;
      expect(share).toBeGreaterThan(0.95);
      expect(share).toBeLessThanOrEqual(1.03);
    }
    isOn = false;
    await Promise.all(sending);
    await ends.air.advance(500);
  }
});

test("a channel as streams: a pipe from one side to the other and back", async () => {
  await using ends = await meet();
  const { near, far } = await channelOf(ends);
  const echo = far.streams();
  const echoing = echo.readable.pipeTo(echo.writable).catch(() => undefined);
  const { readable, writable } = near.streams();
  const data = octets(20_000);
  const writer = writable.getWriter();
  const writing = writer.write(data);
  const got: number[] = [];
  const reader = readable.getReader();
  while (got.length < data.length) got.push(...(await reader.read()).value!);
  expect(Uint8Array.from(got)).toEqual(data);
  await writing;
  await writer.close();
  await echoing;
});

// --- security ---------------------------------------------------------------------------------------------------------------------

const agent: NonNullable<DeviceOptions["agent"]> = {
  confirm: () => Promise.resolve(true),
  compare: () => Promise.resolve(true),
  enterPasskey: () => Promise.resolve(123_456),
  displayPasskey: () => undefined,
};

test("a listener that demands encryption refuses a link without; the client pairs where its policy says so", async () => {
  for (const elevate of ["encrypt", "pair"] as const) {
    await using ends = await meet({}, { central: { policy: { elevate } } });
    const listener = ends.sensor.l2cap.listen(0x80, { security: { encrypted: true } });
    listener.onChannel = () => undefined;
    const opening = ends.link.l2cap.connect(0x80);
    if (elevate === "encrypt")
      await expect(opening).rejects.toMatchObject({ code: "ERR_L2CAP_REFUSED", resultName: "InsufficientAuthentication" });
    else expect(await opening).toMatchObject({ remoteCid: 0x40 });
    expect(ends.link.security.encrypted).toBe(elevate === "pair");
  }
});

test("several that need the same security at the same time share what it takes", async () => {
  await using ends = await meet({}, { central: { policy: { elevate: "pair" } } });
  const paired: unknown[] = [];
  ends.link.on("paired", (report) => paired.push(report));
  for (const spsm of [0x80, 0x81]) ends.sensor.l2cap.listen(spsm, { security: { encrypted: true } }).onChannel = () => undefined;
  const opened = await Promise.all([
    ends.link.l2cap.connect(0x80),
    ends.link.l2cap.connect(0x81),
    ends.link.l2cap.connectSeveral(0x80, { count: 2 }),
  ]);
  expect([opened.flat().length, paired.length]).toEqual([4, 1]);
});

test("a bonded client encrypts before it asks, as peripheral too", async () => {
  await using ends = await meet();
  await ends.link.pair();
  await ends.link.disconnect();
  const advertising = await ends.sensor.advertise({ intervalMs: 20 });
  const arriving = advertising.connection();
  await ends.phone.connect(ends.sensor.address);
  const back = await arriving;
  ends.phone.l2cap.listen(0x80, { security: { encrypted: true } }).onChannel = () => undefined;
  await back.l2cap.connect(0x80);
  expect(back.security).toMatchObject({ encrypted: true, bonded: true });
});

test("authentication that is demanded is had by pairing anew", async () => {
  const io = { agent, pairing: { ioCapability: IoCapability.KeyboardDisplay } } as DeviceOptions;
  await using ends = await meet({}, { central: { ...io, policy: { elevate: "pair" } }, peripheral: io });
  ends.sensor.l2cap.listen(0x80, { security: { authenticated: true, minKeySize: 16 } }).onChannel = () => undefined;
  await ends.link.pair({ policy: { mitm: false } });
  const before = ends.link.security.authenticated;
  await ends.link.l2cap.connect(0x80);
  expect(ends.link.security).toMatchObject({ encrypted: true, authenticated: true, keySize: 16 });
  expect(before).toBeTypeOf("boolean");
});

test("what a call demands is had before the peer is asked", async () => {
  await using ends = await meet({}, { central: { policy: { elevate: "pair" } } });
  const securities: boolean[] = [];
  ends.sensor.l2cap.listen(0x80, {
    accept: ({ connection }) => {
      securities.push(connection.security.encrypted);
      return true;
    },
  });
  await ends.link.l2cap.connect(0x80, { security: { encrypted: true } });
  expect(securities).toEqual([true]);
  await using other = await meet({ seed: 2 });
  await expect(other.link.l2cap.connect(0x80, { security: { encrypted: true } })).rejects.toMatchObject({
    code: "ERR_INSUFFICIENT_SECURITY",
  });
});

// --- ends -------------------------------------------------------------------------------------------------------------------------

test.each(["disconnected", "out of range"] as const)(
  "the link ends (%s): everything on both sides settles with the reason",
  async (how) => {
    await using ends = await meet();
    const { near, far, listener } = await channelOf(ends, { accept: ({ mtu }) => mtu > 0 });
    const slow = ends.sensor.l2cap.listen(0x90, { accept: () => delay(ends.air.clock, 60_000).then(() => true), timeoutMs: 100_000 });
    const waits = [near.receive(), far.receive(), ends.link.l2cap.connect(0x90), near.close().then(() => near.receive())];
    const outcomes = Promise.allSettled(waits.slice(0, 3));
    await waits[3];
    const again = await ends.link.l2cap.connect(listener.spsm);
    const waiting = again.receive();
    if (how === "disconnected") await ends.link.disconnect();
    else {
      ends.air.cut(ends.phone, ends.sensor);
      await ends.link.closed;
    }
    await expect(waiting).rejects.toEqual(ends.link.ended);
    expect(await again.closed).toEqual(ends.link.ended);
    const [first, , third] = await outcomes;
    expect(first).toEqual({ status: "fulfilled", value: undefined });
    expect(third).toEqual({ status: "rejected", reason: ends.link.ended });
    await ends.back.closed;
    expect([ends.link.l2cap.channels, ends.back.l2cap.channels, listener.channels, slow.channels]).toEqual([[], [], [], []]);
    await expect(ends.link.l2cap.connect(0x80)).rejects.toEqual(ends.link.ended);
    await ends.air.advance(60_000); // the program that thinks so long
  },
);

test("the device is closed: its listeners end, and loops over them", async () => {
  await using ends = await meet();
  const listener = ends.sensor.l2cap.listen(0x80);
  const loop = listener[Symbol.asyncIterator]().next();
  const channel = await ends.link.l2cap.connect(0x80);
  const taken = await loop;
  const next = listener[Symbol.asyncIterator]().next();
  await ends.sensor.close();
  expect(await next).toEqual({ value: undefined, done: true });
  expect(taken.value!.ended).toEqual(ends.back.ended);
  await channel.closed;
  expect(() => ends.sensor.l2cap.listen(0x80)).toThrow("closed");
});

test("a paused connection keeps what comes on channels, in order, and goes on", async () => {
  await using ends = await meet();
  const { near, far } = await channelOf(ends);
  const got: number[] = [];
  far.onSdu = (sdu) => void got.push(sdu[0]!);
  const pause = ends.back.pause();
  for (let i = 0; i < 5; i++) await near.send(Uint8Array.of(i));
  await ends.air.advance(500);
  expect(got).toEqual([]);
  pause[Symbol.dispose]();
  expect(got).toEqual([0, 1, 2, 3, 4]);
});
