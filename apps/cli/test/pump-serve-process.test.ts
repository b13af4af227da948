import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildKeyDatabase, inventKeys, PumpConnector, SimulatedPump } from "@jelling/minimed";
import { PumpStore } from "@jelling/minimed/store";
import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { FileBondStore, openIdentity } from "jelling/node";
import { SimulatedAir } from "jelling/testing";
import { serveController } from "jelling/transport";
import { expect, test } from "vitest";
import { buildCommand } from "../../../bin/command.js";
import { isFull, leaveOut } from "../../../test/support/left-out.ts";
import { PacedClock } from "../src/paced-clock.ts";

// `jelling pump serve` as a process of its own, with a simulated pump behind TCP whose time is faster: killed in the middle, and ended in order.

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** So fast that a link of 125 ms is no wait, and so slow that a busy machine answers within the pump's 30 s. */
const FACTOR = 20;
const HISTORY_DAYS = 10;
const KILLS = 3;
const PATIENCE_MS = 300_000;
/** As the unit has it, beside what it takes a busy machine to begin with it. */
const GRACE_MS = 30_000;

interface Health {
  readonly pump: { readonly link: string };
  readonly store: {
    readonly state: string;
    readonly problem: string | null;
    readonly lastSync: string | null;
    readonly syncing: boolean;
    readonly newRecords: number;
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

test.runIf(isFull)(
  "pump serve, killed in the middle of a sync again and again: nothing is lost or there twice; SIGTERM ends it in order",
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "jelling-"));
    const program = await mkdtemp(join(root, "node_modules", ".cli-test-"));
    const children: ChildProcess[] = [];
    try {
      await buildCommand(program);

      using clock = new PacedClock(FACTOR);
      await using air = new SimulatedAir({ clock, seed: 5, traceCapacity: 0 });
      const keys = inventKeys(new SeededRandom(5));
      const phone = air.addController({ name: "phone" });
      const pumpController = air.addController({ name: "pump", position: { x: 1, y: 0 }, address: "00:23:F7:4A:65:6C" });
      await using pump = await SimulatedPump.open({
        transport: pumpController.transport,
        clock,
        random: air.random("pump"),
        seed: 5,
        keyDatabase: keys.pump,
        historyDays: HISTORY_DAYS,
      });
      // Paired here, in the files of the command.
      const state = join(folder, "jelling");
      await mkdir(state, { mode: 0o700 });
      const { irk, address } = await openIdentity(join(state, "identity.json"));
      const connector = await PumpConnector.open({
        controller: phone.transport,
        bonds: new FileBondStore(join(state, "pump-bonds.json")),
        irk,
        staticAddress: address,
        keyDatabase: keys.phone,
        clock,
        mode: "pair",
      });
      await Promise.all([connector.session({ timeoutMs: 300_000 }), pump.pairNewPhone()]);
      await connector.close();
      await using served = await serveController(phone, "tcp:0");

      const storeFile = join(folder, "pump.sqlite");
      const port = await freePort();
      const keyFile = join(folder, "keys.bin");
      await writeFile(keyFile, buildKeyDatabase(keys.phone), { mode: 0o600 });
      await chmod(keyFile, 0o600);
      const config = join(folder, "service.json");
      await writeFile(config, JSON.stringify({ transport: served.spec, keyFile, storeFile, page: false, health: { port } }));

      let said = "";
      const start = (): ChildProcess => {
        const env = { ...process.env, XDG_STATE_HOME: folder, XDG_DATA_HOME: folder };
        const child = spawn(process.execPath, [join(program, "main.js"), "pump", "serve", "--config", config], { env });
        children.push(child);
        for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
        return child;
      };
      /** Waits for what its health is to be. */
      const until = async (child: ChildProcess, isSo: (health: Health) => boolean): Promise<Health> => {
        for (const endMs = performance.now() + PATIENCE_MS; ; ) {
          expect([child.exitCode, performance.now() < endMs], said.slice(-3000)).toEqual([null, true]);
          const health = await fetch(`http://127.0.0.1:${port}/health`).then(
            async (answer) => (await answer.json()) as Health,
            () => undefined,
          );
          if (health && isSo(health)) return health;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };

      const random = new SeededRandom(5, "kills");
      const counts: number[] = [];
      for (let kill = 0; kill < KILLS; kill++) {
        const child = start();
        const atLeast = 1 + (random.uint32() % 1500);
        const { store } = await until(child, (health) => health.store.newRecords >= atLeast);
        child.kill("SIGKILL");
        await once(child, "exit");
        counts.push(store.newRecords);
        expect(store).toMatchObject({ state: "running", problem: null, lastSync: null });
      }
      const last = start();
      const { store } = await until(last, (health) => health.store.lastSync !== null && !health.store.syncing);
      expect(store).toMatchObject({ state: "running", problem: null });
      const [atMs, ended] = [performance.now(), once(last, "exit")];
      last.kill("SIGTERM");
      expect(await ended).toEqual([0, null]);
      expect(performance.now() - atMs).toBeLessThan(GRACE_MS);
      expect(said).toContain('"message":"ended"');
      expect(said).not.toMatch(/ERR_|unexpected|Unhandled|Warning/);

      using kept = await PumpStore.open(storeFile);
      const { pump: name } = kept.pumps()[0]!;
      const history = kept.history(name)!;
      const records = [...history.records()].map(({ ref, bytes }) => [ref.sequenceNumber, toHex(bytes)] as const);
      const newest = Math.max(...records.map(([number]) => number));
      const expected: [number, string][] = [];
      for (let number = pump.history.first!; number <= newest; number++) {
        const bytes = pump.history.record(number);
        if (bytes) expected.push([number, toHex(bytes)]);
      }
      expect(records).toEqual(expected);
      expect(records.length).toBeGreaterThan(counts.reduce((sum, count) => sum + count, 0));
      expect(history.gaps().filter(({ gone }) => !gone)).toEqual([]);
      expect(kept.isSound()).toBe(true);
    } finally {
      for (const child of children) child.kill("SIGKILL");
      await rm(program, { recursive: true });
      await rm(folder, { recursive: true });
    }
  },
);
if (!isFull) leaveOut("pump serve as a process that is killed (JELLING_ROBUSTNESS=full runs it)");
