import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Logger, LogLevel } from "jelling/core";
import { describe, expect, test } from "vitest";
import { HistoryMaker, MadeSource } from "../../test/made-history.ts";
import { keptOctets, NOW_MS, openStore, SERIAL, TemporaryFolder } from "../../test/temporary-store.ts";
import { defaultStorePath } from "./location.ts";
import { PumpStore } from "./pump-store.ts";
import { MIGRATIONS, type Migration } from "./schema.ts";
import { loadSqlite, SqlDatabase } from "./sqlite.ts";
import { syncHistory } from "./sync.ts";

const RANGE = { fromMs: 0, toMs: NOW_MS };
const { records } = new HistoryMaker().days(40);
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test("the default place is the user's data folder", () => {
  const linux = (environment: Record<string, string>) => defaultStorePath({ platform: "linux", environment });
  expect(linux({ XDG_DATA_HOME: "/data" })).toBe("/data/jelling/pump.sqlite");
  expect(linux({ XDG_DATA_HOME: "data" })).toBe(join(homedir(), ".local/share/jelling/pump.sqlite"));
  expect(linux({})).toBe(join(homedir(), ".local/share/jelling/pump.sqlite"));
  expect(defaultStorePath({ platform: "darwin", environment: {} })).toBe(
    join(homedir(), "Library/Application Support/jelling/pump.sqlite"),
  );
  expect(defaultStorePath({ platform: "darwin", environment: { XDG_DATA_HOME: "/data" } })).toBe("/data/jelling/pump.sqlite");
  expect(defaultStorePath({ platform: "win32", environment: { LOCALAPPDATA: "/local" } })).toBe(join("/local", "jelling", "pump.sqlite"));
  expect(defaultStorePath({ platform: "win32", environment: {} })).toBe(join(homedir(), "AppData", "Local", "jelling", "pump.sqlite"));
  expect(defaultStorePath()).toMatch(/jelling.pump\.sqlite$/);
});

describe("opening", () => {
  test("makes file and folder for nobody but their user, and the file is no one's who is not asked", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("a", "b", "pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
      for (const name of readdirSync(folder.join("a", "b")).filter((each) => !/socket$|lock$/.test(each)))
        expect([name, mode(folder.join("a", "b", name))]).toEqual([name, "600"]);
      expect([mode(folder.join("a")), mode(folder.join("a", "b"))]).toEqual(["700", "700"]);
    }
    expect(readdirSync(folder.join("a", "b")).sort()).toEqual([".pump.sqlite.owner.1", "pump.sqlite"]);
    chmodSync(path, 0o644);
    using _store = await openStore(path);
    expect(mode(path)).toBe("600");
  });

  test("keeps nothing that tells whose pump it is", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    const lines: string[] = [];
    {
      using store = await openStore(path, { logger: new Logger("", LogLevel.Trace, (_level, _scope, line) => lines.push(line)) });
      const history = store.pump(SERIAL, {
        manufacturer: "M",
        model: "MMT-1884",
        serial: SERIAL,
        hardware: "1",
        firmware: "8.13",
        software: undefined,
      });
      expect(history.pump).toMatch(/^[0-9a-f]{16}$/);
      expect(store.pumps()).toEqual([
        {
          pump: history.pump,
          label: "NG······7H",
          model: "MMT-1884",
          firmware: "8.13",
          hardware: "1",
          software: undefined,
          firstSeenMs: NOW_MS,
          lastSeenMs: NOW_MS,
        },
      ]);
      expect(store.pump(SERIAL)).toBe(history);
      expect(store.history(history.pump)).toBe(history);
      expect(store.history("0123456789abcdef")).toBeUndefined();
      expect(store.pump("NG7654321H").pump).not.toBe(history.pump);
    }
    for (const digits of ["1234567", "7654321"]) {
      expect(readFileSync(path, "latin1")).not.toContain(digits);
      expect(lines.join()).not.toContain(digits);
    }
    using other = await openStore(folder.join("other.sqlite"));
    using again = await openStore(path);
    // Salted: the same pump has another name in another store, and the same one in the same.
    expect(other.pump(SERIAL).pump).not.toBe(again.pump(SERIAL).pump);
    expect(again.pumps().map(({ model }) => model)).toContain("MMT-1884");
  });

  test("what is there is there again", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records), { clockDifference: { differenceS: 0, atMs: NOW_MS } });
    }
    using store = await openStore(path);
    expect(keptOctets(store.pump(SERIAL))).toHaveLength(records.length);
    expect(store.pump(SERIAL).glucose(RANGE).length).toBeGreaterThan(20);
  });

  test.each([
    ["text", "no database at all, but longer than a header", "ERR_PUMP_STORE_FORMAT"],
    ["short text", "SQLite", "ERR_PUMP_STORE_FORMAT"],
  ])("a file of %s is refused and left as it is", async (_, content, code) => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    writeFileSync(path, content);
    for (const readOnly of [false, true]) await expect(openStore(path, { readOnly })).rejects.toMatchObject({ code, path });
    expect(readFileSync(path, "utf8")).toBe(content);
    expect(readdirSync(folder.path).filter((name) => !name.startsWith("."))).toEqual(["pump.sqlite"]);
  });

  test("a damaged database, a folder, a way through a file, another program's database are refused", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    mkdirSync(folder.join("folder"));
    await expect(openStore(folder.join("folder"))).rejects.toMatchObject({ code: "ERR_PUMP_STORE_FORMAT" });
    (await openStore(path)).close();
    await expect(openStore(join(path, "pump.sqlite"))).rejects.toMatchObject({ code: "ERR_PUMP_STORE_FORMAT" });
    const bytes = readFileSync(path);
    bytes.fill(0xff, 100, 4096);
    writeFileSync(folder.join("damaged"), bytes);
    await expect(openStore(folder.join("damaged"))).rejects.toMatchObject({ code: "ERR_PUMP_STORE_DAMAGED" });
    expect(readFileSync(folder.join("damaged")).equals(bytes)).toBe(true);
    const sqlite = await loadSqlite("");
    const foreign = new SqlDatabase(sqlite, folder.join("foreign"));
    foreign.exec("CREATE TABLE song (name TEXT)");
    foreign.close();
    const before = readFileSync(folder.join("foreign"));
    for (const readOnly of [true, false])
      await expect(openStore(folder.join("foreign"), { readOnly })).rejects.toMatchObject({ code: "ERR_PUMP_STORE_FORMAT" });
    expect(readFileSync(folder.join("foreign")).equals(before)).toBe(true);
    // What another program was about to change cannot be played back here.
    writeFileSync(`${path}-journal`, "half of a change");
    for (const readOnly of [true, false])
      await expect(openStore(path, { readOnly })).rejects.toMatchObject({ code: "ERR_PUMP_STORE_DAMAGED", message: /sqlite3/ });
  });

  test("an empty file, and one that another program has put into another journal mode, serve", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    writeFileSync(path, "");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
    }
    const other = new SqlDatabase(await loadSqlite(""), path);
    other.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE");
    other.close();
    using store = await openStore(path);
    expect(keptOctets(store.pump(SERIAL))).toHaveLength(records.length);
  });

  test("a missing package is told by name", async () => {
    using folder = new TemporaryFolder();
    await expect(loadSqlite(folder.path, () => Promise.reject(new Error("Cannot find package")))).rejects.toMatchObject({
      code: "ERR_PUMP_STORE_PACKAGE",
      message: expect.stringContaining("npm install node-sqlite3-wasm") as string,
    });
    await expect(loadSqlite("")).resolves.toBeDefined();
  });

  test.each([
    [5, {}, "path"],
    ["x", { readonly: true }, 'did you mean "readOnly"'],
    ["x", { readOnly: 1 }, "readOnly"],
    ["x", { wallClock: 1 }, "wallClock"],
    ["x", { signal: 1 }, "signal"],
  ])("refuses %o, %o", async (path, options, words) => {
    await expect(PumpStore.open(path as string, options as never)).rejects.toMatchObject({
      code: "ERR_ARGUMENT",
      message: expect.stringContaining(words) as string,
    });
  });

  test("ends with the reason of its signal, and leaves the database free", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    const reason = new Error("enough");
    await expect(openStore(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const opening = openStore(path, { signal: controller.signal });
    controller.abort(reason);
    await expect(opening).rejects.toBe(reason);
    (await openStore(path)).close();
  });

  test("a closed store says so, and closing it twice does no harm", async () => {
    using folder = new TemporaryFolder();
    const store = await openStore(folder.join("pump.sqlite"));
    const history = store.pump(SERIAL);
    store.close();
    store.close();
    for (const act of [() => history.glucose(RANGE), () => history.beginLink(), () => store.pumps(), () => store.pump(SERIAL)])
      expect(act).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
  });
});

describe("reading only", () => {
  test("sees the state of the moment beside a writer, and changes nothing", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    await expect(openStore(path, { readOnly: true })).rejects.toMatchObject({ code: "ERR_PUMP_STORE_MISSING" });
    expect(readdirSync(folder.path)).toEqual([]);
    using writer = await openStore(path);
    await syncHistory(writer.pump(SERIAL), new MadeSource(records.slice(0, 20)));
    using reader = await openStore(path, { readOnly: true });
    await syncHistory(writer.pump(SERIAL), new MadeSource(records));
    const history = reader.pump(SERIAL);
    expect(keptOctets(history)).toHaveLength(20);
    for (const act of [
      () => history.beginLink(),
      () => history.recordClock({ differenceS: 0, atMs: 0 }),
      () => reader.pump("NG7654321H"),
      () => reader.ledger.put("site", []),
      () => history.reparse(),
    ])
      expect(act).toThrow(expect.objectContaining({ code: "ERR_PUMP_STORE_READ_ONLY" }));
    await expect(syncHistory(history, new MadeSource(records))).rejects.toMatchObject({ code: "ERR_PUMP_STORE_READ_ONLY" });
    using later = await openStore(path, { readOnly: true });
    expect(keptOctets(later.pump(SERIAL))).toHaveLength(records.length);
  });

  test("of a database that a dead process has left reads what was kept, and takes nothing over", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
      mkdirSync(folder.join("dead"));
      for (const end of ["", "-wal"]) writeFileSync(folder.join("dead", `pump.sqlite${end}`), readFileSync(`${path}${end}`));
    }
    mkdirSync(folder.join("dead", "pump.sqlite.lock"));
    using reader = await openStore(folder.join("dead", "pump.sqlite"), { readOnly: true });
    expect(keptOctets(reader.pump(SERIAL))).toHaveLength(records.length);
    expect(readdirSync(folder.join("dead")).sort()).toEqual(["pump.sqlite", "pump.sqlite-wal", "pump.sqlite.lock"]);
  });
});

describe("one at a time", () => {
  test("a second opener is told, by whichever name it calls the file, and gets it when the first is done", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    symlinkSync(folder.path, `${folder.path}-link`);
    try {
      const first = await openStore(path);
      for (const name of [path, join(`${folder.path}-link`, "pump.sqlite")])
        await expect(openStore(name)).rejects.toMatchObject({ code: "ERR_PUMP_STORE_IN_USE", message: /this program/ });
      first.close();
      (await openStore(path)).close();
    } finally {
      rmSync(`${folder.path}-link`);
    }
  });

  test("of many that come at once one gets it, again and again", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    for (let round = 0; round < 3; round++) {
      const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => openStore(path)));
      const opened = outcomes.filter((outcome) => outcome.status === "fulfilled");
      expect(opened).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "ERR_PUMP_STORE_IN_USE" });
      opened[0]!.value.close();
    }
  });

  test.each([
    ["a socket that nobody listens on", { socket: ".pump.sqlite.dead.socket" }, true],
    ["a process that is no more", { socket: null, pid: 2 ** 22 + 1 }, true],
    ["a process that runs", { socket: null }, false],
    ["a process of another container", { socket: null, pid: 2 ** 22 + 1, pidSpace: "another" }, false],
    ["this computer before it started anew", { boot: "before", socket: null }, true],
    ["another computer", { boot: "another", host: "another", socket: null }, false],
  ])("an owner that is %s", async (_, words, isDead) => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    (await openStore(path)).close();
    const claim = folder.join(".pump.sqlite.owner.1");
    writeFileSync(claim, JSON.stringify({ ...(JSON.parse(readFileSync(claim, "utf8")) as object), ...words }));
    if (isDead) (await openStore(path)).close();
    else await expect(openStore(path)).rejects.toMatchObject({ code: "ERR_PUMP_STORE_IN_USE" });
    expect(readdirSync(folder.path).filter((name) => name.includes("owner"))).toEqual([`.pump.sqlite.owner.${isDead ? 2 : 1}`]);
  });

  test("what a power failure made of the owner's name is in nobody's way", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    (await openStore(path)).close();
    for (const content of ["", "{", "null", "5", "{}"]) {
      const name = readdirSync(folder.path).find((each) => each.includes("owner"))!;
      writeFileSync(folder.join(name), content);
      (await openStore(path)).close();
    }
  });

  test("in a folder whose path is longer than a socket's may be", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("long".repeat(30), "pump.sqlite");
    using _store = await openStore(path);
    await expect(openStore(path)).rejects.toMatchObject({ code: "ERR_PUMP_STORE_IN_USE" });
    expect(readdirSync(folder.join("long".repeat(30))).some((name) => name.endsWith(".socket"))).toBe(true);
  });
});

describe("another schema", () => {
  const NEXT: Migration = { version: 2, sql: "ALTER TABLE pump ADD COLUMN colour TEXT; UPDATE pump SET colour = 'blue'" };

  test("is reached step by step, after a copy of what was there", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
      expect(store.backup).toBeUndefined();
    }
    const before = readFileSync(path);
    const name = `${path}.v1-20310312T000000Z.backup`;
    writeFileSync(name, "an older copy"); // never overwritten
    const lines: string[] = [];
    const logger = new Logger("", LogLevel.Info, (_level, _scope, line) => lines.push(line));
    {
      using store = await openStore(path, { logger }, { migrations: [...MIGRATIONS, NEXT] });
      expect(store.backup).toBe(`${path}.v1-20310312T000000Z-2.backup`);
      expect(keptOctets(store.pump(SERIAL))).toHaveLength(records.length);
      expect(lines.join()).toContain(store.backup);
    }
    expect(readFileSync(name, "utf8")).toBe("an older copy");
    expect(readFileSync(`${path}.v1-20310312T000000Z-2.backup`).equals(before)).toBe(true);
    expect(mode(`${path}.v1-20310312T000000Z-2.backup`)).toBe("600");
    using _again = await openStore(path, {}, { migrations: [...MIGRATIONS, NEXT] });
    expect(readdirSync(folder.path).filter((each) => each.endsWith(".backup"))).toHaveLength(2);
    using copy = await openStore(`${path}.v1-20310312T000000Z-2.backup`);
    expect(keptOctets(copy.pump(SERIAL))).toHaveLength(records.length);
  });

  test("that fails in its middle changes nothing", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
    }
    const broken = [...MIGRATIONS, NEXT, { version: 3, sql: "DROP TABLE record; SELECT * FROM nowhere" }];
    await expect(openStore(path, {}, { migrations: broken })).rejects.toThrow("nowhere");
    using store = await openStore(path);
    expect(keptOctets(store.pump(SERIAL))).toHaveLength(records.length);
    expect(store.isSound()).toBe(true);
  });

  test("of a newer program is refused, and left as it is", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    (await openStore(path, {}, { migrations: [...MIGRATIONS, NEXT] })).close();
    const before = readFileSync(path);
    for (const readOnly of [false, true])
      await expect(openStore(path, { readOnly })).rejects.toMatchObject({ code: "ERR_PUMP_STORE_NEWER", message: /schema 2, known is 1/ });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
    using _newer = await openStore(path, {}, { migrations: [...MIGRATIONS, NEXT] });
  });

  test("of an older one is read without being changed", async () => {
    using folder = new TemporaryFolder();
    const path = folder.join("pump.sqlite");
    {
      using store = await openStore(path);
      await syncHistory(store.pump(SERIAL), new MadeSource(records));
    }
    const before = readFileSync(path);
    using store = await openStore(path, { readOnly: true }, { migrations: [...MIGRATIONS, NEXT] });
    expect(keptOctets(store.pump(SERIAL))).toHaveLength(records.length);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
