import type { AttBearer } from "jelling/att";
import type { GattPeer, LocalCharacteristic } from "jelling/gatt";

/** What is to be sent to the phone. */
interface Sending {
  readonly characteristic: LocalCharacteristic;
  readonly kind: "notify" | "indicate";
  /** Made at the moment the link takes it. */
  readonly make: () => Uint8Array;
  readonly peer: GattPeer;
  readonly sent: () => void;
}

export interface OutboxOptions {
  /** Of the connection that is up. */
  readonly att: () => AttBearer | undefined;
}

/**
 * Everything that the pump sends unasked, in one order over all characteristics. Encrypted values share one counter, so each is sealed when the
 * link has room for it, and leaves at once: one that was sealed and waited would be overtaken by the answer to a read.
 */
export class Outbox {
  readonly #att: () => AttBearer | undefined;
  #waiting: Sending[] = [];
  #running = false;
  /** Settles when the phone has confirmed the last indication. */
  #confirmed: Promise<void> = Promise.resolve();
  /** While it is silent: settles when it is not any more. */
  #silence: { readonly over: Promise<void>; readonly end: () => void } | undefined;
  /** Counts the connections: what was meant for an earlier one is dropped. */
  #generation = 0;

  constructor({ att }: OutboxOptions) {
    this.#att = att;
  }

  /** Resolves when it has left, or never will. */
  notify(characteristic: LocalCharacteristic, make: () => Uint8Array, peer: GattPeer): Promise<void> {
    return this.#push(characteristic, "notify", make, peer);
  }

  /** Resolves when it is confirmed, or never will be. */
  async indicate(characteristic: LocalCharacteristic, make: () => Uint8Array, peer: GattPeer): Promise<void> {
    await this.#push(characteristic, "indicate", make, peer);
    await this.#confirmed;
  }

  /** Nothing leaves until `resume`. */
  pause(): void {
    if (this.#silence) return;
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#silence = { over, end };
  }
  resume(): void {
    this.#silence?.end();
    this.#silence = undefined;
  }

  /** Another connection, or none. */
  reset(): void {
    this.#generation++;
    this.resume();
    for (const { sent } of this.#waiting.splice(0)) sent();
    this.#confirmed = Promise.resolve();
  }

  #push(characteristic: LocalCharacteristic, kind: Sending["kind"], make: () => Uint8Array, peer: GattPeer): Promise<void> {
    return new Promise((sent) => {
      this.#waiting.push({ characteristic, kind, make, peer, sent });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      const generation = this.#generation;
      const att = this.#att();
      // What is lost with the link is nobody's concern: the next session begins anew.
      if (next.kind === "indicate") await this.#confirmed;
      if (this.#silence) await this.#silence.over;
      if (att && !att.writable) await att.whenWritable().catch(() => undefined);
      if (generation !== this.#generation) continue;
      this.#waiting.shift();
      this.#send(next);
      next.sent();
    }
    this.#running = false;
  }

  #send({ characteristic, kind, make, peer }: Sending): void {
    let value: Uint8Array;
    try {
      value = make();
    } catch {
      return; // the session is over, and its key is gone
    }
    const leaving = kind === "notify" ? characteristic.notify(value, { to: peer }) : characteristic.indicate(value, { to: peer });
    const done = leaving.then(
      () => undefined,
      () => undefined,
    );
    if (kind === "indicate") this.#confirmed = done;
  }
}
