import { mkdirSync, readFileSync } from "node:fs";
import { toHex } from "jelling/bytes";
import { describe, expect, test } from "vitest";
import { isFull } from "../../../../test/support/left-out.ts";
import { Deaths, watchFiles } from "../../test/crashes.ts";
import { HistoryMaker, MadeSource, SET } from "../../test/made-history.ts";
import { keptOctets, NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import type { ReceivedRecord } from "../history/source.ts";
import { syncHistory } from "./sync.ts";

const CLOCK = { differenceS: 3600, atMs: NOW_MS };
const octets = (records: readonly ReceivedRecord[]): [number, string][] =>
  records.map(({ bytes, record }) => [record.sequenceNumber, toHex(bytes)]);

/** What a sync without an interruption makes of the records: instants, local times, gaps. */
async function undisturbed(records: readonly ReceivedRecord[], path: string) {
  using store = await openStore(path);
  const history = store.pump(SERIAL);
  await syncHistory(history, new MadeSource(records), { clockDifference: CLOCK });
  return { rows: rowsOf([...history.records()]), gaps: history.gaps() };
}
const rowsOf = (records: readonly { ref: { sequenceNumber: number }; atMs: number | undefined; local: string | undefined }[]) =>
  records.map(({ ref, atMs, local }) => [ref.sequenceNumber, atMs, local]);

const COUNT = isFull ? 400 : 80;
const PAGE = isFull ? 40 : 24;
const made = (): ReceivedRecord[] => {
  const maker = new HistoryMaker().days(COUNT / 2).skip(2);
  return maker.reference(SET, "2031-03-02T20:00:00").days(COUNT).records;
};

describe("a process that dies", () => {
  test("at any statement, has lost nothing that a page brought, and what follows is as if it had lived", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.join("dead"));
    const records = made();
    const expected = await undisturbed(records, folder.join("whole.sqlite"));
    const path = folder.join("pump.sqlite");
    const deaths = new Deaths(path, folder.join("dead"));
    {
      let hasChanged = true;
      using _watch = watchFiles(folder.path, () => {
        hasChanged = true;
      });
      const onStatement = (): void => {
        deaths.take(hasChanged);
        hasChanged = false;
      };
      using store = await openStore(path, {}, { onStatement });
      await syncHistory(store.pump(SERIAL), new MadeSource(records, { pageSize: PAGE }), { clockDifference: CLOCK });
    }
    expect(deaths.moments).toBeGreaterThan(records.length);
    let most = 0;
    for (const dead of deaths.folders) {
      using store = await openStore(dead);
      expect(store.isSound()).toBe(true);
      const history = store.pump(SERIAL);
      const kept = keptOctets(history);
      const all = new Map(octets(records));
      expect(kept.every(([seq, bytes]) => all.get(seq) === bytes)).toBe(true);
      expect(kept.length).toBeGreaterThanOrEqual(most); // later deaths have no less
      most = kept.length;
      await syncHistory(history, new MadeSource(records, { pageSize: PAGE }), { clockDifference: CLOCK });
      expect(keptOctets(history)).toEqual(octets(records));
      expect({ rows: rowsOf([...history.records()]), gaps: history.gaps() }).toEqual(expected);
    }
  });

  test("at any write to the disk, or in the middle of one, the same; the beginning and the end of the database too", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.join("dead"));
    const records = made();
    const expected = await undisturbed(records, folder.join("whole.sqlite"));
    const path = folder.join("pump.sqlite");
    const deaths = new Deaths(path, folder.join("dead"));
    const changes: string[] = [];
    {
      using _watch = watchFiles(folder.path, ({ kind, path: changed, bytes, at }) => {
        if (!changed.startsWith(path)) return; // while it is made it has another name
        changes.push(kind);
        deaths.take();
        if (!bytes || at === undefined) return;
        const half = bytes.subarray(0, Math.ceil(bytes.length / 2));
        const now = new Uint8Array(readFileSync(changed));
        const torn = new Uint8Array(Math.max(now.length, at + half.length));
        torn.set(now);
        torn.set(half, at);
        deaths.take(true, { [changed.slice(path.length)]: torn });
      });
      using store = await openStore(path, {}, { onOpen: (db) => db.all("PRAGMA wal_autocheckpoint = 8") });
      await syncHistory(store.pump(SERIAL), new MadeSource(records, { pageSize: PAGE }), { clockDifference: CLOCK });
    }
    deaths.take();
    expect(changes).toEqual(expect.arrayContaining(["write", "sync", "unlink"]));
    const every = isFull ? 1 : Math.ceil(deaths.folders.length / 24);
    for (const dead of deaths.folders.filter((_, i) => (deaths.folders.length - 1 - i) % every === 0)) {
      using store = await openStore(dead);
      const history = store.pump(SERIAL);
      await syncHistory(history, new MadeSource(records, { pageSize: 2 * PAGE }), { clockDifference: CLOCK });
      expect(store.isSound()).toBe(true);
      expect(keptOctets(history)).toEqual(octets(records));
      expect({ rows: rowsOf([...history.records()]), gaps: history.gaps() }).toEqual(expected);
    }
  });

  test("with its computer, keeps every page that was told to be there", async () => {
    using folder = new TemporaryFolder();
    mkdirSync(folder.join("dead"));
    const records = made();
    const path = folder.join("pump.sqlite");
    const flushed: Record<string, Uint8Array | undefined> = {};
    const deaths = new Deaths(path, folder.join("dead"));
    const told: number[] = [];
    {
      const isFlushed = (changed: string): void => {
        flushed[changed.slice(path.length)] = new Uint8Array(readFileSync(changed));
      };
      using _watch = watchFiles(folder.path, ({ kind, path: changed }) => {
        if (kind === "sync" && changed.startsWith(path)) isFlushed(changed);
      });
      using store = await openStore(path);
      isFlushed(path);
      const history = store.pump(SERIAL);
      await syncHistory(history, new MadeSource(records, { pageSize: PAGE }), {
        onProgress: (progress) => {
          told.push(progress.records);
          deaths.take(true, flushed);
        },
      });
    }
    expect(deaths.folders).toHaveLength(told.length);
    for (const [i, dead] of deaths.folders.entries()) {
      using store = await openStore(dead);
      expect(keptOctets(store.pump(SERIAL))).toHaveLength(told[i]!);
    }
  });
});

describe("a full disk", () => {
  test("is told, loses nothing, and what was in the way being gone the sync goes on", async () => {
    using folder = new TemporaryFolder();
    const records = made();
    let limit: ((pages: number) => void) | undefined;
    const onOpen = (db: { all(sql: string): unknown }): void => {
      limit = (pages) => void db.all(`PRAGMA max_page_count = ${pages}`);
    };
    using store = await openStore(folder.join("pump.sqlite"), {}, { onOpen });
    const history = store.pump(SERIAL);
    let pagesBefore = 0;
    const source = new MadeSource(records, { pageSize: PAGE });
    source.onTransfer = (_first, _last, transfers) => {
      if (transfers === 2) limit!(1); // no fewer than there are
    };
    const failed = syncHistory(history, source, { clockDifference: CLOCK, onProgress: ({ records: count }) => (pagesBefore = count) });
    await expect(failed).rejects.toMatchObject({ code: "ERR_PUMP_STORE_FULL" });
    expect(keptOctets(history)).toEqual(octets(records).slice(0, pagesBefore));
    expect(() => history.beginLink()).not.toThrow(); // a row that fits
    limit!(1_000_000);
    await syncHistory(history, source, { clockDifference: CLOCK });
    expect(keptOctets(history)).toEqual(octets(records));
    expect(store.isSound()).toBe(true);
  });

  test.each([
    ["write", "ENOSPC"],
    ["sync", "EIO"],
  ] as const)("or one that fails at any %s (%s) is told; the next sync puts it right", async (kind, code) => {
    const records = made().slice(0, 70);
    for (let failAt = 0; failAt < (isFull ? 400 : 24); failAt += isFull ? 1 : 3) {
      using folder = new TemporaryFolder();
      using store = await openStore(folder.join("pump.sqlite"));
      const history = store.pump(SERIAL);
      let count = 0;
      const source = new MadeSource(records, { pageSize: PAGE });
      {
        using _watch = watchFiles(folder.path, (change) => {
          if (change.kind === kind && ++count > failAt) throw Object.assign(new Error(code), { code });
        });
        await syncHistory(history, source, { clockDifference: CLOCK }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_PUMP_STORE_(IO|FULL)$/) as string });
        });
      }
      await syncHistory(history, source, { clockDifference: CLOCK });
      expect(keptOctets(history)).toEqual(octets(records));
      expect(store.isSound()).toBe(true);
      if (count <= failAt) break;
    }
  });
});
