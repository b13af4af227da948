import { ArgumentError, kindOf, nearestName } from "../core/index.ts";
import {
  type AnyMgmtCommand,
  commands,
  eventNamed,
  eventNames,
  events,
  type MgmtEventName,
  NO_CONTROLLER,
} from "../mgmt-protocol/index.ts";

const USUAL_TIMEOUT_MS = 10_000;
/** What takes longer: firmware that is loaded, a supervision timeout, a user who is asked and a device that has to be found first. */
const LONGER_TIMEOUTS_MS: ReadonlyMap<AnyMgmtCommand, number> = new Map<AnyMgmtCommand, number>([
  [commands.setPowered, 30_000],
  [commands.disconnect, 40_000],
  [commands.pairDevice, 120_000],
]);

/** How long a command may take that says nothing of its own. */
export function usualTimeoutMs(command: AnyMgmtCommand): number {
  return LONGER_TIMEOUTS_MS.get(command) ?? USUAL_TIMEOUT_MS;
}

/** Events that may wait; nobody reads more. */
export const MOST_CAPACITY = 0x7fff_ffff;
export const EVENT_NAMES: ReadonlySet<string> = new Set<MgmtEventName>(Object.keys(events) as MgmtEventName[]);
export const SIGNAL_NAMES: ReadonlySet<string> = new Set([...EVENT_NAMES, "unknown", "event", "reply", "packet", "close"]);

/** A name that nobody ever tells of would be a listener that never hears. */
export function checkEventName(name: unknown, known: ReadonlySet<string>): void {
  if (typeof name === "string" && known.has(name)) return;
  if (typeof name !== "string") throw new ArgumentError(`the name of an event: expected a string like "deviceFound", got ${kindOf(name)}`);
  const meant = eventNamed(name); // "DeviceFoundEvent", as in the protocol description
  const nearest = (meant && eventNames.get(meant.code)) ?? nearestName(name, known);
  const hint = nearest === undefined ? `expected one of ${[...known].join(", ")}` : `did you mean "${nearest}"?`;
  throw new ArgumentError(`event "${name}": there is none of that name; ${hint}`);
}

export function isCommand(command: unknown): command is AnyMgmtCommand {
  return typeof command === "object" && command !== null && "opcode" in command && "parameters" in command;
}

/** Milliseconds, or nothing. */
export function checkTimeout(what: string, timeoutMs: unknown): void {
  if (timeoutMs === undefined || (typeof timeoutMs === "number" && timeoutMs >= 0)) return;
  throw new ArgumentError(`${what}: timeoutMs: expected milliseconds, 0 or more, got ${kindOf(timeoutMs)}`);
}

export function checkIndex({ name, index: kind }: AnyMgmtCommand, index: number): void {
  if (!Number.isInteger(index) || index < 0 || index > NO_CONTROLLER)
    throw new ArgumentError(`${name}: controller index ${index}: expected 0 to 65534`);
  if (kind === "none" && index !== NO_CONTROLLER)
    throw new ArgumentError(`${name} belongs to no controller: expected no index, not ${index}`);
  if (kind === "controller" && index === NO_CONTROLLER) throw new ArgumentError(`${name} belongs to a controller: expected its index`);
}
