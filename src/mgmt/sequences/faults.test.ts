import { afterEach, describe, expect, test } from "vitest";
import { samples } from "../../../test/support/samples.ts";
import { VirtualClock } from "../../async/index.ts";
import { SimulatedKernel } from "../../testing/index.ts";
import { type Mgmt, openMgmt, Settings, Status } from "../index.ts";
import { acceptPairings } from "./accept-pairings.ts";
import { watchAdapters } from "./adapters.ts";
import { advertise } from "./advertise.ts";
import { autoConnect, watchConnections } from "./connections.ts";
import { pair } from "./pair.ts";
import { powerCycle } from "./power.ts";
import { scan } from "./scan.ts";

const PEER = { address: "C0:11:22:33:44:55", addressType: "LERandom" } as const;
const HOUR_MS = 3_600_000;

interface Sequence {
  run(mgmt: Mgmt, signal: AbortSignal): Promise<unknown>;
}

const agent = { compare: () => true, confirm: () => true };

/** Sequences from beginning to end, with what puts them away. */
const sequences: Record<string, Sequence> = {
  powerCycle: { run: (mgmt, signal) => powerCycle(mgmt, 0, { signal }) },
  scan: {
    run: async (mgmt, signal) => {
      let count = 0;
      for await (const device of scan(mgmt, 0, { signal, duplicates: "all" })) if (device && ++count === 3) break;
    },
  },
  "limited scan": {
    run: async (mgmt, signal) => {
      for await (const device of scan(mgmt, 0, { signal, limited: true, types: "le", durationMs: 15_000 })) expect(device).toBeDefined();
    },
  },
  "advertise, in one step": {
    run: async (mgmt, signal) => {
      await using advertising = await advertise(mgmt, 0, { signal, services: ["180D"], durationMs: 60_000 });
      expect(advertising.instance).toBe(1);
    },
  },
  "advertise, in two steps": {
    run: async (mgmt, signal) => {
      await using advertising = await advertise(mgmt, 0, { signal, intervalMs: 100, name: "x" });
      expect(advertising.instance).toBe(1);
    },
  },
  pair: { run: (mgmt, signal) => pair(mgmt, 0, PEER, { signal, agent, identityKeys: [] }) },
  acceptPairings: {
    run: async (mgmt, signal) => {
      await using accepting = await acceptPairings(mgmt, 0, agent, { signal });
      await mgmt.readManagementVersionInformation({ signal });
      expect(accepting).toBeDefined();
    },
  },
  watchAdapters: {
    run: async (mgmt, signal) => {
      for await (const { kind } of watchAdapters(mgmt, { signal })) if (kind === "present") break;
    },
  },
  watchConnections: {
    run: async (mgmt, signal) => {
      await using _listed = await autoConnect(mgmt, 0, { ...PEER }, { signal, disconnect: true });
      for await (const { kind } of watchConnections(mgmt, 0, { signal })) if (kind === "connected" || kind === "present") break;
    },
  },
};

const clocks: VirtualClock[] = [];
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
});

async function prepared(): Promise<{ kernel: SimulatedKernel; mgmt: Mgmt; other: Mgmt }> {
  const clock = new VirtualClock();
  clocks.push(clock);
  const kernel = new SimulatedKernel({
    clock,
    controllers: [{ settings: ["LowEnergy", "SecureConnections"] }],
    devices: [{ ...PEER, pairing: "compare", eirData: { flags: 5, name: "lamp" } }],
  });
  const open = () => openMgmt({ socket: kernel.openSocket(), clock: kernel.clock });
  const [mgmt, other] = [await open(), await open()];
  await other.setPowered(0, true);
  return { kernel, mgmt, other };
}

/** How many packets a sequence exchanges when nothing goes wrong. */
async function length({ run }: Sequence): Promise<number> {
  const { mgmt } = await prepared();
  let count = 0;
  mgmt.on("packet", () => count++);
  await run(mgmt, new AbortController().signal);
  return count;
}

/** Has `fault` happen at the packet with this number; whether the sequence then succeeds or fails, it has to settle. */
async function settledWith(
  sequence: Sequence,
  at: number,
  fault: (all: Awaited<ReturnType<typeof prepared>>, abort: AbortController) => void,
) {
  const all = await prepared();
  const abort = new AbortController();
  let count = 0;
  all.mgmt.on("packet", () => {
    if (count++ === at) fault(all, abort);
  });
  const outcome = sequence.run(all.mgmt, abort.signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  // What waits for a device or an adapter waits as long as it is wanted.
  all.kernel.clock.setTimer(HOUR_MS / 2, "impatience", () => abort.abort(new Error("impatient")));
  const late = Symbol("never settled");
  const limit = new Promise((resolve) => all.kernel.clock.setTimer(HOUR_MS, "limit", () => resolve(late)));
  const result = await Promise.race([outcome, limit]);
  expect(result, `at packet ${at}`).not.toBe(late);
  return { ...all, abort, error: result };
}

/** What a sequence may not leave behind, as another program sees it. */
async function leftBehind({ other }: { other: Mgmt }): Promise<string[]> {
  const found: string[] = [];
  const { currentSettings } = await other.readControllerInformation(0);
  const on = (name: keyof typeof Settings): boolean => (currentSettings & (1 << Settings[name])) !== 0;
  if (!on("Powered")) found.push("off");
  if (on("Bondable")) found.push("bondable");
  if ((await other.readAdvertisingFeatures(0)).instances.length > 0) found.push("advertising");
  const status = async (command: Promise<unknown>): Promise<number> =>
    command.then(
      () => Status.Success,
      (error: { status: number }) => error.status,
    );
  if ((await status(other.stopDiscovery(0, ["LEPublic", "LERandom"]))) !== Status.Rejected) found.push("discovery");
  if ((await status(other.cancelPairDevice(0, PEER))) !== Status.InvalidParameters) found.push("pairing");
  if ((await status(other.removeDevice(0, PEER))) !== Status.InvalidParameters) found.push("listed device");
  return found;
}

describe.each(Object.keys(sequences))("%s", (name) => {
  const sequence = sequences[name]!;

  test("aborted at any packet settles with the reason or its result, and leaves nothing behind", async () => {
    const packets = await length(sequence);
    for (const at of samples({ of: "packets of the management's sequences, at each of which something happens", at: name }, packets, 12)) {
      const reason = new Error("enough");
      const all = await settledWith(sequence, at, (_, abort) => abort.abort(reason));
      expect([undefined, reason], `at packet ${at}: ${all.error}`).toContain(all.error);
      expect(await leftBehind(all), `at packet ${at}`).toEqual([]);
    }
  });

  test("settles when the adapter vanishes, the socket is lost or the client is closed, at any packet", async () => {
    const packets = await length(sequence);
    for (const at of samples({ of: "packets of the management's sequences, at each of which something happens", at: name }, packets, 12)) {
      await settledWith(sequence, at, ({ kernel }) => kernel.unplug(0));
      await settledWith(sequence, at, ({ kernel }) => kernel.loseSockets());
      await settledWith(sequence, at, ({ mgmt }) => void mgmt[Symbol.asyncDispose]());
    }
  });

  test("settles when the power goes at any packet, or when nothing is answered from there on", async () => {
    const packets = await length(sequence);
    for (const at of samples({ of: "packets of the management's sequences, at each of which something happens", at: name }, packets, 12)) {
      await settledWith(sequence, at, ({ kernel }) => kernel.blockRadio(0, true));
      await settledWith(sequence, at, ({ kernel }) => void kernel.silence({ index: 0 }));
    }
  });
});
