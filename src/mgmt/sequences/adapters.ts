import type { OperationOptions } from "../../async/index.ts";
import { checkInteger, optionNames } from "../../core/index.ts";
import { ControllerType, commands, type MgmtReplyPacket, NO_CONTROLLER, Status } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { MgmtError } from "../error.ts";
import { type Adapter, adapterOf, areAboutAdapter, differences, newsOf, unconfiguredAdapterOf } from "./adapter.ts";
import { checkSequence, operationOptions } from "./edge.ts";
import { Feed, MOST_CAPACITY, type Sink } from "./feed.ts";
import { endWithClient } from "./gone.ts";

const QUEUE_CAPACITY = 256;

/** What happened to an adapter. */
export interface AdapterChange {
  /** "present" was there when the loop began. "removed" ends everything that was known of it: the same index may be another adapter's next. */
  readonly kind: "present" | "added" | "changed" | "removed";
  /** As it is now; of one removed, as it was last. */
  readonly adapter: Adapter;
  /** Fields that have another value now; of "changed" only. */
  readonly changes: readonly (keyof Adapter)[];
}

export interface WatchAdaptersOptions extends OperationOptions {
  /** Changes that may wait for the reader; one further behind loses the oldest, counted by `dropped`. Default 256. */
  readonly capacity?: number | undefined;
}

const watchOptions = optionNames<WatchAdaptersOptions>({ capacity: true, signal: true, timeoutMs: true });

/**
 * The adapters of this machine, the unconfigured ones too, in the order of their indexes.
 *
 * @throws {MgmtError}, {TimeoutError}, `signal.reason`
 */
export async function listAdapters(mgmt: Mgmt, options: OperationOptions = {}): Promise<Adapter[]> {
  checkSequence("listAdapters", mgmt, NO_CONTROLLER, options, operationOptions);
  const adapters: Adapter[] = [];
  for (const { index, configured } of await readIndexes(mgmt, options)) {
    try {
      adapters.push(
        configured
          ? adapterOf(index, await mgmt.readControllerInformation(index, options))
          : unconfiguredAdapterOf(index, await mgmt.readControllerConfigurationInformation(index, options)),
      );
    } catch (error) {
      if (!hasLeft(error)) throw error;
    }
  }
  return adapters;
}

/**
 * Watches adapters come, change and go: first those that are there, then what happens to them. Needs no privilege. Works on a socket that
 * has switched to the extended events as well as on one that has not, and switches none.
 *
 * Changes that this client makes are told as those of others are, though the kernel tells of them in the reply alone. An adapter that
 * another program takes for itself (user channel) is removed, and added when it comes back.
 *
 * @param options.timeoutMs of each command
 * @throws {MgmtError}, {TimeoutError} from the loop: the kernel does not tell what is there
 * @throws `signal.reason` once `signal` aborts
 */
export function watchAdapters(mgmt: Mgmt, options: WatchAdaptersOptions = {}): Feed<AdapterChange> {
  checkSequence("watchAdapters", mgmt, NO_CONTROLLER, options, watchOptions);
  const { capacity = QUEUE_CAPACITY, signal, timeoutMs } = options;
  checkInteger("watchAdapters: capacity", capacity, 1, MOST_CAPACITY);
  return new Feed<AdapterChange>({ capacity, signal }, (sink) => {
    const mirror = new AdapterMirror(mgmt, sink, timeoutMs);
    void mirror.start();
    return () => mirror.leave();
  });
}

async function readIndexes(mgmt: Mgmt, options: OperationOptions): Promise<{ index: number; configured: boolean }[]> {
  const { controllerIndexes } = await mgmt.readControllerIndexList(options);
  const unconfigured = await mgmt.readUnconfiguredControllerIndexList(options).catch((error: unknown) => {
    if (error instanceof MgmtError && error.status === Status.UnknownCommand) return { controllerIndexes: [] };
    throw error;
  });
  return [
    ...controllerIndexes.map((index) => ({ index, configured: true })),
    ...unconfigured.controllerIndexes.map((index) => ({ index, configured: false })),
  ].sort((a, b) => a.index - b.index);
}

/** Whether a failure means that the adapter has gone meanwhile. */
function hasLeft(error: unknown): boolean {
  return error instanceof MgmtError && error.status === Status.InvalidIndex;
}

/** An adapter that is known to be there. */
interface Tracked {
  readonly kind: "present" | "added";
  readonly configured: boolean;
  /** Undefined until its information has come. */
  adapter: Adapter | undefined;
}

/**
 * The state of the adapters, made from replies and events in the order in which the kernel sent them, synchronously: a promise's reaction
 * would run after events that came later.
 */
class AdapterMirror {
  readonly #mgmt: Mgmt;
  readonly #sink: Sink<AdapterChange>;
  readonly #timeoutMs: number | undefined;
  readonly #tracked = new Map<number, Tracked>();
  readonly #listeners: Disposable[];

  constructor(mgmt: Mgmt, sink: Sink<AdapterChange>, timeoutMs: number | undefined) {
    this.#mgmt = mgmt;
    this.#sink = sink;
    this.#timeoutMs = timeoutMs;
    // Events before the lists: what happens meanwhile is then in one of them.
    this.#listeners = [
      mgmt.on("indexAdded", ({ index }) => this.#add(index, true, "added")),
      mgmt.on("unconfiguredIndexAdded", ({ index }) => this.#add(index, false, "added")),
      mgmt.on("extendedIndexAdded", ({ index, controllerType }) => {
        if (controllerType !== ControllerType.AMP) this.#add(index, controllerType !== ControllerType.Unconfigured, "added");
      }),
      mgmt.on("indexRemoved", ({ index }) => this.#remove(index)),
      mgmt.on("unconfiguredIndexRemoved", ({ index }) => this.#remove(index)),
      mgmt.on("extendedIndexRemoved", ({ index, controllerType }) => controllerType !== ControllerType.AMP && this.#remove(index)),
      mgmt.on("newSettings", (event) => this.#change(event.index, newsOf(event))),
      mgmt.on("localNameChanged", (event) => this.#change(event.index, newsOf(event))),
      mgmt.on("classOfDeviceChanged", (event) => this.#change(event.index, newsOf(event))),
      mgmt.on("extendedControllerInformationChanged", (event) => this.#change(event.index, newsOf(event))),
      mgmt.on("newConfigurationOptions", (event) => this.#change(event.index, newsOf(event))),
      mgmt.on("reply", (reply) => this.#replied(reply)),
      endWithClient(mgmt, sink),
    ];
  }

  async start(): Promise<void> {
    try {
      for (const { index, configured } of await readIndexes(this.#mgmt, { timeoutMs: this.#timeoutMs })) {
        if (!this.#tracked.has(index)) this.#add(index, configured, "present");
      }
    } catch (error) {
      this.#sink.end(error);
    }
  }

  leave(): undefined {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    this.#tracked.clear();
  }

  #add(index: number, configured: boolean, kind: Tracked["kind"]): void {
    this.#remove(index); // an index that is added has been removed before, whether that was heard or not
    const tracked: Tracked = { kind, configured, adapter: undefined };
    this.#tracked.set(index, tracked);
    void this.#read(index, tracked);
  }

  /** Asks for what is to be known. The answer is taken by `#replied`, in its place among the events. */
  async #read(index: number, tracked: Tracked): Promise<void> {
    const options = { timeoutMs: this.#timeoutMs };
    try {
      await (tracked.configured
        ? this.#mgmt.readControllerInformation(index, options)
        : this.#mgmt.readControllerConfigurationInformation(index, options));
    } catch (error) {
      if (this.#tracked.get(index) !== tracked) return;
      if (hasLeft(error)) this.#tracked.delete(index);
      else this.#sink.end(error);
    }
  }

  #replied({ declaration, index, status, returns }: MgmtReplyPacket): void {
    const tracked = this.#tracked.get(index);
    if (!tracked || !declaration || status !== Status.Success || !returns || returns instanceof Uint8Array) return;
    const complete = tracked.configured ? commands.readControllerInformation : commands.readControllerConfigurationInformation;
    if (tracked.adapter) {
      if (areAboutAdapter(returns)) this.#change(index, newsOf(returns));
    } else if (declaration === complete) {
      const adapter = tracked.configured ? adapterOf(index, returns as never) : unconfiguredAdapterOf(index, returns as never);
      tracked.adapter = adapter;
      this.#sink.push({ kind: tracked.kind, adapter, changes: [] });
    }
  }

  #change(index: number, news: Partial<Adapter>): void {
    const tracked = this.#tracked.get(index);
    if (!tracked?.adapter) return; // its information has yet to come, and will have this in it
    const adapter = { ...tracked.adapter, ...news };
    const changes = differences(tracked.adapter, adapter);
    if (changes.length === 0) return;
    tracked.adapter = adapter;
    this.#sink.push({ kind: "changed", adapter, changes });
  }

  #remove(index: number): void {
    const adapter = this.#tracked.get(index)?.adapter;
    this.#tracked.delete(index);
    if (adapter) this.#sink.push({ kind: "removed", adapter, changes: [] });
  }
}
