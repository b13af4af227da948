import { transportSources } from "#transport-kinds";
import { type Clock, whileTimeStands } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import { Pending } from "../../async/pending.ts";
import type { Address } from "../../core/address.ts";
import { type HciTransport, TransportError } from "../../hci/transport.ts";
import { askAddress } from "./ask-address.ts";
import type { FoundTransport, TransportSource } from "./found.ts";
import { listTransports } from "./watch.ts";

/** One attempt: less than the ladder allows for opening a transport. In milliseconds. */
const ATTEMPT_MS = 14_000;
/** How long an attempt waits for an adapter to come. */
const WAIT_MS = 5000;

export interface ReattachmentOptions {
  readonly spec: string;
  readonly clock: Clock;
  readonly open: (spec: string, signal: AbortSignal) => Promise<HciTransport>;
  /** The adapter's device address; undefined where it has none of its own: then it is looked for at its place alone. */
  readonly address: () => Address | undefined;
  /** Of the transport that was open first: which product it is. */
  readonly usbId?: () => string | undefined;
  readonly sources?: readonly TransportSource[] | undefined;
}

/**
 * Opens an adapter again that was away, at whatever place it has come back: a USB adapter of the same product is asked for its address, of an
 * adapter of the kernel the kernel tells it. Others are left alone.
 */
export class Reattachment {
  readonly #options: ReattachmentOptions;
  readonly #stopped = new AbortController();

  constructor(options: ReattachmentOptions) {
    this.#options = options;
  }

  /** Nobody waits for it any more. */
  stop(reason: Error): void {
    this.#stopped.abort(reason);
  }

  /** One attempt. @throws {TransportError} it has not come back · what opening it failed with */
  async reopen(): Promise<HciTransport> {
    const { clock, spec } = this.#options;
    using deadline = new Deadline({ clock, operation: `opening ${spec} again`, signal: this.#stopped.signal, timeoutMs: ATTEMPT_MS });
    const sources = this.#options.sources ?? (await whileTimeStands(clock, transportSources));
    let wake: () => void = () => {};
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const watching = sources.map((source) => source.watch(wake));
    try {
      const first = await this.#look(sources, deadline.signal);
      if ("transport" in first) return first.transport;
      const coming = new Pending<void>({ clock, operation: "an adapter that comes", signal: deadline.signal, timeoutMs: WAIT_MS });
      void changed.then(() => coming.resolve());
      await coming.promise.catch(() => undefined);
      deadline.signal.throwIfAborted();
      const second = await this.#look(sources, deadline.signal);
      if ("transport" in second) return second.transport;
      throw second.failure;
    } finally {
      for (const each of watching) each[Symbol.dispose]();
    }
  }

  async #look(
    sources: readonly TransportSource[],
    signal: AbortSignal,
  ): Promise<{ readonly transport: HciTransport } | { readonly failure: unknown }> {
    const { spec, open, address, clock } = this.#options;
    const wanted = address();
    let failure: unknown = new TransportError("not-found", `${spec} has not come back`);
    for (const place of this.#places(await whileTimeStands(clock, () => listTransports({ sources })))) {
      let transport: HciTransport | undefined;
      try {
        signal.throwIfAborted();
        transport = await open(place, signal);
        // Who opens a transport that is not USB at the place where it was looks at its address himself.
        if (!wanted || (place === spec && !spec.startsWith("usb:"))) return { transport };
        const found = await askAddress(transport, clock, signal);
        if (found.equals(wanted)) return { transport };
        failure = new TransportError("not-found", `${spec} has not come back: at ${place} is another adapter, ${found}`);
      } catch (error) {
        // What it is at its own place says more than what others are.
        if (place === spec) failure = error;
      }
      if (transport) await transport[Symbol.asyncDispose]().then(undefined, () => undefined);
    }
    return { failure };
  }

  /** Where it may be; where it was first. */
  #places(found: readonly FoundTransport[]): Set<string> {
    const { spec, address, usbId } = this.#options;
    const kind = spec.slice(0, spec.indexOf(":"));
    const wanted = address();
    const id = usbId?.();
    const isWanted = (each: FoundTransport): boolean =>
      kind === "usb" ? id !== undefined && each.usbId === id : each.address === wanted?.toString().slice(0, 17);
    const places = found.filter((each) => each.kind === kind && wanted !== undefined && isWanted(each)).map((each) => each.spec);
    return new Set(this.#isOthers(found, wanted, id) ? places : [spec, ...places]);
  }

  /** Whether its name means another one by now, as far as that is known without opening it: a number counts whatever is there. */
  #isOthers(found: readonly FoundTransport[], wanted: Address | undefined, id: string | undefined): boolean {
    const { spec } = this.#options;
    if (wanted === undefined) return false;
    if (/^usb:\d*$/.test(spec)) return id !== undefined;
    const there = found.find((each) => each.spec === spec);
    return there?.address !== undefined && there.address !== wanted.toString().slice(0, 17);
  }
}
