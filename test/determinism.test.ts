import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type Air, type AirOptions, traceLine } from "../src/air/index.ts";
import { SeededRandom } from "../src/core/index.ts";
import {
  Disconnect,
  DisconnectionComplete,
  LeConnectionComplete,
  LeConnectionUpdate,
  LeCreateConnection,
  LeSetAdvertisingEnable,
  LeSetScanEnable,
} from "../src/hci/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import type { RawHost } from "./support/raw-host.ts";
import { advertise, createConnection, makeAir, makeHost, scan } from "./support/raw-pair.ts";

/** A whole scenario through every layer: advertising, connecting, pairing, discovery, values both ways. */
async function scenario(seed: number, options: Partial<AirOptions> = {}): Promise<string> {
  await using air = new SimulatedAir({ seed, loss: 0.1, ...options });
  const { central, peripheral } = await air.connectedPair({ connect: { supervisionTimeoutMs: 20_000 } });
  const service = peripheral.gattServer.addService({
    uuid: "180d",
    characteristics: [
      { uuid: "2a37", properties: ["read", "notify"], value: Uint8Array.of(0, 60) },
      { uuid: "2a39", properties: ["write"], write: () => {}, permissions: { write: "encrypted" } },
    ],
  });
  await central.connection.pair();
  const rate = await central.gatt.characteristic("180d", "2a37");
  const point = await central.gatt.characteristic("180d", "2a39");
  await point.write(Uint8Array.of(1));
  const values: Uint8Array[] = [];
  const subscription = await rate.subscribe((value) => void values.push(value.slice()));
  for (let i = 0; i < 10; i++) {
    await service.characteristics[0]!.notify(Uint8Array.of(0, i));
    await air.advance(40);
  }
  await air.advance(1000);
  await subscription[Symbol.asyncDispose]();
  expect(values).toHaveLength(10);
  await central.connection.disconnect();
  return air.air.trace.text({ secrets: true });
}

test("the same seed gives the same packets, octet for octet; another seed gives others", async () => {
  const first = await scenario(5);
  const again = await scenario(5);
  const other = await scenario(6);
  expect(first.length).toBeGreaterThan(10_000);
  expect(sha256(again)).toBe(sha256(first));
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test("scenarios that run at the same time do not touch each other", async () => {
  const [a, b] = await Promise.all([scenario(5), scenario(5)]);
  expect(a).toBe(b);
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What hosts do next: 0 advertise, 1 scan, 2 connect, 3 and 4 send, 5 update, 6 stop, 7 disconnect. */
const EVERYTHING = [0, 1, 2, 3, 4, 5, 6, 7];
const LINKS = [3, 3, 3, 3, 3, 3, 5, 6, 7];
/** Everything once more, so far apart that not all hear each other. */
const APART = [...EVERYTHING];

/** Random hosts in a random air. What is done depends on the seed alone. */
async function wild(seed: number, options: Partial<AirOptions>, actions: readonly number[]): Promise<string> {
  const { air, clock } = makeAir({ seed, shadowingDb: 6, fadingDb: 4, traceCapacity: 1_000_000, ...options });
  const size = actions === LINKS ? 10 : actions === APART ? 900 : 60;
  const random = new SeededRandom(seed, "scenario");
  const pick = (count: number): number => random.uint32() % count;
  const hosts: { host: RawHost; name: string; address: Parameters<typeof createConnection>[0] }[] = [];
  for (let i = 0; i < 5; i++) {
    const position = { x: pick(size), y: pick(size) };
    const driftPpm = pick(100) - 50;
    const { host, controller } = await makeHost(air, { name: `host${i}`, position, driftPpm });
    hosts.push({ host, name: `host${i}`, address: controller.address });
  }
  if (actions === LINKS) {
    for (const [central, peripheral] of [
      [0, 1],
      [2, 3],
    ] as const) {
      await advertise(hosts[peripheral]!.host, { interval: 32 });
      const latency = pick(4);
      const peer = createConnection(hosts[peripheral]!.address, { interval: 6 + pick(60), latency, timeout: 600 });
      await hosts[central]!.host.command(LeCreateConnection, peer);
      await clock.advance(200);
    }
  }
  for (let step = 0; step < 40; step++) {
    const { host } = hosts[pick(hosts.length)]!;
    const links = host.all(LeConnectionComplete).filter(({ status }) => status === 0);
    const gone = new Set(host.all(DisconnectionComplete).map(({ connectionHandle }) => connectionHandle));
    const handle = links.map(({ connectionHandle }) => connectionHandle).find((connectionHandle) => !gone.has(connectionHandle));
    switch (actions[pick(actions.length)]!) {
      case 0:
        await advertise(host, { interval: 32 + pick(400), type: pick(2) * 3 });
        break;
      case 1:
        await scan(host, { interval: 100 + pick(400), window: 20 + pick(80), active: pick(2) === 1 });
        break;
      case 2: {
        const peer = hosts[pick(hosts.length)]!;
        const latency = pick(4);
        await host.command(LeCreateConnection, createConnection(peer.address, { interval: 6 + pick(60), latency, timeout: 200 }));
        break;
      }
      case 3:
      case 4:
        for (let i = pick(10); handle !== undefined && i >= 0; i--) host.sendAcl(handle, new Uint8Array(1 + pick(80)).fill(step));
        break;
      case 5:
        if (handle !== undefined)
          await host.command(LeConnectionUpdate, {
            connectionHandle: handle,
            connectionIntervalMin: 6,
            connectionIntervalMax: 6 + pick(100),
            maxLatency: pick(4),
            supervisionTimeout: 300,
            minCeLength: 0,
            maxCeLength: 0,
          });
        break;
      case 6:
        await host.command(LeSetScanEnable, { leScanEnable: false, filterDuplicates: false });
        await host.command(LeSetAdvertisingEnable, { advertisingEnable: false });
        break;
      case 7:
        if (handle !== undefined && pick(4) === 0) await host.command(Disconnect, { connectionHandle: handle, reason: 0x13 });
        break;
    }
    await clock.advance(random.unit() * (pick(5) === 0 ? 8_000 : 500));
  }
  const text = seenByHosts(air);
  air[Symbol.dispose]();
  return text;
}

/** What hosts saw, and the packets on air that carried something to somebody. */
function seenByHosts({ trace }: Air): string {
  const idle = (pdu: Uint8Array, channel: number): boolean => channel < 37 && pdu.length === 2;
  return trace.entries
    .filter((entry) => entry.kind === "hci" || (entry.receivedBy.length > 0 && !idle(entry.pdu, entry.channel)))
    .map((entry) => traceLine(entry, { secrets: true }))
    .join("\n");
}

test.each([EVERYTHING, LINKS, APART].flatMap((actions) => [0, 1, 2].flatMap((seed) => [0, 0.05].map((loss) => ({ seed, loss, actions })))))(
  "passing over idle time changes nothing that is seen, seed $seed, loss $loss",
  async ({ seed, loss, actions }) => {
    const skipped = await wild(seed, { idle: "skip", loss }, actions);
    const simulated = await wild(seed, { idle: "simulate", loss }, actions);
    expect(skipped.length).toBeGreaterThan(1000);
    expect(skipped === simulated ? "the same" : firstDifference(skipped, simulated)).toBe("the same");
  },
);

function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split("\n"), b.split("\n")];
  const at = left.findIndex((line, i) => line !== right[i]);
  return `line ${at}\nskipped:\n${left.slice(at - 2, at + 3).join("\n")}\nsimulated:\n${right.slice(at - 2, at + 3).join("\n")}`;
}
