/** Codes of the protocol itself (`rc`), which every command may answer. From 256 on they belong to the application. */
export const McumgrReturnCode = Object.freeze({
  Ok: 0,
  Unknown: 1,
  NoMemory: 2,
  Invalid: 3,
  Timeout: 4,
  NoEntry: 5,
  BadState: 6,
  MessageSize: 7,
  NotSupported: 8,
  Corrupt: 9,
  Busy: 10,
  AccessDenied: 11,
  TooOld: 12,
  TooNew: 13,
});

/** A code's name, and what it means in a few words. */
export type ErrorEntry = string | readonly [name: string, meaning: string];
/** The codes of a group (`err`), by number. */
export type ErrorTable = Readonly<Record<number, ErrorEntry>>;

/** What every group's table begins with. */
export const COMMON_ERRORS: ErrorTable = Object.freeze({ 0: ["Ok", "no error"], 1: ["Unknown", "the server does not say why"] } as const);

export const RETURN_CODES: ErrorTable = Object.freeze({
  0: ["Ok", "no error"],
  1: ["Unknown", "the server does not say why, or the first version of the protocol has no code for it"],
  2: ["NoMemory", "the server has no buffer for the answer: too many requests at once"],
  3: ["Invalid", "an argument is wrong, or the request could not be read"],
  4: ["Timeout", "the server gave up waiting"],
  5: ["NoEntry", "there is no such thing"],
  6: ["BadState", "not in the present state"],
  7: ["MessageSize", "the answer does not fit into the server's buffer"],
  8: ["NotSupported", "the server does not know the group or the command, or was built without it"],
  9: ["Corrupt", "the request arrived cut short"],
  10: ["Busy", "something else is under way, or the application does not want it now"],
  11: ["AccessDenied", "the application does not permit it"],
  12: ["TooOld", "the server no longer takes this version of the protocol"],
  13: ["TooNew", "the server does not know this version of the protocol"],
} as const);

/** Looks a code up. Codes that are not in the table are named by their number. */
export function errorEntry(table: ErrorTable | undefined, rc: number): { name: string; meaning: string } {
  const entry = table !== undefined && Object.hasOwn(table, rc) ? table[rc] : undefined;
  if (entry === undefined) return { name: `rc ${rc}`, meaning: table === RETURN_CODES && rc >= 256 ? "defined by the application" : "" };
  return typeof entry === "string" ? { name: entry, meaning: "" } : { name: entry[0], meaning: entry[1] };
}
