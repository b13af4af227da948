import type { Connection } from "../device/index.ts";
import type { ValueSubscription } from "../gatt/index.ts";
import type { Blocked } from "./blocklist.ts";
import { domError, type Procedure, toDomError } from "./dom-error.ts";

/** What a connection's objects ask of their server. */
export interface SessionOwner {
  readonly blocked: Blocked;
  /** Values are read and written one at a time; another one is refused, not held. */
  readonly isExclusive: boolean;
  /** The server is connected, be it by this session or by a later one. */
  isConnected(): boolean;
}

/** Descriptors, characteristics and services may share a number: a handle is no key alone. */
export type AttributeKind = "service" | "characteristic" | "descriptor";

/**
 * One connection of one `BluetoothRemoteGATTServer`. Objects found in it are the same each time they are asked for, and good for nothing once
 * it is over, also where the link itself goes on for others.
 */
export class GattSession {
  readonly connection: Connection;
  readonly #owner: SessionOwner;
  readonly #instances = new Map<string, Promise<object>>();
  readonly #active = new Set<(error: unknown) => void>();
  readonly #subscriptions = new Set<ValueSubscription>();
  /** Values that are being read or written. */
  #exchanges = 0;
  #isOver = false;

  constructor(connection: Connection, owner: SessionOwner) {
    this.connection = connection;
    this.#owner = owner;
  }

  get isOver(): boolean {
    return this.#isOver;
  }
  get blocked(): Blocked {
    return this.#owner.blocked;
  }

  /** @throws {DOMException} NetworkError: not connected · InvalidStateError: found in an earlier connection */
  check(): void {
    if (!this.#owner.isConnected()) throw domError("NetworkError", "the GATT server is disconnected: connect first");
    if (this.#isOver) throw domError("InvalidStateError", "this was found in an earlier connection: ask for it again");
  }

  /** Does the work of a procedure; ends with a NetworkError as soon as the session does. */
  run<T>(procedure: Procedure, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.check();
      const isExchange = procedure !== "discover";
      if (isExchange && this.#owner.isExclusive && this.#exchanges > 0)
        throw domError("NetworkError", "GATT operation already in progress.");
      if (isExchange) this.#exchanges++;
      this.#active.add(reject);
      const settle = (act: () => void): void => {
        if (isExchange) this.#exchanges--;
        if (this.#active.delete(reject)) act();
      };
      work().then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(toDomError(error, procedure))),
      );
    });
  }

  /** The object of an attribute: made once. */
  async instance<T extends object>(kind: AttributeKind, handle: number, make: () => T | Promise<T>): Promise<T> {
    const key = `${kind} ${handle}`;
    let made = this.#instances.get(key);
    if (!made) {
      made = Promise.resolve().then(make);
      this.#instances.set(key, made);
      made.catch(() => this.#instances.delete(key));
    }
    return (await made) as T;
  }

  /** Attributes in these handles have changed: their objects stay what they were, and others are made. */
  forget(startHandle: number, endHandle: number): void {
    for (const key of this.#instances.keys()) {
      const handle = Number(key.split(" ")[1]);
      if (handle >= startHandle && handle <= endHandle) this.#instances.delete(key);
    }
  }

  /** Ends with the session. */
  keep(subscription: ValueSubscription): void {
    if (this.#isOver) void subscription[Symbol.asyncDispose]();
    else this.#subscriptions.add(subscription);
  }
  release(subscription: ValueSubscription): void {
    this.#subscriptions.delete(subscription);
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = domError("NetworkError", "the GATT server was disconnected while this was under way", this.connection.ended);
    for (const reject of this.#active) reject(error);
    this.#active.clear();
    for (const subscription of this.#subscriptions) void subscription[Symbol.asyncDispose]();
    this.#subscriptions.clear();
    this.#instances.clear();
  }
}

/** A promise that is rejected with what the argument throws, as all methods of the platform do. */
export function promised<T>(act: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve) => resolve(act()));
}

/** The children that a method gives: those that may be seen. @throws {DOMException} NotFoundError: none */
export function atLeastOne<T>(what: string, found: readonly T[]): readonly T[] {
  if (found.length === 0) throw domError("NotFoundError", `no ${what} found`);
  return found;
}
