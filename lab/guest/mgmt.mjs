// @ts-check
/** What scenarios of the management interface have in common. */
import assert from "node:assert/strict";
import { commands } from "jelling/mgmt";

/**
 * @typedef {import("jelling/mgmt").Mgmt} Mgmt
 * @typedef {import("jelling/mgmt").MgmtEventName} EventName
 * @typedef {import("jelling/mgmt").StatusName} StatusName
 */

const eventLimitMs = 20_000;

/** What became of every command that was sent, by the name of its method: "Success", the status, or what the write failed with. */
export class Outcomes {
  /** @type {Map<string, Set<string>>} */
  #outcomes = new Map();

  /**
   * The client, with what becomes of its commands noted.
   *
   * @param {Mgmt} mgmt
   * @returns {Mgmt}
   */
  of(mgmt) {
    return new Proxy(mgmt, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        const method = value.bind(target);
        if (typeof key !== "string" || !(key in commands)) return method;
        return async (/** @type {unknown[]} */ ...args) => {
          try {
            const returns = await method(...args);
            this.#note(key, "Success");
            return returns;
          } catch (error) {
            const { statusName, errnoName, code } = /** @type {Record<string, string>} */ (error);
            this.#note(key, statusName ?? errnoName ?? code ?? String(error));
            throw error;
          }
        };
      },
    });
  }

  /** @param {string} method */
  byMethod(method) {
    return [...(this.#outcomes.get(method) ?? [])];
  }

  /** @param {string} method @param {string} outcome */
  #note(method, outcome) {
    this.#outcomes.set(method, (this.#outcomes.get(method) ?? new Set()).add(outcome));
  }
}

/**
 * The kernel must answer with this status.
 *
 * @param {StatusName} statusName
 * @param {Promise<unknown>} call
 */
export async function refused(statusName, call) {
  await assert.rejects(call, { code: "ERR_MGMT", statusName });
}

/**
 * The kernel must not take the command: writing it fails.
 *
 * @param {string} errnoName
 * @param {Promise<unknown>} call
 */
export async function notTaken(errnoName, call) {
  await assert.rejects(call, { code: "ERR_MGMT_WRITE", errnoName });
}

/**
 * The next event of that name, for which `matches` holds. It listens from now on.
 *
 * @template {EventName} N
 * @param {Mgmt} mgmt
 * @param {N} name
 * @param {number} [index]
 * @param {(event: import("jelling/mgmt").MgmtEventOf<N>) => boolean} [matches]
 * @returns {Promise<import("jelling/mgmt").MgmtEventOf<N>>}
 */
export function next(mgmt, name, index, matches = () => true) {
  const limit = new AbortController();
  const events = mgmt.events(name, { index, signal: limit.signal });
  const timer = setTimeout(() => limit.abort(new Error(`no ${name} of hci${index} in ${eventLimitMs / 1000} s`)), eventLimitMs);
  const found = (async () => {
    try {
      for await (const event of events) if (matches(event)) return event;
      throw new Error(`the events ended before ${name}`);
    } finally {
      clearTimeout(timer);
    }
  })();
  found.catch(() => undefined); // whoever waits is told; a step that failed before does not wait any more
  return found;
}

/**
 * Everything that a client is told while `body` runs, but for what others' programs cause meanwhile.
 *
 * @param {Mgmt} mgmt
 * @param {() => Promise<unknown>} body
 * @returns {Promise<import("jelling/mgmt").MgmtEvent[]>}
 */
export async function eventsDuring(mgmt, body) {
  /** @type {import("jelling/mgmt").MgmtEvent[]} */
  const events = [];
  const listening = mgmt.on("event", (event) => void events.push(event));
  try {
    await body();
    await settled(mgmt);
  } finally {
    listening[Symbol.dispose]();
  }
  return events;
}

/**
 * A command whose answer comes later. Where the scenario fails before, nobody waits for it.
 *
 * @template T
 * @param {Promise<T>} call
 */
export function pending(call) {
  call.catch(() => undefined);
  return call;
}

/** Whether octets have these in them. @param {Uint8Array} octets @param {Uint8Array} part */
export function contains(octets, part) {
  return Buffer.from(octets).includes(Buffer.from(part));
}

/** Until the client has read everything that the kernel has for it now. @param {Mgmt} mgmt */
export async function settled(mgmt) {
  await mgmt.readManagementVersionInformation();
}
