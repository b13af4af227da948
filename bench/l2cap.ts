import { VirtualClock } from "../src/async/index.ts";
import { allocateFrame, encodeEvent, LeSetDataLength, LeSetPhy, NumberOfCompletedPackets, PacketType } from "../src/hci/index.ts";
import { type CreditBasedChannel, L2cap, type LinkChannels, PDU_OFFSET } from "../src/l2cap/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { createTransportPair } from "../src/transport/memory-pipe.ts";
import { openScriptedHci } from "../test/support/scripted-hci.ts";
import { type LeastHost, newAir, pairs } from "./air.ts";
import type { Row, Simulated } from "./harness.ts";
import { HANDLE } from "./hci.ts";

const SPSM = 0x80;
/** Of a link layer packet on LE 2M; a K-frame of 247 octets and its header fill one. */
const TX_OCTETS = 251;
const MPS = TX_OCTETS - 4;
/** K-frames of an SDU. */
const FRAMES = 9;
const SIMULATED_MS = 6000; // whole connection events of every interval below

/** Where receivers put an octet, so that the compiler cannot drop their work. */
const sink = { octets: 0 };

/** Keeps a channel's queue full. */
function pump(channel: CreditBasedChannel): void {
  const sdu = new Uint8Array(channel.peerMtu);
  const go = (): void => {
    while (channel.trySend(sdu));
    channel.whenWritable().then(go, () => undefined); // the channel's end is its end
  };
  go();
}

/** Sends an SDU when the one before has arrived. */
function oneAtATime(channel: CreditBasedChannel, far: CreditBasedChannel): void {
  const sdu = new Uint8Array(channel.peerMtu);
  const count = far.onSdu!;
  far.onSdu = (arrived) => {
    count(arrived);
    channel.trySend(sdu);
  };
  channel.trySend(sdu);
}

/** Octets a second of SDUs, all that arrives. */
async function carried(intervalMs: number, send: (near: CreditBasedChannel, far: CreditBasedChannel) => void): Promise<number> {
  const clock = new VirtualClock();
  await using air = new SimulatedAir({ seed: 1, clock, traceCapacity: 0 });
  const { central, peripheral } = await air.connectedPair({ connect: { intervalMs } });
  await central.connection.setPhy({ tx: "2M", rx: "2M" });
  const accepted = peripheral.device.l2cap.listen(SPSM)[Symbol.asyncIterator]().next();
  const near = await central.connection.l2cap.connect(SPSM);
  const far = (await accepted).value!;
  let octets = 0;
  for (const channel of [near, far])
    channel.onSdu = (sdu) => {
      octets += sdu.length;
    };
  send(near, far);
  await clock.advance(1200); // under way
  octets = 0;
  await clock.advance(SIMULATED_MS);
  return (octets * 1000) / SIMULATED_MS;
}

/** Octets a second of K-frames without their headers, from hosts that fill every packet and look at none. */
async function limit(intervalMs: number, ways: 1 | 2): Promise<number> {
  const { air, clock } = newAir();
  const [ends] = (await pairs(air, clock, 1, { intervalMs })) as [LeastHost[]];
  for (const host of ends) host.send(LeSetDataLength, { connectionHandle: host.handle, txOctets: TX_OCTETS, txTime: 2120 });
  const [central] = ends as [LeastHost];
  central.send(LeSetPhy, { connectionHandle: central.handle, allPhys: 0, txPhys: 2, rxPhys: 2, phyOptions: 0 });
  await clock.advance(1200);
  for (const host of ends.slice(0, ways)) host.fill(TX_OCTETS);
  await clock.advance(1200);
  for (const host of ends) host.received = 0;
  await clock.advance(SIMULATED_MS);
  const packets = ends.reduce((sum, { received }) => sum + received, 0);
  return (packets * MPS * 1000) / SIMULATED_MS;
}

function onAir(intervalMs: number, ways: 1 | 2): Row {
  return {
    name: `l2cap: channel on LE 2M, ${ways === 1 ? "one way" : "both ways"}, ${intervalMs} ms`,
    unit: "octets",
    async simulate(): Promise<Simulated> {
      const both =
        (send: typeof oneAtATime): typeof send =>
        (near, far) => {
          send(near, far);
          if (ways === 2) send(far, near);
        };
      const start = process.cpuUsage();
      const rate = await carried(intervalMs, both(pump));
      const { user, system } = process.cpuUsage(start);
      const alone = await carried(intervalMs, both(oneAtATime));
      return { rate, oneAtATime: alone, limit: await limit(intervalMs, ways), cpuSeconds: (user + system) / 1e6 };
    },
  };
}

/** Two hosts whose controllers are nothing but a wire between them, which tells of eight completed packets at a time. */
async function wiredHosts(): Promise<{ near: LinkChannels; far: L2cap }> {
  const ends = await Promise.all([0, 1].map(() => openScriptedHci((controller) => controller.buffers(TX_OCTETS, 16))));
  const l2caps = ends.map(({ hci }) => new L2cap(hci));
  const links = l2caps.map((l2cap, i) => l2cap.open({ handle: HANDLE, role: i === 0 ? "central" : "peripheral" }));
  ends.forEach(({ controller: { transport } }, i) => {
    const other = ends[1 - i]!.controller.transport;
    const report = encodeEvent(NumberOfCompletedPackets, { handles: [{ connectionHandle: HANDLE, numCompletedPackets: 8 }] });
    let held = 0;
    transport.onPacket = (packet) => {
      if (packet[0] !== PacketType.AclData) return;
      packet[2]! |= 0x20; // the first packet of a PDU, as a controller says it to its host
      other.send(packet);
      if (++held < 8) return;
      held = 0;
      transport.send(report);
    };
  });
  return { near: links[0]!.channels, far: l2caps[1]! };
}

/** Both ends of a channel between two hosts that are wired to each other. */
async function wiredChannel(): Promise<[near: CreditBasedChannel, far: CreditBasedChannel]> {
  const { near, far } = await wiredHosts();
  const accepted = new Promise<CreditBasedChannel>((resolve) => {
    far.listeners.listen(SPSM).onChannel = resolve;
  });
  return [await near.connect(SPSM), await accepted];
}

const CEILING = "ceiling: K-frames from one host to another";

export const l2capRows: readonly Row[] = [
  onAir(15, 1),
  onAir(15, 2),
  onAir(100, 1),
  onAir(100, 2),
  {
    name: CEILING,
    unit: "octets",
    prepare: async () => {
      const [[near, out], [back, far]] = [createTransportPair(), createTransportPair()];
      out.onPacket = (packet) => back.send(packet);
      // One copy of each octet on either side, and nothing that makes a channel of it: no credits, no checks, no queue.
      const length = FRAMES * MPS;
      let sdu = new Uint8Array(length);
      let at = 0;
      far.onPacket = (packet) => {
        sdu.set(packet.subarray(PDU_OFFSET), at);
        at += MPS;
        if (at < length) return;
        sink.octets += sdu.length;
        sdu = new Uint8Array(length);
        at = 0;
      };
      const source = new Uint8Array(length);
      return (count) => {
        for (let octets = 0; octets < count; octets += length)
          for (let from = 0; from < length; from += MPS) {
            const frame = allocateFrame(PDU_OFFSET + MPS);
            frame.set(source.subarray(from, from + MPS), PDU_OFFSET);
            near.send(frame);
          }
      };
    },
  },
  {
    name: "l2cap: channel between two hosts, no radio",
    unit: "octets",
    ceiling: CEILING,
    prepare: async () => transfer(...(await wiredChannel())),
  },
  {
    name: "l2cap: channel between two hosts, awaited",
    unit: "octets",
    ceiling: CEILING,
    prepare: async () => exchange(...(await wiredChannel())),
  },
  {
    name: "l2cap: channel between two hosts, streams",
    unit: "octets",
    ceiling: CEILING,
    prepare: async () => stream(...(await wiredChannel())),
  },
  {
    name: "l2cap: channel, two virtual controllers, no radio",
    unit: "octets",
    ceiling: CEILING,
    prepare: async () => {
      const air = new SimulatedAir({ seed: 1, mode: "instant", traceCapacity: 0 });
      const { central, peripheral } = await air.connectedPair();
      const accepted = new Promise<CreditBasedChannel>((resolve) => {
        peripheral.device.l2cap.listen(SPSM).onChannel = resolve;
      });
      const near = await central.connection.l2cap.connect(SPSM);
      await air.advance(1000); // procedures that start by themselves are over
      return transfer(near, await accepted);
    },
  },
];

/** Whole SDUs from one end to the other, until so many octets have arrived. */
function transfer(near: CreditBasedChannel, far: CreditBasedChannel): (count: number) => Promise<void> {
  let octets = 0;
  far.onSdu = (sdu) => {
    octets += sdu.length;
  };
  const sdu = new Uint8Array(near.peerMtu);
  return async (count) => {
    for (octets = 0; octets < count; ) if (!near.trySend(sdu)) await near.whenWritable();
  };
}

/** As a program does it: each SDU is awaited, at both ends. */
function exchange(near: CreditBasedChannel, far: CreditBasedChannel): (count: number) => Promise<void> {
  const sdu = new Uint8Array(near.peerMtu);
  return async (count) => {
    const sending = (async () => {
      for (let octets = 0; octets < count; octets += sdu.length) await near.send(sdu);
    })();
    for (let octets = 0; octets < count; ) octets += (await far.receive())!.length;
    await sending;
  };
}

/** Through Web Streams, 64 KiB written at a time. */
function stream(near: CreditBasedChannel, far: CreditBasedChannel): (count: number) => Promise<void> {
  const writer = near.streams().writable.getWriter();
  const reader = far.streams().readable.getReader();
  const chunk = new Uint8Array(65_536);
  return async (count) => {
    const sending = (async () => {
      for (let octets = 0; octets < count; octets += chunk.length)
        await writer.write(chunk.subarray(0, Math.min(chunk.length, count - octets)));
    })();
    for (let octets = 0; octets < count; ) octets += (await reader.read()).value!.length;
    await sending;
  };
}
