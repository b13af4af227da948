import type { Clock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { checkSecurityRequirement, type SecurityRequirement } from "../../att/security.ts";
import { checkInteger, checkOptions, kindOf, type OptionNames, optionNames } from "../../core/arguments.ts";
import { ArgumentError, type BleError } from "../../core/error.ts";

/** What every operation on a peer's attributes takes. `timeoutMs` bounds the whole operation, however many requests it takes. */
export interface GattOperationOptions extends OperationOptions {
  /**
   * What the link must have before a request of this operation leaves, beyond what the connection demands. Where it has less, the link is
   * encrypted with the bond, or paired where the connection's policy says so; else the operation is refused.
   */
  security?: SecurityRequirement | undefined;
}

/** Options of what the client does for itself. */
export interface InternalOptions extends GattOperationOptions {
  /** Nobody waits for it: it is sent as the link is, and nothing is secured, nor a question put to the user, for its sake. */
  readonly unattended?: boolean;
  /** Asked when a request of it could leave; what this gives rejects the operation. */
  readonly refuse?: (() => BleError | undefined) | undefined;
}

/** No options: what an operation has by default, so that nothing of it need be looked at. */
export const NO_OPTIONS: GattOperationOptions = Object.freeze({});

export const SECURITY = optionNames<Pick<GattOperationOptions, "security">>({ security: true });
const OPERATION = optionNames<GattOperationOptions>({ signal: true, timeoutMs: true, security: true });

/** Options of an operation, or none. @throws {ArgumentError} an unknown name, another kind, a time that is none */
export function checkOperation(what: string, options: GattOperationOptions | undefined, names: OptionNames = OPERATION): void {
  if (options === undefined || options === NO_OPTIONS) return;
  checkOptions(what, options, names);
  const { signal, timeoutMs, security } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new ArgumentError(`${what}: signal: expected an AbortSignal, got ${kindOf(signal)}`);
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0))
    throw new ArgumentError(`${what}: timeoutMs: expected a number of milliseconds from 0, got ${kindOf(timeoutMs)}`);
  checkSecurityRequirement(`${what}: security`, security);
}

/** @throws {ArgumentError} not a handle that an attribute can have (Vol 3 Part F 3.2.2) */
export function checkHandle(handle: number): number {
  return checkInteger("attribute handle", handle, 0x0001, 0xffff);
}

/** What `act` gives, and a rejection of what it throws: as an async function, whose own promise would cost as much as a request's. */
export function promised<T>(act: () => Promise<T>): Promise<T> {
  try {
    return act();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Runs an operation of several steps under one deadline. Without a time limit the steps have the caller's own signal. */
export function bounded<T, O extends GattOperationOptions>(
  clock: Clock,
  operation: string,
  options: O,
  run: (options: O) => Promise<T>,
): Promise<T> {
  if (options.timeoutMs === undefined) return run(options);
  return withDeadline(new Deadline({ clock, operation, signal: options.signal, timeoutMs: options.timeoutMs }), options, run);
}

async function withDeadline<T, O extends GattOperationOptions>(
  deadline: Deadline,
  options: O,
  run: (options: O) => Promise<T>,
): Promise<T> {
  // No `using`, here and where else a central comes along: what a bundler makes of it for a page takes half a kilobyte.
  try {
    return await run({ ...options, signal: deadline.signal, timeoutMs: undefined });
  } finally {
    deadline[Symbol.dispose]();
  }
}
