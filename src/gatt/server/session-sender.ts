import { type OperationOptions, Pending } from "../../async/pending.ts";
import type { AttBearer } from "../../att/bearer.ts";
import { BearerPool } from "../../att/bearer-pool.ts";
import { AttUnsentError } from "../../att/error.ts";
import { AttOpcode } from "../../att/opcode.ts";
import { type BleError, StateError } from "../../core/error.ts";
import { ClientFeature } from "../client-feature.ts";
import { FrameWriter } from "../frame-writer.ts";
import { GattUuid } from "../uuids.ts";
import type { ChangeAwareness } from "./caching.ts";
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
  readonly #awareness: ChangeAwareness;
  /** The unenhanced one: what is sent unasked goes there, except indications while it waits for the confirmation of another one. */
  readonly #bearer: AttBearer;
  /** While there are enhanced bearers. */
  #pool: BearerPool<LocalCharacteristic> | undefined;
  /** Those that this side opened. */
  readonly #own = new Set<AttBearer>();

  constructor(bearer: AttBearer, peer: GattPeer, awareness: ChangeAwareness) {
    this.#bearer = bearer;
    this.peer = peer;
    this.#awareness = awareness;
  }

  add(bearer: AttBearer, isOwn: boolean): void {
    this.#pool ??= new BearerPool(this.#bearer);
    this.#pool.add(bearer);
    if (isOwn) this.#own.add(bearer);
  }

  remove(bearer: AttBearer): void {
    this.#own.delete(bearer);
    this.#pool?.remove(bearer);
    if (this.#pool?.bearers.length === 1) this.#pool = undefined;
  }

  /** Where notifications of a characteristic go: behind its indications, where some are under way. */
  #bearerOf(characteristic: LocalCharacteristic): AttBearer {
    return this.#pool?.bearerOf(characteristic) ?? this.#bearer;
  }

  /**
   * Where an indication goes. Each bearer has one that waits for its confirmation, so a characteristic whose client is slow to confirm does
   * not keep the others; those of one characteristic stay together, behind its notifications too.
   */
  #bearerForIndication(characteristic: LocalCharacteristic, length: number): AttBearer {
    const unenhanced = this.#bearer;
    // Service Changed must reach its client whatever becomes of a channel.
    if (!this.#pool || !unenhanced.writable || characteristic.uuid.short === GattUuid.ServiceChanged) return unenhanced;
    const known = this.#pool.bearerOf(characteristic);
    if (known) return known;
    const isTold = (this.#awareness.features & ClientFeature.EnhancedBearer) !== 0;
    const suits = (bearer: AttBearer): boolean =>
      bearer === unenhanced || ((isTold || !this.#own.has(bearer)) && bearer.txLimit >= Math.min(length + 3, unenhanced.txLimit));
    return this.#pool.leastBusy((bearer) => bearer.unconfirmed, suits);
  }

  #indicateNow(characteristic: LocalCharacteristic, value: Uint8Array, options: OperationOptions): Promise<void> {
    if (this.#pool)
      return this.#indicateOn(this.#bearerForIndication(characteristic, value.length), characteristic, value.slice(), options);
    const frame = this.#bearer.valueFrame(AttOpcode.HandleValueInd, characteristic.valueHandle, value);
    return this.#bearer.indicate(frame, options, () => this.#refuseIndication(characteristic));
  }

  /** Where the bearer is closed before the indication left, it leaves on the unenhanced one. */
  async #indicateOn(bearer: AttBearer, characteristic: LocalCharacteristic, value: Uint8Array, options: OperationOptions): Promise<void> {
    const refuse = (): BleError | undefined => this.#refuseIndication(characteristic);
    const pool = this.#pool;
    pool?.begin(characteristic, bearer);
    try {
      await bearer.indicate(bearer.valueFrame(AttOpcode.HandleValueInd, characteristic.valueHandle, value), options, refuse);
      return;
    } catch (error) {
      if (!(error instanceof AttUnsentError) || this.#bearer.refusal) throw error;
    } finally {
      pool?.end(characteristic, bearer);
    }
    await this.#indicateOn(this.#bearer, characteristic, value, options);
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
    if (!this.held.isIdle && this.held.mustHold(characteristic)) return !this.held.isFull;
    return this.#pool === undefined ? this.#bearer.writable : this.#bearerOf(characteristic).writable;
  }

  sendNotification(characteristic: LocalCharacteristic, value: Uint8Array): void {
    const bearer = this.#pool === undefined ? this.#bearer : this.#bearerOf(characteristic);
    const frame = bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.held.isIdle || !this.held.mustHold(characteristic)) bearer.sendNow(frame);
    else this.#hold(characteristic, bearer, frame);
  }

  notify(characteristic: LocalCharacteristic, value: Uint8Array, { signal, timeoutMs }: NotifyOptions): Promise<void> {
    const bearer = this.#pool === undefined ? this.#bearer : this.#bearerOf(characteristic);
    const frame = bearer.valueFrame(AttOpcode.HandleValueNtf, characteristic.valueHandle, value);
    if (this.#mayPass(characteristic)) {
      if (!bearer.writable || signal?.aborted)
        return bearer.sendFlow(frame, { signal, timeoutMs }, () => this.#refuseNotification(characteristic));
      bearer.sendNow(frame);
      return SENT;
    }
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.held.isFull) return Promise.reject(new StateError("too many notifications wait for the response to a write"));
    // Resolved at once: the handler that awaits it would wait for its own response.
    this.#hold(characteristic, bearer, frame);
    return Promise.resolve();
  }

  #hold(characteristic: LocalCharacteristic, bearer: AttBearer, frame: Uint8Array): void {
    const failed = (error: unknown): void => this.#bearer.logger.debug(() => `a notification was not sent: ${String(error)}`);
    this.held.push({
      characteristic,
      send: () => {
        const refusal = this.#refuseNotification(characteristic);
        if (refusal) failed(refusal);
        else bearer.sendFlow(frame, {}, () => this.#refuseNotification(characteristic)).catch(failed);
      },
      drop: failed,
    });
  }

  indicate(characteristic: LocalCharacteristic, value: Uint8Array, options: NotifyOptions): Promise<void> {
    const { signal, timeoutMs } = options;
    if (this.#mayPass(characteristic)) return this.#indicateNow(characteristic, value, { signal, timeoutMs });
    const kept = value.slice();
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
        this.#indicateNow(characteristic, kept, { signal: left.signal }).then(
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
