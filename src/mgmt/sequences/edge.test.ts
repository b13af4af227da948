import { expect, test } from "vitest";
import { ScriptedKernel } from "../../../test/support/scripted-kernel.ts";
import { ArgumentError } from "../../core/index.ts";
import {
  acceptPairings,
  advertise,
  autoConnect,
  listAdapters,
  type Mgmt,
  openMonitor,
  pair,
  powerCycle,
  powerOff,
  powerOn,
  scan,
  watchAdapters,
  watchConnections,
  watchSettings,
} from "../index.ts";

const PEER = { address: "C0:11:22:33:44:55", addressType: "LERandom" } as const;
const agent = { confirm: () => true };

type Call = (mgmt: Mgmt, options?: never) => unknown;
const sequences: Record<string, Call> = {
  powerOn: (mgmt, options) => powerOn(mgmt, 0, options),
  powerOff: (mgmt, options) => powerOff(mgmt, 0, options),
  powerCycle: (mgmt, options) => powerCycle(mgmt, 0, options),
  scan: (mgmt, options) => scan(mgmt, 0, options),
  pair: (mgmt, options) => pair(mgmt, 0, PEER, options),
  acceptPairings: (mgmt, options) => acceptPairings(mgmt, 0, agent, options),
  advertise: (mgmt, options) => advertise(mgmt, 0, options),
  listAdapters: (mgmt, options) => listAdapters(mgmt, options),
  watchAdapters: (mgmt, options) => watchAdapters(mgmt, options),
  watchConnections: (mgmt, options) => watchConnections(mgmt, 0, options),
  autoConnect: (mgmt, options) => autoConnect(mgmt, 0, PEER, options),
  watchSettings: (_, options) => watchSettings(options),
  openMonitor: (_, options) => openMonitor(options),
};

/** What a call throws, now or later. */
async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

test.each(Object.keys(sequences))("%s refuses options that it does not have, and sends nothing", async (name) => {
  const kernel = new ScriptedKernel();
  const mgmt = await kernel.open();
  for (const options of [{ sginal: undefined }, [], 5]) {
    const error = await thrownBy(() => sequences[name]!(mgmt, options as never));
    expect(error).toBeInstanceOf(ArgumentError);
    expect((error as Error).message).toMatch(/unknown option "sginal", did you mean "signal"|expected an object of options/);
  }
  expect(kernel.written).toEqual([]);
});

test.each<[string, (mgmt: Mgmt) => unknown, RegExp]>([
  ["a kind of device", (mgmt) => scan(mgmt, 0, { types: "LE" as never }), /types: expected "le", "bredr", "all"/],
  ["duplicates", (mgmt) => scan(mgmt, 0, { duplicates: "none" as never }), /duplicates: expected "all"/],
  ["whenBusy", (mgmt) => scan(mgmt, 0, { whenBusy: "wait" as never }), /whenBusy: expected "share"/],
  ["a service for services", (mgmt) => scan(mgmt, 0, { services: "180f" as never }), /services: expected a list/],
  ["a strength", (mgmt) => scan(mgmt, 0, { rssiThreshold: -200 }), /rssiThreshold: expected a whole number from -127/],
  ["a capacity", (mgmt) => scan(mgmt, 0, { capacity: 0 }), /capacity: expected/],
  ["a duration", (mgmt) => scan(mgmt, 0, { durationMs: "5" as never }), /durationMs: expected milliseconds/],
  ["a time limit", (mgmt) => powerOn(mgmt, 0, { timeoutMs: -1 }), /timeoutMs: expected milliseconds, 0 or more, got -1/],
  ["a client", () => powerOn({} as never, 0), /expected a management client/],
  ["an adapter", (mgmt) => powerOn(mgmt, "hci0" as never), /index of the controller: expected a whole number/],
  ["an address", (mgmt) => pair(mgmt, 0, { address: 5 as never, addressType: 1 }), /address of a device: expected a string/],
  ["an address type", (mgmt) => pair(mgmt, 0, { ...PEER, addressType: "random" as never }), /address type "random": expected BREDR/],
  [
    "a number of an address type",
    (mgmt) => pair(mgmt, 0, { ...PEER, addressType: 7 }),
    /address type: expected a whole number from 0 to 2/,
  ],
  ["a device", (mgmt) => pair(mgmt, 0, "C0:11:22:33:44:55" as never), /a device: expected an object/],
  ["a capability", (mgmt) => pair(mgmt, 0, PEER, { ioCapability: "DisplayYesno" as never }), /ioCapability: expected "DisplayOnly"/],
  ["a number of a capability", (mgmt) => pair(mgmt, 0, PEER, { ioCapability: 9 }), /ioCapability: expected a whole number/],
  ["keys", (mgmt) => pair(mgmt, 0, PEER, { identityKeys: {} as never }), /identityKeys: expected a list/],
  ["an agent", (mgmt) => pair(mgmt, 0, PEER, { agent: (() => true) as never }), /agent: expected an object/],
  ["an agent's answer", (mgmt) => pair(mgmt, 0, PEER, { agent: { confirm: true as never } }), /agent\.confirm: expected a function/],
  [
    "an agent's method",
    (mgmt) => acceptPairings(mgmt, 0, { comparre: () => true } as never),
    /agent\.comparre is no question of a pairing: did you mean compare\?/,
  ],
  ["no agent", (mgmt) => acceptPairings(mgmt, 0, undefined as never), /expected an agent/],
  ["a listener", (mgmt) => acceptPairings(mgmt, 0, agent, { onPaired: "log" as never }), /onPaired: expected a function/],
  ["an action", (mgmt) => autoConnect(mgmt, 0, PEER, { action: "Connect" as never }), /action: expected "BackgroundScan"/],
  ["a PHY", (mgmt) => advertise(mgmt, 0, { secondaryPhy: "1m" as never }), /secondaryPhy: expected "1M"/],
  ["a method", (mgmt) => advertise(mgmt, 0, { method: "old" as never }), /method: expected "legacy"/],
  ["an instance", (mgmt) => advertise(mgmt, 0, { instance: 0 }), /instance: expected a whole number from 1/],
  ["an interval", (mgmt) => advertise(mgmt, 0, { intervalMs: [200, 100] }), /intervalMs: expected/],
  ["a power", (mgmt) => advertise(mgmt, 0, { txPowerDbm: 1.5 }), /txPowerDbm: expected a whole number/],
  ["a name", (mgmt) => advertise(mgmt, 0, { name: 5 as never }), /name: expected a string or true, got 5/],
])("%s that is none is refused, and nothing is sent", async (_, call, message) => {
  const kernel = new ScriptedKernel();
  const mgmt = await kernel.open();
  const error = await thrownBy(() => call(mgmt));
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as Error).message).toMatch(message);
  expect(kernel.written).toEqual([]);
});
