import { expect, test } from "vitest";
import { SimulatedKernel } from "../../testing/index.ts";
import { commands, type Mgmt, openMgmt } from "../index.ts";
import type { Adapter } from "./adapter.ts";
import { type AdapterChange, listAdapters, watchAdapters } from "./adapters.ts";
import type { Feed } from "./feed.ts";

const open = (kernel: SimulatedKernel, privileged = true): Promise<Mgmt> =>
  openMgmt({ socket: kernel.openSocket({ privileged }), clock: kernel.clock });

/** "changed 0 settings,powered", as many as are asked for. */
async function next(changes: Feed<AdapterChange>, count: number): Promise<string[]> {
  const texts: string[] = [];
  while (texts.length < count) {
    const { value } = await changes.next();
    if (!value) break;
    texts.push([value.kind, value.adapter.index, ...(value.kind === "changed" ? [value.changes.join()] : [])].join(" "));
  }
  return texts;
}

test("adapters are listed with what they are, in the order of their indexes", async () => {
  const kernel = new SimulatedKernel({
    controllers: [
      { index: 1, missing: ["PublicAddress"] },
      { index: 0, name: "first" },
    ],
  });
  const [first, second, ...more] = await listAdapters(await open(kernel));
  expect(first).toMatchObject({ index: 0, configured: true, name: "first", powered: false });
  expect(first?.settings).toContain("BREDR");
  expect(first?.supportedSettings).toContain("LowEnergy");
  expect(second).toMatchObject({ index: 1, configured: false, address: undefined, missingOptions: ["PublicAddress"] });
  expect(more).toEqual([]);
});

test("those that are there come first, then what is plugged in, changed and pulled out", async () => {
  const kernel = new SimulatedKernel({ controllers: [{}, {}] });
  const other = await open(kernel);
  const changes = watchAdapters(await open(kernel, false)); // it takes no privilege
  expect(await next(changes, 2)).toEqual(["present 0", "present 1"]);
  const index = kernel.plug({ name: "stick" });
  expect(await next(changes, 1)).toEqual([`added ${index}`]);
  await other.setLocalName(index, { name: "renamed" });
  expect(await next(changes, 1)).toEqual([`changed ${index} name`]);
  kernel.unplug(index);
  const removed = (await changes.next()).value as AdapterChange;
  expect(removed).toMatchObject({ kind: "removed", adapter: { index, name: "renamed" } });
});

test("what this client changes itself is told as what others change", async () => {
  const kernel = new SimulatedKernel();
  const mgmt = await open(kernel);
  const changes = watchAdapters(mgmt);
  await next(changes, 1);
  await mgmt.setLowEnergy(0, true);
  await mgmt.setLowEnergy(0, true); // nothing new
  await mgmt.setLocalName(0, { name: "here" });
  await mgmt.setPowered(0, true);
  expect(await next(changes, 3)).toEqual(["changed 0 settings", "changed 0 name", "changed 0 powered,settings"]);
});

test("a socket that has switched to the extended events tells the same", async () => {
  const kernel = new SimulatedKernel();
  const mgmt = await open(kernel);
  await mgmt.readExtendedControllerIndexList();
  await mgmt.readExtendedControllerInformation(0);
  const other = await open(kernel);
  const changes = watchAdapters(mgmt);
  expect(await next(changes, 1)).toEqual(["present 0"]);
  await other.setLocalName(0, { name: "renamed", shortName: "short" });
  kernel.plug({ index: 5, missing: ["ExternalConfiguration"] });
  kernel.unplug(0);
  expect(await next(changes, 3)).toEqual(["changed 0 name,shortName", "removed 0", "added 5"]);
});

test("the class goes with the power, whatever kind of events the socket has", async () => {
  for (const isExtended of [false, true]) {
    const kernel = new SimulatedKernel({ controllers: [{ settings: ["Powered", "BREDR"], classOfDevice: 0x20c }] });
    const mgmt = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    const other = await openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
    if (isExtended) await mgmt.readExtendedControllerInformation(0);
    const adapters = watchAdapters(mgmt);
    expect(await adapters.next()).toMatchObject({ value: { adapter: { classOfDevice: 0x20c, powered: true } } });
    await other.setPowered(0, false);
    let adapter: Adapter | undefined;
    while (adapter?.powered !== false) adapter = ((await adapters.next()).value as AdapterChange).adapter;
    expect(adapter.classOfDevice).toBe(0);
    await adapters.return();
  }
});

test("an index that is used again is another adapter", async () => {
  const kernel = new SimulatedKernel({ controllers: [{ name: "old" }] });
  const changes = watchAdapters(await open(kernel));
  await next(changes, 1);
  kernel.unplug(0);
  kernel.plug({ index: 0, name: "new" });
  expect(await next(changes, 2)).toEqual(["removed 0", "added 0"]);
});

test("an adapter that another program takes is removed until it is given back", async () => {
  const kernel = new SimulatedKernel();
  const changes = watchAdapters(await open(kernel));
  await next(changes, 1);
  kernel.takeUserChannel(0)[Symbol.dispose]();
  expect(await next(changes, 2)).toEqual(["removed 0", "added 0"]);
});

test("an adapter that is configured leaves as what it was and comes back as what it is", async () => {
  const kernel = new SimulatedKernel({ controllers: [{ missing: ["PublicAddress"], address: "00:00:00:00:00:00" }] });
  const mgmt = await open(kernel);
  const changes = watchAdapters(mgmt);
  const { value } = await changes.next();
  expect(value).toMatchObject({ kind: "present", adapter: { configured: false } });
  await mgmt.setPublicAddress(0, "00:AA:01:00:00:42");
  const kinds: string[] = [];
  for await (const { kind, adapter } of changes) {
    kinds.push(`${kind} ${adapter.configured}`);
    if (kind === "added") {
      expect(adapter.address).toBe("00:AA:01:00:00:42");
      break;
    }
  }
  expect(kinds.at(-2)).toBe("removed false");
});

test("an adapter that vanishes while it is being asked is not told of", async () => {
  const kernel = new SimulatedKernel({ controllers: [{}, {}] });
  const mgmt = await open(kernel);
  const off = mgmt.on("reply", ({ declaration }) => {
    if (declaration !== commands.readUnconfiguredControllerIndexList) return;
    off[Symbol.dispose]();
    kernel.unplug(0);
  });
  expect(await next(watchAdapters(mgmt), 1)).toEqual(["present 1"]);
});

test("a loop that is left, aborted or without its kernel ends", async () => {
  const kernel = new SimulatedKernel();
  const mgmt = await open(kernel);
  for await (const { kind } of watchAdapters(mgmt)) {
    expect(kind).toBe("present");
    break;
  }
  const abort = new AbortController();
  const aborted = watchAdapters(mgmt, { signal: abort.signal });
  await next(aborted, 1);
  abort.abort(new Error("enough"));
  await expect(aborted.next()).rejects.toThrow("enough");

  const silence = kernel.silence({ command: commands.readControllerIndexList });
  await expect(watchAdapters(mgmt, { timeoutMs: 2_000 }).next()).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  silence[Symbol.dispose]();

  const watching = watchAdapters(mgmt);
  await next(watching, 1);
  kernel.loseSockets();
  await expect(watching.next()).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
  expect(await watching.next()).toEqual({ value: undefined, done: true });
});
