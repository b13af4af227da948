import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { AnyField, Fields, Names } from "../src/mgmt-protocol/index.ts";
import * as protocol from "../src/mgmt-protocol/index.ts";

/*
 * The machine-readable table of the protocol description, against the declarations: nothing may be missing, and nothing may be there that
 * the table does not know.
 */
interface TableField {
  readonly name: string;
  readonly type: string;
  readonly of?: string;
  readonly enum?: string;
  readonly bits?: string;
  readonly count?: number;
  readonly countOf?: string;
  readonly lengthOf?: string;
  readonly countFrom?: string;
  readonly lengthFrom?: string;
  readonly usedFrom?: string;
  readonly remaining?: boolean;
  readonly optional?: boolean;
  readonly unit?: string;
  readonly range?: [number, number];
  readonly invalid?: number;
}
interface TableCommand {
  readonly name: string;
  readonly title: string;
  readonly opcode: number;
  readonly aliases?: string[];
  readonly controllerIndex: "none" | "id" | "either";
  readonly sinceVersion?: string;
  readonly privileged: boolean;
  readonly allowedWhileUnconfigured: boolean;
  readonly powered: string;
  readonly failureReply: string;
  readonly documentedErrors?: string[];
  readonly params: TableField[];
  readonly returns: TableField[];
}
interface TableEvent {
  readonly name: string;
  readonly title: string;
  readonly code: number;
  readonly controllerIndex: "none" | "id" | "either";
  readonly sinceVersion?: string;
  readonly privileged: boolean;
  readonly delivery: string;
  readonly params: TableField[];
}
const table = JSON.parse(readFileSync(new URL("vectors/mgmt-table.json", import.meta.url), "utf8")) as {
  structs: Record<string, { fields: TableField[] }>;
  enums: Record<string, { values: Names }>;
  bitsets: Record<string, { bits: Names; btmgmtNames?: string[] }>;
  commands: TableCommand[];
  events: TableEvent[];
  untrustedCommands: number[];
  untrustedEvents: number[];
  experimentalFeatures: { name: string; uuid: string; index: string }[];
  defaultSystemConfiguration: { type: number; name: string; valueType: string; note?: string }[];
  capabilities: { types: { type: number; name: string }[] };
};

const indexKind = { none: "none", id: "controller", either: "either" };

/** The field of the table in the words of a declaration. */
function expected(field: TableField): Record<string, unknown> {
  const { type, count, countOf, lengthOf, countFrom, lengthFrom, usedFrom, remaining, optional, unit, range, invalid } = field;
  const structure = table.structs[type];
  const of =
    type === "list"
      ? table.structs[field.of!]
        ? { type: "struct", fields: expectedFields(table.structs[field.of!]!.fields) }
        : { type: field.of }
      : undefined;
  return clean({
    type: structure ? "struct" : type,
    fields: structure && expectedFields(structure.fields),
    of: of && clean({ ...of, enumeration: type === "list" ? names(table.enums, field.enum) : undefined }),
    enumeration: type === "list" ? undefined : names(table.enums, field.enum),
    bits: field.bits && table.bitsets[field.bits]!.bits,
    count,
    countOf,
    lengthOf,
    from: countFrom ?? lengthFrom ?? usedFrom,
    remaining,
    optional,
    unit,
    range,
    invalid,
  });
}

function names(all: Record<string, { values: Names }>, name: string | undefined): Names | undefined {
  return name === undefined ? undefined : all[name]?.values;
}

function expectedFields(fields: readonly TableField[]): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, expected(field)]));
}

function declared({ description }: AnyField): Record<string, unknown> {
  const { type, enumeration, bits, count, countOf, lengthOf, from, remaining, of, fields, optional, unit, range, invalid } = description;
  return clean({
    type,
    fields: fields && declaredFields(fields),
    of: of && declared(of),
    enumeration,
    bits,
    count,
    countOf,
    lengthOf,
    from,
    remaining,
    optional,
    unit,
    range,
    invalid,
  });
}

function declaredFields(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, declared(field)]));
}

function clean(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined));
}

describe("every command of the table is declared", () => {
  test.each(table.commands)("$name", (entry) => {
    const declaration = protocol.commandsByOpcode.get(entry.opcode)!;
    expect(declaration).toMatchObject({
      name: entry.name,
      title: entry.title,
      aliases: entry.aliases ?? [],
      index: indexKind[entry.controllerIndex],
      since: entry.sinceVersion ?? "newer",
      privileged: entry.privileged,
      unconfigured: entry.allowedWhileUnconfigured,
      power: entry.powered,
      failure: entry.failureReply,
    });
    expect(declaredFields(declaration.parameters.fields)).toEqual(expectedFields(entry.params));
    expect(declaredFields(declaration.returns.fields)).toEqual(expectedFields(entry.returns));
    expect(Object.keys(declaration.parameters.fields)).toEqual(entry.params.map(({ name }) => name));
    expect(Object.keys(declaration.returns.fields)).toEqual(entry.returns.map(({ name }) => name));
    expect(protocol.commandNamed(entry.title)).toBe(declaration);
    for (const alias of entry.aliases ?? []) expect(protocol.commandNamed(alias)).toBe(declaration);
  });

  test("and no other", () => {
    expect([...protocol.commandsByOpcode.keys()].sort((a, b) => a - b)).toEqual(table.commands.map(({ opcode }) => opcode));
    const open = [...protocol.commandsByOpcode.values()].filter(({ privileged }) => !privileged).map(({ opcode }) => opcode);
    expect(open).toEqual(table.untrustedCommands);
  });
});

describe("every event of the table is declared", () => {
  test.each(table.events)("$name", (entry) => {
    const declaration = protocol.eventsByCode.get(entry.code)!;
    expect(declaration).toMatchObject({
      name: entry.name,
      title: entry.title,
      index: indexKind[entry.controllerIndex],
      since: entry.sinceVersion ?? "newer",
      privileged: entry.privileged,
      delivery: entry.delivery,
    });
    // Which return parameters a Command Complete has depends on the command: here they are octets.
    const params = entry.params.map((field) => (field.type === "returns" ? { name: field.name, type: "bytes", remaining: true } : field));
    expect(declaredFields(declaration.parameters.fields)).toEqual(expectedFields(params));
    expect(protocol.eventNamed(entry.title)).toBe(declaration);
  });

  test("and no other", () => {
    expect([...protocol.eventsByCode.keys()].sort((a, b) => a - b)).toEqual(table.events.map(({ code }) => code));
    const open = [...protocol.eventsByCode.values()].filter(({ privileged }) => !privileged).map(({ code }) => code);
    expect(open.sort((a, b) => a - b)).toEqual(table.untrustedEvents);
  });
});

describe("every name of the table is declared", () => {
  const exported = protocol as unknown as Record<string, unknown>;

  test.each(Object.entries(table.enums))("%s", (name, { values }) => expect(exported[name]).toEqual(values));
  test.each(Object.entries(table.bitsets))("%s", (name, { bits }) => expect(exported[name]).toEqual(bits));

  test("btmgmt's names of settings", () => expect(protocol.btmgmtSettingNames).toEqual(table.bitsets.Settings!.btmgmtNames));

  test("types of the default system configuration", () => {
    const octets: Record<string, number> = { u8: 1, u16: 2, u32: 4 };
    expect(protocol.SystemConfiguration).toEqual(
      Object.fromEntries(
        table.defaultSystemConfiguration.map(({ name, type, valueType, note }) => [
          name,
          { type, octets: note?.startsWith("width not stated") ? undefined : octets[valueType] },
        ]),
      ),
    );
  });

  test("experimental features", () =>
    expect(protocol.ExperimentalFeature).toEqual(
      Object.fromEntries(
        table.experimentalFeatures.map(({ name, uuid, index }) => [name, { uuid, index: indexKind[index as keyof typeof indexKind] }]),
      ),
    ));

  test("types of controller capabilities", () =>
    expect(protocol.CapabilityType).toEqual(Object.fromEntries(table.capabilities.types.map(({ name, type }) => [name, type]))));
});
