import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../bytes/hex.ts";
import type { CborMap, CborValue } from "./cbor.ts";
import { errorOf } from "./error.ts";
import type { McumgrHeader } from "./header.ts";
import { decodeMessage, encodeMessage } from "./message.ts";

interface Vector {
  readonly name: string;
  readonly header: McumgrHeader;
  readonly payload: unknown;
  readonly canonical: boolean;
  readonly hex: string;
  readonly error?: { readonly kind: "smp" | "group"; readonly group?: number; readonly rc: number; readonly reason?: string } | null;
}
interface Exchange {
  readonly name: string;
  readonly server: string;
  readonly request: Vector;
  readonly response: Vector;
}
const vectors = JSON.parse(readFileSync(new URL("../../../test/vectors/mcumgr.json", import.meta.url), "utf8")) as {
  readonly messages: readonly Vector[];
  readonly exchanges: readonly Exchange[];
};
const all: readonly Vector[] = [
  ...vectors.messages,
  ...vectors.exchanges.flatMap(({ name, server, request, response }) => [
    { ...request, name: `${server}: ${name}, request` },
    { ...response, name: `${server}: ${name}, response` },
  ]),
];

/** The vectors' notation of octets. */
function cborOf(json: unknown): CborValue {
  if (Array.isArray(json)) return json.map(cborOf);
  if (typeof json !== "object" || json === null) return json as CborValue;
  const { $bytes } = json as { $bytes?: string };
  if ($bytes !== undefined) return fromHex($bytes);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, cborOf(value)]));
}

describe("messages of the vectors", () => {
  test("there are as many as there should be", () => {
    expect(vectors.messages.length).toBeGreaterThanOrEqual(105);
    expect(vectors.exchanges.length).toBeGreaterThanOrEqual(77);
  });

  test.each(all.map((vector) => [vector.name, vector] as const))("%s", (_, { header, payload, canonical, hex, error }) => {
    const message = decodeMessage(fromHex(hex));
    const expected = (payload === null ? {} : cborOf(payload)) as CborMap;
    expect(message).toEqual({ header, payload: expected });
    const definite = encodeMessage(message.header, message.payload);
    if (canonical) expect(toHex(definite)).toBe(hex);
    else expect(decodeMessage(definite).payload).toEqual(expected);
    const indefinite = encodeMessage(message.header, message.payload, "indefinite");
    expect(decodeMessage(indefinite).payload).toEqual(expected);
    if (error === undefined) return;
    expect(errorOf(message.payload)).toEqual(
      error === null
        ? undefined
        : { kind: error.kind === "smp" ? "protocol" : "group", rc: error.rc, group: error.group, reason: error.reason },
    );
  });

  test("servers' answers are what we write with indefinite lengths, octet for octet", () => {
    const answers = all.filter(({ hex, payload }) => payload !== null && hex.slice(16).startsWith("bf"));
    expect(answers.length).toBeGreaterThan(80);
    for (const { name, hex, header, payload } of answers)
      expect(toHex(encodeMessage(header, cborOf(payload) as CborMap, "indefinite")), name).toBe(hex);
  });
});
