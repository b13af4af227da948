import { NightscoutError } from "./error.ts";
import type { NightscoutDocument } from "./items.ts";

export type NightscoutCollection = "entries" | "treatments" | "devicestatus";

/** A document as it is sent, with what the site has to know it by. */
export interface SentDocument {
  readonly identifier: string;
  /** Of the event, UTC. */
  readonly atMs: number;
  readonly document: object;
}

/** What is known of a site. */
export interface SiteFacts {
  /** "nocturne" where the site says so. */
  readonly server: "nightscout" | "nocturne";
  readonly name: string | undefined;
  readonly version: string | undefined;
  /** How far the site's clock is ahead of ours, ms; undefined where it does not tell. */
  readonly clockAheadMs: number | undefined;
  /** Whether it can be written to it; undefined: only trying shows. */
  readonly canWrite: Readonly<Record<NightscoutCollection, boolean | undefined>>;
  /** Whether a document that is there can be replaced. */
  readonly canUpdate: boolean;
  /** Names of the devices of other uploaders whose glucose of the last hour is there. */
  readonly foreignDevices: readonly string[];
}

/** A request as it would be made. */
export interface NightscoutRequest {
  readonly method: "POST";
  readonly path: string;
  readonly body: NightscoutDocument | object;
}

/** One interface of a site. */
export interface NightscoutApi {
  readonly name: "v1" | "v3";
  /** So many documents in one request. */
  readonly largestBatch: number;
  /** @throws {NightscoutError} · `signal.reason` */
  look(signal: AbortSignal | undefined): Promise<SiteFacts>;
  /** Resolves when the site has stored all of them. @throws {NightscoutError} · `signal.reason` */
  send(collection: NightscoutCollection, documents: readonly SentDocument[], signal: AbortSignal | undefined): Promise<void>;
  /** Which of them are there. @throws {NightscoutError} · `signal.reason` */
  present(
    collection: "entries" | "treatments",
    documents: readonly SentDocument[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlySet<string>>;
  requestOf(collection: NightscoutCollection, documents: readonly SentDocument[]): NightscoutRequest;
}

export const HOUR_MS = 3_600_000;

/** The devices of glucose that is not ours; each once, and no more than a few. */
export function foreignDevicesOf(entries: readonly unknown[], ownDevice: string): string[] {
  const devices = entries.map((entry) => {
    const { device } = (entry ?? {}) as { device?: unknown };
    return typeof device === "string" && device !== "" ? device : "unnamed";
  });
  return [...new Set(devices)].filter((device) => !device.startsWith(ownDevice)).slice(0, 5);
}

/** An answer that is an object with this member. @throws {NightscoutError} */
export function objectWith(member: string, answer: unknown, asked: string): Readonly<Record<string, unknown>> {
  if (typeof answer === "object" && answer !== null && !Array.isArray(answer) && member in answer)
    return answer as Readonly<Record<string, unknown>>;
  throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", `GET ${asked}: the answer is none of a Nightscout site`);
}

/** @throws {NightscoutError} */
export function arrayOf(answer: unknown, asked: string): readonly unknown[] {
  if (Array.isArray(answer)) return answer as readonly unknown[];
  throw new NightscoutError("ERR_NIGHTSCOUT_ANSWER", `GET ${asked}: the answer is no list`);
}

/** A member of an answer, where it is of the kind that is expected. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 80) : undefined;
}

export function epochOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
