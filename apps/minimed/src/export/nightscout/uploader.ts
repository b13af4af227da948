import { callOut, Deadline, delay, onAbort, Semaphore, turn } from "jelling/async";
import { checkOperation } from "jelling/core";
import type { LedgerProgress } from "../ledger.ts";
import type { NightscoutApi, NightscoutCollection, NightscoutRequest, SentDocument } from "./api.ts";
import { newestValueMs, nightscoutDeviceStatus } from "./device-status.ts";
import { nightscoutItems } from "./documents.ts";
import { NightscoutError } from "./error.ts";
import { HttpClient } from "./http.ts";
import { contentHash, identifierOfTime } from "./identifier.ts";
import type { NightscoutItem } from "./items.ts";
import { DEVICE, ENTERED_BY } from "./options.ts";
import { Backoff } from "./retry.ts";
import { type SelectionTimes, select, type ToSend } from "./selection.ts";
import { batches, Sender } from "./sender.ts";
import {
  checkedRun,
  checkedUpload,
  type NightscoutCheck,
  type NightscoutReport,
  type NightscoutRunOptions,
  type NightscoutUploadOptions,
  type NightscoutWarning,
} from "./upload-terms.ts";
import { type CheckedUploaderOptions, checkUploaderOptions, type NightscoutUploaderOptions } from "./uploader-options.ts";
import { NightscoutV1 } from "./v1.ts";
import { NightscoutV3 } from "./v3.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** What is this new goes first. */
const RECENT_MS = 6 * HOUR_MS;
/** The pump keeps its history for less; what is read later is found when everything is gone through again. */
const LATE_MS = 7 * DAY_MS;
const PAGE_MS = DAY_MS;
/** So often everything is gone through again, and the site is looked at. */
const AGAIN_MS = HOUR_MS;
/** One device status in so long: they are kept by the site for ever. */
const STATUS_MS = 5 * MINUTE_MS;
const DEFAULT_ATTEMPTS = 6;

interface Counts {
  entries: number;
  treatments: number;
  devicestatus: number;
  unchanged: number;
  held: number;
  future: number;
  refused: number;
}

/**
 * Sends what a pump tells to a Nightscout site: glucose, treatments and the pump's status. The ledger knows what is there, and nothing is sent
 * twice; killed at any moment, the next run goes on. It never deletes anything, and what it does is of no influence on the pump.
 */
export class NightscoutUploader {
  readonly #options: CheckedUploaderOptions;
  readonly #http: HttpClient;
  readonly #backoff: Backoff;
  /** Uploads run one after the other. */
  readonly #turns: Semaphore;
  #api: NightscoutApi | undefined;
  #check: { readonly value: NightscoutCheck; readonly atMs: number } | undefined;
  #halted: NightscoutError | undefined;
  #completeAtMs: number | undefined;
  /** When it was sent, and when what it told was read; on the clock. */
  #lastStatus: { readonly sentMs: number; readonly valueMs: number } | undefined;
  readonly #blocked = new Map<NightscoutCollection, string>();
  #wake: (() => void) | undefined;
  #isPoked = false;

  /** @throws {ArgumentError} */
  constructor(options: NightscoutUploaderOptions) {
    this.#options = checkUploaderOptions(options);
    const { site, fetch, clock, now, logger, timeoutMs } = this.#options;
    this.#http = new HttpClient({ site, fetch, clock, now, logger, timeoutMs });
    this.#backoff = new Backoff(this.#options.random);
    this.#turns = new Semaphore(clock);
  }

  /** Why nothing is asked of the site any more: it refused the secret or the token. Make another uploader with the right one. */
  get halted(): NightscoutError | undefined {
    return this.#halted;
  }

  /**
   * Looks at the site: who it is, what may be written, whether another uploader is at work, how its clock goes. Stores nothing there.
   *
   * @throws {NightscoutError} · {TimeoutError} · `signal.reason`
   */
  async check(
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined } = {},
  ): Promise<NightscoutCheck> {
    checkOperation("check", options);
    using deadline = new Deadline({ clock: this.#options.clock, operation: "check of a Nightscout site", ...options });
    using _turn = await this.#turns.acquire({ signal: deadline.signal }, "check");
    return await this.#guarded(() => this.#look(deadline.signal));
  }

  /**
   * Sends what is not there yet, the newest glucose first, and goes through everything since the first upload, or since `fromMs`.
   *
   * @throws {NightscoutError} the site refuses, or did not answer at the last attempt · `signal.reason` · what the view or the ledger throws
   */
  async upload(options: NightscoutUploadOptions = {}): Promise<NightscoutReport> {
    const { signal, fromMs, attempts = DEFAULT_ATTEMPTS } = checkedUpload(options);
    using _turn = await this.#turns.acquire({ signal }, "upload");
    for (let attempt = 1; ; attempt++) {
      const before = this.#backoff.failures;
      const outcome = await this.#round(signal, { fromMs, isWhole: true });
      if (!outcome.error) return outcome.report!;
      if (!outcome.error.isRetryable) throw outcome.error;
      if (this.#backoff.failures <= before) attempt = 1; // something was taken between
      if (attempt >= attempts) throw outcome.error;
      await delay(this.#options.clock, outcome.waitMs, { signal, name: "nightscout: next attempt" });
    }
  }

  /**
   * Uploads for as long as `signal` lets it: what is new at every interval and poke, everything once an hour. A site that does not answer is left
   * alone for longer and longer, one that refuses for an hour; one that refuses the secret or the token ends it.
   *
   * @throws {NightscoutError} ERR_NIGHTSCOUT_UNAUTHORIZED · `signal.reason` · what the view or the ledger throws
   */
  async run(options: NightscoutRunOptions): Promise<never> {
    const { signal, intervalMs, onRound } = checkedRun(options);
    for (;;) {
      const turn = await this.#turns.acquire({ signal }, "upload");
      let waitMs = intervalMs;
      let canBePoked = true;
      try {
        const isWhole = this.#completeAtMs === undefined || this.#options.clock.now() - this.#completeAtMs >= AGAIN_MS;
        this.#isPoked = false;
        const outcome = await this.#round(signal, { fromMs: undefined, isWhole });
        if (outcome.error) {
          canBePoked = false;
          waitMs = Math.max(outcome.waitMs, intervalMs);
        }
        callOut(onRound, outcome.error ?? outcome.report!);
      } finally {
        turn[Symbol.dispose]();
      }
      await this.#sleep(waitMs, canBePoked, signal);
    }
  }

  /** Something is new: `run` does not wait for the end of its interval, unless the site is to be left alone. */
  poke(): void {
    this.#isPoked = true;
    this.#wake?.();
  }

  /**
   * What would be sent now, request by request, without asking the site anything: without what only it could tell.
   *
   * @throws {ArgumentError} · `signal.reason` · what the view or the ledger throws
   */
  async *dryRun(options: Omit<NightscoutUploadOptions, "attempts"> = {}): AsyncGenerator<NightscoutRequest, void> {
    const { signal, fromMs } = checkedUpload(options);
    const { ledger, now } = this.#options;
    const progress = await ledger.progress(this.#ledgerName);
    const api = this.#api ?? this.#apiNamed(this.#chosen(progress) ?? "v1");
    const nowMs = now();
    const times = { nowMs, siteMs: nowMs };
    for await (const page of this.#pages(fromMs ?? this.#fromOf(progress, nowMs, true), nowMs)) {
      signal?.throwIfAborted();
      if (page === "status") {
        const status = this.#status(nowMs, nowMs);
        if (status) yield api.requestOf("devicestatus", [status]);
        continue;
      }
      const { toSend } = await select(ledger, this.#ledgerName, page.items, times);
      for (const collection of ["entries", "treatments"] as const)
        for (const batch of batches(
          ordered(toSend, collection, page.isRecent).map(({ item }) => item),
          api.largestBatch,
        ))
          yield api.requestOf(collection, batch);
    }
  }

  get #ledgerName(): string {
    return this.#options.site.ledgerName(this.#options.pump);
  }

  /** One try. A failure of the site is an outcome, with the time to wait; others are thrown. */
  async #round(
    signal: AbortSignal | undefined,
    what: { readonly fromMs: number | undefined; readonly isWhole: boolean },
  ): Promise<{ readonly report?: NightscoutReport; readonly error?: NightscoutError; readonly waitMs: number }> {
    try {
      const report = await this.#guarded(() => this.#pass(signal, what));
      this.#backoff.succeeded();
      return { report, waitMs: 0 };
    } catch (error) {
      if (!(error instanceof NightscoutError) || error === this.#halted) throw error;
      // What is refused now is not asked for again soon; that it is refused for ever nobody knows.
      const waitMs = error.isRetryable ? this.#backoff.failed(error) : AGAIN_MS;
      this.#options.logger.warn(() => `nightscout: ${error.message}; next attempt in ${Math.round(waitMs / 1000)} s`);
      return { error, waitMs };
    }
  }

  /** After the first refusal of the credentials nothing is asked any more. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#halted) throw this.#halted;
    try {
      return await work();
    } catch (error) {
      if (error instanceof NightscoutError && error.code === "ERR_NIGHTSCOUT_UNAUTHORIZED") {
        this.#halted = error;
        this.#options.logger.error(() => `nightscout: ${error.message}: nothing more is sent; check the secret or the token`);
      }
      throw error;
    }
  }

  async #pass(
    signal: AbortSignal | undefined,
    { fromMs, isWhole }: { readonly fromMs: number | undefined; readonly isWhole: boolean },
  ): Promise<NightscoutReport> {
    const { ledger, now, clock } = this.#options;
    const site = this.#ledgerName;
    const begun = await this.#begun(fromMs);
    const { value: facts } = await this.#facts(signal);
    const progress = { ...begun, api: begun.api ?? facts.api };
    if (progress.api !== begun.api) await ledger.setProgress(site, progress);
    const nowMs = now();
    const siteMs = nowMs + (facts.clockAheadMs ?? 0);
    const sender = new Sender({
      api: this.#api!,
      ledger,
      site,
      now,
      asksFirst: facts.server === "nocturne",
      signal,
    });
    const counts: Counts = { entries: 0, treatments: 0, devicestatus: 0, unchanged: 0, held: 0, future: 0, refused: 0 };
    this.#blocked.clear();
    for (const name of ["entries", "treatments", "devicestatus"] as const)
      if (facts.canWrite[name] === false) this.#blocked.set(name, "the site does not take them from this token, or at all");
    for await (const page of this.#pages(fromMs ?? this.#fromOf(progress, nowMs, isWhole), nowMs)) {
      signal?.throwIfAborted();
      if (page === "status") counts.devicestatus += await this.#sendStatus(nowMs, siteMs, signal);
      else await this.#sendPage(sender, page, { nowMs, siteMs }, counts);
    }
    if (isWhole) {
      this.#completeAtMs = clock.now();
      await ledger.setProgress(site, { ...progress, completeUntilMs: nowMs });
    }
    const { entries, treatments, devicestatus, unchanged, held, future, refused } = counts;
    const warnings = [...facts.warnings.filter(({ kind }) => kind !== "not_writable"), ...this.#passWarnings(future)];
    return { sent: { entries, treatments, devicestatus }, unchanged, held: held + future, refused, warnings };
  }

  /** The first try fixes where it all begins, whatever becomes of it. */
  async #begun(fromMs: number | undefined): Promise<LedgerProgress> {
    const { ledger, now, firstUploadMs } = this.#options;
    const known = await ledger.progress(this.#ledgerName);
    if (known) return known;
    const nowMs = now();
    const progress = { sinceMs: Math.min(nowMs - firstUploadMs, fromMs ?? nowMs), completeUntilMs: undefined, api: undefined };
    await ledger.setProgress(this.#ledgerName, progress);
    return progress;
  }

  #passWarnings(future: number): NightscoutWarning[] {
    const warnings: NightscoutWarning[] = [...this.#blocked].map(([collection, why]) => ({
      kind: "not_writable",
      detail: `${collection}: ${why}`,
    }));
    if (future > 0) warnings.push({ kind: "clock", detail: `${future} documents lie in the site's future and are held back` });
    return warnings;
  }

  /** The newest hours, then the status, then everything from `fromMs` on by days, the oldest first. */
  async *#pages(fromMs: number, nowMs: number): AsyncGenerator<Page | "status", void> {
    const recentMs = Math.max(fromMs, nowMs - RECENT_MS);
    yield { items: this.#items({ fromMs: recentMs, toMs: nowMs + DAY_MS }, nowMs), isRecent: true };
    yield "status";
    for (let atMs = fromMs; atMs < recentMs; ) {
      const toMs = Math.min(atMs + PAGE_MS, recentMs);
      yield { items: this.#items({ fromMs: atMs, toMs }, nowMs), isRecent: false };
      atMs = toMs;
      await turn();
    }
  }

  #items(range: { fromMs: number; toMs: number }, nowMs: number): NightscoutItem[] {
    const { view, pump, mapping } = this.#options;
    const nocturne = this.#check?.value.server === "nocturne";
    return nightscoutItems(view, range, { ...mapping, pump, nowMs, nocturne, device: DEVICE, enteredBy: ENTERED_BY });
  }

  /** Where a round begins that nobody told where to. */
  #fromOf(progress: LedgerProgress | undefined, nowMs: number, isWhole: boolean): number {
    if (!progress) return nowMs - this.#options.firstUploadMs;
    if (!isWhole) return Math.max(progress.sinceMs, nowMs - RECENT_MS);
    const { sinceMs, completeUntilMs } = progress;
    return completeUntilMs === undefined ? sinceMs : Math.max(sinceMs, Math.min(completeUntilMs, nowMs) - LATE_MS);
  }

  async #sendPage(sender: Sender, page: Page, times: SelectionTimes, counts: Counts): Promise<void> {
    const selection = await select(this.#options.ledger, this.#ledgerName, page.items, times);
    counts.unchanged += selection.unchanged;
    counts.held += selection.held;
    counts.future += selection.future;
    for (const collection of ["entries", "treatments"] as const) {
      if (this.#blocked.has(collection)) continue;
      const toSend = ordered(selection.toSend, collection, page.isRecent);
      if (toSend.length === 0) continue;
      const failures = this.#backoff.failures;
      try {
        const { sent, refused } = await sender.send(collection, toSend);
        counts[collection] += sent;
        counts.refused += refused;
        if (sent > 0 && failures > 0) this.#backoff.succeeded();
      } catch (error) {
        // One collection may be closed to us while others are open.
        if (!(error instanceof NightscoutError) || (error.status !== 403 && error.status !== 404) || error.isRetryable) throw error;
        this.#blocked.set(collection, error.reason ?? `answered ${error.status}`);
      }
    }
  }

  /** The status now, where one is due and something was read since the last. */
  #status(nowMs: number, siteMs: number): (SentDocument & { readonly valueMs: number }) | undefined {
    const state = this.#options.state();
    if (!state) return undefined;
    const clockMs = this.#options.clock.now();
    const document = nightscoutDeviceStatus(state, { nowMs, siteMs });
    const valueMs = newestValueMs(state);
    if (!document || valueMs === undefined) return undefined;
    const last = this.#lastStatus;
    if (last && (clockMs - last.sentMs < STATUS_MS || valueMs <= last.valueMs)) return undefined;
    const atMs = Date.parse(document.created_at);
    return { identifier: identifierOfTime(this.#options.pump, String(atMs), "devicestatus"), atMs, document, valueMs };
  }

  /** Once, whatever becomes of it: a second one would be another document. */
  async #sendStatus(nowMs: number, siteMs: number, signal: AbortSignal | undefined): Promise<number> {
    if (this.#blocked.has("devicestatus")) return 0;
    const status = this.#status(nowMs, siteMs);
    if (!status) return 0;
    const { ledger, now, clock } = this.#options;
    const site = this.#ledgerName;
    // Also across runs: one of an earlier run may be a minute old.
    const recent = await ledger.between(site, "devicestatus", { fromMs: status.atMs - STATUS_MS + 1, toMs: status.atMs + STATUS_MS });
    if (recent.length > 0) return 0;
    const row = { identifier: status.identifier, kind: "devicestatus", atMs: status.atMs, hash: contentHash(status.document) };
    await ledger.put(site, [{ ...row, status: "sending", sentAtMs: now() }]);
    this.#lastStatus = { sentMs: clock.now(), valueMs: status.valueMs };
    try {
      await this.#api!.send("devicestatus", [status], signal);
    } catch (error) {
      if (!(error instanceof NightscoutError) || error.code === "ERR_NIGHTSCOUT_UNAUTHORIZED" || error.isRetryable) throw error;
      this.#blocked.set("devicestatus", error.reason ?? `answered ${error.status}`);
      return 0;
    }
    await ledger.put(site, [{ ...row, status: "acknowledged", sentAtMs: now() }]);
    return 1;
  }

  /** What is known of the site, not older than an hour. */
  async #facts(signal: AbortSignal | undefined): Promise<{ readonly value: NightscoutCheck }> {
    if (!this.#check || this.#options.clock.now() - this.#check.atMs >= AGAIN_MS) await this.#look(signal);
    return this.#check!;
  }

  async #look(signal: AbortSignal | undefined): Promise<NightscoutCheck> {
    const { site, logger, clock } = this.#options;
    const progress = await this.#options.ledger.progress(this.#ledgerName);
    this.#api ??= this.#apiNamed(this.#chosen(progress) ?? (await this.#askVersions(signal)));
    const api = this.#api.name;
    const facts = await this.#api.look(signal);
    const warnings: NightscoutWarning[] = [];
    const warn = (kind: NightscoutWarning["kind"], detail: string): void => {
      warnings.push({ kind, detail });
    };
    for (const device of facts.foreignDevices)
      warn("other_uploader", `glucose of "${site.redact(device)}" is there: everything would show twice`);
    for (const [collection, can] of Object.entries(facts.canWrite))
      if (can === false) warn("not_writable", `${collection}: the site does not take them from this token, or at all`);
    if (!facts.canUpdate) warn("not_updatable", "documents that are there cannot be corrected");
    if (site.isPlainHttp)
      warn("plain_http", "the address begins with http://, so that the credentials can be read on the way: use https://");
    if (Math.abs(facts.clockAheadMs ?? 0) > 2 * MINUTE_MS)
      warn("clock", `the site's clock and this computer's differ by ${Math.round(Math.abs(facts.clockAheadMs!) / 1000)} s`);
    if (progress?.api !== undefined && progress.api !== api)
      warn("other_api", `this site was sent documents by ${progress.api} before: ${api} does not find them`);
    for (const { detail } of warnings) logger.warn(() => `nightscout: ${detail}`);
    const value: NightscoutCheck = { ...facts, api, warnings };
    this.#check = { value, atMs: clock.now() };
    return value;
  }

  /** By option, or as before. */
  #chosen(progress: LedgerProgress | undefined): "v1" | "v3" | undefined {
    const { api, site } = this.#options;
    if (api !== "auto") return api;
    if (site.token === undefined) return "v1";
    return progress?.api;
  }

  /** v1 wherever there is one. */
  async #askVersions(signal: AbortSignal | undefined): Promise<"v1" | "v3"> {
    let json: unknown;
    try {
      ({ json } = await this.#http.request({ method: "GET", path: "/api/versions", headers: { accept: "application/json" }, signal }));
    } catch (error) {
      if (error instanceof NightscoutError && error.status === 404) return "v1";
      throw error;
    }
    const versions = Array.isArray(json) ? json.map((one) => String((one as { version?: unknown } | null)?.version)) : [];
    const has = (major: string): boolean => versions.some((version) => version.startsWith(`${major}.`));
    return !has("1") && has("3") ? "v3" : "v1";
  }

  #apiNamed(name: "v1" | "v3"): NightscoutApi {
    const { now } = this.#options;
    return name === "v1" ? new NightscoutV1(this.#http, now) : new NightscoutV3(this.#http, now);
  }

  async #sleep(ms: number, canBePoked: boolean, signal: AbortSignal): Promise<void> {
    if (canBePoked && this.#isPoked) return;
    const poked = new AbortController();
    if (canBePoked) this.#wake = () => poked.abort();
    const both = new AbortController();
    using _outer = onAbort(signal, () => both.abort());
    using _poke = onAbort(poked.signal, () => both.abort());
    try {
      await delay(this.#options.clock, ms, { signal: signal.aborted ? signal : both.signal, name: "nightscout: next round" });
    } catch {
      signal.throwIfAborted();
    } finally {
      this.#wake = undefined;
    }
  }
}

interface Page {
  readonly items: readonly NightscoutItem[];
  readonly isRecent: boolean;
}

/** Entries of the newest hours with the newest first: that is the one that is waited for. */
function ordered(toSend: readonly ToSend[], collection: "entries" | "treatments", isRecent: boolean): ToSend[] {
  const ofCollection = toSend.filter(({ item }) => item.collection === collection);
  return collection === "entries" && isRecent ? ofCollection.reverse() : ofCollection;
}
