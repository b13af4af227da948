import { delay, onAbort, VirtualClock } from "jelling/async";
import { Address } from "jelling/core";
import { expect, test } from "vitest";
import type { PumpChannel } from "../connector/pump-channel.ts";
import type { PumpConnector, ReadySession } from "../connector/pump-connector.ts";
import { registerChanges } from "../connector/session-changes.ts";
import { StatusPush } from "../connector/status-push.ts";
import { PumpError } from "../error.ts";
import { PumpMonitor } from "./monitor.ts";

/** A connector whose sessions come and go as the test says; none of their pumps has anything but its battery. */
class FakeConnector {
  readonly clock: VirtualClock;
  standing = { link: { kind: "connecting", sinceMs: 0 }, hint: undefined };
  #waiting: ((ready: ReadySession) => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }
  on(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }
  session({ signal }: { signal: AbortSignal }): Promise<ReadySession> {
    return new Promise((resolve, reject) => {
      onAbort(signal, () => reject(signal.reason));
      this.#waiting.push(resolve);
      this.#fail.push(reject);
    });
  }
  fail(error: unknown): void {
    for (const reject of this.#fail.splice(0)) reject(error);
  }
  /** A session begins. @returns what ends it */
  begin(identity: string, batteryPercent: number): () => void {
    const enders = new Set<(reason: PumpError) => void>();
    const session: Record<string, unknown> = {
      identity: Address.from(identity),
      heardAtMs: this.clock.now(),
      ended: undefined,
      onEnded: (listener: (reason: PumpError) => void) => {
        enders.add(listener);
        return { [Symbol.dispose]: () => enders.delete(listener) };
      },
    };
    const none = (): Promise<undefined> => Promise.resolve(undefined);
    const reader = new Proxy(session, { get: (target, name) => (name in target ? target[name as string] : none) });
    registerChanges(reader, { push: new StatusPush(), followChanges: () => Promise.resolve(false) } as unknown as PumpChannel, {} as never);
    const snapshot = { information: {}, batteryPercent, sensor: {}, latest: { kind: "no-sensor", receivedAtMs: 0 } };
    for (const resolve of this.#waiting.splice(0)) resolve({ session: reader, snapshot } as unknown as ReadySession);
    return () => {
      session.ended = new PumpError("ERR_PUMP_SESSION_ENDED", "over");
      for (const ender of [...enders]) ender(session.ended as PumpError);
    };
  }
}

test("values of one pump are kept for its next session, and never shown as another's", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  const battery = (): number | undefined => monitor.state.values.battery?.value;
  for (const [identity, percent] of [
    ["00:23:F7:00:00:01", 50],
    ["00:23:F7:00:00:01", 60],
    ["00:23:F7:00:00:02", 70],
  ] as const) {
    const seen: (number | undefined)[] = [];
    using _ = monitor.on(() => seen.push(battery()));
    const end = connector.begin(identity, percent);
    await delay(clock, 1000);
    expect(seen.every((value) => value === percent)).toBe(true);
    expect(monitor.session?.identity.toHex()).toBe(identity);
    end();
    await delay(clock, 1000);
    expect([battery(), monitor.session]).toEqual([percent, undefined]);
  }
});

test("a connector that ends says why, without names and addresses; nothing is told any more", async () => {
  using clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  await using monitor = new PumpMonitor(connector as unknown as PumpConnector);
  let told = 0;
  monitor.on(() => told++);
  connector.fail(new PumpError("ERR_PUMP_PAIRING_WINDOW_CLOSED", "No pump paired: not Pump 1234567H at 00:23:F7:01:02:03."));
  await monitor.closed;
  expect(monitor.state.link).toEqual({ kind: "ended", sinceMs: 0, reason: expect.stringContaining("No pump paired") });
  expect(JSON.stringify(monitor.state)).not.toMatch(/1234567|23:F7:01/);
  expect(told).toBe(1);
  expect((await monitor.changes().next()).done).toBe(true);
  await monitor.close();
});
