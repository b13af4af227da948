import { delay, VirtualClock } from "jelling/async";
import { toHex } from "jelling/bytes";
import { Logger, LogLevel } from "jelling/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PumpSession } from "../connector/pump-session.ts";
import type { SessionChanges } from "../connector/session-changes.ts";
import { StatusPush } from "../connector/status-push.ts";
import { parseLocal } from "../data/date-time.ts";
import { PumpDataError } from "../data/error.ts";
import { PumpError } from "../error.ts";
import { decodeIddStatusChanged, encodeStatusChanged } from "../idd/status-changed.ts";
import { SessionFollower } from "./session-follower.ts";
import type { PumpValueName } from "./state.ts";
import { FIRST_READS, POLLED } from "./values.ts";

const MINUTE_MS = 60_000;
const READER_OF: Readonly<Record<string, PumpValueName>> = {
  readInformation: "information",
  readBattery: "battery",
  readTransmitterBattery: "transmitterBattery",
  readClock: "clock",
  readLatest: "glucose",
  readSensorSession: "sensorSession",
  readSensorDetails: "sensorDetails",
  readFeatures: "features",
  readStatus: "status",
  readAnnunciation: "annunciation",
  readInsulinOnBoard: "insulinOnBoard",
  readTimeInRange: "timeInRange",
  readTherapy: "therapy",
  readBasalRate: "basalRate",
  readBoluses: "boluses",
  readDisplayFormat: "displayFormat",
};

/** A session whose pump answers at once with what the test has put there, and writes down what it was asked for. */
class FakePump {
  readonly clock = new VirtualClock();
  readonly asked: string[] = [];
  readonly resets: string[] = [];
  readonly log: string[] = [];
  readonly values = new Map<PumpValueName, unknown>();
  readonly failures = new Map<PumpValueName, Error>();
  readonly push = new StatusPush();
  readonly #over = new AbortController();
  readonly #enders = new Set<(reason: PumpError) => void>();
  pushes = true;
  takesResets: boolean | Error = true;
  history = 0;
  unread: PumpValueName[] = [];
  readonly failed: [name: PumpValueName, message: string][] = [];
  ended: PumpError | undefined;
  /** Of the reads. */
  signal: AbortSignal | undefined;
  follower!: SessionFollower;
  running!: Promise<void>;
  readonly told = new Map<PumpValueName, unknown>();

  start(pollMs = MINUTE_MS): void {
    const read =
      (name: PumpValueName) =>
      (options: { signal: AbortSignal }): Promise<unknown> => {
        if (this.ended) return Promise.reject(this.ended);
        this.signal ??= options.signal;
        if (options.signal !== this.signal) throw new Error("each read ends with the session");
        this.asked.push(name);
        const failure = this.failures.get(name);
        return failure ? Promise.reject(failure) : Promise.resolve(this.values.get(name));
      };
    const session: Record<string, unknown> = {
      onEnded: (listener: (reason: PumpError) => void) => {
        this.#enders.add(listener);
        return { [Symbol.dispose]: () => this.#enders.delete(listener) };
      },
      readHighLowSettings: (type: string, options: { signal: AbortSignal }) => read(`${type}Settings` as PumpValueName)(options),
    };
    for (const [method, name] of Object.entries(READER_OF)) session[method] = read(name);
    Object.defineProperty(session, "ended", { get: () => this.ended });
    const changes: SessionChanges = {
      follow: (listener) => {
        this.asked.push("follow");
        return Promise.resolve(this.pushes ? this.push.attach(listener) : undefined);
      },
      take: () => this.push.take(),
      reset: ({ field }) => {
        this.asked.push("reset");
        this.resets.push(toHex(field));
        return this.takesResets instanceof Error ? Promise.reject(this.takesResets) : Promise.resolve(this.takesResets);
      },
    };
    this.follower = new SessionFollower({
      session: session as unknown as PumpSession,
      changes,
      clock: this.clock,
      logger: new Logger("", LogLevel.Warn, (_level, _scope, message) => void this.log.push(message)),
      pollMs,
      unread: this.unread,
      fail: (name, { message }) => void this.failed.push([name, message]),
      tell: (name, value) => void this.told.set(name, value),
      last: (name) => this.told.get(name) as never,
      onHistory: () => this.history++,
      signal: this.#over.signal,
    });
    this.running = this.follower.run();
  }

  pushBits(...bits: number[]): void {
    this.push.receive(decodeIddStatusChanged(encodeStatusChanged(bits), { e2e: false }));
  }
  end(): void {
    this.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
    for (const ender of [...this.#enders]) ender(this.ended);
  }
  stop(): void {
    this.#over.abort(new Error("stopped"));
  }
  get listeners(): number {
    return this.#enders.size;
  }
  /** What was asked since the last call. */
  take(): string[] {
    return this.asked.splice(0);
  }
  async pass(ms: number): Promise<string[]> {
    await delay(this.clock, ms);
    await delay(this.clock, 0); // behind what is due at the same time
    return this.take();
  }
}

let pump: FakePump;
beforeEach(() => {
  pump = new FakePump();
});
afterEach(async () => {
  pump.stop();
  await pump.running;
  expect(pump.listeners).toBe(0);
  pump.clock[Symbol.dispose]();
});

describe("a session is followed", () => {
  test("by its first reads, then the history, and the subscription to changes last of all", async () => {
    pump.start();
    expect(await pump.pass(0)).toEqual([...FIRST_READS, "follow"]);
    expect(pump.history).toBe(1);
    expect([...pump.told.keys()]).toEqual([...FIRST_READS]);
  });

  test("every minute until the first push, and then, as long as pushes come, by them alone", async () => {
    pump.start();
    await pump.pass(0);
    expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
    expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
    pump.pushBits(18, 19);
    expect(await pump.pass(499)).toEqual([]);
    expect(await pump.pass(1)).toEqual(["glucose", "insulinOnBoard", "reset"]);
    for (let reading = 0; reading < 5; reading++) {
      expect(await pump.pass(5 * MINUTE_MS - 500)).toEqual([]);
      pump.pushBits(18, 19);
      expect(await pump.pass(500)).toEqual(["glucose", "insulinOnBoard", "reset"]);
    }
  });

  test("by a look after six minutes without a push, and by another after six more; a push that was lost is told to whom subscribes anew", async () => {
    pump.start();
    await pump.pass(0);
    pump.pushBits(0);
    await pump.pass(500);
    expect(await pump.pass(6 * MINUTE_MS - 1)).toEqual([]);
    expect(await pump.pass(1)).toEqual([...POLLED, "follow"]);
    expect(await pump.pass(6 * MINUTE_MS - 1)).toEqual([]);
    expect(await pump.pass(1)).toEqual([...POLLED, "follow"]);
  });

  test("by a look after seven minutes without a reading, however often other things are pushed", async () => {
    pump.start();
    await pump.pass(0);
    const asked: string[] = [];
    for (let minute = 1; minute <= 30; minute++) {
      pump.pushBits(2, 4);
      asked.push(...(await pump.pass(MINUTE_MS)));
    }
    expect(asked.filter((name) => name === "glucose")).toHaveLength(4);
    expect(asked.filter((name) => name === "reset")).toHaveLength(30);
  });

  test("every minute again when a reset was refused or failed; the same is not reset again, and the next push is", async () => {
    for (const takesResets of [false, new PumpError("ERR_PUMP_REFUSED", "no")]) {
      pump.takesResets = takesResets;
      if (!pump.follower) pump.start();
      await pump.pass(0);
      pump.pushBits(2);
      expect(await pump.pass(500)).toEqual(["status", "reset"]);
      expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
      expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
      expect(pump.log).toContainEqual(expect.stringContaining("did not take the reset"));
      pump.takesResets = true;
      pump.pushBits(2);
      expect(await pump.pass(500)).toEqual(["status", "reset"]);
      expect(await pump.pass(MINUTE_MS)).toEqual([]);
    }
  });

  test("a pump that pushes nothing, every minute for ever, its history every five, and what changes rarely every half an hour", async () => {
    pump.pushes = false;
    pump.start(MINUTE_MS);
    await pump.pass(0);
    const counts: Record<string, number> = {};
    for (const name of await pump.pass(2 * 60 * MINUTE_MS)) counts[name] = (counts[name] ?? 0) + 1;
    expect(counts).toMatchObject({ glucose: 120, status: 120, boluses: 120, battery: 4, clock: 4, displayFormat: 4, highSettings: 4 });
    expect(counts.features).toBeUndefined();
    expect(pump.history).toBe(1 + 24);
  });

  test("the batteries, the clock and the sensor's time every half an hour, although the pump pushes", async () => {
    pump.start();
    await pump.pass(0);
    const counts: Record<string, number> = {};
    for (let reading = 0; reading < 25; reading++) {
      pump.pushBits(18);
      for (const name of await pump.pass(5 * MINUTE_MS)) counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts).toEqual({
      ...{ glucose: 25, insulinOnBoard: 25, reset: 25 },
      ...{ battery: 4, transmitterBattery: 4, sensorSession: 4, clock: 4, therapy: 4, timeInRange: 4, basalRate: 4 },
    });
  });
});

describe("what was pushed", () => {
  test("is collected for a moment, read again in one order without repeats, and reset as it was received", async () => {
    pump.start();
    await pump.pass(0);
    pump.pushBits(6, 2);
    await pump.pass(100);
    pump.pushBits(17);
    await pump.pass(100);
    pump.pushBits(17, 21, 0);
    expect(await pump.pass(300)).toEqual(["status", "insulinOnBoard", "boluses", "reset"]);
    expect(pump.resets).toEqual([toHex(encodeStatusChanged([0, 2, 6, 17, 21]))]);
    expect(pump.history).toBe(2); // a bolus is recorded
  });

  test.each([
    [0, ["status"]],
    [1, ["status"]],
    [2, ["status"]],
    [3, ["annunciation"]],
    [4, []],
    [5, ["basalRate"]],
    [6, ["boluses"]],
    [7, ["clock"]], // that it was set is recorded
    [8, ["timeInRange"]],
    [16, ["therapy"]],
    [17, ["insulinOnBoard"]],
    [18, ["glucose", "insulinOnBoard"]],
    [19, ["glucose"]],
    [20, ["glucose"]],
    [21, ["status"]],
    [22, ["sensorSession", "status", "transmitterBattery", "sensorDetails"]],
    [23, ["displayFormat"]],
    [24, ["highSettings", "lowSettings"]],
    [25, ["sensorSession", "sensorDetails"]],
    [26, []],
    [30, []],
    [40, []],
  ] as const)("bit %i stands for %j, and is reset whether it is known or not", async (bit, names) => {
    pump.start();
    await pump.pass(0);
    pump.pushBits(bit);
    expect(await pump.pass(500)).toEqual([...names, "reset"]);
    expect(pump.history).toBe([3, 6, 7].includes(bit) ? 2 : 1);
  });

  test("while the first reads go on is not lost, nor is it while a push is worked on", async () => {
    pump.pushBits(3);
    pump.start();
    expect(await pump.pass(500)).toEqual([...FIRST_READS, "follow", "annunciation", "reset"]);
    pump.pushBits(5);
    await pump.pass(499);
    await delay(pump.clock, 1).then(() => pump.pushBits(8));
    expect(await pump.pass(1000)).toEqual(expect.arrayContaining(["basalRate", "timeInRange"]));
    expect(pump.resets).toHaveLength(3);
  });
});

describe("a value asks for another", () => {
  test("when the reason why there was no glucose is gone, glucose is read again; a first status, or one that stays, asks for nothing", async () => {
    const status = (sensorMessage: string | number): void => void pump.values.set("status", { sensorMessage });
    status("no_message");
    pump.start();
    expect(await pump.pass(0)).not.toContain("glucose");
    const after = async (message: string | number): Promise<string[]> => {
      status(message);
      pump.pushBits(21);
      return (await pump.pass(500)).filter((name) => name !== "reset");
    };
    expect(await after("warm_up")).toEqual(["status"]);
    expect(await after(77)).toEqual(["status"]);
    expect(await after("no_message")).toEqual(["status", "glucose"]);
    expect(await after("no_message")).toEqual(["status"]);
  });

  test("a sensor session that is another one is read: a smaller time offset, or one where there was none", async () => {
    const reading = (timeOffsetMin: number): void => void pump.values.set("glucose", { kind: "reading", timeOffsetMin });
    pump.start();
    await pump.pass(0);
    const after = async (): Promise<string[]> => {
      pump.pushBits(18);
      return (await pump.pass(500)).filter((name) => name !== "reset" && name !== "insulinOnBoard");
    };
    reading(10_000);
    expect(await after()).toEqual(["glucose", "sensorSession", "sensorDetails"]);
    reading(10_005);
    expect(await after()).toEqual(["glucose"]);
    pump.values.set("glucose", { kind: "no-sensor" });
    expect(await after()).toEqual(["glucose", "sensorSession", "sensorDetails"]);
    expect(await after()).toEqual(["glucose"]);
    reading(0);
    expect(await after()).toEqual(["glucose", "sensorSession", "sensorDetails"]);
    reading(5);
    expect(await after()).toEqual(["glucose"]);
  });
});

describe("a pump's clock that its user sets", () => {
  const shows = (text: string): void => void pump.values.set("clock", parseLocal(text));

  test("is read when the pump has recorded something, and with it all times that rest on it", async () => {
    shows("2031-03-02T09:00:00");
    pump.start();
    await pump.pass(0);
    shows("2031-03-02T09:05:10"); // a little late is no other time
    await pump.pass(5 * MINUTE_MS);
    pump.pushBits(7);
    expect(await pump.pass(500)).toEqual(["clock", "reset"]);
    for (const time of ["2031-03-02T10:05:10", "2031-03-02T10:04:00"]) {
      shows(time); // an hour forward, a minute back
      pump.pushBits(7);
      expect(await pump.pass(500)).toEqual(["clock", "sensorSession", "glucose", "reset"]);
    }
    pump.values.set("clock", undefined); // lost
    pump.pushBits(7);
    expect(await pump.pass(500)).toEqual(["clock", "reset"]);
  });
});

describe("what a session could not begin with", () => {
  test("is asked for at the first poll, or when it is pushed", async () => {
    pump.unread = ["glucose", "battery", "sensorSession"];
    pump.start();
    await pump.pass(0);
    expect(await pump.pass(MINUTE_MS - 1)).toEqual([]);
    expect(await pump.pass(1)).toEqual([...POLLED, "battery", "sensorSession"]);
    expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
  });
});

describe("what cannot be read", () => {
  test("stays what it was, is told in the log, and holds nothing else up", async () => {
    pump.values.set("insulinOnBoard", { insulinOnBoardIu: 1 });
    pump.start();
    await pump.pass(0);
    pump.failures.set("insulinOnBoard", new PumpDataError("crc", "IOB: the E2E-CRC does not match"));
    pump.failures.set("glucose", new PumpError("ERR_PUMP_REFUSED", "not now"));
    expect(await pump.pass(MINUTE_MS)).toEqual([...POLLED]);
    expect(pump.told.get("insulinOnBoard")).toEqual({ insulinOnBoardIu: 1 });
    expect(pump.log).toEqual([expect.stringContaining("glucose: not now"), expect.stringContaining("insulinOnBoard: IOB")]);
    expect(pump.failed).toEqual([
      ["glucose", "not now"],
      ["insulinOnBoard", "IOB: the E2E-CRC does not match"],
    ]);
    pump.failures.clear();
    pump.values.set("insulinOnBoard", undefined);
    await pump.pass(MINUTE_MS);
    expect([pump.told.has("insulinOnBoard"), pump.told.get("insulinOnBoard")]).toEqual([true, undefined]); // none is not "not read"
  });

  test("is asked for again every minute where it was pushed, since the pump does not push it again; though not for ever", async () => {
    pump.start();
    await pump.pass(0);
    pump.failures.set("timeInRange", new PumpDataError("crc", "time in range: the E2E-CRC does not match"));
    pump.pushBits(8);
    expect(await pump.pass(500)).toEqual(["timeInRange", "reset"]);
    for (let minute = 1; minute <= 5; minute++) expect(await pump.pass(MINUTE_MS)).toContain("timeInRange");
    expect(await pump.pass(5 * MINUTE_MS)).not.toContain("timeInRange");
    pump.pushBits(8);
    await pump.pass(500);
    pump.failures.clear();
    expect(await pump.pass(MINUTE_MS)).toContain("timeInRange");
    expect(await pump.pass(5 * MINUTE_MS)).toEqual([]);
  });

  test("because the session is over ends it, at any point, without a fault", async () => {
    pump.start();
    await pump.pass(0);
    pump.pushBits(18);
    await pump.pass(100);
    expect(pump.signal!.aborted).toBe(false);
    pump.end();
    expect(pump.signal!.reason).toBe(pump.ended);
    await pump.running;
    expect(pump.clock.pending).toEqual([]); // nothing is waited for any more
    expect(await pump.pass(60 * MINUTE_MS)).toEqual([]);
  });

  test("because of an error of the program is its own, and is thrown", async () => {
    pump.start();
    await pump.pass(0);
    pump.failures.set("glucose", new TypeError("a bug"));
    const failed = expect(pump.running).rejects.toThrow("a bug");
    await pump.pass(MINUTE_MS);
    await failed;
    pump.running = Promise.resolve();
  });
});

test("a session that was over before is not asked for anything", async () => {
  pump.end();
  pump.start();
  await pump.running;
  expect(pump.take()).toEqual([]);
});
