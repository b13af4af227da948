// @ts-check
/**
 * Adapters that come and go, and one that stops answering: Jelling's own controllers in `/dev/vhci`. Inside the lab:
 * node lab/run.mjs -- node lab/scenarios/mgmt-plugging.mjs
 */
import assert from "node:assert/strict";
import { SystemClock } from "jelling/async";
import { openMgmt, watchAdapters } from "jelling/mgmt";
import { SimulatedAir } from "jelling/testing";
import { openTransport } from "jelling/transport";
import { startEmulator, until } from "../guest/bluez.mjs";
import { eventsDuring, next, pending, refused, settled } from "../guest/mgmt.mjs";
import { runScenario } from "../guest/scenario.mjs";

const address = "00:AA:02:00:00:07";
const nobody = { address: "C0:11:22:33:44:55", addressType: /** @type {const} */ ("LERandom") };
const le = /** @type {const} */ (["LEPublic", "LERandom"]);
/** HCI_LE_Set_Scan_Parameters, the first command of a discovery. */
const leSetScanParameters = 0x200b;
/** What the kernel gives a controller to answer a command. */
const kernelPatienceMs = 2_000;

await runScenario("mgmt-plugging", async ({ use, step }) => {
  const emulator = await startEmulator();
  let emulating = true;
  const endEmulator = async () => {
    if (emulating) await emulator[Symbol.asyncDispose]();
    emulating = false;
  };
  use({ [Symbol.asyncDispose]: endEmulator });
  const air = use(new SimulatedAir({ seed: 4, clock: new SystemClock() }));
  const mgmt = use(await openMgmt());
  const extended = use(await openMgmt());
  assert.equal((await extended.readExtendedControllerIndexList()).controllers.length, 2);

  const adapters = watchAdapters(mgmt);
  /** @type {import("jelling/mgmt").AdapterChange[]} */
  const changes = [];
  const watching = (async () => {
    for await (const change of adapters) changes.push(change);
  })();
  /** @param {(change: import("jelling/mgmt").AdapterChange) => boolean} wanted */
  const change = (wanted) => until("a change of the adapters", () => changes.find(wanted));

  await step("the adapters that are there are told first", async () => {
    await until("both", () => changes.length === 2);
    assert.deepEqual(changes.map(({ kind, adapter }) => `${kind} hci${adapter.index}`).toSorted(), ["present hci0", "present hci1"]);
  });

  /** Swallows the controller's commands of this opcode while it is set. @type {number | undefined} */
  let silent;
  /** @type {import("jelling/hci").HciTransport | undefined} */
  let transport;
  const index = await step("an adapter that is plugged in is told as either kind of event, and by the sequence", async () => {
    const added = next(mgmt, "indexAdded");
    const addedToo = next(extended, "extendedIndexAdded");
    transport = use(await openTransport("vhci:"));
    air.addController({ name: "plugged", address }).attach(swallowing(transport, (opcode) => opcode === silent));
    const { index: fresh } = await added;
    assert.deepEqual(await addedToo, { event: "extendedIndexAdded", index: fresh, controllerType: 0, controllerBus: 0 });
    const { adapter } = await change(({ kind }) => kind === "added");
    assert.deepEqual([adapter.index, adapter.address, adapter.powered], [fresh, address, false]);
    assert.ok((await mgmt.readControllerIndexList()).controllerIndexes.includes(fresh));
    return fresh;
  });

  await step("what changes is told, by whomever: our own commands, too", async () => {
    await mgmt.setPowered(index, true);
    const powered = await change(({ kind, adapter }) => kind === "changed" && adapter.index === index && adapter.powered);
    assert.ok(powered.changes.includes("powered"));
    await mgmt.setLocalName(index, { name: "plugged in", shortName: "" }); // of an LE controller that is on, 6.1 tells nobody else
    await change(({ adapter }) => adapter.name === "plugged in");
    await extended.setConnectable(0, true);
    await change(({ adapter }) => adapter.index === 0 && adapter.settings.includes("Connectable"));
  });

  await step("a controller that stops answering: the command times out here, and the kernel gives it up later", async () => {
    silent = leSetScanParameters;
    const started = performance.now();
    await assert.rejects(mgmt.startDiscovery(index, le, { timeoutMs: 300 }), { code: "ERR_TIMEOUT" });
    const took = performance.now() - started;
    assert.ok(took >= 300 && took < kernelPatienceMs, `${took} ms`);
    // Other commands are answered meanwhile.
    await mgmt.readControllerInformation(index);
    silent = undefined;
    // The next one waits until the late answer has come, and does not take it for its own.
    const discovering = next(mgmt, "discovering", index, (event) => event.discovering === 1);
    const events = await eventsDuring(mgmt, () => mgmt.startDiscovery(index, le));
    assert.ok(events.length <= 1);
    await discovering;
    assert.ok(performance.now() - started >= kernelPatienceMs - 100);
    await mgmt.stopDiscovery(index, le);
  });

  await step("an adapter that is pulled out: what is pending ends with InvalidIndex before it is told", async () => {
    const pairing = pending(mgmt.pairDevice(index, { ...nobody, ioCapability: "NoInputNoOutput" }));
    await settled(mgmt);
    /** @type {string[]} */
    const order = [];
    mgmt.on("indexRemoved", () => void order.push("removed"));
    pairing.catch(() => order.push("answered"));
    const removed = next(mgmt, "indexRemoved", index);
    const removedToo = next(extended, "extendedIndexRemoved", index);
    await transport?.[Symbol.asyncDispose]();
    await refused("InvalidIndex", pairing);
    await removed;
    assert.equal((await removedToo).controllerType, 0);
    const { adapter } = await change(({ kind }) => kind === "removed");
    assert.deepEqual([adapter.index, adapter.name], [index, "plugged in"]);
    await refused("InvalidIndex", mgmt.readControllerInformation(index));
    assert.deepEqual(order.toSorted(), ["answered", "removed"]);
  });

  await step("btvirt's adapters go when it ends, and others come under the same numbers", async () => {
    const known = changes.length;
    await endEmulator();
    await until("both to be gone", () => changes.slice(known).filter(({ kind }) => kind === "removed").length === 2);
    assert.deepEqual(await mgmt.readControllerIndexList(), { controllerIndexes: [] });
    use(await startEmulator());
    await until("both to be back", () => changes.slice(known).filter(({ kind }) => kind === "added").length === 2);
    assert.equal((await extended.readExtendedControllerIndexList()).controllers.length, 2);
    await adapters.return();
    await watching;
    assert.equal(adapters.dropped, 0);
  });
});

/**
 * A transport whose commands go on to the controller but for those that are to be swallowed.
 *
 * @param {import("jelling/hci").HciTransport} transport
 * @param {(opcode: number) => boolean} isSwallowed
 * @returns {import("jelling/hci").HciTransport}
 */
function swallowing(transport, isSwallowed) {
  return new Proxy(transport, {
    get: (target, key) => {
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => {
      if (key !== "onPacket" || typeof value !== "function") return Reflect.set(target, key, value, target);
      target.onPacket = (packet) => {
        if (packet[0] !== 0x01 || !isSwallowed((packet[1] ?? 0) | ((packet[2] ?? 0) << 8))) value(packet);
      };
      return true;
    },
  });
}
