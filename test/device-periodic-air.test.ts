import { describe, expect, test } from "vitest";
import { delay } from "../src/async/index.ts";
import type { Device } from "../src/device/index.ts";
import type { Advertising, ReceivedSync, SyncTarget } from "../src/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";

// Periodic advertising from host to host, through virtual controllers and the air between them.

const octets = (length: number, first = 0) => Uint8Array.from({ length }, (_, i) => first + i);
const controller = { features: { periodicAdvertising: true } };
const makeAir = (seed: number) => new SimulatedAir({ seed, controller });
const SET = { type: "extended", connectable: false, intervalMs: 50 } as const;
const targetOf = ({ ownAddress, sid }: Advertising): SyncTarget => ({ address: ownAddress!, sid });

/** The first advertisement of a device that tells of periodic advertising. */
async function heard(scanner: Device) {
  for await (const advertisement of scanner.scan({ active: false }))
    if (advertisement.periodicIntervalMs !== undefined) return advertisement;
  throw new Error("the scan ended");
}

describe("a train", () => {
  test("is found by the advertisement that tells of it, and heard whole whatever its length", async () => {
    await using air = makeAir(1);
    const [sender, follower] = [await air.device({ name: "sender" }), await air.device({ name: "follower" })];
    const advertising = await sender.advertise(SET);
    const periodic = await advertising.startPeriodic({ intervalMs: 100, data: { name: "Kitchen" } });
    const advertisement = await heard(follower);
    expect([advertisement.sid, advertisement.periodicIntervalMs]).toEqual([advertising.sid, 100]);
    await using sync = await follower.synchronize(advertisement);
    expect([sync.sid, sync.intervalMs, sync.phy, sync.address.equals(sender.address), sync.subevents]).toEqual([
      advertising.sid,
      100,
      "1M",
      true,
      undefined,
    ]);
    const reports = sync.reports();
    expect((await reports.next()).value!.data.name).toBe("Kitchen");
    await periodic.update(octets(200));
    let last = (await reports.next()).value!;
    while (last.data.bytes.length !== 200) last = (await reports.next()).value!;
    expect([last.status, last.data.bytes, last.rssiDbm! < 0]).toEqual(["complete", octets(200), true]);
  });

  test.each([252, 1000])("of %i octets comes whole", async (length) => {
    await using air = makeAir(2);
    const [sender, follower] = [await air.device(), await air.device()];
    const advertising = await sender.advertise({ ...SET, secondaryPhy: "2M" });
    await advertising.startPeriodic({ intervalMs: 100, data: octets(length), includeTxPower: true });
    await using sync = await follower.synchronize(targetOf(advertising));
    const { value } = await sync.reports().next();
    expect([sync.phy, value!.status, value!.data.bytes, value!.txPowerDbm]).toEqual(["2M", "complete", octets(length), 0]);
  });

  test.each([0, 1, 500])("that is looked for when the device closes, %i ms later: the device was closed, whoever waits", async (ms) => {
    await using air = makeAir(9);
    const follower = await air.device();
    const target = { address: "00:00:00:00:00:99", sid: 1 } as const;
    const both = [follower.synchronize(target), follower.synchronize({ ...target, sid: 2 })].map((found) => found.catch((error) => error));
    if (ms > 0) await delay(air.clock, ms);
    await follower.close();
    expect((await Promise.all(both)).map(({ code }) => code)).toEqual(["ERR_CLOSED", "ERR_CLOSED"]);
  });

  test("tells the same data once where that is asked for", async () => {
    await using air = makeAir(3);
    const [sender, follower] = [await air.device(), await air.device()];
    const advertising = await sender.advertise(SET);
    const periodic = await advertising.startPeriodic({ intervalMs: 50, data: octets(3), adi: true });
    await using sync = await follower.synchronize(targetOf(advertising), { duplicates: "filter" });
    const told: number[] = [];
    void (async () => {
      for await (const { data } of sync.reports()) told.push(data.bytes.length);
    })();
    await delay(air.clock, 1000);
    expect(told).toEqual([3]);
    await periodic.update(octets(4));
    await delay(air.clock, 1000);
    expect(told).toEqual([3, 4]);
  });

  test("that stops is lost after the sync timeout, and may be found again", async () => {
    await using air = makeAir(4);
    const [sender, follower] = [await air.device(), await air.device()];
    const advertising = await sender.advertise(SET);
    const periodic = await advertising.startPeriodic({ intervalMs: 100 });
    const sync = await follower.synchronize(targetOf(advertising), { syncTimeoutMs: 1000 });
    await delay(air.clock, 5000);
    expect(sync.active).toBe(true);
    await periodic.stop();
    const before = air.nowMs;
    expect((await sync.closed).error?.code).toBe("ERR_SYNC_LOST");
    expect(air.nowMs - before).toBeLessThan(1200);
    await expect(follower.synchronize(targetOf(advertising), { timeoutMs: 1000 })).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
    await advertising.startPeriodic({ intervalMs: 100 });
    await using again = await follower.synchronize(targetOf(advertising));
    expect(again.active).toBe(true);
  });

  test("goes on under new private addresses of its sender, and through a reset as a new one", async () => {
    await using air = makeAir(5);
    const sender = await air.device({ privateAddressIntervalMs: 5000 });
    const follower = await air.device();
    const advertising = await sender.advertise({ ...SET, ownAddress: "resolvable" });
    await advertising.startPeriodic({ intervalMs: 100, data: octets(3) });
    const first = advertising.ownAddress!;
    const sync = await follower.synchronize(targetOf(advertising), { syncTimeoutMs: 1000 });
    await delay(air.clock, 12_000);
    expect([advertising.ownAddress!.equals(first), sync.active]).toEqual([false, true]);
    await sender.hci.reset();
    expect((await sync.closed).reason).toBe("lost");
    await using again = await follower.synchronize(targetOf(advertising));
    expect((await again.reports().next()).value!.data.bytes).toEqual(octets(3));
  });

  test("several at once: each call waits for its turn, and one of a list is taken", async () => {
    await using air = makeAir(6);
    const [sender, follower] = [await air.device(), await air.device()];
    const targets: SyncTarget[] = [];
    for (const sid of [3, 4, 5]) {
      const advertising = await sender.advertise({ ...SET, sid });
      await advertising.startPeriodic({ intervalMs: 60, data: octets(sid) });
      targets.push(targetOf(advertising));
    }
    const [a, b] = await Promise.all([follower.synchronize(targets[0]!), follower.synchronize(targets[1]!)]);
    await using c = await follower.synchronize([{ address: follower.address, sid: 1 }, targets[2]!]);
    for (const sync of [a, b, c]) expect((await sync.reports().next()).value!.data.bytes).toEqual(octets(sync.sid));
    await a.stop();
    expect([a.active, b.active, c.active]).toEqual([false, true, true]);
    await b.stop();
  });
});

describe("what is handed over", () => {
  async function pair(air: SimulatedAir) {
    const { central, peripheral } = await air.connectedPair({ central: { policy: { syncTransfers: {} } } });
    const received = new Promise<ReceivedSync>((resolve) => void central.connection.on("sync", resolve));
    return { central, peripheral, received };
  }

  test("by the sender is followed without scanning", async () => {
    await using air = makeAir(7);
    const { peripheral, received } = await pair(air);
    const advertising = await peripheral.device.advertise(SET);
    const periodic = await advertising.startPeriodic({ intervalMs: 100, data: octets(5) });
    await periodic.transferTo(peripheral.connection, 0xbeef);
    const { sync, serviceData } = await received;
    expect([serviceData, sync.sid, (await sync.reports().next()).value!.data.bytes]).toEqual([0xbeef, advertising.sid, octets(5)]);
    await sync.stop();
  });

  test("by another follower is followed too, and outlives the link", async () => {
    await using air = makeAir(8);
    const { central, peripheral, received } = await pair(air);
    const sender = await air.device({ name: "sender" });
    const advertising = await sender.advertise(SET);
    await advertising.startPeriodic({ intervalMs: 100, data: octets(5) });
    await using own = await peripheral.device.synchronize(targetOf(advertising));
    await own.transferTo(peripheral.connection, 1);
    const { sync } = await received;
    await central.connection.disconnect();
    await delay(air.clock, 5000);
    expect([sync.active, sync.address.equals(sender.address)]).toEqual([true, true]);
    await sync.stop();
  });

  test("to a link that takes nothing is ignored", async () => {
    await using air = makeAir(9);
    const { central, peripheral } = await pair(air);
    await central.connection.acceptSyncs("ignore");
    let received = 0;
    central.connection.on("sync", () => received++);
    const advertising = await peripheral.device.advertise(SET);
    const periodic = await advertising.startPeriodic({ intervalMs: 100 });
    await periodic.transferTo(peripheral.connection);
    await delay(air.clock, 5000);
    expect(received).toBe(0);
  });
});

describe("with responses", () => {
  test("followers hear their subevent and answer in their slots", async () => {
    await using air = makeAir(10);
    const sender = await air.device({ name: "sender" });
    const advertising = await sender.advertise(SET);
    const asked = new Map<number, number>();
    await using periodic = await advertising.startPeriodic({
      intervalMs: 200,
      subevents: { count: 4, intervalMs: 40, responses: { delayMs: 10, spacingMs: 2, count: 8 } },
      onSubevent: (subevent) => {
        asked.set(subevent, (asked.get(subevent) ?? 0) + 1);
        return { manufacturerData: [{ companyIdentifier: 0xffff, data: Uint8Array.of(subevent) }] };
      },
    });
    const labels = await Promise.all(
      [
        { group: 1, slot: 2 },
        { group: 1, slot: 5 },
        { group: 3, slot: 0 },
      ].map(async ({ group, slot }) => {
        const label = await air.device({ name: `label ${group} ${slot}` });
        const sync = await label.synchronize(targetOf(advertising));
        await sync.selectSubevents([group]);
        void (async () => {
          for await (const report of sync.reports()) {
            expect([report.subevent, report.data.manufacturerData[0]?.data]).toEqual([group, Uint8Array.of(group)]);
            await sync.respond({ to: report, slot, data: { name: `${group}.${slot}` } });
          }
        })().catch(() => undefined); // too late, or lost with the air
        return sync;
      }),
    );
    expect(labels[0]!.subevents).toEqual({ count: 4, intervalMs: 40, responses: { delayMs: 10, spacingMs: 2 } });
    const told = new Set<string>();
    for await (const { subevent, slot, status, data } of periodic.responses()) {
      if (status !== "complete") continue;
      expect(data.name).toBe(`${subevent}.${slot}`);
      told.add(data.name!);
      if (told.size === 3) break;
    }
    expect([...told].sort()).toEqual(["1.2", "1.5", "3.0"]);
    expect([...asked.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    for (const label of labels) await label.stop();
  });

  async function train(air: SimulatedAir) {
    const sender = await air.device({ name: "sender" });
    const label = await air.device({ name: "label" });
    const advertising = await sender.advertise(SET);
    const periodic = await advertising.startPeriodic({
      intervalMs: 100,
      subevents: { count: 2, intervalMs: 40, responses: { delayMs: 10, spacingMs: 2, count: 4 } },
      onSubevent: () => octets(1),
    });
    return { sender, label, periodic, target: targetOf(advertising) };
  }

  test("a follower is connected to in its subevent, by a policy of that synchronization", async () => {
    await using air = makeAir(11);
    const { sender, label, periodic, target } = await train(air);
    await using sync = await label.synchronize(target, { policy: { att: { maxTxPdu: 50 } } });
    await sync.selectSubevents([1]);
    const taken = label.connections().next();
    const connection = await sender.connect(label.address, { through: { periodic, subevent: 1 } });
    const { value: atLabel } = await taken;
    expect([connection.role, connection.peerAddress.equals(label.address)]).toEqual(["central", true]);
    expect([atLabel!.role, atLabel!.peerAddress.equals(sender.address), atLabel!.policy.att]).toEqual([
      "peripheral",
      true,
      { maxTxPdu: 50 },
    ]);
    const name = await connection.gatt.characteristic("1800", "2A00");
    expect(new TextDecoder().decode(await name.read())).toBe("label");
    await connection.disconnect();
    expect([sync.active, periodic.active]).toEqual([true, true]);
  });

  test("a follower that takes no links has none, and one that is not there is not connected to", async () => {
    await using air = makeAir(12);
    const { sender, label, periodic, target } = await train(air);
    await using sync = await label.synchronize(target);
    await sync.selectSubevents([1]);
    const links: unknown[] = [];
    label.onConnection((connection) => links.push(connection));
    await expect(sender.connect(label.address, { through: { periodic, subevent: 1 }, timeoutMs: 1000 })).rejects.toThrow();
    const absent = sender.connect("00:00:00:00:00:77", { through: { periodic, subevent: 0 }, timeoutMs: 1000 });
    await expect(absent).rejects.toMatchObject({ code: "ERR_HCI", status: 0x3e });
    expect(links).toEqual([]);
    for (const wrong of [{ periodic, subevent: 2 }, { periodic: {}, subevent: 0 }, { periodic }, { periodic, subevent: 0, slot: 1 }, null])
      await expect(sender.connect(label.address, { through: wrong as never })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    const both = [label.address, sender.address];
    await expect(sender.connect(both, { through: { periodic, subevent: 0 } })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
    await periodic.stop();
    await expect(sender.connect(label.address, { through: { periodic, subevent: 1 } })).rejects.toMatchObject({ code: "ERR_STATE" });
  });
});
