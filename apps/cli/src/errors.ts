import type { BleError } from "jelling";
import type { StopReason } from "./io.ts";

/** The command was called in a wrong way; exit status 2. */
export class UsageError extends Error {}

/** The command could not do what it was asked; exit status 1. The message is one sentence for the user. */
export class CommandError extends Error {}

/** The user, or a signal, asked to stop; exit status 130. */
export class InterruptedError extends Error {
  constructor() {
    super("interrupted");
  }
}

/** A service was asked to stop, and has: that is how it ends, exit status 0. */
export class ServiceStoppedError extends Error {
  constructor() {
    super("the service was stopped");
  }
}

/** Standard output cannot be written; exit status 1. */
export class OutputFailedError extends CommandError {
  constructor(fault: Error | undefined) {
    super(`standard output cannot be written: ${fault ? systemText(fault) : "the stream failed"}`, { cause: fault });
  }
}

/** Nobody reads the output any more: stop quietly, exit status 0. */
export class OutputClosedError extends Error {
  constructor() {
    super("nobody reads the output");
  }
}

/** What a request to stop makes of a command. */
export function stopError(reason: StopReason, fault?: Error): Error {
  if (reason === "interrupted") return new InterruptedError();
  return reason === "output-closed" ? new OutputClosedError() : new OutputFailedError(fault);
}

export const ExitStatus = Object.freeze({ Done: 0, Failed: 1, Usage: 2, Interrupted: 130 });

/**
 * A library error is recognised by its stable code: the library is loaded on first use, and a class of it would load it here. Node's own
 * errors have codes of the same form, but do not bear the name of their class.
 */
function isBleError(error: unknown): error is BleError {
  if (!(error instanceof Error) || error.name !== error.constructor.name) return false;
  const { code } = error as { code?: unknown };
  return typeof code === "string" && code.startsWith("ERR_");
}

/** The stable code of an error of the library. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as { code?: unknown }).code : undefined;
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is no folder",
  EEXIST: "it exists already",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is too large",
  EIO: "input/output error",
  EROFS: "the file system is read-only",
  EADDRINUSE: "the address is in use",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ETIMEDOUT: "timed out",
  EMFILE: "too many open files",
};

/** What the system's error means, in words where they are known. */
function systemText({ code, message }: NodeJS.ErrnoException): string {
  return (code && SYSTEM_ERRORS[code]) ?? code ?? message;
}

/** What a failure means to the user: exit status, and one sentence unless there is nothing to say. */
export function explain(error: unknown): { status: number; message: string | undefined } {
  // Cleaning up failed as well: what failed first is what the user asked for.
  if (error instanceof Error && error.name === "SuppressedError") return explain((error as { suppressed?: unknown }).suppressed);
  if (error instanceof InterruptedError) return { status: ExitStatus.Interrupted, message: undefined };
  if (error instanceof OutputClosedError || error instanceof ServiceStoppedError) return { status: ExitStatus.Done, message: undefined };
  if (error instanceof UsageError) return { status: ExitStatus.Usage, message: error.message };
  if (error instanceof CommandError) return { status: ExitStatus.Failed, message: error.message };
  if (isBleError(error)) {
    const isUsage = error.code === "ERR_ARGUMENT" || (error as { reason?: unknown }).reason === "unknown-spec";
    return { status: isUsage ? ExitStatus.Usage : ExitStatus.Failed, message: error.message };
  }
  const system = error as NodeJS.ErrnoException;
  if (error instanceof Error && typeof system.syscall === "string") {
    const what = systemText(system);
    return { status: ExitStatus.Failed, message: system.path ? `${system.path}: ${what}` : `${system.syscall}: ${what}` };
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { status: ExitStatus.Failed, message: `unexpected ${text} (a defect of jelling; --log debug shows where)` };
}

/** One line: a sentence may quote what spans several. */
export function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}

/** The stacks of an error and its causes, for --log debug. */
export function stackOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) parts.push(at.stack ?? String(at));
  return parts.join("\ncaused by: ");
}
