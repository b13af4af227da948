import { readFileSync } from "node:fs";
import { fromHex } from "../../src/bytes/hex.ts";
import type { CborMap, CborValue, McumgrHeader } from "../../src/mcumgr/index.ts";

/** A message of the vectors. */
export interface MessageVector {
  readonly name: string;
  readonly header: McumgrHeader;
  /** null: no octets at all. */
  readonly payload: unknown;
  readonly canonical: boolean;
  readonly hex: string;
  readonly error?: { readonly kind: "smp" | "group"; readonly group?: number; readonly rc: number; readonly reason?: string } | null;
}
interface ExchangeVector {
  readonly name: string;
  readonly server: string;
  readonly request: MessageVector;
  readonly response: MessageVector;
}

const vectors = JSON.parse(readFileSync(new URL("../vectors/mcumgr.json", import.meta.url), "utf8")) as {
  readonly messages: readonly MessageVector[];
  readonly exchanges: readonly ExchangeVector[];
};

export const EXCHANGES = vectors.exchanges;
/** Messages, then requests and answers of exchanges. */
export const MESSAGES: readonly MessageVector[] = [
  ...vectors.messages,
  ...vectors.exchanges.flatMap(({ name, server, request, response }) => [
    { ...request, name: `${server}: ${name}, request` },
    { ...response, name: `${server}: ${name}, response` },
  ]),
];

/** A payload in the vectors' notation of octets. */
export function payloadOf({ payload }: MessageVector): CborMap {
  return (payload === null ? {} : cborOf(payload)) as CborMap;
}

function cborOf(json: unknown): CborValue {
  if (Array.isArray(json)) return json.map(cborOf);
  if (typeof json !== "object" || json === null) return json as CborValue;
  const { $bytes } = json as { $bytes?: string };
  if ($bytes !== undefined) return fromHex($bytes);
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, cborOf(value)]));
}
