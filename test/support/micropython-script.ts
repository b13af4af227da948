import { expect } from "vitest";
import { delay, Pending } from "../../src/async/index.ts";
import type { BLE, BleEvent, IrqHandler } from "../../src/micropython/index.ts";
import { SimulatedAir } from "../../src/testing/index.ts";
import { Instance, ORDERS, type Order } from "./micropython.ts";

/** What one of two programs works with. */
export interface Program {
  readonly ble: BLE;
  /** A line of its output. */
  print(...items: unknown[]): void;
  /** The next event of this kind that was not waited for yet. */
  wait<T extends BleEvent["type"]>(type: T): Promise<Extract<BleEvent, { type: T }>>;
  /** Called for each event. */
  onEvent: IrqHandler | undefined;
  /** Waits until the other one has come as far. */
  meet(): Promise<void>;
  /** What the other one is told. */
  tell(value: unknown): void;
  told<T>(): Promise<T>;
  sleep(ms: number): Promise<void>;
}

export interface Pair {
  /** The peripheral, mostly. */
  readonly instance0: (program: Program) => Promise<void>;
  readonly instance1: (program: Program) => Promise<void>;
}

/** A queue in one direction. */
class Mailbox {
  readonly #values: unknown[] = [];
  readonly #waiting: ((value: unknown) => void)[] = [];
  put(value: unknown): void {
    const next = this.#waiting.shift();
    if (next) next(value);
    else this.#values.push(value);
  }
  take(): Promise<unknown> {
    return this.#values.length > 0 ? Promise.resolve(this.#values.shift()) : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** How long a pair may take, in simulated time. */
const PATIENCE_MS = 120_000;
/** Handlers that answer at once, and such as stand at the far end of a line: within a link's interval of 30 ms, and beyond it. */
const HANDLERS_MS = [0, 1, 40];

/**
 * Runs two programs side by side, in both orders and with quick and slow handlers, and compares what they print. Both are switched on before,
 * and off afterwards.
 *
 * @throws {Error} they are not done in time: what each of them waits for, and what was printed
 */
export async function runPair({ instance0, instance1 }: Pair, expected: readonly (readonly string[])[]): Promise<void> {
  for (const order of ORDERS)
    for (const handlerMs of HANDLERS_MS) {
      const how = `${order}, handlers of ${handlerMs} ms`;
      const printed = await runOnce([instance0, instance1], { order, handlerMs, how });
      expect([how, ...printed]).toEqual([how, ...expected]);
    }
}

async function runOnce(
  programs: ((program: Program) => Promise<void>)[],
  { order, handlerMs, how }: { order: Order; handlerMs: number; how: string },
): Promise<string[][]> {
  await using air = new SimulatedAir({ seed: 3 });
  const names = order === "central first" ? [1, 0] : [0, 1];
  const instances: Instance[] = [];
  for (const i of names) {
    instances[i] = new Instance(air, `instance${i}`);
    await instances[i]!.ble.active(true);
    instances[i]!.handlerMs = handlerMs;
  }
  const meetings = [new Mailbox(), new Mailbox()];
  const letters = [new Mailbox(), new Mailbox()];
  const printed: string[][] = [[], []];
  const run = async (i: number): Promise<void> => {
    const instance = instances[i]!;
    const program: Program = {
      ble: instance.ble,
      print: (...items) => void printed[i]!.push(items.map(String).join(" ")),
      wait: (type) => instance.next(type),
      onEvent: undefined,
      meet: async () => {
        meetings[1 - i]!.put(undefined);
        await meetings[i]!.take();
      },
      tell: (value) => letters[1 - i]!.put(value),
      told: <T>() => letters[i]!.take() as Promise<T>,
      sleep: (ms) => delay(air.clock, ms),
    };
    instance.handle = (event) => program.onEvent?.(event);
    await programs[i]!(program);
  };
  const late = new Pending<never>({ clock: air.clock, operation: "two programs" });
  using _limit = air.clock.setTimer(PATIENCE_MS, "two programs", () => {
    const states = instances.map(({ awaited, lines }, i) =>
      [`instance${i} waits for ${awaited.join(", ") || "no event"}; it printed`, ...printed[i]!, "and was told", ...lines].join("\n  "),
    );
    late.reject(new Error([`two programs are not done (${how})`, ...states].join("\n")));
  });
  try {
    await Promise.race([Promise.all(names.map(run)), late.promise]);
  } finally {
    for (const i of names) await instances[i]!.ble.close();
  }
  return printed;
}

/** Advertises until the other one has connected. */
export async function advertise(program: Program): Promise<number> {
  await program.ble.gapAdvertise(20_000, Uint8Array.of(2, 1, 6));
  program.tell(program.ble.config("mac"));
  return (await program.wait("centralConnect")).connHandle;
}

/** Connects to the one that advertises. */
export async function connectToOther(program: Program, us: readonly [number, number] = [30_000, 30_000]): Promise<number> {
  const { addrType, addr } = await program.told<{ addrType: number; addr: Uint8Array }>();
  await program.ble.gapConnect(addrType, addr, 5000, ...us);
  return (await program.wait("peripheralConnect")).connHandle;
}

export const text = (octets: Uint8Array): string => new TextDecoder().decode(octets);
