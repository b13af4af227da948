import { type AnyMgmtCommand, commandNamed, commandsByOpcode, type FieldDescription, type Fields } from "jelling/mgmt";
import { UsageError } from "../../errors.ts";
import { wrap } from "../../terminal.ts";
import { quoted } from "../../text.ts";
import { expectation, fieldNamed, givenFields, parseObject, parseText } from "./parse-value.ts";
import { type Invocation, withMgmt } from "./session.ts";
import { showReturns } from "./show.ts";
import { contentOf, indexFor } from "./simple.ts";

/** Sends any command of the table. */
export async function send(invocation: Invocation): Promise<void> {
  const [name, pairs] = invocation.args as [string | undefined, readonly string[]];
  const { list, help, unchecked } = invocation.options as { list?: boolean; help?: boolean; unchecked?: boolean };
  if (list) return listCommands(invocation);
  if (name === undefined) throw new UsageError("which command? jelling mgmt send --list shows them");
  const command = commandOf(name);
  if (help) return showDescription(invocation, command);
  const parameters = await valuesOf(command, pairs, { unchecked });
  const index = indexFor(command, invocation.index, parameters);
  const { context } = invocation;
  await withMgmt(invocation, async (mgmt) => {
    const returns = await mgmt.request(command, index, parameters, { signal: context.signal, unchecked });
    showReturns(context, command, index, returns);
  });
}

/** Says what commands and parameters there are; sends nothing. */
export async function describe(invocation: Invocation): Promise<void> {
  const [name] = invocation.args as [string | undefined];
  if (name === undefined) return listCommands(invocation);
  showDescription(invocation, commandOf(name));
}

/** @throws {UsageError} no command has that name; the message has those that look like it */
export function commandOf(name: string): AnyMgmtCommand {
  const command = commandNamed(name) ?? (/^0x[0-9a-f]{1,4}$/i.test(name) ? commandsByOpcode.get(Number(name)) : undefined);
  if (command) return command;
  const near = nearest(
    name,
    [...commandsByOpcode.values()].map((known) => known.name),
  );
  throw new UsageError(
    `there is no management command ${quoted(name)}${near ? `; did you mean ${near}?` : ""} (jelling mgmt send --list shows them)`,
  );
}

/** The names that hold the text, or the one that differs least from it. */
export function nearest(text: string, names: readonly string[]): string | undefined {
  const plain = text.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (plain.length < 3) return undefined;
  const holding = names.filter((name) => name.toLowerCase().includes(plain));
  if (holding.length > 0) return holding.slice(0, 3).join(" or ");
  const [best] = names.map((name) => ({ name, distance: distance(plain, name.toLowerCase()) })).sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(2, plain.length / 3) ? best.name : undefined;
}

/** How many letters have to be changed, put in or left out. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

async function valuesOf(
  command: AnyMgmtCommand,
  pairs: readonly string[],
  options: { unchecked?: boolean | undefined },
): Promise<Record<string, unknown>> {
  const { fields } = command.parameters;
  const given: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) throw new UsageError(`${quoted(pair)}: expected NAME=VALUE; ${parameterNames(command)}`);
    const [name, field] = fieldNamed(command.name, fields, pair.slice(0, at));
    if (name in given) throw new UsageError(`${name} is given twice`);
    given[name] = await contentOf(field.description, pair.slice(at + 1));
  }
  const values =
    withDevice(fields, given) ??
    Object.fromEntries(Object.entries(given).map(([name, text]) => [name, parseText(name, fields[name]!.description, text, options)]));
  const missing = givenFields(fields).filter(
    ([name, { description }]) => values[name] === undefined && !description.optional && description.fallback === undefined,
  );
  if (missing.length > 0)
    throw new UsageError(
      `${command.name} needs ${missing.map(([name, { description }]) => `${name} (${expectation(description)})`).join("; ")}`,
    );
  return values;

  /** An address with its type behind it is two parameters. */
  function withDevice(all: Fields, texts: Readonly<Record<string, string>>): Record<string, unknown> | undefined {
    return all.addressType && texts.address?.includes("/") ? parseObject("", all, texts, options) : undefined;
  }
}

function parameterNames({ name, parameters }: AnyMgmtCommand): string {
  const names = givenFields(parameters.fields).map(([field]) => field);
  return names.length > 0 ? `${name} takes ${names.join(", ")}` : `${name} takes no parameters`;
}

function listCommands({ context: { terminal } }: Invocation): void {
  for (const command of commandsByOpcode.values())
    terminal.result(
      () => descriptionOf(command),
      () => {
        const names = givenFields(command.parameters.fields).map(([name, { description }]) => {
          const needed = description.fallback === undefined && !description.optional;
          return needed ? `${name}=…` : `[${name}=…]`;
        });
        return `0x${command.opcode.toString(16).padStart(4, "0")}  ${terminal.paint("bold", command.name)} ${terminal.paint("dim", names.join(" "))}`.trimEnd();
      },
    );
}

const INDEXES = {
  none: "no controller",
  controller: "a controller (-i, usually 0)",
  either: "a controller with -i, none without",
} as const;
const POWER = { any: undefined, on: "the controller has to be on", off: "the controller has to be off" } as const;

function showDescription({ context: { terminal } }: Invocation, command: AnyMgmtCommand): void {
  terminal.object(descriptionOf(command));
  if (terminal.json) return;
  const code = `0x${command.opcode.toString(16).padStart(4, "0")}`;
  terminal.line(terminal.paint("bold", command.name));
  terminal.line(`  ${command.title}, ${code}, ${/^\d/.test(command.since) ? `since ${command.since}` : "newer than 1.23"}`);
  const facts = [`for ${INDEXES[command.index]}`, command.privileged ? "needs CAP_NET_ADMIN" : "for everybody", POWER[command.power]];
  terminal.line(`  ${facts.filter(Boolean).join("; ")}`);
  const columns = Math.min(terminal.columns, 120);
  const show = (heading: string, rows: readonly (readonly [name: string, text: string])[]): void => {
    if (rows.length === 0) return;
    terminal.line(heading);
    const width = Math.max(...rows.map(([name]) => name.length));
    for (const [name, text] of rows) {
      const room = Math.max(30, columns - width - 4);
      const [first = "", ...more] = wrap(text, room).split("\n");
      terminal.line(`  ${name.padEnd(width)}  ${first}`.trimEnd());
      for (const line of more) terminal.line(" ".repeat(width + 4) + line);
    }
  };
  show("parameters", rowsOf(command.parameters.fields, parameterText));
  show("returns", rowsOf(command.returns.fields, returnText));
  const causes = Object.entries(command.causes);
  if (causes.length > 0) terminal.line("fails with");
  for (const [status, cause] of causes) terminal.line(`  ${wrap(`${status}: ${cause}`, columns - 2, "    ")}`);
}

/** Fields and what is to be said of each; the fields of entries under theirs. */
function rowsOf(fields: Fields, text: (description: FieldDescription) => string, path = ""): [name: string, text: string][] {
  return givenFields(fields).flatMap(([name, { description }]) => [
    [path + name, text(description)] as [string, string],
    ...rowsOf(description.of?.description.fields ?? {}, text, `${path}${name}[].`),
  ]);
}

function parameterText(description: FieldDescription): string {
  const { fallback, optional, secret, note, of } = description;
  return [
    of?.description.fields ? "a list of entries, as JSON" : expectation(description),
    ...(optional ? ["may be left out"] : []),
    ...(fallback === undefined ? [] : [`usually ${fallbackText(fallback)}`]),
    ...(note ? [note] : []),
    ...(secret ? ["secret: @FILE keeps it out of the list of processes"] : []),
  ].join("; ");
}

function fallbackText(fallback: unknown): string {
  return fallback instanceof Uint8Array || Array.isArray(fallback) ? "empty" : String(fallback);
}

function returnText({ type, enumeration, bits, unit, secret }: FieldDescription): string {
  const names = enumeration ?? bits;
  return [
    names ? (Object.keys(names).length > 16 ? `${Object.keys(names).length} names` : Object.keys(names).join(", ")) : type,
    ...(unit ? [`unit ${unit}`] : []),
    ...(secret ? ["shown with --secrets only"] : []),
  ].join("; ");
}

/** The declaration as JSON. */
function descriptionOf(command: AnyMgmtCommand): Record<string, unknown> {
  const { name, title, opcode, aliases, index, since, privileged, power, unconfigured, causes } = command;
  return {
    ...{ name, title, opcode, aliases, index, since, privileged, power, unconfigured, causes },
    parameters: fieldsJson(command.parameters.fields),
    returns: fieldsJson(command.returns.fields),
  };
}

function fieldsJson(fields: Fields): Record<string, unknown>[] {
  return givenFields(fields).map(([name, { description }]) => ({ name, ...descriptionJson(description) }));
}

function descriptionJson({ of, fields, fallback, from: _from, ...plain }: FieldDescription): Record<string, unknown> {
  return {
    ...plain,
    ...(fallback === undefined
      ? {}
      : { fallback: fallback instanceof Uint8Array ? "" : typeof fallback === "bigint" ? Number(fallback) : fallback }),
    ...(of ? { of: descriptionJson(of.description) } : {}),
    ...(fields ? { fields: fieldsJson(fields) } : {}),
  };
}
