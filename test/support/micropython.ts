import { delay } from "../../src/async/index.ts";
import type { Controller, ControllerOptions } from "../../src/controller/index.ts";
import { BLE, type BleEvent, type BleOptions, type IrqHandler, type IrqResult } from "../../src/micropython/index.ts";
import { SimulatedAir } from "../../src/testing/index.ts";

/** An event in one line: its name and its tuple, octets as hexadecimal, for comparison with what a script would print. */
export function line({ type, code: _code, ...fields }: BleEvent): string {
  const shown = Object.values(fields).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value)));
  return [type, ...shown].join(" ");
}

const WAKE_MS = 0.01;

/** A BLE with its controller, and what it told. */
export class Instance {
  readonly ble: BLE;
  readonly controller: Controller;
  readonly #air: SimulatedAir;
  readonly events: BleEvent[] = [];
  /** Called for each event after it was noted. */
  handle: IrqHandler | undefined;
  /** Milliseconds until an event is noted, as where a program stands at the far end of a line: 0 is within the call. */
  handlerMs = 0;
  #waiting: { readonly type: string; readonly resolve: (event: BleEvent) => void }[] = [];
  /** How many of `events` `next` has given. */
  #taken = 0;

  constructor(air: SimulatedAir, name: string, options: Partial<BleOptions> = {}, controller: Omit<ControllerOptions, "air"> = {}) {
    this.#air = air;
    this.controller = air.addController({ name, ...controller });
    this.ble = new BLE({ controller: this.controller.transport, clock: air.clock, random: air.random(name), ...options });
    this.listen();
  }

  /** Sets the handler. */
  listen(): void {
    this.ble.irq((event) => (this.handlerMs === 0 ? this.#onEvent(event) : this.#onEventLater(event)));
  }

  /** What `next` waits for. */
  get awaited(): string[] {
    return this.#waiting.map(({ type }) => type);
  }

  get lines(): string[] {
    return this.events.map(line);
  }
  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  /** Parameters of the last command of this name that its host sent. */
  asked(command: string): Readonly<Record<string, unknown>> {
    return this.#air.trace(command).findLast(({ at }) => at === this.controller.name)!.fields;
  }

  /** The next event of this kind that was not given yet; those before it are skipped. */
  next<T extends BleEvent["type"]>(type: T): Promise<Extract<BleEvent, { type: T }>> {
    for (; this.#taken < this.events.length; ) {
      const event = this.events[this.#taken++]!;
      if (event.type === type) return Promise.resolve(event as Extract<BleEvent, { type: T }>);
    }
    return new Promise((resolve) => this.#waiting.push({ type, resolve: resolve as (event: BleEvent) => void }));
  }

  /** Forgets what was told so far. */
  clear(): void {
    this.events.length = 0;
    this.#taken = 0;
  }

  async #onEventLater(event: BleEvent): Promise<IrqResult> {
    await delay(this.#air.clock, this.handlerMs);
    return this.#onEvent(event);
  }

  /** A program that waits goes on when its handler is done: at the far end of a line that is when the answer has gone. */
  #wake(resolve: (event: BleEvent) => void, event: BleEvent): void {
    if (this.handlerMs === 0) resolve(event);
    else void delay(this.#air.clock, WAKE_MS).then(() => resolve(event));
  }

  #onEvent(event: BleEvent): ReturnType<IrqHandler> {
    this.events.push(event);
    if (this.#waiting[0]) {
      this.#taken = this.events.length;
      if (this.#waiting[0].type === event.type) this.#wake(this.#waiting.shift()!.resolve, event);
    }
    return this.handle?.(event);
  }
}

/** Two instances in one air. The first of the two that a test names is made first. */
export interface Two extends AsyncDisposable {
  readonly air: SimulatedAir;
  readonly central: Instance;
  readonly peripheral: Instance;
}

export type Order = "central first" | "peripheral first";
export const ORDERS: readonly Order[] = ["central first", "peripheral first"];

/** Both are active. */
export async function openTwo(
  order: Order = "central first",
  { seed = 1, radio, ...options }: Partial<BleOptions> & { seed?: number; radio?: Omit<ControllerOptions, "air"> } = {},
): Promise<Two> {
  const air = new SimulatedAir({ seed });
  const names = order === "central first" ? ["central", "peripheral"] : ["peripheral", "central"];
  const made = new Map<string, Instance>();
  for (const name of names) {
    const instance = new Instance(air, name, options, radio);
    made.set(name, instance);
    await instance.ble.active(true);
    instance.clear(); // it was asked for its secrets
  }
  const [central, peripheral] = [made.get("central")!, made.get("peripheral")!];
  return {
    air,
    central,
    peripheral,
    [Symbol.asyncDispose]: async () => {
      await central.ble.close();
      await peripheral.ble.close();
      await air[Symbol.asyncDispose](); // throws where something still waits
    },
  };
}

/** Connects the two, by default at an interval of 30 ms. */
export async function connect(
  { central, peripheral }: Two,
  us: readonly [number, number] = [30_000, 30_000],
): Promise<{ c: number; p: number }> {
  await peripheral.ble.gapAdvertise(20_000);
  const { addrType, addr } = peripheral.ble.config("mac");
  const [atCentral, atPeripheral] = [central.next("peripheralConnect"), peripheral.next("centralConnect")];
  await central.ble.gapConnect(addrType, addr, 5000, ...us);
  return { c: (await atCentral).connHandle, p: (await atPeripheral).connHandle };
}
