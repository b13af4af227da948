import { delay, VirtualClock } from "jelling/async";
import { fromHex } from "jelling/bytes";
import { Logger, LogLevel } from "jelling/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CgmFeature } from "../cgm/feature.ts";
import { encodeCgmMeasurement } from "../cgm/measurement.ts";
import { PumpError } from "../error.ts";
import type { PumpChannel } from "./pump-channel.ts";
import { PumpSession } from "./pump-session.ts";

const SUCCESS = fromHex("06000101");
const record = (glucoseMgdl: number, timeOffsetMin: number): Uint8Array =>
  encodeCgmMeasurement(
    { glucoseMgdl, timeOffsetMin, octets: { status: undefined, calibration: undefined, warning: undefined } },
    { e2eCrc: false },
  );

/** A session whose pump says at once that it has sent its latest record. */
class Fake {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly #ending = new AbortController();
  readonly channel = {
    clock: this.clock,
    signal: this.#ending.signal,
    logger: new Logger("pump", LogLevel.Warn, (_level, _scope, message) => void this.log.push(message)),
    ended: undefined as PumpError | undefined,
    onMeasurement: undefined as ((plaintext: Uint8Array) => void) | undefined,
    has: () => true,
    exclusively: <T>(_operation: string, _options: object, run: () => Promise<T>) => run(),
    optional: () => Promise.resolve(undefined),
    exchange: <T>(_name: string, _request: object, onResponse: (plaintext: Uint8Array) => T) => Promise.resolve(onResponse(SUCCESS)),
  };
  readonly session = new PumpSession(this.channel as unknown as PumpChannel, { e2eCrc: false } as CgmFeature);

  sends(plaintext: Uint8Array): void {
    this.channel.onMeasurement!(plaintext);
  }
  ends(reason: PumpError): void {
    this.channel.ended = reason;
    this.#ending.abort(reason);
  }
}

describe("a record that comes behind the response that ends its transfer", () => {
  let fake: Fake;
  beforeEach(() => {
    fake = new Fake();
  });
  afterEach(() => fake.clock[Symbol.dispose]());

  test("is waited for, in all its parts, and no longer than it takes", async () => {
    const latest = fake.session.readLatest();
    await delay(fake.clock, 500);
    const octets = record(123, 10);
    fake.sends(octets.subarray(0, 4));
    await delay(fake.clock, 300);
    fake.sends(octets.subarray(4));
    expect(await latest).toMatchObject({ timeOffsetMin: 10 });
    expect(fake.clock.now()).toBeLessThan(900);
  });

  test("and is not there after a second is none", async () => {
    await expect(fake.session.readLatest()).rejects.toMatchObject({ code: "ERR_PUMP_PROTOCOL" });
    expect(fake.clock.now()).toBe(1000);
    fake.sends(record(123, 10)); // too late: nobody waits for it, and it is not taken for the next one's
    const next = fake.session.readLatest();
    await delay(fake.clock, 10);
    fake.sends(record(99, 15));
    expect(await next).toMatchObject({ timeOffsetMin: 15 });
  });

  test("and never comes, as the session is over: its end is what is told, at once", async () => {
    const latest = expect(fake.session.readLatest()).rejects.toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
    await delay(fake.clock, 100);
    fake.ends(new PumpError("ERR_PUMP_SESSION_ENDED", "over"));
    await latest;
    expect(fake.clock.now()).toBe(100);
  });

  test("and cannot be read is dropped, and told in the log; the next one counts", async () => {
    const latest = fake.session.readLatest();
    await delay(fake.clock, 100);
    fake.sends(Uint8Array.of(3, 0, 0));
    expect(fake.log).toEqual([expect.stringContaining("a record was dropped: CGM Measurement: a record of size 3")]);
    fake.sends(record(123, 10));
    expect(await latest).toMatchObject({ timeOffsetMin: 10 });
  });
});
