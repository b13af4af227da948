import type { Clock } from "../../async/clock.ts";
import { MAX_VALUE_LENGTH } from "../../att/opcode.ts";
import { checkFunction, checkOctets, checkOptions, optionNames } from "../../core/arguments.ts";
import { StateError } from "../../core/error.ts";
import type { Uuid } from "../../core/uuid.ts";
import { type CharacteristicProperty, hasProperty, propertyNames } from "../properties.ts";
import type { AccessRequirement } from "./access.ts";
import type { Attribute } from "./attribute.ts";
import type { GattPeer, GattRequest, NotifyOptions, SubscriptionHandler } from "./definition.ts";
import { WriteFlow, type WriteSink, type WritesOptions } from "./writes.ts";

/** One client's session, as a characteristic that sends to it sees it. */
export interface Subscriber {
  readonly peer: GattPeer;
  /** `sendNotification` would take a value of this characteristic now. */
  acceptsNotification(characteristic: LocalCharacteristic): boolean;
  sendNotification(characteristic: LocalCharacteristic, value: Uint8Array): void;
  notify(characteristic: LocalCharacteristic, value: Uint8Array, options: NotifyOptions): Promise<void>;
  indicate(characteristic: LocalCharacteristic, value: Uint8Array, options: NotifyOptions): Promise<void>;
}

const DONE = Promise.resolve();
const NO_OPTIONS: NotifyOptions = Object.freeze({});
const OPTIONS = optionNames<NotifyOptions>({ to: true, signal: true, timeoutMs: true });

const UPDATE_OPTIONS = optionNames<Omit<NotifyOptions, "to">>({ signal: true, timeoutMs: true });

const isValue = (value: unknown): boolean => value instanceof Uint8Array && value.length <= MAX_VALUE_LENGTH;
const checkValue = (operation: string, value: unknown): unknown =>
  checkOctets(`${operation}: value`, value, { maxLength: MAX_VALUE_LENGTH });

export function notSubscribed({ uuid }: LocalCharacteristic, what: string): StateError {
  return new StateError(`the peer has not enabled ${what} of characteristic ${uuid}, or its link is not secure enough`);
}

/** A value that a client wrote. */
export interface CharacteristicWrite {
  readonly characteristic: LocalCharacteristic;
  readonly peer: GattPeer;
  /** A copy of the whole value, parts of a long write merged. */
  readonly value: Uint8Array;
  readonly operation: Exclude<GattRequest["operation"], "read">;
}

/** A characteristic of our own database. */
export class LocalCharacteristic {
  readonly uuid: Uuid;
  /** Handle of the declaration. */
  readonly handle: number;
  readonly valueHandle: number;
  /** Handle of the Client Characteristic Configuration descriptor, where there is one. */
  readonly cccdHandle: number | undefined;
  /** Handle of the service's declaration. */
  readonly serviceHandle: number;
  /** The octet of the declaration, extended properties in the next one. */
  readonly propertyBits: number;
  readonly subscribeRequirement: AccessRequirement;
  #onSubscription: SubscriptionHandler | undefined;
  readonly #attribute: Attribute;
  #configured: Subscriber[] = [];
  #notifiable: Subscriber[] = [];
  #indicatable: Subscriber[] = [];
  readonly #clock: Clock;
  #sinks: readonly WriteSink<CharacteristicWrite>[] = [];
  #ended: { readonly error: unknown } | undefined;

  /** Made by the library, for what was found or added. @internal */
  constructor(at: {
    uuid: Uuid;
    handle: number;
    attribute: Attribute;
    cccdHandle: number | undefined;
    propertyBits: number;
    subscribeRequirement: AccessRequirement;
    onSubscription: SubscriptionHandler | undefined;
    clock: Clock;
  }) {
    this.#clock = at.clock;
    this.uuid = at.uuid;
    this.handle = at.handle;
    this.valueHandle = at.attribute.handle;
    this.serviceHandle = at.attribute.serviceHandle;
    this.cccdHandle = at.cccdHandle;
    this.propertyBits = at.propertyBits;
    this.subscribeRequirement = at.subscribeRequirement;
    this.#onSubscription = at.onSubscription;
    this.#attribute = at.attribute;
  }

  /** Called before a client's configuration is answered; may be set at any time. */
  get onSubscription(): SubscriptionHandler | undefined {
    return this.#onSubscription;
  }
  set onSubscription(handler: SubscriptionHandler | undefined) {
    checkFunction("onSubscription", handler);
    this.#onSubscription = handler;
  }

  get properties(): CharacteristicProperty[] {
    return propertyNames(this.propertyBits);
  }

  has(property: CharacteristicProperty): boolean {
    return hasProperty(this.propertyBits, property);
  }

  /** The stored value, which read requests give unless there is a `read` handler. Setting it notifies nobody. */
  get value(): Uint8Array {
    return this.#attribute.value;
  }
  set value(value: Uint8Array) {
    const { maxLength, fixedLength } = this.#attribute;
    this.#attribute.value = checkOctets(`value of characteristic ${this.uuid}`, value, {
      minLength: fixedLength ? maxLength : 0,
      maxLength,
    }).slice();
  }

  /** Peers that have notifications or indications configured. */
  get subscribers(): GattPeer[] {
    return this.#configured.map((subscriber) => subscriber.peer);
  }

  /** What this peer has configured, as far as it may be sent now: not before the link is secure enough, or while the peer has to hear of a change. */
  configuredBy(peer: GattPeer): { readonly notify: boolean; readonly indicate: boolean } {
    return {
      notify: this.#find(this.#notifiable, peer) !== undefined,
      indicate: this.#find(this.#indicatable, peer) !== undefined,
    };
  }

  /**
   * Sends a notification to every subscriber; resolves when all of them were handed to their links, in the order of the calls. Each peer
   * gets as much of `value` as its MTU allows. Without a subscriber nothing is sent.
   *
   * @throws {StateError} `to` has not subscribed, has withdrawn its subscription while the value waited, or 256 wait already
   * @throws {ArgumentError} what is to be sent is no Uint8Array of at most 512 octets · the reason, where a link is gone
   */
  notify(value: Uint8Array, options: NotifyOptions = NO_OPTIONS): Promise<void> {
    const mistake = this.#mistake("notify", value, options);
    if (mistake) return Promise.reject(mistake);
    if (options.to) {
      const subscriber = this.#find(this.#notifiable, options.to);
      return subscriber ? subscriber.notify(this, value, options) : this.#notSubscribed("notifications");
    }
    const subscribers = this.#notifiable;
    if (subscribers.length === 0) return DONE;
    if (subscribers.length === 1) return subscribers[0]!.notify(this, value, options);
    return settleAll(subscribers.map((subscriber) => subscriber.notify(this, value, options)));
  }

  /** Sends a notification to every subscriber if all of their links have room for it now; false sends to none. For flows that must be fast. */
  tryNotify(value: Uint8Array): boolean {
    if (!isValue(value)) checkValue("tryNotify", value);
    const subscribers = this.#notifiable;
    for (let i = 0; i < subscribers.length; i++) if (!subscribers[i]!.acceptsNotification(this)) return false;
    for (let i = 0; i < subscribers.length; i++) subscribers[i]!.sendNotification(this, value);
    return true;
  }

  /**
   * Sends an indication to every peer that configured them; resolves when all have confirmed. Not to be awaited inside the handler of a
   * write: it leaves after the write's response, which waits for the handler.
   *
   * @throws {AttTimeoutError} not confirmed within 30 s · {StateError} `to` has not subscribed, or has withdrawn its subscription meanwhile
   * @throws {ArgumentError} what is to be sent is no Uint8Array of at most 512 octets · the reason, where a link is gone
   */
  indicate(value: Uint8Array, options: NotifyOptions = NO_OPTIONS): Promise<void> {
    const mistake = this.#mistake("indicate", value, options);
    if (mistake) return Promise.reject(mistake);
    if (options.to) {
      const subscriber = this.#find(this.#indicatable, options.to);
      return subscriber ? subscriber.indicate(this, value, options) : this.#notSubscribed("indications");
    }
    return settleAll(this.#indicatable.map((subscriber) => subscriber.indicate(this, value, options)));
  }

  /**
   * Sets the value and tells every subscriber of it: with a notification where those are enabled, else with an indication. Resolves when
   * notifications were handed to their links and indications confirmed.
   *
   * @throws {ArgumentError} another length than the characteristic has; nothing is set then · as `notify` and `indicate`
   */
  async update(value: Uint8Array, options: Omit<NotifyOptions, "to"> = {}): Promise<void> {
    checkOptions("update", options, UPDATE_OPTIONS);
    this.value = value;
    const told = this.value; // a copy, which nobody changes
    const notified = this.#notifiable.map((subscriber) => subscriber.notify(this, told, options));
    const indicated = this.#indicatable
      .filter((subscriber) => !this.#notifiable.includes(subscriber))
      .map((subscriber) => subscriber.indicate(this, told, options));
    await settleAll([...notified, ...indicated]);
  }

  /** What clients write to this characteristic, from now on, as a loop. `gattServer.writes` makes one of several characteristics. */
  writes(options: WritesOptions = {}): WriteFlow<CharacteristicWrite> {
    return new WriteFlow([this], this.#clock, options);
  }

  /** @internal */
  addSink(sink: WriteSink<CharacteristicWrite>): void {
    if (this.#ended) {
      sink.onEnd(this, this.#ended.error);
      return;
    }
    this.#sinks = [...this.#sinks, sink];
    this.#attribute.onWritten = (value, peer, operation) => {
      for (const each of this.#sinks) each.push({ characteristic: this, peer, value: value.slice(), operation });
    };
  }

  /** @internal */
  removeSink(sink: WriteSink<CharacteristicWrite>): void {
    this.#sinks = this.#sinks.filter((other) => other !== sink);
    if (this.#sinks.length === 0) this.#attribute.onWritten = undefined;
  }

  /** For the server: nobody writes it any more. @internal */
  endWrites(error: unknown): void {
    this.#ended ??= { error };
    const sinks = this.#sinks;
    this.#sinks = [];
    this.#attribute.onWritten = undefined;
    for (const sink of sinks) sink.onEnd(this, error);
  }

  #find(subscribers: Subscriber[], peer: GattPeer): Subscriber | undefined {
    return subscribers.find((subscriber) => subscriber.peer === peer || subscriber.peer.id === peer.id);
  }

  #notSubscribed(what: string): Promise<never> {
    return Promise.reject(notSubscribed(this, what));
  }

  /** What is wrong with the arguments of an operation that answers with a promise. */
  #mistake(operation: string, value: unknown, options: unknown): unknown {
    try {
      if (!isValue(value)) checkValue(operation, value);
      if (options !== NO_OPTIONS) checkOptions(operation, options, OPTIONS);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** For sessions: notifications of this characteristic may be sent to it now. @internal */
  isNotifiable(subscriber: Subscriber): boolean {
    return this.#notifiable.includes(subscriber);
  }

  /** For sessions: indications of this characteristic may be sent to it now. @internal */
  isIndicatable(subscriber: Subscriber): boolean {
    return this.#indicatable.includes(subscriber);
  }

  /** For sessions: what this client configured, and what of it may be sent now. @internal */
  setSubscriber(subscriber: Subscriber, configured: boolean, notify: boolean, indicate: boolean): void {
    this.#configured = withMember(this.#configured, subscriber, configured);
    this.#notifiable = withMember(this.#notifiable, subscriber, notify);
    this.#indicatable = withMember(this.#indicatable, subscriber, indicate);
  }
}

// A new array each time, so that a loop over the old one is not disturbed.
function withMember(members: Subscriber[], member: Subscriber, wanted: boolean): Subscriber[] {
  if (members.includes(member) === wanted) return members;
  return wanted ? [...members, member] : members.filter((other) => other !== member);
}

/** Waits for all, then throws the first failure. */
async function settleAll(promises: Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
}
