import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DecodeError, fromHex, toHex } from "../src/bytes/index.ts";
import { encodeAdStructures, parseAdStructures } from "../src/gap/ad-structure.ts";
import {
  type AnyField,
  bitNames,
  commandNamed,
  decodeCommand,
  decodePacket,
  encodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  eventNamed,
  type FieldDescription,
  type Fields,
  nameOf,
  Status,
} from "../src/mgmt-protocol/index.ts";

/*
 * The vectors give values as JSON: raw numbers, addresses and UUIDs as text, octets and 64-bit numbers in hexadecimal, AD structures as a list
 * of type and data.
 */
type Json = Readonly<Record<string, unknown>>;
interface Vector {
  readonly id: string;
  readonly kind: "command" | "event" | "complete" | "status";
  readonly name?: string;
  readonly command?: string;
  readonly index: number;
  readonly status?: keyof typeof Status;
  readonly params?: Json;
  readonly fields?: Json;
  readonly returns?: Json | null;
  readonly symbols?: Json;
  readonly hex: string;
}
interface Malformed {
  readonly direction: "read" | "write";
  readonly hex: string;
  readonly expect: string;
}
interface Exchange {
  readonly title: string;
  readonly steps: readonly { readonly socket: string; readonly dir: "read" | "write"; readonly packet: string; readonly hex: string }[];
}
const { vectors, malformed, exchanges } = JSON.parse(readFileSync(new URL("vectors/mgmt.json", import.meta.url), "utf8")) as {
  vectors: Vector[];
  malformed: Malformed[];
  exchanges: Exchange[];
};

type Entries = { type: number; data: string }[];

function fromJson({ description }: AnyField, value: unknown): unknown {
  const { type, of, fields } = description;
  switch (type) {
    case "bytes":
      return fromHex(value as string);
    case "u64":
      return BigInt(value as string);
    case "eir": {
      const { entries, padding = 0 } = Array.isArray(value)
        ? { entries: value as Entries }
        : (value as { entries: Entries; padding: number });
      const octets = encodeAdStructures(
        entries.map(({ type: adType, data }) => ({ type: adType, data: fromHex(data) })),
        0xffff,
      );
      return Uint8Array.from([...octets, ...new Uint8Array(padding)]);
    }
    case "tlv16": {
      const { type: tlvType, value: octets } = value as { type: number; value: string };
      return { type: tlvType, value: fromHex(octets) };
    }
    case "list":
      return (value as unknown[]).map((entry) => fromJson(of!, entry));
    case "struct":
      return valuesFromJson(fields!, value as Json);
    default:
      return value;
  }
}

function valuesFromJson(fields: Fields, values: Json): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fromJson(fields[name]!, value)]));
}

function toJson({ description }: AnyField, value: unknown): unknown {
  const { type, of, fields } = description;
  switch (type) {
    case "bytes":
      return toHex(value as Uint8Array);
    case "u64":
      return `0x${(value as bigint).toString(16).padStart(16, "0")}`;
    case "uuid128":
      return uuidText(value as { bytes128: Uint8Array });
    case "eir": {
      const octets = value as Uint8Array;
      const { structures } = parseAdStructures(octets);
      const entries = structures.map((structure) => ({ type: structure.type, data: toHex(structure.data) }));
      const padding = octets.length - structures.reduce((sum, { data }) => sum + 2 + data.length, 0);
      return padding > 0 ? { entries, padding } : entries;
    }
    case "tlv16": {
      const { type: tlvType, value: octets } = value as { type: number; value: Uint8Array };
      return { type: tlvType, value: toHex(octets) };
    }
    case "list":
      return (value as unknown[]).map((entry) => toJson(of!, entry));
    case "struct":
      return valuesToJson(fields!, value as Json);
    default:
      return value;
  }
}

function valuesToJson(fields: Fields, values: Json): Json {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toJson(fields[name]!, value)]));
}

function uuidText({ bytes128 }: { bytes128: Uint8Array }): string {
  return toHex(bytes128.slice().reverse()).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Names of a decoded value, as the vectors' "symbols" give them. */
function symbolOf({ enumeration, bits }: FieldDescription, value: unknown): unknown {
  return enumeration ? nameOf(enumeration, value as number) : bitNames(bits!, value as number);
}

/** The field at a path like `keys[0].addressType`, and the value there. */
function at(fields: Fields, values: Json, path: string): { description: FieldDescription; value: unknown } {
  let field: AnyField | undefined;
  let inner: Fields | undefined = fields;
  let value: unknown = values;
  for (const part of path.match(/\w+/g)!) {
    value = (value as Record<string, unknown>)[part];
    field = /^\d+$/.test(part) ? field!.description.of! : inner![part]!;
    inner = field.description.fields;
  }
  return { description: field!.description, value };
}

const dead = (text: string): Uint8Array => fromHex(text);

describe("management packets", () => {
  test.each(vectors.filter(({ kind }) => kind === "command"))("$id, both ways", ({ name, index, params, symbols, hex }) => {
    const declaration = commandNamed(name!)!;
    const given = valuesFromJson(declaration.parameters.fields, params!);
    expect(toHex(encodeCommand(declaration, index, given))).toBe(hex);
    const decoded = decodeCommand(dead(hex));
    expect(decoded).toMatchObject({ declaration, index });
    expect(valuesToJson(declaration.parameters.fields, decoded.parameters as Json)).toEqual(params);
    checkSymbols(declaration.parameters.fields, decoded.parameters as Json, symbols);
  });

  test.each(vectors.filter(({ kind }) => kind === "event"))("$id, both ways", ({ name, index, fields, symbols, hex }) => {
    const declaration = eventNamed(name!)!;
    const decoded = decodePacket(dead(hex));
    if (decoded.kind !== "event") throw new Error(`decoded as ${decoded.kind}`);
    expect(decoded).toMatchObject({ declaration, index });
    expect(valuesToJson(declaration.parameters.fields, decoded.parameters as Json)).toEqual(fields);
    checkSymbols(declaration.parameters.fields, decoded.parameters as Json, symbols);
    expect(toHex(encodeEvent(declaration, index, valuesFromJson(declaration.parameters.fields, fields!)))).toBe(hex);
  });

  test.each(vectors.filter(({ kind }) => kind === "complete"))("$id, both ways", ({ command, index, status, returns, symbols, hex }) => {
    const declaration = commandNamed(command!)!;
    const decoded = decodePacket(dead(hex));
    if (decoded.kind !== "complete") throw new Error(`decoded as ${decoded.kind}`);
    expect(decoded).toMatchObject({ declaration, index, status: Status[status!] });
    if (returns === null) expect(decoded.returns).toBeUndefined();
    else {
      expect(valuesToJson(declaration.returns.fields, decoded.returns as Json)).toEqual(returns);
      checkSymbols(declaration.returns.fields, decoded.returns as Json, symbols);
    }
    const given = returns ? valuesFromJson(declaration.returns.fields, returns) : undefined;
    expect(toHex(encodeCommandComplete(declaration, index, Status[status!], given))).toBe(hex);
  });

  test.each(vectors.filter(({ kind }) => kind === "status"))("$id, both ways", ({ command, index, status, hex }) => {
    const declaration = commandNamed(command!)!;
    expect(decodePacket(dead(hex))).toMatchObject({ kind: "status", declaration, index, status: Status[status!], returns: undefined });
    expect(toHex(encodeCommandStatus(declaration.opcode, index, Status[status!]))).toBe(hex);
  });

  function checkSymbols(fields: Fields, values: Json, symbols: Json = {}): void {
    for (const [path, symbol] of Object.entries(symbols)) {
      const { description, value } = at(fields, values, path);
      expect(symbolOf(description, value), path).toEqual(symbol);
    }
  }
});

describe("packets cut short", () => {
  /** The packet with its last octets missing and a header that knows of it. */
  const cut = (hex: string, length: number): Uint8Array => {
    const packet = dead(hex).slice(0, length);
    new DataView(packet.buffer).setUint16(4, length - 6, true);
    return packet;
  };

  test.each(vectors)("$id: every length is decoded or refused with field and offset, never more", ({ kind, hex }) => {
    const whole = dead(hex);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodePacket(whole.subarray(0, length))).toThrow(DecodeError);
      if (length < 6) continue;
      try {
        if (kind === "command") decodeCommand(cut(hex, length));
        else decodePacket(cut(hex, length));
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        expect(error).toMatchObject({ path: expect.stringMatching(/\w\.\w/), offset: expect.any(Number) });
        expect((error as DecodeError).offset).toBeLessThanOrEqual(length);
      }
    }
  });
});

describe("malformed packets from the kernel", () => {
  const reads = malformed.filter(({ direction }) => direction === "read");
  test.each(reads.filter((item) => item.expect.startsWith("error")))("$hex: $expect", ({ hex }) => {
    expect(() => decodePacket(dead(hex))).toThrow(DecodeError);
  });

  test.each(reads.filter((item) => !item.expect.startsWith("error")))("$hex: $expect", ({ hex }) => {
    expect(decodePacket(dead(hex))).toBeDefined();
  });

  test("octets that a newer kernel appends are kept", () => {
    expect(decodePacket(dead("06000000050001000000ee"))).toMatchObject({
      parameters: { currentSettings: 1 },
      surplus: Uint8Array.of(0xee),
    });
  });

  test("a broken AD structure hides neither the packet nor the structures before it", () => {
    const { parameters } = decodePacket(dead("12000000130066554433221001c400000000050002010609ff")) as unknown as {
      parameters: { eirData: Uint8Array };
    };
    const { structures, problem } = parseAdStructures(parameters.eirData);
    expect(structures).toEqual([{ type: 1, data: Uint8Array.of(6) }]);
    expect(problem).toMatch(/offset 3/);
  });

  test("unknown events, opcodes and statuses pass through with their numbers", () => {
    expect(decodePacket(dead("ff0000000300010203"))).toMatchObject({
      kind: "event",
      code: 0xff,
      declaration: undefined,
      parameters: Uint8Array.of(1, 2, 3),
    });
    expect(decodePacket(dead("0200ffff0300ff0001"))).toMatchObject({
      kind: "status",
      opcode: 0xff,
      declaration: undefined,
      status: Status.UnknownCommand,
    });
    expect(decodePacket(dead("020000000300050015"))).toMatchObject({ kind: "status", opcode: 5, status: 0x15 });
    expect(decodePacket(dead("010000000700ff000001020304"))).toMatchObject({
      kind: "complete",
      opcode: 0xff,
      returns: Uint8Array.of(1, 2, 3, 4),
    });
  });

  test("an error names the field and where it is", () => {
    expect(() => decodePacket(dead("120000000e0066554433221001c4000000000a00"))).toThrow(
      "DeviceFound.eirData: needs 10 bytes, has 0 at offset 20 of 20",
    );
    expect(() => decodePacket(dead("0100ffff0900020000010002000300"))).toThrow(
      /^ReadManagementSupportedCommands\.events\[0\]: needs 2 bytes/,
    );
  });
});

describe("recorded exchanges", () => {
  test.each(exchanges)("$title: every packet decodes to what it is called", ({ steps }) => {
    for (const { dir, packet, hex } of steps) {
      const [kind, name, status] = packet.split(" ");
      if (dir === "write") {
        expect(decodeCommand(dead(hex)).declaration?.name, packet).toBe(kind);
        continue;
      }
      const decoded = decodePacket(dead(hex));
      if (decoded.kind === "event") expect(decoded.declaration?.name, packet).toBe(kind);
      else expect([decoded.kind, decoded.declaration?.name, nameOf(Status, decoded.status)], packet).toEqual([kind, name, status]);
    }
  });
});
