import { rethrowLater } from "../../async/call-out.ts";
import type { Logger } from "../../core/logger.ts";
import { LeSetPeriodicAdvertisingSubeventData } from "../../hci/commands/le-periodic-advertising.ts";
import type { CommandPort } from "../radio.ts";
import { checkSubeventData, type SubeventPayload } from "./periodic-options.ts";
import type { PeriodicSession } from "./periodic-session.ts";

/** Subevents in one command, and octets: 255 less the handle and their number (Vol 4 Part E 7.8.125). */
const MOST_SUBEVENTS = 15;
const MOST_OCTETS = 253;
/** Octets of a subevent beside its data. */
const HEAD_OCTETS = 4;

type Filled = SubeventPayload & { readonly subevent: number };

/**
 * Gives the controller the data of subevents as it asks for them. What was asked for and is not given yet is bounded by the number of subevents; the
 * program is asked when the command can leave, for data as new as can be.
 */
export class SubeventFeed {
  readonly #port: CommandPort;
  readonly #logger: Logger;
  readonly #handle: number;
  readonly #session: PeriodicSession;
  /** In the order in which they are on the air. */
  readonly #asked = new Set<number>();
  #isSending = false;

  constructor(at: { port: CommandPort; logger: Logger; handle: number; session: PeriodicSession }) {
    this.#port = at.port;
    this.#logger = at.logger;
    this.#handle = at.handle;
    this.#session = at.session;
  }

  /** The controller asks for the data of `count` subevents from `start` on, the first behind the last one. */
  request(start: number, count: number): void {
    const { subevents, onSubevent } = this.#session;
    if (!subevents || !onSubevent) return;
    for (let i = 0; i < Math.min(count, subevents.numSubevents); i++) {
      const subevent = (start + i) % subevents.numSubevents;
      this.#asked.delete(subevent);
      this.#asked.add(subevent);
    }
    void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    let left: Filled | undefined;
    while (!this.#session.ended && (left || this.#asked.size > 0)) {
      const batch: Filled[] = left ? [left] : [];
      left = this.#fill(batch);
      if (batch.length === 0) continue;
      try {
        await this.send(batch);
      } catch (error) {
        // Too late, most likely (0x46): the next request follows.
        this.#logger.info(() => `data of subevents ${batch.map(({ subevent }) => subevent).join(", ")} were not taken: ${String(error)}`);
      }
    }
    this.#isSending = false;
  }

  /** Adds what one command holds. @returns what does not fit any more */
  #fill(batch: Filled[]): Filled | undefined {
    let octets = batch.reduce((sum, { subeventData }) => sum + HEAD_OCTETS + subeventData.length, 0);
    for (const subevent of this.#asked) {
      if (batch.length === MOST_SUBEVENTS) return undefined;
      this.#asked.delete(subevent);
      const filled = this.#ask(subevent);
      if (!filled) continue;
      octets += HEAD_OCTETS + filled.subeventData.length;
      if (octets > MOST_OCTETS) return filled;
      batch.push(filled);
    }
    return undefined;
  }

  #ask(subevent: number): Filled | undefined {
    const { subevents, onSubevent } = this.#session;
    try {
      const given = onSubevent!(subevent);
      return given === undefined ? undefined : { subevent, ...checkSubeventData(given, subevents!) };
    } catch (error) {
      rethrowLater(error); // the program's fault, be it its own or that its data do not fit
      return undefined;
    }
  }

  /** @throws {HciError} the controller does not take them: Too Late where their time is over */
  async send(subevents: readonly Filled[]): Promise<void> {
    await this.#port.send(LeSetPeriodicAdvertisingSubeventData, { advertisingHandle: this.#handle, subevents: [...subevents] });
  }
}
