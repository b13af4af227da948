import fc from "fast-check";
import { expect, test } from "vitest";
import { DecodeError } from "../bytes/index.ts";
import { Uuid } from "../core/index.ts";
import type { AnyMgmtCommand, AnyMgmtEvent } from "./declare.ts";
import { type AnyStruct, decodeFields, type FieldDescription } from "./fields.ts";
import { commands, events } from "./registry.ts";

/** What a description says, walked in the plainest way: what the decoder has to agree with. */
class PlainWalk {
  readonly secrets: [start: number, end: number][] = [];
  #at: number;
  readonly #packet: Uint8Array;

  constructor(packet: Uint8Array, offset: number) {
    this.#packet = packet;
    this.#at = offset;
  }

  get surplus(): Uint8Array {
    return this.#packet.slice(this.#at);
  }

  fail(path: string, problem: string, fault: string): never {
    throw Object.assign(new Error("plain walk"), { path, problem, fault, offset: this.#at });
  }

  take(path: string, length: number): Uint8Array {
    const left = this.#packet.length - this.#at;
    if (left < length) this.fail(path, `needs ${length} byte${length === 1 ? "" : "s"}, has ${left}`, "short");
    this.#at += length;
    return this.#packet.slice(this.#at - length, this.#at);
  }

  number(path: string, size: number): number {
    return this.take(path, size).reduceRight((sum, octet) => sum * 256 + octet, 0);
  }

  value(path: string, { type, from, count, of, fields }: FieldDescription, counts: Readonly<Record<string, number>>): unknown {
    switch (type) {
      case "u8":
      case "u16":
      case "u24":
      case "u32":
        return this.number(path, Number(type.slice(1)) / 8);
      case "i8":
        return (this.number(path, 1) << 24) >> 24;
      case "u64": {
        const octets = this.take(path, 8);
        return octets.reduceRight((sum, octet) => sum * 256n + BigInt(octet), 0n);
      }
      case "bdaddr": {
        const octets = [...this.take(path, 6)].reverse();
        return octets.map((octet) => octet.toString(16).padStart(2, "0").toUpperCase()).join(":");
      }
      case "uuid128":
        return Uuid.fromBytes(this.take(path, 16));
      case "cstring": {
        const octets = this.take(path, count!);
        const end = octets.indexOf(0);
        return new TextDecoder().decode(end < 0 ? octets : octets.slice(0, end));
      }
      case "bytes":
      case "eir": {
        if (count === undefined) return this.take(path, from === undefined ? this.surplus.length : counts[from]!);
        if (from === undefined) return this.take(path, count);
        if (counts[from]! > count) this.fail(path, `${from} says ${counts[from]} octets, the field has ${count}`, "value");
        return this.take(path, count).slice(0, counts[from]);
      }
      case "tlv16": {
        const [number, length] = [this.number(path, 2), this.number(path, 1)];
        return { type: number, value: this.take(path, length) };
      }
      case "list": {
        const entries: unknown[] = [];
        while (from === undefined ? this.surplus.length > 0 : entries.length < counts[from]!)
          entries.push(this.value(`${path}[${entries.length}]`, of!.description, counts));
        return entries;
      }
      case "struct":
        return this.struct(path, fields!);
    }
  }

  struct(path: string, fields: AnyStruct["fields"]): Record<string, unknown> {
    const values: Record<string, unknown> = {};
    const counts: Record<string, number> = {};
    let hasOptional = false;
    for (const [name, { description }] of Object.entries(fields)) {
      if (description.optional && !hasOptional && this.surplus.length === 0) continue;
      if (description.optional) hasOptional = true;
      const start = this.#at;
      const value = this.value(`${path}.${name}`, description, counts);
      if (description.secret) this.secrets.push([start, this.#at]);
      if (description.countOf !== undefined || description.lengthOf !== undefined) counts[name] = value as number;
      else values[name] = value;
    }
    return values;
  }
}

type Outcome = ReturnType<typeof decodeFields> | { path: string; problem: string; fault: string; offset: number };

function decoded(fields: AnyStruct, packet: Uint8Array, offset: number): Outcome {
  try {
    return decodeFields(fields, packet, { name: "It", offset });
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const { path, problem, fault } = error;
    return { path, problem, fault, offset: error.offset };
  }
}

function walked(fields: AnyStruct, packet: Uint8Array, offset: number): Outcome {
  const walk = new PlainWalk(packet, offset);
  try {
    return { value: walk.struct("It", fields.fields), surplus: walk.surplus, secrets: walk.secrets };
  } catch (error) {
    const { path, problem, fault, offset: at } = error as Exclude<Outcome, { value: unknown }>;
    if (problem === undefined) throw error;
    return { path, problem, fault, offset: at };
  }
}

const declarations: [string, AnyStruct][] = [
  ...Object.values<AnyMgmtEvent>(events).map(({ title, parameters }): [string, AnyStruct] => [title, parameters]),
  ...Object.values<AnyMgmtCommand>(commands).flatMap(({ title, parameters, returns }): [string, AnyStruct][] => [
    [title, parameters],
    [`what ${title} returns`, returns],
  ]),
];
/** Small numbers among any octets, so that counts and lengths are often such that something follows. */
const octet = fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat(255));
const packets = fc.array(octet, { maxLength: 90 }).map((octets) => Uint8Array.from(octets));

test("any octets are to the decoder what the declaration says, of every event and command", () => {
  const seen = { values: 0, faults: 0 };
  for (const [title, fields] of declarations) {
    fc.assert(
      fc.property(packets, fc.nat(6), (packet, offset) => {
        const outcome = decoded(fields, packet, Math.min(offset, packet.length));
        expect(outcome, title).toStrictEqual(walked(fields, packet, Math.min(offset, packet.length)));
        if ("value" in outcome) seen.values++;
        else seen.faults++;
      }),
      { numRuns: 15, seed: 1 },
    );
  }
  expect(seen.values).toBeGreaterThan(500);
  expect(seen.faults).toBeGreaterThan(500);
});

test("a whole packet, and each of its beginnings, of every event and command", () => {
  for (const [title, fields] of declarations) {
    const whole = Uint8Array.from({ length: 1200 }, (_, i) => (i % 3 === 0 ? 2 : 0));
    const outcome = decoded(fields, whole, 0);
    const length = "surplus" in outcome ? whole.length - outcome.surplus.length : 0;
    for (let cut = 0; cut <= Math.min(length, 120); cut++)
      expect(decoded(fields, whole.subarray(0, cut), 0), `${title}, ${cut} octets`).toStrictEqual(
        walked(fields, whole.subarray(0, cut), 0),
      );
  }
});

test("what was decoded does not change with the packet", () => {
  const packet = Uint8Array.from([0x55, 0x44, 0x33, 0x22, 0x11, 0xc0, 2, 0xc4, 0, 0, 0, 0, 3, 0, 2, 1, 6, 9]);
  const before = decodeFields(events.deviceFound.parameters, packet, { name: "It", offset: 0 });
  packet.fill(0xff);
  expect(before.value).toEqual({ address: "C0:11:22:33:44:55", addressType: 2, rssi: -60, flags: 0, eirData: Uint8Array.of(2, 1, 6) });
  expect(before.surplus).toEqual(Uint8Array.of(9));
});
