import { expect, test } from "vitest";
import type { AirPacket } from "../src/air/index.ts";
import { DisconnectionComplete, LeAdvertisingReport, ReadBdAddr } from "../src/hci/index.ts";
import { advertise, connectedPair, makeAir, makeHost, scan } from "./support/raw-pair.ts";

const modes = ["radio", "instant"] as const;

test.each(modes)("%s: a lost or corrupted packet is sent again, later ones wait for it", async (mode) => {
  for (const fault of ["lose", "corrupt"] as const) {
    const { central, peripheral, handles, clock, air } = await connectedPair({ mode });
    const hook = air.onPacket(({ from, index }) => (from === "central" && index < 3 ? fault : undefined));
    for (let i = 0; i < 5; i++) central.sendAcl(handles.central, Uint8Array.of(i));
    await clock.advance(500);
    expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1, 2, 3, 4]);
    expect(central.completed.get(handles.central)).toBe(5);
    hook[Symbol.dispose]();
    air[Symbol.dispose]();
  }
});

test.each(modes)("%s: a changed packet whose CRC fits reaches the host as it is", async (mode) => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ mode });
  using _hook = air.onPacket(({ pdu, from }) => {
    if (from !== "central") return undefined;
    const changed = pdu.slice();
    changed[2]! ^= 0xff;
    return { deliver: changed };
  });
  central.sendAcl(handles.central, Uint8Array.of(0x0f, 1));
  await clock.advance(100);
  expect(peripheral.acl.map(({ data }) => data)).toEqual([Uint8Array.of(0xf0, 1)]);
  air[Symbol.dispose]();
});

test.each(modes)(
  "%s: what a hook and a trace keep of a packet stays as it was, and what a hook writes there goes nowhere",
  async (mode) => {
    const { central, peripheral, handles, clock, air } = await connectedPair({ mode });
    const kept: Uint8Array[] = [];
    using _hook = air.onPacket(({ from, pdu }) => {
      if (from === "central" && (pdu[0]! & 3) === 2) kept.push(pdu);
      return undefined;
    });
    using _other = air.onPacket(({ pdu }) => void pdu.fill(0xee, 2));
    air.trace.clear();
    for (let i = 0; i < 5; i++) central.sendAcl(handles.central, Uint8Array.of(i));
    await clock.advance(500);
    const sent = [0, 1, 2, 3, 4];
    expect(peripheral.acl.map(({ data }) => data[0])).toEqual(sent);
    expect(new Set(kept.map(({ buffer }) => buffer)).size).toBe(5);
    const traced = air.trace.entries.filter((entry) => entry.kind === "air" && (entry.pdu[0]! & 3) === 2);
    expect(traced.map((entry) => entry.kind === "air" && entry.pdu[2])).toEqual(sent);
    air[Symbol.dispose]();
  },
);

test.each(modes)("%s: a delayed packet comes late, those behind it after it, and the link stays up", async (mode) => {
  const { central, peripheral, handles, clock, air } = await connectedPair({ mode, timeout: 100 });
  await clock.advance(100);
  let isDelayed = false;
  using _hook = air.onPacket(({ from }) => {
    if (from !== "central" || isDelayed) return undefined;
    isDelayed = true;
    return { delayMs: 3000 }; // longer than the supervision timeout
  });
  const start = clock.now();
  for (let i = 0; i < 3; i++) central.sendAcl(handles.central, Uint8Array.of(i));
  await clock.advance(2500);
  expect(peripheral.acl).toEqual([]);
  peripheral.sendAcl(handles.peripheral, Uint8Array.of(9)); // the other way is free
  await clock.advance(200);
  expect(central.acl).toHaveLength(1);
  await clock.advance(1000);
  expect(peripheral.acl.map(({ data }) => data[0])).toEqual([0, 1, 2]);
  expect(peripheral.acl[0]!.timeMs - start).toBeGreaterThanOrEqual(2999);
  expect(central.all(DisconnectionComplete)).toEqual([]);
  air[Symbol.dispose]();
});

test.each(modes)("%s: advertising can be lost and changed", async (mode) => {
  const { air, clock } = makeAir({ mode });
  const { host: advertiser } = await makeHost(air, { name: "advertiser" });
  const { host: scanner } = await makeHost(air, { name: "scanner" });
  const losing = air.onPacket(() => "lose");
  await advertise(advertiser, { interval: 32, type: 3, data: Uint8Array.of(1, 2, 3) });
  await scan(scanner);
  await clock.advance(1000);
  expect(scanner.all(LeAdvertisingReport)).toEqual([]);
  losing[Symbol.dispose]();
  using _changing = air.onPacket(({ pdu }) => ({ deliver: Uint8Array.from(pdu, (octet, i) => (i === 8 ? 0xee : octet)) }));
  await clock.advance(1000);
  const data = scanner.all(LeAdvertisingReport).map(({ reports }) => reports[0]!.data);
  expect(data.length).toBeGreaterThan(5);
  for (const octets of data) expect(octets).toEqual(Uint8Array.of(0xee, 2, 3));
  air[Symbol.dispose]();
});

test("hooks see every packet that somebody listens for, counted, with who and where", async () => {
  const { air } = makeAir();
  const seen: AirPacket[] = [];
  air.onPacket((packet) => {
    seen.push(packet);
    return undefined;
  });
  air[Symbol.dispose]();
  const pair = await connectedPair();
  pair.air.onPacket((packet) => {
    seen.push(packet);
    return undefined;
  });
  pair.central.sendAcl(pair.handles.central, Uint8Array.of(7));
  await pair.clock.advance(100);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ index: 0, from: "central", to: "peripheral", phy: 1 });
  expect(seen[0]!.pdu.subarray(2)).toEqual(Uint8Array.of(7));
  expect(seen[0]!.channel).toBeLessThan(37);
  pair.air[Symbol.dispose]();
});

test("random octets in the place of any packet on air never throw out of a controller", async () => {
  for (let seed = 0; seed < 30; seed++) {
    const { central, peripheral, handles, clock, air } = await connectedPair({ seed, timeout: 100 });
    let state = seed + 1;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    };
    air.onPacket(({ pdu }) => {
      if (next() > 100) return undefined;
      // Control PDUs above all: they have the most to go wrong.
      const octets = Uint8Array.from({ length: 2 + (next() % 28) }, next);
      octets[0] = (pdu[0]! & 0x1c) | (next() & 1 ? 3 : next() & 3);
      octets[2] = next() % 0x1c;
      return { deliver: octets };
    });
    for (let i = 0; i < 40; i++) {
      central.sendAcl(handles.central, Uint8Array.of(i));
      peripheral.sendAcl(handles.peripheral, Uint8Array.of(i));
      await clock.advance(50);
    }
    expect((await central.command(ReadBdAddr, {})).status).toBe(0);
    air[Symbol.dispose]();
  }
});
