import type { PageMessage, PageState, PageSummary, PageView } from "../../src/web/page-data.ts";
import type { Store } from "./store.ts";
import { MIN } from "./times.ts";

const RETRY_MS = [300, 1000, 2000, 4000];
/** The program tells the time every ten seconds. */
const SILENT_MS = 25_000;
const ANSWER_MS = 10_000;
/** The curve reaches further back than is shown, so that a line comes in from the left. */
const BEFORE_MS = 20 * MIN;
const FETCH_APART_MS = 700;
const REFRESH_MS = 60_000;

/** Thrown where the program does not know this page: another token was drawn since. */
class Refused extends Error {}

/** The program that serves this page: lets us in, tells the state as it changes, and what happened when it is asked. */
export class Program {
  readonly #store: Store;
  #told: { readonly nowMs: number; readonly perf: number; readonly date: number } | undefined;
  /** How fast the pump's time runs: 1, but in a simulation. */
  #rate = 1;
  #tries = 0;
  #isOpening = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #socket: WebSocket | undefined;
  #heardAt = 0;
  #fetching: AbortController | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #fetchedFor = "";
  #isRefreshDue = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The present, UTC, by the program's clock: this computer's may be another's. */
  now(): number {
    if (!this.#told) return Date.now();
    // The one stands still while a computer sleeps, the other is set: the later one is right about an age.
    const elapsedMs = Math.max(performance.now() - this.#told.perf, Date.now() - this.#told.date);
    return this.#told.nowMs + elapsedMs * this.#rate;
  }

  get isFast(): boolean {
    return this.#rate > 5;
  }

  start(): void {
    void this.#open();
    setInterval(() => this.#look(), 1000);
    const wake = (): void => {
      if (document.visibilityState === "visible" && this.#store.shown.contact.kind === "lost") this.#reopen(0);
    };
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
  }

  /** Asks for what is shown, where it is not there yet or may be old. */
  refresh(force = false): void {
    const { contact, range, endMs, state } = this.#store.shown;
    if (contact.kind !== "open") return;
    const wanted = `${range.key} ${endMs ?? ""} ${state?.newestMs ?? ""} ${state?.glucose?.atMs ?? ""} ${state?.insulinOnBoardIu?.atMs ?? ""}`;
    const sinceMs = performance.now() - this.#fetchedAt;
    if (!force && wanted === this.#fetchedFor && sinceMs < REFRESH_MS) return;
    if (!force && sinceMs < FETCH_APART_MS) {
      if (this.#isRefreshDue) return;
      this.#isRefreshDue = true;
      setTimeout(() => {
        this.#isRefreshDue = false;
        this.refresh();
      }, FETCH_APART_MS - sinceMs);
      return;
    }
    this.#fetchedFor = wanted;
    this.#fetchedAt = performance.now();
    void this.#fetchShown();
  }

  async #fetchShown(): Promise<void> {
    this.#fetching?.abort();
    const fetching = new AbortController();
    this.#fetching = fetching;
    const { range, endMs } = this.#store.shown;
    const toMs = Math.ceil(endMs ?? this.now()) + 1;
    try {
      if (range.isWeeks) {
        const summary = await ask<PageSummary>(`api/summary?days=${range.spanMs / (24 * 60 * MIN)}`, fetching.signal);
        this.#store.set({ summary, viewProblem: undefined });
      } else {
        const fromMs = Math.floor(toMs - range.spanMs - BEFORE_MS);
        const view = await ask<PageView>(`api/view?from=${fromMs}&to=${toMs}`, fetching.signal);
        this.#store.set({ view, viewProblem: undefined });
      }
    } catch (error) {
      if (fetching.signal.aborted) return;
      this.#fetchedFor = "";
      if (error instanceof Refused) this.#refused();
      else this.#store.set({ viewProblem: error instanceof Error ? error.message : "The program did not answer." });
    }
  }

  async #open(): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    try {
      await this.#enter();
      this.#tell(await ask<PageState>("api/state", AbortSignal.timeout(ANSWER_MS)));
      await this.#listen();
    } catch (error) {
      this.#isOpening = false;
      if (error instanceof Refused) this.#refused();
      else this.#lost();
    }
    this.#isOpening = false;
  }

  /** The token stands behind the "#", which never leaves the browser by itself; it is shown once, and taken out of the address. */
  async #enter(): Promise<void> {
    const token = location.hash.slice(1);
    if (token === "") return;
    const headers = { Authorization: `Bearer ${token}` };
    const { ok, status } = await fetch("api/session", { method: "POST", headers, signal: AbortSignal.timeout(ANSWER_MS) });
    if (status === 401 || ok) history.replaceState(null, "", location.pathname);
    if (!ok && status !== 401) throw new Error(`status ${status}`);
  }

  #listen(): Promise<void> {
    const socket = new WebSocket(new URL("api/live", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    this.#heardAt = performance.now();
    socket.addEventListener("message", (event: MessageEvent<string>) => {
      this.#heardAt = performance.now();
      const message = JSON.parse(event.data) as PageMessage;
      if (message.type === "state") this.#tell(message.state);
      else this.#setNow(message.nowMs);
    });
    return new Promise((resolve, reject) => {
      socket.addEventListener("open", () => {
        this.#tries = 0;
        this.#store.set({ contact: { kind: "open" } });
        this.refresh(true);
        resolve();
      });
      socket.addEventListener("close", () => {
        reject(new Error("closed"));
        if (this.#socket === socket && this.#store.shown.contact.kind === "open") this.#lost();
      });
    });
  }

  #tell(state: PageState): void {
    this.#setNow(state.nowMs);
    this.#store.set({ state });
    this.refresh();
  }

  #setNow(nowMs: number): void {
    const perf = performance.now();
    if (this.#told && perf - this.#told.perf > 80) {
      const rate = (nowMs - this.#told.nowMs) / (perf - this.#told.perf);
      this.#rate = rate > 2 && rate < 1e5 ? rate : 1;
    }
    this.#told = { nowMs, perf, date: Date.now() };
  }

  /** Once a second: whether the program is still there, and whether what is shown has grown old. */
  #look(): void {
    if (this.#store.shown.contact.kind === "open" && performance.now() - this.#heardAt > SILENT_MS) this.#lost();
    this.refresh();
    this.#store.set({ tick: this.#store.shown.tick + 1 });
  }

  #lost(): void {
    this.#rate = 1;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (this.#store.shown.contact.kind !== "lost") this.#store.set({ contact: { kind: "lost", sinceMs: this.now() } });
    this.#reopen(RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)]!);
  }

  #reopen(afterMs: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), afterMs);
  }

  #refused(): void {
    this.#socket?.close();
    this.#socket = undefined;
    this.#store.set({ contact: { kind: "refused" }, state: undefined, view: undefined, summary: undefined });
  }
}

async function ask<T>(path: string, signal: AbortSignal): Promise<T> {
  const response = await fetch(path, { signal, headers: { Accept: "application/json" } });
  if (response.status === 401) throw new Refused();
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? `status ${response.status}`);
  return answer;
}
