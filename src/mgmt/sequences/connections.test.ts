import { expect, test } from "vitest";
import { information, type Script, ScriptedKernel } from "../../../test/support/scripted-kernel.ts";
import { SimulatedKernel } from "../../testing/index.ts";
import { openMgmt, Status } from "../index.ts";
import { autoConnect, type ConnectionChange, watchConnections } from "./connections.ts";
import type { Feed } from "./feed.ts";
import { powerOff, powerOn } from "./power.ts";

const PEER = { address: "C0:11:22:33:44:55", addressType: 2 } as const;
const OTHER = { address: "00:11:22:33:44:66", addressType: 1 } as const;

/** "disconnected C0:11:22:33:44:55 Timeout", as many as are asked for. */
async function next(changes: Feed<ConnectionChange>, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { value } = await changes.next();
    if (!value) break;
    texts.push([value.kind, value.device.address, ...(value.reason ? [value.reason] : [])].join(" "));
  }
  return texts;
}

const connected = (script: Script = {}): ScriptedKernel =>
  new ScriptedKernel({ ReadControllerInformation: information(0x201), GetConnections: { connections: [OTHER] }, ...script });

test("links that are there come first, then what happens to them", async () => {
  const kernel = connected();
  const changes = watchConnections(await kernel.open(), 0);
  expect(await next(changes, 1)).toEqual([`present ${OTHER.address}`]);
  const private1 = { address: "57:D9:53:3B:62:A8", addressType: 2 } as const;
  kernel.say("deviceConnected", 0, { ...private1, flags: 8, eirData: Uint8Array.of(2, 1, 6) });
  kernel.say("newIdentityResolvingKey", 0, { storeHint: 1, randomAddress: private1.address, key: { ...PEER, value: new Uint8Array(16) } });
  kernel.say("deviceDisconnected", 0, { ...PEER, reason: 1 });
  kernel.say("connectFailed", 0, { ...PEER, status: Status.ConnectFailed });
  kernel.say("deviceConnected", 1, { ...PEER, flags: 0, eirData: Uint8Array.of() });
  expect(await next(changes, 4)).toEqual([
    `connected ${private1.address}`,
    `identified ${PEER.address}`,
    `disconnected ${PEER.address} Timeout`,
    `failed ${PEER.address} ConnectFailed`,
  ]);
});

test("a link that this client ends is told once, whether the kernel tells it or not", async () => {
  for (const tells of [true, false]) {
    const kernel = connected();
    const mgmt = await kernel.open();
    const changes = watchConnections(mgmt, 0);
    await next(changes, 1);
    await mgmt.disconnect(0, OTHER);
    if (tells) kernel.say("deviceDisconnected", 0, { ...OTHER, reason: 2 });
    kernel.say("deviceConnected", 0, { ...PEER, flags: 0, eirData: Uint8Array.of() });
    expect(await next(changes, 2)).toEqual([`disconnected ${OTHER.address} LocalHost`, `connected ${PEER.address}`]);
  }
});

test("an adapter that is off has no links, and may be switched on", async () => {
  const kernel = connected({ GetConnections: Status.NotPowered });
  const changes = watchConnections(await kernel.open(), 0);
  const first = next(changes, 1);
  await kernel.settle();
  kernel.say("deviceConnected", 0, { ...PEER, flags: 0, eirData: Uint8Array.of() });
  expect(await first).toEqual([`connected ${PEER.address}`]);
  kernel.say("newSettings", 0, { currentSettings: 0x200 });
  expect(await next(changes, 1)).toEqual([`disconnected ${PEER.address} LocalHost`]);
});

test("the loop ends with its adapter, its signal and its rights", async () => {
  const kernel = connected();
  const mgmt = await kernel.open();
  const unplugged = watchConnections(mgmt, 0);
  await next(unplugged, 1);
  kernel.say("indexRemoved", 0, {});
  await expect(unplugged.next()).rejects.toMatchObject({ code: "ERR_CLOSED" });
  await expect(watchConnections(mgmt, 0, { signal: AbortSignal.abort(new Error("enough")) }).next()).rejects.toThrow("enough");
  kernel.script.GetConnections = Status.PermissionDenied;
  await expect(watchConnections(mgmt, 0).next()).rejects.toMatchObject({ statusName: "PermissionDenied" });
});

test("the kernel connects to a listed device until it is taken off the list", async () => {
  const kernel = new SimulatedKernel({ controllers: [{ settings: ["LowEnergy"] }], devices: [{ ...PEER, addressType: "LERandom" }] });
  const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
  await powerOn(mgmt, 0);
  const changes = watchConnections(mgmt, 0);
  {
    await using _listed = await autoConnect(mgmt, 0, PEER, { disconnect: true });
    expect(await next(changes, 1)).toEqual([`connected ${PEER.address}`]);
  }
  expect(await next(changes, 1)).toEqual([`disconnected ${PEER.address} LocalHost`]);
  expect((await mgmt.getConnections(0)).connections).toEqual([]);
  await powerOff(mgmt, 0);
});

test("a device that was listed in spite of a failure is taken off the list; one that is gone needs not be", async () => {
  const kernel = connected({ AddDevice: { errno: 100, code: "ENETDOWN" } });
  const mgmt = await kernel.open();
  await expect(autoConnect(mgmt, 0, PEER)).rejects.toMatchObject({ code: "ERR_MGMT_WRITE" });
  expect(kernel.names.at(-1)).toBe("RemoveDevice 0");
  kernel.script.AddDevice = {};
  kernel.script.RemoveDevice = Status.InvalidParameters;
  await (await autoConnect(mgmt, 0, PEER))[Symbol.asyncDispose]();
  kernel.script.RemoveDevice = Status.Busy;
  const busy = await autoConnect(mgmt, 0, PEER);
  await expect(busy[Symbol.asyncDispose]()).rejects.toMatchObject({ statusName: "Busy" });
});
