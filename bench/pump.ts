import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PumpConnector } from "../apps/minimed/src/connector/pump-connector.ts";
import type { HistorySource } from "../apps/minimed/src/history/source.ts";
import { inventKeys } from "../apps/minimed/src/simulator/keys.ts";
import { SimulatedPump } from "../apps/minimed/src/simulator/simulated-pump.ts";
import { inventPumpIdentity } from "../apps/minimed/src/simulator/simulated-pump-options.ts";
import { PumpStore, type SyncOptions, syncHistory } from "../apps/minimed/src/store/index.ts";
import { delay } from "../src/async/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import type { Row, Simulated } from "./harness.ts";

const SEED = 1;
/** A day has about 900 records. */
const DAYS = 23;
/** What SAKE puts around a record. */
const FRAME_OCTETS = 3;
/** As a pump connects. */
const LINK = { intervalMs: 125, latency: 0, supervisionTimeoutMs: 3000 } as const;
const ATT = { mtu: 184, exchangeMtu: "on-demand" } as const;

interface Synced {
  readonly records: number;
  readonly lengths: readonly number[];
  /** Of simulated time. */
  readonly ms: number;
  readonly cpuSeconds: number;
}

/** About a third of a day. */
const NEWEST_RECORDS = 300;

interface SyncedPump {
  /** A sync from the first question about the history to the last record in the database. */
  sync(options?: Pick<SyncOptions, "pageSize" | "order">): Promise<Synced>;
  /** Has so many records of the pump be in the database, the oldest. */
  skip(left: number): Promise<void>;
}

async function withPump<T>(use: (pump: SyncedPump) => Promise<T>): Promise<T> {
  await using air = new SimulatedAir({ seed: SEED, traceCapacity: 0 });
  const { clock } = air;
  const phone = air.addController({ name: "phone" });
  const controller = air.addController({ name: "pump", position: { x: 1, y: 0 }, address: inventPumpIdentity(SEED).address });
  const keys = inventKeys(air.random("keys"));
  await using pump = await SimulatedPump.open({
    ...{ transport: controller.transport, clock, random: air.random("pump"), seed: SEED, keyDatabase: keys.pump, historyDays: DAYS },
  });
  await using connector = await PumpConnector.open({
    ...{ controller: phone.transport, clock, random: air.random("phone"), keyDatabase: keys.phone, mode: "pair" },
  });
  const [{ session }] = await Promise.all([connector.session(), pump.pairNewPhone()]);
  const folder = mkdtempSync(join(tmpdir(), "jelling-bench-"));
  try {
    using store = await PumpStore.open(join(folder, "pump.sqlite"));
    const history = store.pump("pump");
    const clockDifference = { differenceS: 0, atMs: Date.now() };
    return await use({
      sync: async (options) => {
        const before = history.recordCount;
        // What was done before wants a pause.
        await delay(clock, 1000);
        const [startMs, start] = [clock.now(), process.cpuUsage()];
        const { records } = await syncHistory(history, session, { clockDifference, ...options });
        const { user, system } = process.cpuUsage(start);
        const lengths = [...history.records()].slice(before).map(({ bytes }) => bytes.length);
        return { records, lengths, ms: clock.now() - startMs, cpuSeconds: (user + system) / 1e6 };
      },
      skip: async (left) => {
        const { first, last } = (await session.historyBounds())!;
        const source: HistorySource = {
          historyBounds: () => session.historyBounds(),
          history: (range) => session.history({ ...range, first, last: last - left, order: "oldest" }),
        };
        await syncHistory(history, source, { clockDifference });
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds that such a link needs for values of these lengths, one upon the other, with nobody who asks for them. */
async function carry(lengths: readonly number[]): Promise<number> {
  await using air = new SimulatedAir({ seed: SEED, traceCapacity: 0 });
  const { clock } = air;
  const policy = { att: ATT, dataLength: "never" } as const;
  const pump = await air.device({ name: "pump", att: ATT });
  const phone = await air.device({ name: "phone", att: ATT });
  const service = pump.gattServer.addService({ uuid: "fff0", characteristics: [{ uuid: "fff1", properties: ["notify"] }] });
  await phone.advertise({ data: { name: "phone" }, policy });
  const connected = new Promise<Awaited<ReturnType<typeof pump.connect>>>((resolve) => phone.onConnection(resolve));
  const connection = await pump.connect(phone.identity, { ...LINK, policy });
  await connection.pair();
  const back = await connected;
  const [history] =
    (await back.gatt.services({ uuid: "fff0" })).length > 0 ? [await (await back.gatt.service("fff0"))!.characteristic("fff1")] : [];
  let arrived = 0;
  await history!.subscribe(() => arrived++);
  await connection.att.exchangeMtu();
  const startMs = clock.now();
  const characteristic = service.characteristic("fff1")!;
  for (const length of lengths) {
    if (!connection.att.writable) await connection.att.whenWritable();
    await characteristic.notify(new Uint8Array(length + FRAME_OCTETS));
  }
  while (arrived < lengths.length) await delay(clock, 1);
  return clock.now() - startMs;
}

/** A history of more than 20,000 records into the database, and the newest records of it, in simulated time. */
export const pumpRows: readonly Row[] = [
  {
    name: "pump: history at 125 ms, into the database",
    unit: "records",
    async simulate(): Promise<Simulated> {
      const pages = await withPump((pump) => pump.sync({ pageSize: 400, order: "newest" }));
      const { records, lengths, ms, cpuSeconds } = await withPump((pump) => pump.sync());
      const linkMs = await carry(lengths);
      return { rate: (records * 1000) / ms, oneAtATime: (pages.records * 1000) / pages.ms, limit: (records * 1000) / linkMs, cpuSeconds };
    },
  },
  {
    name: `pump: a later sync of ${NEWEST_RECORDS} records`,
    unit: "syncs",
    async simulate(): Promise<Simulated> {
      const later = (order: "newest" | "oldest"): Promise<Synced> =>
        withPump(async (pump) => {
          await pump.skip(NEWEST_RECORDS);
          return await pump.sync({ order });
        });
      const [inPages, { lengths, ms, cpuSeconds }] = [await later("newest"), await later("oldest")];
      return { rate: 1000 / ms, oneAtATime: 1000 / inPages.ms, limit: 1000 / (await carry(lengths)), cpuSeconds };
    },
  },
];
