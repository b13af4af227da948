import type { Context } from "../../context.ts";

/** What has passed each way. */
export interface Amounts {
  sentOctets: number;
  sentSdus: number;
  receivedOctets: number;
  receivedSdus: number;
}

const EVERY_MS = 1000;
const KEYS = ["sentOctets", "sentSdus", "receivedOctets", "receivedSdus"] as const;

/** Counts what passes, and tells it once a second and at the end. */
export class Measurement implements Disposable {
  readonly total: Amounts = { sentOctets: 0, sentSdus: 0, receivedOctets: 0, receivedSdus: 0 };
  readonly #context: Context;
  #startMs = 0;
  #last: Amounts = { ...this.total };
  #lastMs = 0;
  #timer: Disposable | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** A channel is there: from the first one on it is measured. */
  start(): void {
    if (this.#timer) return;
    this.#startMs = this.#context.now();
    this.#lastMs = this.#startMs;
    this.#arm();
  }

  sent(octets: number): void {
    this.total.sentOctets += octets;
    this.total.sentSdus++;
  }

  received(octets: number): void {
    this.total.receivedOctets += octets;
    this.total.receivedSdus++;
  }

  /** The sum, when it is over; nothing where it has not begun. */
  end(): void {
    if (!this.#timer) return;
    this[Symbol.dispose]();
    this.#tell("measured", this.total, this.#context.now() - this.#startMs);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#context.timer(EVERY_MS, "measure", () => {
      this.#arm();
      const nowMs = this.#context.now();
      const amounts = { ...this.total };
      for (const key of KEYS) amounts[key] -= this.#last[key];
      this.#tell("rate", amounts, nowMs - this.#lastMs);
      this.#last = { ...this.total };
      this.#lastMs = nowMs;
    });
  }

  #tell(event: "rate" | "measured", amounts: Amounts, ms: number): void {
    const { terminal } = this.#context;
    const atSeconds = (this.#context.now() - this.#startMs) / 1000;
    const perSecond = (octets: number): number => (ms > 0 ? Math.round((octets * 1000) / ms) : 0);
    const { sentOctets, sentSdus, receivedOctets, receivedSdus } = amounts;
    terminal.result(
      () => ({
        event,
        seconds: Number(atSeconds.toFixed(3)),
        ...amounts,
        sentOctetsPerSecond: perSecond(sentOctets),
        receivedOctetsPerSecond: perSecond(receivedOctets),
      }),
      () => {
        const way = (name: string, octets: number, sdus: number): string =>
          `${name} ${rateText(perSecond(octets)).padStart(10)}, ${sdus} SDUs of ${amountText(octets)}`;
        const label =
          event === "rate" ? `${atSeconds.toFixed(1).padStart(7)} s` : terminal.paint("bold", `${atSeconds.toFixed(1)} s in all`);
        return `${label}  ${way("out", sentOctets, sentSdus)}; ${way("in", receivedOctets, receivedSdus)}`;
      },
    );
  }
}

/** "176.4 kB/s". */
export function rateText(octetsPerSecond: number): string {
  return `${amountText(octetsPerSecond)}/s`;
}

/** "1.2 MB", in powers of ten. */
function amountText(octets: number): string {
  if (octets < 1000) return `${octets} B`;
  return octets < 1_000_000 ? `${(octets / 1000).toFixed(1)} kB` : `${(octets / 1_000_000).toFixed(1)} MB`;
}
