import { Phy } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import {
  HciErrorCode,
  LeFeature,
  LePeriodicAdvertisingSyncTransferReceived,
  LePeriodicAdvertisingSyncTransferReceivedV2,
} from "../../hci/index.ts";
import type { LinkControl } from "../link/control.ts";
import { hasFeature } from "../options.ts";
import { type AirAddress, encodeSleepClockAccuracy, sleepClockPpm } from "../roles/advertising-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import type { SyncTerms, TrainDescription } from "./sync.ts";
import { decodeSyncInfo, isTimingPossible, MAX_OFFSET_US, type ResponseTiming } from "./sync-info.ts";
import { type PeriodicSyncs, subeventParameters, trainParameters } from "./syncs.ts";
import { LlPeriodicSyncInd, LlPeriodicSyncWrInd } from "./transfer-pdus.ts";
import type { TransferredTrain } from "./transferred-train.ts";

/** Between the anchor and the packet that the offset means, at least. */
const GAP_US = 300;
const JITTER_US = 48;
/** connEventCount is less than so many connection events away from the one in progress. */
const MOST_EVENTS_AWAY = 2 ** 14;
/** Mode of LE Set Periodic Advertising Sync Transfer Parameters. */
const Mode = Object.freeze({ Ignored: 0, ReportsOff: 1, Reports: 2, NoDuplicates: 3 });

/** What becomes of trains that a peer tells of. */
export interface TransferTerms extends SyncTerms {
  readonly mode: number;
}
export const IGNORED: TransferTerms = Object.freeze({ mode: Mode.Ignored, skip: 0, syncTimeout: 0x000a, cteType: 0 });

/** Periodic Advertising Sync Transfer on one link, both ways: Vol 6 Part B 5.1.13, 5.1.25. */
export class SyncTransfer {
  readonly #control: LinkControl;
  readonly #context: LinkLayerContext;
  readonly #syncs: PeriodicSyncs;
  terms: TransferTerms;

  constructor(control: LinkControl, context: LinkLayerContext, syncs: PeriodicSyncs, terms: TransferTerms) {
    this.#control = control;
    this.#context = context;
    this.#syncs = syncs;
    this.terms = terms;
    if (!hasFeature(context.features, LeFeature.PeriodicAdvertisingSyncTransferRecipient)) return;
    control.on(LlPeriodicSyncInd, (fields) => this.#onInd(fields, undefined));
    if (!hasFeature(context.features, LeFeature.PeriodicAdvertisingWithResponsesScanner)) return;
    control.on(
      LlPeriodicSyncWrInd,
      ({ rspAA: accessAddress, numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing, ...fields }) =>
        this.#onInd(fields, { accessAddress, numSubevents, subeventInterval, responseSlotDelay, responseSlotSpacing }),
    );
  }

  /** Tells the peer of a train. Its time is that of the moment when the PDU is sent. */
  send(serviceData: number, train: TransferredTrain): void {
    const { timing } = train;
    if (!timing) this.#control.send(LlPeriodicSyncInd, (counter) => this.#fields(serviceData, train, counter));
    else {
      const { accessAddress: rspAA, ...subevents } = timing;
      this.#control.send(LlPeriodicSyncWrInd, (counter) => ({ ...this.#fields(serviceData, train, counter), rspAA, ...subevents }));
    }
  }

  #fields(id: number, train: TransferredTrain, eventCounter: number): Infer<typeof LlPeriodicSyncInd.parameters> {
    const { link } = this.#control.context;
    let counter = eventCounter;
    const next = train.next(Math.max(this.#context.scheduler.nowUs, link.anchorUs(counter)) + GAP_US);
    // A packet that is too far for the offset is told from a later connection event.
    const tooFarUs = next.startUs - link.anchorUs(counter) - MAX_OFFSET_US;
    if (tooFarUs > 0) counter += Math.ceil(tooFarUs / (link.anchorUs(counter + 1) - link.anchorUs(counter)));
    const sca = encodeSleepClockAccuracy(this.#context.radio.sleepClockAccuracyPpm);
    return {
      id,
      syncInfo: train.syncInfo(next.counter, next.startUs - link.anchorUs(counter)),
      connEventCount: counter & 0xffff,
      lastPaEventCounter: train.lastCounter & 0xffff,
      sidAndAccuracy: train.sid | (train.address.type << 4) | (sca << 5),
      phy: 1 << (Math.min(3, train.phy) - 1),
      advA: train.address.bytes,
      syncConnEventCount: eventCounter & 0xffff,
    };
  }

  #onInd(fields: Infer<typeof LlPeriodicSyncInd.parameters>, timing: ResponseTiming | undefined): void {
    const { mode } = this.terms;
    const info = decodeSyncInfo(fields.syncInfo);
    const phy = [Phy.Le1M, Phy.Le2M, Phy.LeCodedS8].find((_, i) => fields.phy === 1 << i);
    if (mode === Mode.Ignored || !info || !phy || this.#syncs.follows(info.accessAddress)) return;
    if (timing && !isTimingPossible(timing)) return;
    const { link, handle: connectionHandle } = this.#control.context;
    const { sidAndAccuracy, id: serviceData } = fields;
    const onAir: AirAddress = { type: sidAndAccuracy & 0x10 ? 1 : 0, bytes: fields.advA };
    const peer = this.#context.resolving.identify(onAir.type, onAir.bytes) ?? { ...onAir, rpa: undefined };
    const behind = ((fields.connEventCount - link.eventCounter) << 16) >> 16;
    if (Math.abs(behind) >= MOST_EVENTS_AWAY) return; // which the sender must not name
    const counter = link.eventCounter + behind;
    // The sender counts on from what it heard: its clock and the advertiser's go apart meanwhile.
    const silentUs = ((info.eventCounter - fields.lastPaEventCounter) & 0xffff) * info.interval * 1250;
    const ppm = sleepClockPpm(info.sca) + sleepClockPpm(sidAndAccuracy >> 5);
    const description: TrainDescription = {
      info,
      fromUs: link.anchorUs(counter),
      slackUs: JITTER_US + ppm * 1e-6 * silentUs,
      peer,
      onAir,
      sid: sidAndAccuracy & 0x0f,
      phy,
      timing,
    };
    const tell = (status: number, syncHandle: number): void => this.#tell(status, connectionHandle, serviceData, syncHandle, description);
    if (!((this.#context.supportedPhys >> (Math.min(3, phy) - 1)) & 1)) tell(HciErrorCode.UnsupportedFeatureOrParameterValue, 0);
    else if (this.#syncs.isFull) tell(HciErrorCode.MemoryCapacityExceeded, 0);
    else {
      const reports = { isOn: mode !== Mode.ReportsOff, filtersDuplicates: mode === Mode.NoDuplicates };
      const sync = this.#syncs.follow(description, this.terms, reports, {
        onEstablished: (status) => tell(status, sync.handle),
        onLost: () => this.#syncs.lost(sync.handle),
      });
    }
  }

  #tell(status: number, connectionHandle: number, serviceData: number, syncHandle: number, description: TrainDescription): void {
    const { host } = this.#context;
    const told = status === HciErrorCode.Success ? description : undefined;
    const event = { status, connectionHandle, serviceData, syncHandle: told ? syncHandle : 0, ...trainParameters(told) };
    if (host.wants(LePeriodicAdvertisingSyncTransferReceivedV2))
      host.event(LePeriodicAdvertisingSyncTransferReceivedV2, { ...event, ...subeventParameters(told) });
    else host.event(LePeriodicAdvertisingSyncTransferReceived, event);
  }
}
