import { type OperationOptions, Pending } from "../../async/pending.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { type BleError, StateError } from "../../core/error.ts";
import { FrameWriter } from "../frame-writer.ts";
import type { GattPeer, NotifyOptions } from "./definition.ts";
import { HeldSends } from "./held-sends.ts";
import { type LocalCharacteristic, notSubscribed, type Subscriber } from "./local-characteristic.ts";

const SENT = Promise.resolve();

/**
 * What the server sends to one client unasked. What has to wait, for a response or for room on the link, is judged again when it could leave:
 * the client may have cleared its configuration meanwhile, or the link lost its security.
 */
export class SessionSender implements Subscriber {
  readonly peer: GattPeer;
  readonly held = new HeldSends();
  readonly #bearer: AttBearer;

  constructor(bearer: AttBearer, peer: GattPeer) {
    this.#bearer = bearer;
    this.peer = peer;
  }

  #mayPass(characteristic: LocalCharacteristic): boolean {
    return this.held.isIdle || !this.held.mustHold(characteristic);
  }

  #refuseNotification(characteristic: LocalCharacteristic): BleError | undefined {
    return characteristic.isNotifiable(this) ? undefined : notSubscribed(characteristic, "notifications");
  }

  #refuseIndication(characteristic: LocalCharacteristic): BleError | undefined {
    return characteristic.isIndicatable(this) ? undefined : notSubscribed(characteristic, "indications");
  }

  // These two run for every notification: `#mayPass` is written out, since V8 inlines only so many calls of one path.
  acceptsNotification(characteristic: LocalCharacteristic): boolean {
    return this.held.isIdle || !this.held.mustHold(characteristic) ? this.#bearer.writable : !this.held.isFull;
  }

  sendNotification(characteristic: LocalCharacteristic, value: Uint8Array): void {
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.held.isIdle || !this.held.mustHold(characteristic)) this.#bearer.sendNow(frame);
    else this.#hold(characteristic, frame);
  }

  notify(characteristic: LocalCharacteristic, value: Uint8Array, { signal, timeoutMs }: NotifyOptions): Promise<void> {
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.#mayPass(characteristic)) {
      if (!this.#bearer.writable || signal?.aborted)
        return this.#bearer.sendFlow(frame, { signal, timeoutMs }, () => this.#refuseNotification(characteristic));
      this.#bearer.sendNow(frame);
      return SENT;
    }
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.held.isFull) return Promise.reject(new StateError("too many notifications wait for the response to a write"));
    // Resolved at once: the handler that awaits it would wait for its own response.
    this.#hold(characteristic, frame);
    return Promise.resolve();
  }

  #hold(characteristic: LocalCharacteristic, frame: Uint8Array): void {
    const failed = (error: unknown): void => this.#bearer.logger.debug(() => `a notification was not sent: ${String(error)}`);
    this.held.push({
      characteristic,
      send: () => {
        const refusal = this.#refuseNotification(characteristic);
        if (refusal) failed(refusal);
        else this.#bearer.sendFlow(frame, {}, () => this.#refuseNotification(characteristic)).catch(failed);
      },
      drop: failed,
    });
  }

  indicate(characteristic: LocalCharacteristic, value: Uint8Array, options: NotifyOptions): Promise<void> {
    const { signal, timeoutMs } = options;
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueInd, characteristic.valueHandle, value);
    const refuse = (): BleError | undefined => this.#refuseIndication(characteristic);
    if (this.#mayPass(characteristic)) return this.#bearer.indicate(frame, { signal, timeoutMs }, refuse);
    if (this.held.isFull) return Promise.reject(new StateError("too many indications wait for the response to a write"));
    const left = new AbortController();
    const pending = new Pending<void>({
      clock: this.#bearer.clock,
      operation: "indication",
      signal,
      timeoutMs,
      onSettled: () => left.abort(), // whoever has left waits for no confirmation
    });
    this.held.push({
      characteristic,
      send: () => {
        if (pending.settled) return;
        this.#bearer.indicate(frame, { signal: left.signal }, refuse).then(
          () => pending.resolve(),
          (error) => pending.reject(error),
        );
      },
      drop: (reason) => pending.reject(reason),
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
    const refuse = (): BleError | undefined => {
      for (const { characteristic } of values) {
        const refusal = this.#refuseNotification(characteristic);
        if (refusal) return refusal;
      }
    };
    return this.#bearer.sendFlow(writer.frame, options, refuse);
  }
}
