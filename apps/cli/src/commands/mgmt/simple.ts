import { readFile } from "node:fs/promises";
import { Uuid } from "jelling/core";
import { type AnyMgmtCommand, commands, ExperimentalFeature, type FieldDescription, type Fields, NO_CONTROLLER } from "jelling/mgmt";
import { UsageError } from "../../errors.ts";
import { deviceIn, parseText } from "./parse-value.ts";
import { type Invocation, withMgmt } from "./session.ts";
import { showReturns } from "./show.ts";
import type { ArgumentSpec, OptionSpec, SimpleSpec } from "./spec.ts";

/** Runs a subcommand of the table: values from texts, one command, what it returned. */
export async function simple(invocation: Invocation, spec: SimpleSpec): Promise<void> {
  const command: AnyMgmtCommand = commands[spec.command];
  const parameters = await parametersOf(invocation, spec, command.parameters.fields);
  const index = indexFor(command, invocation.index, parameters);
  await withMgmt(invocation, async (mgmt) => {
    const returns = await mgmt.request(command, index, parameters, { signal: invocation.context.signal });
    showReturns(invocation.context, command, index, returns);
  });
}

/**
 * The controller a command is sent to: the one that is named, else 0 where it needs one.
 *
 * @throws {UsageError} one is named, and the command belongs to none
 */
export function indexFor(command: AnyMgmtCommand, named: number | undefined, parameters: Readonly<Record<string, unknown>> = {}): number {
  if (command.index === "none") {
    if (named !== undefined) throw new UsageError(`${command.title} belongs to no controller: leave -i out`);
    return NO_CONTROLLER;
  }
  if (named !== undefined) return named;
  if (command.index === "controller") return 0;
  const feature = Object.values(ExperimentalFeature).find(({ uuid }) => parameters.uuid instanceof Uuid && parameters.uuid.equals(uuid));
  return feature?.index === "controller" ? 0 : NO_CONTROLLER;
}

/** Texts of a command's fields, as they come from arguments and options. */
class Texts {
  readonly #fields: Fields;
  readonly given = new Map<string, string>();

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  /** Lists and sets of bits grow, octets are put together; of anything else the last word counts. */
  add(field: string, text: string): void {
    const before = this.given.get(field);
    const { type, bits } = this.#fields[field]!.description;
    if (before === undefined) this.given.set(field, text);
    else if (bits || type === "list") this.given.set(field, `${before},${text}`);
    else this.given.set(field, type === "bytes" || type === "eir" ? before + text : text);
  }
}

async function parametersOf({ args, options }: Invocation, spec: SimpleSpec, fields: Fields): Promise<Record<string, unknown>> {
  const texts = new Texts(fields);
  const values: Record<string, unknown> = {};
  const take = (of: Pick<ArgumentSpec, "field" | "split" | "usualType">, text: string): void => {
    if (of.field === "device") Object.assign(values, deviceIn(text, options.type as string | undefined, of.usualType));
    else if (of.split) for (const [field, part] of Object.entries(of.split(text))) texts.add(field, part);
    else texts.add(of.field, text);
  };
  for (const [i, argument] of (spec.arguments ?? []).entries()) {
    const given = args[i];
    if (typeof given === "string") take(argument, given);
    else if (given && given.length > 0) take(argument, given.join(","));
  }
  for (const option of spec.options ?? []) {
    const given = options[optionKey(option)];
    const text = textOf(option, given);
    const { field, split } = option;
    if (text !== undefined && field) take(split ? { field, split } : { field }, text);
    if (option.bit && given !== undefined && given !== false) texts.add(...option.bit);
  }
  for (const [field, text] of Object.entries(spec.fixed ?? {})) if (!texts.given.has(field)) texts.add(field, text);
  for (const [field, text] of texts.given) {
    const { description } = fields[field]!;
    if (!(field in values)) values[field] = parseText(field, description, await contentOf(description, text));
  }
  return values;
}

/** Commander's name for an option: the long one, in camel case. */
export function optionKey({ flags }: OptionSpec): string {
  const long = /--([a-z0-9-]+)/.exec(flags)![1]!;
  return long.replaceAll(/-([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}

function textOf({ value, usual, bit, field }: OptionSpec, given: unknown): string | undefined {
  if (given === true) return field && !bit ? value : undefined;
  if (Array.isArray(given)) return given.length > 0 ? given.join(",") : usual;
  return typeof given === "string" ? given : usual;
}

/** What a value's text is: "@FILE" stands for the file's content, where a text of its own cannot begin so. */
export async function contentOf({ type }: FieldDescription, text: string): Promise<string> {
  if (!text.startsWith("@") || type === "cstring") return text;
  return (await readFile(text.slice(1), "utf8")).trim();
}
