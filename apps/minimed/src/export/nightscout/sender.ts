import type { LedgerRow, LedgerStatus, NightscoutLedger } from "../ledger.ts";
import type { NightscoutApi, SentDocument } from "./api.ts";
import { NightscoutError } from "./error.ts";
import type { NightscoutItem } from "./items.ts";
import type { ToSend } from "./selection.ts";

/** Proxies before a site are often narrower than the site. */
const LARGEST_BATCH_OCTETS = 90_000;
/** So many refusals with nothing taken between them mean the site, not the documents. */
const MOST_REFUSED_IN_A_ROW = 3;

export interface SenderOptions {
  readonly api: NightscoutApi;
  readonly ledger: NightscoutLedger;
  /** Of the ledger. */
  readonly site: string;
  readonly now: () => number;
  /** Whether the site takes what it was sent before for something else: then it is asked, and what is there stays as it is. */
  readonly asksFirst: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What became of what was sent. */
export interface Sent {
  sent: number;
  refused: number;
}

/** Sends documents of one collection in batches, and keeps in the ledger what became of each. */
export class Sender {
  readonly #options: SenderOptions;
  #refusedInARow = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** @throws {NightscoutError} the site takes nothing, or may not be asked · `signal.reason` · what the ledger throws */
  async send(collection: "entries" | "treatments", toSend: readonly ToSend[]): Promise<Sent> {
    const counts = { sent: 0, refused: 0 };
    const known = this.#options.asksFirst ? await this.#present(collection, toSend) : new Set<string>();
    const items = toSend.map(({ item }) => item);
    const there = items.filter(({ identifier }) => known.has(identifier));
    if (there.length > 0) await this.#keep(there, "acknowledged");
    const missing = items.filter(({ identifier }) => !known.has(identifier));
    for (const batch of batches(missing, this.#options.api.largestBatch)) await this.#sendBatch(collection, batch, counts);
    return counts;
  }

  async #present(collection: "entries" | "treatments", toSend: readonly ToSend[]): Promise<ReadonlySet<string>> {
    const doubtful = toSend.filter(({ mayBeThere }) => mayBeThere).map(({ item }) => item);
    const present = new Set<string>();
    for (const batch of batches(doubtful, this.#options.api.largestBatch))
      for (const identifier of await this.#options.api.present(collection, batch, this.#options.signal)) present.add(identifier);
    return present;
  }

  async #sendBatch(collection: "entries" | "treatments", batch: readonly NightscoutItem[], counts: Sent): Promise<void> {
    const { api, signal } = this.#options;
    signal?.throwIfAborted();
    // Before it leaves: whatever happens from here on, what was not heard of is known to be unclear.
    await this.#keep(batch, "sending");
    try {
      await api.send(collection, batch, signal);
    } catch (error) {
      if (!(error instanceof NightscoutError) || !isOfTheDocuments(error)) throw error;
      if (batch.length > 1) {
        const half = Math.ceil(batch.length / 2);
        await this.#sendBatch(collection, batch.slice(0, half), counts);
        await this.#sendBatch(collection, batch.slice(half), counts);
        return;
      }
      if (++this.#refusedInARow > MOST_REFUSED_IN_A_ROW) throw error;
      await this.#keep(batch, "refused");
      counts.refused++;
      return;
    }
    this.#refusedInARow = 0;
    await this.#keep(batch, "acknowledged");
    counts.sent += batch.length;
  }

  async #keep(items: readonly NightscoutItem[], status: LedgerStatus): Promise<void> {
    const sentAtMs = this.#options.now();
    const rows = items.map(({ identifier, kind, atMs, hash }): LedgerRow => ({ identifier, kind, atMs, hash, status, sentAtMs }));
    await this.#options.ledger.put(this.#options.site, rows);
  }
}

/** Whether fewer, or others, could pass. */
function isOfTheDocuments({ code, status }: NightscoutError): boolean {
  return code === "ERR_NIGHTSCOUT_TOO_LARGE" || status === 400 || status === 422;
}

/** In their order, as many in one as may be. */
export function* batches<T extends SentDocument>(items: readonly T[], largest: number): Generator<T[], void> {
  let batch: T[] = [];
  let octets = 0;
  for (const item of items) {
    const size = new TextEncoder().encode(JSON.stringify(item.document)).length + 1;
    if (batch.length >= largest || (batch.length > 0 && octets + size > LARGEST_BATCH_OCTETS)) {
      yield batch;
      batch = [];
      octets = 0;
    }
    batch.push(item);
    octets += size;
  }
  if (batch.length > 0) yield batch;
}
