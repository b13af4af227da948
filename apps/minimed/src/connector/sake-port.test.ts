import { delay, VirtualClock } from "jelling/async";
import { type BleError, ClosedError, Logger, LogLevel, SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { SakeClient } from "../sake/client.ts";
import type { SakeSession } from "../sake/session.ts";
import { inventKeys } from "../simulator/keys.ts";
import { SakePort } from "./sake-port.ts";

/** A port whose pump is a SAKE client fed by its notifications. */
function setup({ answering = true, notify }: { answering?: boolean; notify?: (value: Uint8Array) => Promise<void> } = {}) {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const keys = inventKeys(random);
  const log: string[] = [];
  const seen = {
    stages: [] as number[],
    sessions: [] as SakeSession[],
    failures: [] as BleError[],
    restarts: 0,
    notified: [] as Uint8Array[],
  };
  let client = new SakeClient({ keyDatabase: keys.pump, random });
  const port = new SakePort({
    keyDatabase: keys.phone,
    peerType: 1,
    clock,
    random,
    logger: new Logger("sake", LogLevel.Info, (_level, _scope, message) => log.push(message)),
    notify:
      notify ??
      ((value) => {
        seen.notified.push(value);
        const addressee = client;
        if (answering)
          clock.setTimer(125, "pump", () => {
            if (addressee !== client) return; // began afresh meanwhile
            const reply = client.receive(value);
            if (reply) port.onWrite(reply);
          });
        return Promise.resolve();
      }),
    onStage: (stage) => seen.stages.push(stage),
    onAuthenticated: (session) => seen.sessions.push(session),
    onRestart: () => seen.restarts++,
    onFailure: (error) => seen.failures.push(error),
  });
  const subscribe = () => {
    client = new SakeClient({ keyDatabase: keys.pump, random });
    port.onSubscription(true);
  };
  return { clock, port, seen, log, subscribe, client: () => client };
}

test("a subscription wakes the pump a moment later and the handshake runs to its end", async () => {
  const { clock, seen, subscribe, client } = setup();
  subscribe();
  expect(seen.notified).toEqual([]);
  await delay(clock, 2000);
  expect(seen.stages).toEqual([0, 1, 3, 5, 6]);
  expect(seen.notified).toHaveLength(4);
  expect(seen.notified[0]).toEqual(new Uint8Array(20));
  expect(seen.sessions[0]!.decrypt(client().session!.encrypt(Uint8Array.of(1)))).toEqual(Uint8Array.of(1));
  expect(clock.pending).toEqual([]);
});

test("every subscription begins from the start, with other random octets, and ends the session before it", async () => {
  const { clock, seen, subscribe } = setup();
  subscribe();
  await delay(clock, 300);
  subscribe();
  await delay(clock, 2000);
  expect(seen.stages).toEqual([0, 1, 3, 0, 1, 3, 5, 6]);
  expect(seen.restarts).toBe(0);
  subscribe();
  await delay(clock, 2000);
  expect(seen.restarts).toBe(1);
  expect(seen.sessions).toHaveLength(2);
  const challenges = seen.notified.filter((value) => value[0] === 4).map(String);
  expect(new Set(challenges).size).toBe(challenges.length);
});

test("unsubscribing drops the handshake: later writes are ignored and logged", async () => {
  const { clock, port, seen, log, subscribe } = setup({ answering: false });
  subscribe();
  await delay(clock, 100);
  port.onSubscription(false);
  port.onWrite(new Uint8Array(20));
  expect(seen.notified).toHaveLength(1);
  expect(log).toContain("unexpected write of 20 octets outside a handshake, ignored");
  expect(seen.failures).toEqual([]);
  expect(clock.pending).toEqual([]);
});

test("a write after the end is ignored and logged, and the session lives on", async () => {
  const { clock, port, seen, log, subscribe } = setup();
  subscribe();
  await delay(clock, 2000);
  port.onWrite(new Uint8Array(20));
  port.onSubscription(false);
  expect(log).toContain("unexpected write of 20 octets after a handshake, ignored");
  expect(seen.sessions[0]!.isClosed).toBe(false);
  expect(seen.failures).toEqual([]);
});

test("a restored subscription starts the handshake after 5 s, unless it is written before", async () => {
  const restored = setup();
  restored.port.onEncrypted(true);
  await delay(restored.clock, 4990);
  expect(restored.seen.notified).toEqual([]);
  await delay(restored.clock, 2000);
  expect(restored.seen.stages).toEqual([0, 1, 3, 5, 6]);

  const written = setup();
  written.port.onEncrypted(true);
  await delay(written.clock, 1000);
  written.subscribe();
  await delay(written.clock, 10_000);
  expect(written.seen.stages).toEqual([0, 1, 3, 5, 6]);

  const never = setup();
  never.port.onEncrypted(false);
  await delay(never.clock, 10_000);
  expect(never.seen.notified).toEqual([]);
});

test("a refused message is final and reported once", async () => {
  const { clock, port, seen, subscribe } = setup({ answering: false });
  subscribe();
  await delay(clock, 100);
  port.onWrite(new Uint8Array(20).fill(1));
  port.onWrite(new Uint8Array(20));
  expect(seen.failures).toMatchObject([{ code: "ERR_SAKE_HANDSHAKE", failure: "synchronization-invalid" }]);
  expect(seen.notified).toHaveLength(1);
  expect(clock.pending).toEqual([]);
});

test("a pump that falls silent is given up after 20 s", async () => {
  const { clock, seen, subscribe } = setup({ answering: false });
  subscribe();
  await delay(clock, 25_000);
  expect(seen.failures).toMatchObject([{ code: "ERR_TIMEOUT", operation: "SAKE handshake" }]);
});

test("a notification that cannot be sent fails the handshake; a closed port does nothing any more", async () => {
  const lost = setup({ notify: () => Promise.reject(new ClosedError("link lost")) });
  lost.subscribe();
  await delay(lost.clock, 100);
  expect(lost.seen.failures).toMatchObject([{ code: "ERR_CLOSED" }]);

  const closed = setup();
  closed.subscribe();
  closed.port[Symbol.dispose]();
  closed.port.onWrite(new Uint8Array(20));
  closed.port.onSubscription(true);
  closed.port.onEncrypted(true);
  await delay(closed.clock, 30_000);
  expect(closed.seen).toMatchObject({ notified: [], failures: [], stages: [] });
});

test("a notification that fails when the port is closed is nobody's; one that fails for a fault of the program says so", async () => {
  let fail: ((error: unknown) => void) | undefined;
  const notify = () => new Promise<void>((_, reject) => (fail = reject));
  const closed = setup({ notify });
  closed.subscribe();
  await delay(closed.clock, 100);
  closed.port[Symbol.dispose]();
  fail!(new ClosedError("link lost"));
  await delay(closed.clock, 100);
  expect(closed.seen.failures).toEqual([]);

  const faulty = setup({ notify });
  faulty.subscribe();
  await delay(faulty.clock, 100);
  const cause = new TypeError("no such thing");
  fail!(cause);
  await delay(faulty.clock, 100);
  expect(faulty.seen.failures).toMatchObject([{ code: "ERR_PUMP_PROTOCOL", cause }]);
});

test("an early first message is answered behind the wake-up, in order", async () => {
  const { clock, port, seen, subscribe } = setup({ answering: false });
  subscribe();
  port.onWrite(new Uint8Array(20));
  await delay(clock, 100);
  expect(seen.notified.map((value) => value[0])).toEqual([0, 4]);
});
