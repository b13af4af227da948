import { kindOf } from "../../core/arguments.ts";
import { BleError } from "../../core/error.ts";
import { type CborMap, isCborMap } from "./cbor.ts";
import { type ErrorTable, errorEntry, RETURN_CODES } from "./codes.ts";

/** An error as an answer holds it. */
export interface McumgrFailure {
  /** Whose code it is: the protocol's own, or that of a group. */
  readonly kind: "protocol" | "group";
  readonly rc: number;
  /** Of `kind` "group"; undefined where the answer does not name it, which then means the group that was asked. */
  readonly group: number | undefined;
  /** The server's own words, which some add (`rsn`). */
  readonly reason: string | undefined;
}

/** The error that an answer holds, in either form, by its content: the header's version says nothing sure about it. */
export function errorOf(payload: CborMap): McumgrFailure | undefined {
  const reason = own(payload, "rsn");
  const rsn = typeof reason === "string" ? reason : undefined;
  const err = own(payload, "err");
  if (isCborMap(err)) {
    const rc = codeOf(own(err, "rc"));
    if (rc !== 0) return { kind: "group", rc, group: numberOf(own(err, "group")), reason: rsn };
  }
  const rc = codeOf(own(payload, "rc"));
  return rc === 0 ? undefined : { kind: "protocol", rc, group: undefined, reason: rsn };
}

const own = (map: CborMap, key: string) => (Object.hasOwn(map, key) ? map[key] : undefined);
const numberOf = (value: unknown) => (typeof value === "bigint" || Number.isInteger(value) ? Number(value) : undefined);
const codeOf = (value: unknown) => numberOf(value) ?? 0;

/** What is wrong with the code of an answer that holds no error: one that is no whole number does not say that all went well either. */
export function codeProblem(payload: CborMap): { readonly path: string; readonly problem: string } | undefined {
  const err = own(payload, "err");
  const codes = { rc: own(payload, "rc"), "err.rc": isCborMap(err) ? own(err, "rc") : undefined };
  for (const [path, code] of Object.entries(codes))
    if (code !== undefined && code !== null && numberOf(code) === undefined)
      return { path, problem: `expected a whole number, got ${kindOf(code)}` };
  return undefined;
}

/** Where error names of groups stand. */
export interface McumgrErrorNames {
  group(id: number): { readonly name: string; readonly errors: ErrorTable } | undefined;
}

/** Who an error's code belongs to, and how it is called. */
export function failureNames(
  failure: McumgrFailure,
  names: McumgrErrorNames,
  askedGroup?: number,
): { group: number | undefined; groupName: string | undefined; rcName: string; meaning: string } {
  const group = failure.kind === "group" ? (failure.group ?? askedGroup) : undefined;
  const known = group === undefined ? undefined : names.group(group);
  const { name, meaning } = errorEntry(failure.kind === "protocol" ? RETURN_CODES : known?.errors, failure.rc);
  return { group, groupName: known?.name, rcName: name, meaning };
}

/** The server answered with an error. Silence, and answers that are not as declared, are other classes. */
export class McumgrError extends BleError {
  readonly code = "ERR_MCUMGR";
  /** The command, as "image.erase". */
  readonly command: string;
  readonly rc: number;
  /** "NoFreeSlot"; "rc 99" where the number has no name. */
  readonly rcName: string;
  /** What the code means, in a few words; empty where that is not known. */
  readonly meaning: string;
  /** Whose code it is; undefined for a code of the protocol itself. */
  readonly group: number | undefined;
  readonly groupName: string | undefined;
  /** What the server added in its own words. */
  readonly reason: string | undefined;
  /** The whole answer; not enumerable, so that loggers do not print it. */
  declare readonly payload: CborMap;

  /** @param at.askedGroup whose code it is where the answer leaves that open */
  constructor(
    at: {
      readonly command: string;
      readonly failure: McumgrFailure;
      readonly payload: CborMap;
      readonly names: McumgrErrorNames;
      readonly askedGroup?: number;
    },
    options?: ErrorOptions,
  ) {
    const { rc, reason } = at.failure;
    const { group, groupName, rcName, meaning } = failureNames(at.failure, at.names, at.askedGroup);
    const whose = at.failure.kind === "protocol" ? "" : `${groupName ?? `group ${group ?? "unknown"}`} `;
    const said = [meaning, reason === undefined ? "" : `"${reason}"`].filter((text) => text !== "").join("; ");
    super(`${at.command}: ${whose}${rcName}${rcName === `rc ${rc}` ? "" : ` (rc ${rc})`}${said === "" ? "" : `: ${said}`}`, options);
    this.command = at.command;
    this.rc = rc;
    this.rcName = rcName;
    this.meaning = meaning;
    this.group = group;
    this.groupName = groupName;
    this.reason = reason;
    Object.defineProperty(this, "payload", { value: at.payload, enumerable: false });
  }
}

/** An answer that is neither an error nor what the command declares. */
export class McumgrResponseError extends BleError {
  readonly code = "ERR_MCUMGR_RESPONSE";
  readonly command: string;
  /** Where in the answer: "images[1].slot"; empty for the whole. */
  readonly path: string;
  readonly problem: string;
  /** The whole answer; not enumerable, so that loggers do not print it. */
  declare readonly payload: CborMap | undefined;
  constructor(at: { command: string; path: string; problem: string; payload?: CborMap | undefined }, options?: ErrorOptions) {
    super(`answer to ${at.command}: ${at.path === "" ? "" : `${at.path}: `}${at.problem}`, options);
    this.command = at.command;
    this.path = at.path;
    this.problem = at.problem;
    Object.defineProperty(this, "payload", { value: at.payload, enumerable: false });
  }
}

/** A request that is not what the command declares: for servers, which answer it with Invalid. */
export class McumgrRequestError extends BleError {
  readonly code = "ERR_MCUMGR_REQUEST";
  readonly command: string;
  readonly path: string;
  readonly problem: string;
  constructor(at: { command: string; path: string; problem: string }, options?: ErrorOptions) {
    super(`request ${at.command}: ${at.path === "" ? "" : `${at.path}: `}${at.problem}`, options);
    this.command = at.command;
    this.path = at.path;
    this.problem = at.problem;
  }
}

/** The message is longer than the link, the server or the protocol takes. Nothing was sent. */
export class MessageTooLongError extends BleError {
  readonly code = "ERR_MCUMGR_TOO_LONG";
  /** Octets, header included. */
  readonly length: number;
  readonly limit: number;
  constructor(length: number, limit: number, options?: ErrorOptions) {
    super(`a message of ${length} octets, at most ${limit} are possible`, options);
    this.length = length;
    this.limit = limit;
  }
}

/** A transfer made no progress; it can be resumed at `offset`. */
export class UploadStalledError extends BleError {
  readonly code = "ERR_MCUMGR_STALLED";
  /** The octets that the server has. */
  readonly offset: number;
  readonly attempts: number;
  constructor(what: string, at: { offset: number; attempts: number }, options?: ErrorOptions) {
    super(`${what}: no progress at offset ${at.offset} in ${at.attempts} attempts`, options);
    this.offset = at.offset;
    this.attempts = at.attempts;
  }
}

/** What arrived is not what was sent: a digest differs. */
export class ImageMismatchError extends BleError {
  readonly code = "ERR_MCUMGR_MISMATCH";
}

/** A file is no firmware that can be used, or it is damaged. */
export class ImageFileError extends BleError {
  readonly code = "ERR_IMAGE_FILE";
  readonly problem: string;
  /** Octets from the start of the file (of the text, for Intel HEX), where the problem has a place. */
  readonly offset: number | undefined;
  /** Which file of a package. */
  readonly file: string | undefined;
  constructor(problem: string, { offset, file, ...options }: ErrorOptions & { offset?: number; file?: string } = {}) {
    super(`${file === undefined ? "" : `${file}: `}${problem}${offset === undefined ? "" : ` at offset ${offset}`}`, options);
    this.problem = problem;
    this.offset = offset;
    this.file = file;
  }
}

/** What was reached is no mcumgr server: the device lacks the service or the characteristic. */
export class NotMcumgrServerError extends BleError {
  readonly code = "ERR_MCUMGR_NO_SERVER";
}
