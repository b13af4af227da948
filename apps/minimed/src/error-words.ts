import { BleError } from "jelling/core";

/** For a line: the message of an error of ours; of others only what kind they are, since their words may hold anything. */
export function sentence(error: unknown): string {
  const text = error instanceof BleError ? error.message.replaceAll("\n", " ") : `${codeOf(error)}.`;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** For the health: one word. */
export function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : "unknown";
}
