import { airTimeUs, type ExtendedPdu, type PeriodicAdvertiser, type PeriodicTrain, Phy, type Radio } from "../../air/index.ts";
import { createAccessAddress } from "../link/access-address.ts";
import { type AirAddress, encodeSleepClockAccuracy } from "../roles/advertising-pdus.ts";
import { AdvMode, chainedPdus } from "../roles/extended-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import { type SubeventParameters, Subevents } from "./subevents.ts";
import { type ChannelMapUpdate, encodeChannelMapUpdate, encodeResponseTiming, encodeSyncInfo } from "./sync-info.ts";
import type { TransferredTrain } from "./transferred-train.ts";

const NOTHING = new Uint8Array(0);
const INTERVAL_UNIT_US = 1250;
/** Periodic_Advertising_Properties: TX power in the header. */
const INCLUDE_TX_POWER = 0x40;
/** Between two packets of an event. */
const GAP_US = 330;
/** Events from the first Channel Map Update Indication to its instant, Vol 6 Part B 5.2. */
const EVENTS_TO_INSTANT = 8;

/** What the train takes from its advertising set. */
export interface TrainOwner {
  readonly handle: number;
  readonly radio: Radio;
  readonly secondaryPhy: Phy;
  readonly txPowerDbm: number;
  readonly gainDb: number;
  readonly isClockAccurate: boolean;
  readonly sid: number;
}

/** Parameters of LE Set Periodic Advertising Parameters; the interval is chosen. */
export interface TrainParameters {
  /** Units of 1.25 ms. */
  readonly interval: number;
  readonly properties: number;
  /** Of a train with responses. */
  readonly subevents?: SubeventParameters | undefined;
}

/** The periodic advertising of an advertising set: its data, and its train while it runs (Vol 6 Part B 4.4.2.12). */
export class PeriodicAdvertising implements PeriodicAdvertiser {
  readonly #context: LinkLayerContext;
  readonly #owner: TrainOwner;
  parameters: TrainParameters;
  data: Uint8Array = NOTHING;
  /** Fragments so far of data whose last is yet to come. */
  pendingData: Uint8Array | undefined;
  /** By LE Set Periodic Advertising Enable; the train begins with the advertising set. */
  isEnabled = false;
  #includesAdi = false;
  #did: number;
  #train: PeriodicTrain | undefined;
  #subevents: Subevents | undefined;
  /** What its train runs with; another train has others. */
  phy: Phy = Phy.Le1M;
  accessAddress = 0;
  #crcInit = 0;
  #channelMap: Uint8Array;
  #update: ChannelMapUpdate | undefined;
  #pdus: readonly ExtendedPdu[] | undefined;

  constructor(context: LinkLayerContext, owner: TrainOwner, parameters: TrainParameters) {
    this.#context = context;
    this.#owner = owner;
    this.parameters = parameters;
    this.#channelMap = context.channelMap;
    this.#did = context.random.uint32() & 0xfff;
  }

  get isRunning(): boolean {
    return this.#train !== undefined;
  }

  enable(includesAdi: boolean): void {
    this.isEnabled = true;
    this.#includesAdi = includesAdi;
    this.#pdus = undefined;
  }

  disable(): void {
    this.isEnabled = false;
    if (this.#train) this.#context.air.channels.trains.end(this.#train);
    this.#train = undefined;
    this.#subevents?.end();
    this.#subevents = undefined;
  }

  /** Its set advertises: the train begins, where it is wanted. It goes on when the set ends. */
  begin(): void {
    if (!this.isEnabled || this.#train) return;
    const { random, channelMap, air } = this.#context;
    this.phy = this.#owner.secondaryPhy;
    this.accessAddress = createAccessAddress(() => random.uint32());
    this.#crcInit = random.uint32() & 0xffffff;
    this.#channelMap = channelMap;
    this.#update = undefined;
    this.#pdus = undefined;
    const { subevents } = this.parameters;
    if (subevents)
      this.#subevents = new Subevents(
        this.#context,
        this,
        subevents,
        createAccessAddress(() => random.uint32()),
      );
    this.#train = air.channels.trains.begin(this);
    this.#subevents?.begin();
  }

  setData(data: Uint8Array): void {
    this.data = data;
    this.renewDid();
  }
  /** Other data has another DID. */
  renewDid(): void {
    this.#did = (this.#did + 1 + (this.#context.random.uint32() % 0xfff)) & 0xfff;
    this.#pdus = undefined;
  }

  /** Whether an event with this data, or its first packet, is over within the interval. */
  fits(data: Uint8Array, parameters: TrainParameters = this.parameters): boolean {
    if (parameters.subevents) return true; // each subevent is judged by itself
    return this.#lengthUs(this.#made(data, parameters)) <= parameters.interval * INTERVAL_UNIT_US;
  }

  /** The host allows other channels: the train changes to them when its receivers have had time to hear of it. */
  onChannelMap(): void {
    if (!this.#train) return;
    const { channelMap, scheduler } = this.#context;
    const { counter } = this.#train.nextEvent(scheduler.nowUs);
    this.#settle(counter);
    // A change under way is followed by the next when it is done.
    if (this.#update || channelMap.every((octet, i) => octet === this.#channelMap[i])) return;
    this.#update = { channelMap, instant: counter + EVENTS_TO_INSTANT };
    this.#pdus = undefined;
  }

  /** The change of channels is done when its instant has come. */
  #settle(counter: number): boolean {
    if (!this.#update || counter < this.#update.instant) return false;
    this.#channelMap = this.#update.channelMap;
    this.#update = undefined;
    this.#pdus = undefined;
    return true;
  }

  /** SyncInfo for a packet, or an anchor, that begins then: the first event behind it that `gapUs` lie in front of. */
  syncInfo(startUs: number, gapUs = 0): Uint8Array | undefined {
    const next = this.#train?.nextEvent(startUs + gapUs);
    return next && this.#encodeSyncInfo(next.counter, next.startUs - startUs);
  }
  /** The train as it is told to a peer, while it runs. */
  transferred(address: AirAddress): TransferredTrain | undefined {
    const train = this.#train;
    return (
      train && {
        sid: this.#owner.sid,
        phy: this.phy,
        address,
        timing: this.#subevents?.timing,
        lastCounter: train.nextEvent(this.#context.scheduler.nowUs).counter - 1,
        next: (timeUs) => train.nextEvent(timeUs),
        syncInfo: (counter, offsetUs) => this.#encodeSyncInfo(counter, offsetUs),
      }
    );
  }
  #encodeSyncInfo(eventCounter: number, offsetUs: number): Uint8Array {
    return encodeSyncInfo({
      offsetUs,
      interval: this.parameters.interval,
      channelMap: this.channelMap(eventCounter),
      sca: encodeSleepClockAccuracy(this.radio.sleepClockAccuracyPpm),
      accessAddress: this.accessAddress,
      crcInit: this.#crcInit,
      eventCounter,
    });
  }

  // What the air asks.

  get radio(): Radio {
    return this.#owner.radio;
  }
  get gainDb(): number {
    return this.#owner.gainDb;
  }
  get isClockAccurate(): boolean {
    return this.#owner.isClockAccurate;
  }
  get intervalUs(): number {
    return this.parameters.interval * INTERVAL_UNIT_US;
  }
  get subevents(): number {
    return this.responses?.parameters.numSubevents ?? 1;
  }
  get subeventIntervalUs(): number {
    return (this.responses?.parameters.subeventInterval ?? 0) * INTERVAL_UNIT_US;
  }
  get responses(): Subevents | undefined {
    return this.#subevents;
  }
  /** The host hears of each event of a train with responses. */
  get isAwaited(): boolean {
    return this.#subevents !== undefined;
  }
  get lengthUs(): number {
    if (this.#subevents) return this.#subevents.lengthUs;
    return this.#lengthUs(this.#pdus ?? this.#made(this.data));
  }

  channelMap(counter: number): Uint8Array {
    const update = this.#update;
    return update && counter >= update.instant ? update.channelMap : this.#channelMap;
  }

  pdus(counter: number, subevent: number): readonly ExtendedPdu[] {
    if (this.#settle(counter)) this.onChannelMap(); // the host may have changed its mind meanwhile
    if (this.#subevents) return this.#subevents.pdus(counter, subevent);
    this.#pdus ??= this.#made(this.data);
    return this.#pdus;
  }

  // What its subevents ask.

  get advertisingHandle(): number {
    return this.#owner.handle;
  }
  get subeventHeader() {
    return this.#header(this.parameters.properties, this.#update);
  }
  /** What AUX_ADV_IND tells of its subevents. */
  get acad(): Uint8Array | undefined {
    return this.#subevents && encodeResponseTiming(this.#subevents.timing);
  }

  #header(properties: number, update: ChannelMapUpdate | undefined) {
    return {
      txPowerDbm: properties & INCLUDE_TX_POWER ? this.#owner.txPowerDbm : undefined,
      acad: update && encodeChannelMapUpdate(update),
    };
  }

  #made(data: Uint8Array, { properties } = this.parameters, update = this.#update): ExtendedPdu[] {
    const first = {
      mode: AdvMode.Neither,
      adi: this.#includesAdi ? { sid: this.#owner.sid, did: this.#did } : undefined,
      ...this.#header(properties, update),
    };
    return chainedPdus(first, data);
  }

  #lengthUs(pdus: readonly ExtendedPdu[]): number {
    const phy = this.#train ? this.phy : this.#owner.secondaryPhy;
    let lengthUs = -GAP_US;
    for (const { pdu } of pdus) lengthUs += airTimeUs(phy, pdu.length - 2) + GAP_US;
    return lengthUs;
  }
}
