import { stripVTControlCharacters } from "node:util";
import { fromHex, toHex } from "jelling/bytes";
import type { CborMap } from "jelling/mcumgr";
import { CommandError, InterruptedError, UsageError } from "../../errors.ts";
import { asText, printable } from "../../text.ts";
import { plain, show, showRows, withProgress } from "./output.ts";
import { type Invocation, type Managed, readDataFile, withClient } from "./session.ts";

export function statisticsList(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { statList } = await client.statistics.list({}, { signal });
    showRows(
      at.context,
      statList.map((name) => ({ name })),
    );
  });
}

async function showStatistics({ context }: Invocation, { client, signal }: Managed, name: string): Promise<void> {
  const { fields } = await client.statistics.show({ name }, { signal });
  if (context.terminal.json) context.terminal.object({ name, fields: plain(fields) });
  else
    showRows(
      context,
      Object.entries(fields).map(([field, value]) => ({ group: name, field, value })),
    );
}

export function statisticsGet(at: Invocation, name: string): Promise<void> {
  return withClient(at, (managed) => showStatistics(at, managed, name));
}

export function statisticsFetchAll(at: Invocation): Promise<void> {
  return withClient(at, async (managed) => {
    const { statList } = await managed.client.statistics.list({}, { signal: managed.signal });
    for (const name of statList) await showStatistics(at, managed, name);
  });
}

export function settingsGet(at: Invocation, name: string, { maxSize }: { maxSize?: number }): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { val } = await client.settings.read({ name, ...(maxSize !== undefined && { maxSize }) }, { signal });
    show(at.context, { name, value: val, text: asText(val) });
  });
}

export function settingsSet(at: Invocation, name: string, value: string, { hex }: { hex?: boolean }): Promise<void> {
  if (hex && !/^([0-9a-f]{2})*$/i.test(value)) throw new UsageError(`"${value}" is no list of hexadecimal octets`);
  const val = hex ? fromHex(value) : new TextEncoder().encode(value);
  return withClient(at, async ({ client, signal }) => {
    await client.settings.write({ name, val }, { signal });
    show(at.context, { name, written: val });
  });
}

export function settingsDelete(at: Invocation, name: string): Promise<void> {
  return done(at, `deleted ${name}`, ({ client, signal }) => client.settings.delete({ name }, { signal }));
}
export function settingsCommit(at: Invocation): Promise<void> {
  return done(at, "committed", ({ client, signal }) => client.settings.commit({}, { signal }));
}
export function settingsLoad(at: Invocation): Promise<void> {
  return done(at, "loaded", ({ client, signal }) => client.settings.load({}, { signal }));
}
export function settingsSave(at: Invocation, name: string | undefined): Promise<void> {
  return done(at, "saved", ({ client, signal }) => client.settings.save(name === undefined ? {} : { name }, { signal }));
}
export function eraseStorage(at: Invocation): Promise<void> {
  return done(at, "the settings' storage is erased", ({ client, signal }) => client.zephyr.eraseStorage({}, { signal }));
}

function done(at: Invocation, sentence: string, act: (managed: Managed) => Promise<unknown>): Promise<void> {
  return withClient(at, async (managed) => {
    await act(managed);
    at.context.terminal.result(
      () => ({ done: sentence }),
      () => sentence,
    );
  });
}

export function enumGroups(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { groups } = await client.enumeration.list({}, { signal });
    showRows(
      at.context,
      groups.map((group) => ({ group })),
    );
  });
}

export function enumDetails(at: Invocation, numbers: readonly string[]): Promise<void> {
  const groups = numbers.map((text) => {
    if (!/^\d{1,5}$/.test(text)) throw new UsageError(`"${text}" is no number of a group`);
    return Number(text);
  });
  return withClient(at, async ({ client, signal }) => {
    const answer = await client.enumeration.details(groups.length > 0 ? { groups } : {}, { signal });
    showRows(at.context, answer.groups);
  });
}

export async function icUpload(at: Invocation, file: string, { image }: { image?: number }): Promise<void> {
  const octets = await readDataFile(at.context, file);
  await withClient(at, async ({ client, signal }) => {
    const result = await withProgress({ context: at.context, signal }, ({ at: onProgress }) =>
      client.uploadIntercreate(octets, { image, signal, onProgress }),
    );
    show(at.context, { type: "uploaded", ...result, durationMs: Math.round(result.durationMs) });
  });
}

/** One command of the device's shell, or a prompt for as many as one likes. */
export function shell(at: Invocation, words: readonly string[]): Promise<void> {
  const { context } = at;
  if (words.length === 0 && !context.terminal.interactive) throw new UsageError("shell: which command? (a prompt needs a terminal)");
  return withClient(at, async (managed) => {
    if (words.length > 0) {
      const ret = await execute(at, managed, words);
      if (ret !== 0) throw new CommandError(`the command returned ${ret}${ret === -8 ? ": the device's shell does not know it" : ""}`);
      return;
    }
    for (;;) {
      const line = await context.io.ask.text("device shell (empty to end)", () => undefined, managed.signal);
      if (context.signal.aborted) throw new InterruptedError();
      if (line === undefined || line.trim() === "") return;
      const ret = await execute(at, managed, [line.trim()]);
      if (ret !== 0) context.terminal.note(`returned ${ret}`);
    }
  });
}

async function execute({ context }: Invocation, { client, signal }: Managed, words: readonly string[]): Promise<number> {
  const { o, ret } = await client.shell.execute({ argv: [...words] }, { signal, timeoutMs: context.timeoutMs(10_000) });
  context.terminal.result(
    () => ({ output: o, ret }),
    () => consoleText(o),
  );
  return ret;
}

/** What a shell printed, without what would steer this terminal. */
function consoleText(text: string): string {
  return stripVTControlCharacters(text)
    .trim()
    .split(/\r?\n/)
    .map((line) => printable(line.replaceAll("\t", "  ")))
    .join("\n");
}

interface RawOptions {
  write?: boolean;
  hex?: string;
}

/** A request of numbers, with JSON for its payload: octets stand there as {"hex": "0a0b"}. */
export function raw(at: Invocation, group: number, command: number, json: string | undefined, options: RawOptions): Promise<void> {
  if (json !== undefined && options.hex !== undefined) throw new UsageError("raw: a payload as JSON or as --hex, not both");
  const payload = options.hex !== undefined ? fromHex(options.hex) : json === undefined ? {} : payloadOf(json);
  return withClient(at, async ({ client, signal }) => {
    const answer = await client.request({ op: options.write ? 2 : 0, group, command, payload }, { signal });
    at.context.terminal.line(answer.payload ? JSON.stringify(plain(answer.payload)) : toHex(answer.octets));
    at.context.terminal.object({ payload: answer.payload ? plain(answer.payload) : null, octets: toHex(answer.octets) });
  });
}

function payloadOf(json: string): CborMap {
  try {
    const value: unknown = JSON.parse(json, (_key, entry: unknown) => {
      const { hex, ...rest } = (entry ?? {}) as { hex?: unknown };
      return typeof hex === "string" && Object.keys(rest).length === 0 ? fromHex(hex) : entry;
    });
    if (value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array)) return value as CborMap;
  } catch (cause) {
    throw new UsageError(`raw: "${json}" is no JSON`, { cause });
  }
  throw new UsageError("raw: the payload has to be a JSON object");
}
