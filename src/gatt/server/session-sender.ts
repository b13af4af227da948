import { type OperationOptions, Pending } from "../../async/pending.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { StateError } from "../../core/error.ts";
import { FrameWriter } from "../frame-writer.ts";
import type { GattPeer, NotifyOptions } from "./definition.ts";
import { HeldSends } from "./held-sends.ts";
import type { LocalCharacteristic, Subscriber } from "./local-characteristic.ts";

/** What the server sends to one client unasked. */
export class SessionSender implements Subscriber {
  readonly peer: GattPeer;
  readonly held = new HeldSends();
  readonly #bearer: AttBearer;

  constructor(bearer: AttBearer, peer: GattPeer) {
    this.#bearer = bearer;
    this.peer = peer;
  }

  acceptsNotification(characteristic: LocalCharacteristic): boolean {
    return this.held.isIdle || !this.held.mustHold(characteristic) ? this.#bearer.writable : !this.held.isFull;
  }

  sendNotification(characteristic: LocalCharacteristic, value: Uint8Array): void {
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.held.isIdle || !this.held.mustHold(characteristic)) this.#bearer.sendNow(frame);
    else this.held.push(characteristic, () => this.#sendHeld(frame));
  }

  notify(characteristic: LocalCharacteristic, value: Uint8Array, { signal, timeoutMs }: NotifyOptions): Promise<void> {
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.held.isIdle || !this.held.mustHold(characteristic)) return this.#bearer.sendFlow(frame, { signal, timeoutMs });
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.held.isFull) return Promise.reject(new StateError("too many notifications wait for the response to a write"));
    // Resolved at once: the handler that awaits it would wait for its own response.
    this.held.push(characteristic, () => this.#sendHeld(frame));
    return Promise.resolve();
  }

  #sendHeld(frame: Uint8Array): void {
    this.#bearer
      .sendFlow(frame)
      .catch((error: unknown) => this.#bearer.logger.debug(() => `a notification was not sent: ${String(error)}`));
  }

  indicate(characteristic: LocalCharacteristic, value: Uint8Array, { signal, timeoutMs }: NotifyOptions): Promise<void> {
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueInd, characteristic.valueHandle, value);
    const options: OperationOptions = { signal, timeoutMs };
    if (this.held.isIdle || !this.held.mustHold(characteristic)) return this.#bearer.indicate(frame, options);
    if (this.held.isFull) return Promise.reject(new StateError("too many indications wait for the response to a write"));
    const pending = new Pending<void>({ clock: this.#bearer.clock, operation: "indication", ...options });
    this.held.push(characteristic, () => {
      if (pending.settled) return;
      this.#bearer.indicate(frame, options).then(
        () => pending.resolve(),
        (error) => pending.reject(error),
      );
    });
    return pending.promise;
  }

  /** One ATT_MULTIPLE_HANDLE_VALUE_NTF; `undefined` where it does not fit or must wait (Vol 3 Part F 3.4.7.4). */
  notifyMultiple(
    values: readonly { characteristic: LocalCharacteristic; value: Uint8Array }[],
    options: OperationOptions,
  ): Promise<void> | undefined {
    const length = values.reduce((sum, { value }) => sum + 4 + value.length, 1);
    if (values.length < 2 || length > this.#bearer.txLimit || !this.held.isIdle) return undefined;
    const writer = new FrameWriter(this.#bearer.channel.allocate(length), AttOpcode.MultipleHandleValueNtf);
    for (const { characteristic, value } of values) {
      writer.u16(characteristic.valueHandle);
      writer.u16(value.length);
      writer.bytes(value);
    }
    return this.#bearer.sendFlow(writer.frame, options);
  }
}
