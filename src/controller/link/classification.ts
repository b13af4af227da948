import { AirEvent, LinkRole } from "../../air/index.ts";
import { LeFeature } from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import type { ControlContext, LinkControl } from "./control.ts";
import { LlChannelReportingInd, LlChannelStatusInd } from "./control-pdus.ts";
import type { LinkExchanges } from "./exchanges.ts";

/** What the central asks of its peripherals, in units of 200 ms: reports at least 1 s apart, and 2 s after a change at the latest. */
const REPORTING = { enable: 1, minSpacing: 5, maxDelay: 10 };
const SPACING_UNIT_US = 200_000;
const CHANNELS = 37;
const STATUS_OCTETS = 10;
/** Two bits for each channel: 0 unknown, 1 good, 3 bad. */
const BAD = 3;
/** A link needs so many. */
const LEAST_CHANNELS = 2;

/** What classification reads of a connection, and tells it. */
export interface ClassifiedLink {
  /** The channels that the own host leaves, 5 octets. */
  readonly hostChannels: Uint8Array;
  /** Central: the link is to use these. */
  useChannels(channelMap: Uint8Array): void;
}

/**
 * Which data channels are bad where the peripheral is: the Channel Classification Enable and Channel Classification Reporting procedures (Vol 6
 * Part B 5.1.22, 5.1.23). The central has the link avoid what either end calls bad.
 */
export class LinkClassification {
  readonly #control: LinkControl;
  readonly #context: ControlContext;
  readonly #link: ClassifiedLink;
  readonly #isSupported: boolean;
  /** Central: channels that the peripheral has not called bad. */
  #peerChannels: Uint8Array | undefined;
  /** Peripheral: whether the central wants reports, how far apart, and what the last one said. */
  #spacingUs: number | undefined;
  #reported = "";
  #reportedUs = Number.NEGATIVE_INFINITY;
  readonly #due: AirEvent;

  constructor(control: LinkControl, link: ClassifiedLink) {
    this.#control = control;
    this.#context = control.context;
    this.#link = link;
    this.#due = new AirEvent(() => this.#report());
    this.#isSupported = hasFeature(this.#context.features, LeFeature.ChannelClassification);
    if (!this.#isSupported) return;
    if (this.#context.role === LinkRole.Central) control.on(LlChannelStatusInd, ({ classification }) => this.#onStatus(classification));
    else
      control.on(LlChannelReportingInd, ({ enable, minSpacing }) => {
        this.#spacingUs = enable ? minSpacing * SPACING_UNIT_US : undefined;
        this.#reported = allUnknown; // of a peripheral that has not said anything everything is unknown
        this.#report();
      });
  }

  /** Central: has the peripheral report, where it can. */
  begin(exchanges: LinkExchanges): void {
    if (!this.#isSupported || this.#context.role !== LinkRole.Central) return;
    exchanges.learnFeatures(() => {
      if (!exchanges.peerLacks(LeFeature.ChannelClassification)) this.#control.send(LlChannelReportingInd, REPORTING);
    });
  }

  /** The own host calls other channels bad than before. */
  onHostChannels(): void {
    if (this.#context.role === LinkRole.Central) this.#use();
    else this.#report();
  }

  close(): void {
    this.#context.scheduler.clear(this.#due);
  }

  #onStatus(classification: Uint8Array): void {
    const channels = new Uint8Array(5);
    for (let channel = 0; channel < CHANNELS; channel++)
      if (((classification[channel >> 2]! >> ((channel & 3) * 2)) & 3) !== BAD) channels[channel >> 3]! |= 1 << (channel & 7);
    this.#peerChannels = channels;
    this.#use();
  }

  #use(): void {
    const own = this.#link.hostChannels;
    const common = own.map((octet, i) => octet & (this.#peerChannels?.[i] ?? 0xff));
    this.#link.useChannels(count(common) >= LEAST_CHANNELS ? common : own);
  }

  #report(): void {
    if (this.#spacingUs === undefined) return;
    const { scheduler } = this.#context;
    const classification = classify(this.#link.hostChannels);
    const text = classification.join();
    if (text === this.#reported) return;
    const earliestUs = this.#reportedUs + this.#spacingUs;
    if (scheduler.nowUs < earliestUs) {
      scheduler.set(this.#due, earliestUs);
      return;
    }
    this.#reported = text;
    this.#reportedUs = scheduler.nowUs;
    this.#control.send(LlChannelStatusInd, { classification });
  }
}

/** What the host leaves it has not called good. */
function classify(hostChannels: Uint8Array): Uint8Array {
  const classification = new Uint8Array(STATUS_OCTETS);
  for (let channel = 0; channel < CHANNELS; channel++)
    if (!((hostChannels[channel >> 3]! >> (channel & 7)) & 1)) classification[channel >> 2]! |= BAD << ((channel & 3) * 2);
  return classification;
}

const allUnknown = new Uint8Array(STATUS_OCTETS).join();

function count(channelMap: Uint8Array): number {
  let used = 0;
  for (let channel = 0; channel < CHANNELS; channel++) used += (channelMap[channel >> 3]! >> (channel & 7)) & 1;
  return used;
}
