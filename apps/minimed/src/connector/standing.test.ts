import { describe, expect, test } from "vitest";
import type { PumpEvent, PumpEventDetail } from "./events.ts";
import { StandingKeeper } from "./standing.ts";

const event = (timeMs: number, detail: PumpEventDetail): PumpEvent => ({ timeMs, ...detail }) as PumpEvent;
const advertising = (timeMs: number, mode: "pair" | "reconnect" | "carelink", bonded: boolean): PumpEvent =>
  event(timeMs, { type: "advertising", mode, bonded, name: "Mobile 1", form: "name", intervalMs: [30, 50], address: "identity" });
const connected = (timeMs: number): PumpEvent =>
  event(timeMs, { type: "connected", peer: "00:··:33", intervalMs: 125, latency: 0, timeoutMs: 3000 });
const disconnected = (timeMs: number): PumpEvent => event(timeMs, { type: "disconnected", reason: 8, message: "lost" });

describe("where a connector stands", () => {
  test("a pairing from its beginning to a session, a lost link, and the way back", () => {
    const keeper = new StandingKeeper({ mode: "pair", bonded: false, nowMs: 5 });
    expect(keeper.standing.link).toEqual({ kind: "advertising", mode: "pair", bonded: false, sinceMs: 5 });
    keeper.onEvent(advertising(10, "pair", false));
    expect(keeper.standing).toMatchObject({ link: { sinceMs: 5 }, hint: expect.stringContaining("pair new device") });
    keeper.onEvent(connected(20));
    expect(keeper.standing.link).toEqual({ kind: "connecting", sinceMs: 20 });
    keeper.onEvent(
      event(21, { type: "paired", method: "just-works", authenticated: false, keySize: 16, localKeys: [], peerKeys: [], refused: [] }),
    );
    keeper.onEvent(event(30, { type: "authenticated" }));
    keeper.onReady(40);
    expect(keeper.standing).toEqual({ link: { kind: "ready", sinceMs: 40 }, hint: undefined });
    keeper.onEvent(disconnected(50));
    expect(keeper.standing.link).toEqual({ kind: "advertising", mode: "reconnect", bonded: true, sinceMs: 50 });
    keeper.onEvent(advertising(51, "reconnect", true));
    keeper.onEvent(advertising(30_051, "reconnect", true)); // at the slower interval
    expect(keeper.standing).toEqual({ link: { kind: "advertising", mode: "reconnect", bonded: true, sinceMs: 50 }, hint: undefined });
  });

  test("a pairing that was cut short is no bond that a pump has proved: it is called in both ways", () => {
    const keeper = new StandingKeeper({ mode: "pair", bonded: false, nowMs: 0 });
    keeper.onEvent(advertising(0, "pair", false));
    keeper.onEvent(connected(1));
    keeper.onEvent(disconnected(2));
    expect(keeper.standing.link).toMatchObject({ mode: "pair", bonded: false, sinceMs: 2 });
    keeper.onEvent(advertising(3, "reconnect", true));
    expect(keeper.standing).toMatchObject({ link: { mode: "reconnect", bonded: true, sinceMs: 3 }, hint: undefined });
  });

  test("an advice stays until a session is ready, whatever is tried meanwhile; a warning without one takes none away", () => {
    const keeper = new StandingKeeper({ mode: "reconnect", bonded: true, nowMs: 0 });
    keeper.onEvent(connected(1));
    keeper.onEvent(event(2, { type: "warning", message: "The pump left.", hint: "Pair again." }));
    keeper.onEvent(event(3, { type: "warning", message: "Another." }));
    keeper.onEvent(disconnected(4));
    keeper.onEvent(advertising(5, "reconnect", true));
    keeper.onEvent(connected(6));
    expect(keeper.standing).toEqual({ link: { kind: "connecting", sinceMs: 6 }, hint: "Pair again." });
    keeper.onReady(7);
    expect(keeper.standing.hint).toBeUndefined();
  });

  test("a handshake that the pump begins anew is no ready session; the end is the end", () => {
    const keeper = new StandingKeeper({ mode: "carelink", bonded: false, nowMs: 0 });
    keeper.onEvent(connected(1));
    keeper.onEvent(event(2, { type: "sake", stage: 0 }));
    expect(keeper.standing.link).toEqual({ kind: "connecting", sinceMs: 1 });
    keeper.onReady(3);
    keeper.onEvent(event(4, { type: "sake", stage: 0 }));
    expect(keeper.standing.link).toEqual({ kind: "connecting", sinceMs: 4 });
    keeper.onEnded(5, "closed");
    keeper.onEvent(disconnected(6));
    expect(keeper.standing.link).toEqual({ kind: "ended", sinceMs: 5, reason: "closed" });
  });
});
