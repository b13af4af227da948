import { expect, test } from "vitest";
import { BleError } from "../src/core/index.ts";
import { type McumgrLink, openBleLink, serveMcumgrOverGatt } from "../src/mcumgr/index.ts";
import { SimulatedAir } from "../src/testing/index.ts";
import { answerEach, message } from "./support/mcumgr-messages.ts";

const BOUND_MS = 20_000;

/** Opens, asks three times for an echo, closes, with a fault at `atMs`. @returns what came of it */
async function life(atMs: number, fault: "cut" | "disconnect" | "reset", target: string | undefined): Promise<string> {
  await using air = new SimulatedAir({ seed: 1 + atMs });
  const server = await air.device({ name: "server", att: { mtu: 498 } });
  const central = await air.device({ name: "central" });
  serveMcumgrOverGatt(server, {
    permissions: { write: "encrypted", subscribe: "encrypted" },
    onLink: answerEach,
  });
  await server.advertise({ intervalMs: 30, data: { name: "Sensor" } });
  air.clock.setTimer(atMs, "fault", () => {
    if (fault === "cut") air.cut(central, server);
    else if (fault === "disconnect") for (const link of server.links) void link.disconnect().catch(() => undefined);
    else void server.close();
  });
  const outcome = async (): Promise<string> => {
    let link: McumgrLink | undefined;
    try {
      link = await openBleLink(central, target ?? server.identity.toString(), { timeoutMs: 8000 });
      let fail!: (reason: Error) => void;
      const lost = new Promise<never>((_, reject) => {
        fail = reject;
      });
      lost.catch(() => undefined);
      link.onClose = fail;
      for (const length of [30, 600, 2475]) {
        const answer = new Promise<Uint8Array>((resolve) => {
          link!.onMessage = resolve;
        });
        await link.send(message(length & 0xff, length));
        expect(await Promise.race([answer, lost])).toEqual(message(length & 0xff, length));
      }
      return "done";
    } catch (error) {
      expect(error).toBeInstanceOf(BleError);
      return (error as BleError).code;
    } finally {
      await link?.[Symbol.asyncDispose]();
    }
  };
  const before = air.clock.now();
  const came = await outcome();
  expect(air.clock.now() - before).toBeLessThan(BOUND_MS);
  await air.advance(8000); // what is said behind the caller's back
  expect(central.links).toEqual([]);
  return came;
}

test.each(["cut", "disconnect", "reset"] as const)(
  "a link that goes (%s) at any time while it is opened, paired and used: a typed error at once, and nothing is left",
  async (fault) => {
    const outcomes = new Map<string, number>();
    for (let atMs = 5; atMs < 1200; atMs += 190)
      for (const target of ["Sensor", undefined]) {
        const came = await life(atMs, fault, target);
        outcomes.set(came, (outcomes.get(came) ?? 0) + 1);
      }
    expect(outcomes.get("done")).toBeGreaterThan(0);
    expect([...outcomes.keys()].length).toBeGreaterThan(1);
  },
  60_000,
);
