import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { type AnyMgmtCommand, commands } from "jelling/mgmt";
import type { Context } from "../../context.ts";
import { CommandError, UsageError } from "../../errors.ts";
import { gather, readInput } from "../../input-file.ts";
import { keyValues } from "../../machine.ts";
import { parseJson } from "./parse-value.ts";
import { type Invocation, indexOf, withMgmt } from "./session.ts";
import { showReturns } from "./show.ts";

type Entry = Readonly<Record<string, unknown>>;

/** Where bluetoothd keeps what it knows, a folder for each adapter. */
const BLUETOOTHD = "/var/lib/bluetooth";

export const linkKeys = (invocation: Invocation): Promise<void> => load(invocation, commands.loadLinkKeys, "newLinkKey");
export const longTermKeys = (invocation: Invocation): Promise<void> => load(invocation, commands.loadLongTermKeys, "newLongTermKey");
export const blockedKeys = (invocation: Invocation): Promise<void> => load(invocation, commands.loadBlockedKeys, undefined);

/** As the other lists; bluetoothd's own files are read as well, the controller's with `--local`. */
export async function identityResolvingKeys(invocation: Invocation): Promise<void> {
  const { local, file = [] } = invocation.options as { local?: number; file?: readonly string[] };
  const [path] = invocation.args as [string | undefined];
  const entries: Entry[] = [];
  for (const from of [...(path === undefined ? [] : [path]), ...file])
    entries.push(...(await entriesOf(invocation.context, from, "newIdentityResolvingKey")));
  if (path === undefined && file.length === 0 && local === undefined)
    throw new UsageError('which keys? give a file, --local N for the key of a controller, or "none" to forget all that are loaded');
  await loadEntries(invocation, commands.loadIdentityResolvingKeys, async (read) => {
    if (local !== undefined) entries.push(await localKey(await read(local)));
    return entries;
  });
}

async function load(invocation: Invocation, command: AnyMgmtCommand, event: string | undefined): Promise<void> {
  const [path] = invocation.args as [string];
  const entries = await entriesOf(invocation.context, path, event);
  await loadEntries(invocation, command, async () => entries);
}

async function loadEntries(
  invocation: Invocation,
  command: AnyMgmtCommand,
  gather: (addressOf: (index: number) => Promise<string>) => Promise<readonly Entry[]>,
): Promise<void> {
  const { context } = invocation;
  const index = indexOf(invocation);
  await withMgmt(invocation, async (mgmt) => {
    const given = await gather(async (local) => {
      const { address } = await mgmt.readControllerInformation(local, { signal: context.signal });
      return address;
    });
    const keys = parseJson("keys", command.parameters.fields.keys!.description, given);
    const returns = await mgmt.request(command, index, { keys }, { signal: context.signal });
    context.terminal.note(
      given.length === 0 ? "no keys are loaded any more" : `${given.length} key${given.length === 1 ? "" : "s"} loaded`,
    );
    showReturns(context, command, index, returns);
  });
}

/**
 * Keys in a file: JSON, a list of them or one a line; or what `mgmt events --json --secrets` or `mgmt pair --json --secrets` printed; or, for
 * identity resolving keys, what bluetoothd stored of a device. "none" is the empty list.
 */
async function entriesOf(context: Context, path: string, event: string | undefined): Promise<readonly Entry[]> {
  if (path === "none") return [];
  const content = await textOf(context, path);
  if (/^\s*\[(?:General|IdentityResolvingKey|LinkKey|LongTermKey)\]/m.test(content)) {
    if (event !== "newIdentityResolvingKey") throw new CommandError(`${path}: of bluetoothd's files only identity resolving keys are read`);
    return [deviceKey(path, content)];
  }
  const found = jsonOf(path, content).flatMap((entry) => (entry.event === "paired" ? keysOfPairing(entry) : [entry]));
  const events = found.filter((entry) => typeof entry.event === "string");
  const wanted = events.filter(({ event: name }) => String(name).toLowerCase() === event?.toLowerCase());
  return (events.length > 0 ? wanted : found).map((entry) => (typeof entry.key === "object" ? (entry.key as Entry) : entry));
}

/** A kernel takes some thousands of keys at most. */
const LONGEST_TEXT = 16 << 20;

async function textOf({ io, signal }: Context, path: string): Promise<string> {
  try {
    const octets = path === "-" ? await gather(io.stdin(signal), LONGEST_TEXT) : await readInput(path, { signal, maxOctets: LONGEST_TEXT });
    return new TextDecoder().decode(octets);
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(`${path}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** What `mgmt pair --json --secrets` printed, as the events that told the keys. */
function keysOfPairing({ keys }: Entry): Entry[] {
  return (keys as readonly Entry[]).map(({ kind, key }) => ({ event: `New${String(kind)}`, key }));
}

function jsonOf(path: string, text: string): Entry[] {
  const parsed = parsedOrLines(path, text);
  if (parsed.every((entry) => typeof entry === "object" && entry !== null && !Array.isArray(entry))) return parsed as Entry[];
  throw new CommandError(`${path}: expected keys as JSON objects, in a list or one a line`);
}

function parsedOrLines(path: string, text: string): readonly unknown[] {
  try {
    return [JSON.parse(text) as unknown].flat();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as unknown;
    } catch {
      // What is wrong with it may be a key: the line is named and not shown.
      throw new CommandError(`${path}: line ${i + 1} is no JSON`);
    }
  });
}

/** What bluetoothd stored of a device: the folder has its identity address. */
function deviceKey(path: string, text: string): Entry {
  const address = basename(dirname(resolve(path)));
  const { Key: value } = keyValues(sectionOf(text, "IdentityResolvingKey"));
  const { AddressType: type } = keyValues(sectionOf(text, "General"));
  if (value === undefined) throw new CommandError(`${path} holds no identity resolving key`);
  return { address, addressType: type === "static" ? "LERandom" : "LEPublic", value };
}

/** The key that bluetoothd made for a controller. */
async function localKey(address: string): Promise<Entry> {
  const path = `${BLUETOOTHD}/${address}/identity`;
  const { IdentityResolvingKey: value } = keyValues(sectionOf(await readFile(path, "utf8"), "General"));
  if (value === undefined) throw new CommandError(`${path} holds no identity resolving key`);
  return { address, addressType: "LEPublic", value: value.replace(/^0x/i, "") };
}

/** Lines of a section of a key file. */
function sectionOf(text: string, name: string): string {
  const [, after = ""] = text.split(`[${name}]`);
  return after.split(/^\[/m)[0]!;
}
