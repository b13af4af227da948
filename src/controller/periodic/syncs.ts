import type { AuxiliaryPacket, Follower } from "../../air/index.ts";
import type { Infer } from "../../bytes/index.ts";
import {
  HciErrorCode,
  LeFeature,
  type LePeriodicAdvertisingCreateSync,
  LePeriodicAdvertisingSyncEstablished,
  LePeriodicAdvertisingSyncEstablishedV2,
  LePeriodicAdvertisingSyncLost,
} from "../../hci/index.ts";
import { hasFeature } from "../options.ts";
import { AdvPduType, type AirAddress, isAddress, pduType, txAddressType } from "../roles/advertising-pdus.ts";
import { type ExtendedView, readExtendedPdu } from "../roles/extended-pdus.ts";
import type { LinkLayerContext } from "../roles/link-layer-context.ts";
import type { Peer } from "../roles/resolving-list.ts";
import { identityOf } from "../roles/scanning.ts";
import { PeriodicAdvertiserList } from "./advertiser-list.ts";
import { PeriodicSync, type SyncOutcome, type SyncTerms, type TrainDescription } from "./sync.ts";
import { decodeSyncInfo, readAcad } from "./sync-info.ts";
import { SyncReports } from "./sync-reports.ts";

type CreateSync = Infer<typeof LePeriodicAdvertisingCreateSync.parameters>;

const { Success, InvalidHciCommandParameters: Invalid, CommandDisallowed: Disallowed } = HciErrorCode;
/** Options of LE Periodic Advertising Create Sync. */
const Options = Object.freeze({ UsesList: 1, ReportsOff: 2, FiltersDuplicates: 4 });
const ALL_OPTIONS = 7;
export const ALL_CTE_TYPES = 0x1f;
const HIGHEST_HANDLE = 0x0eff;
const NOBODY = new Uint8Array(6);

/** Ranges of Vol 4 Part E 7.8.67 and 7.8.91. */
export function areSyncTermsValid({ skip, syncTimeout, cteType }: SyncTerms): boolean {
  return skip <= 0x01f3 && syncTimeout >= 0x000a && syncTimeout <= 0x4000 && cteType <= ALL_CTE_TYPES;
}

/** Parameters of the events that tell of a train; zeros where there is none. */
export function trainParameters(description: TrainDescription | undefined) {
  return {
    advertisingSid: description?.sid ?? 0,
    advertiserAddressType: description?.peer.type ?? 0,
    advertiserAddress: description?.peer.bytes ?? NOBODY,
    advertiserPhy: description ? Math.min(3, description.phy) : 0,
    periodicAdvertisingInterval: description?.info.interval ?? 0,
    advertiserClockAccuracy: description?.info.sca ?? 0,
  };
}

/** Subevents of a train: zeros where it has none, Vol 4 Part E 7.7.65.14. */
export function subeventParameters(description: TrainDescription | undefined) {
  const { timing } = description ?? {};
  return {
    numSubevents: timing?.numSubevents ?? 0,
    subeventInterval: timing?.subeventInterval ?? 0,
    responseSlotDelay: timing?.responseSlotDelay ?? 0,
    responseSlotSpacing: timing?.responseSlotSpacing ?? 0,
  };
}

/** The trains that a controller follows, and the search for one (Vol 4 Part E 7.8.67 to 7.8.73, 7.8.88). Commands give statuses. */
export class PeriodicSyncs {
  readonly list: PeriodicAdvertiserList;
  readonly #context: LinkLayerContext;
  readonly #maxSyncs: number;
  readonly #syncs = new Map<number, PeriodicSync>();
  /** What the host looks for, and the train that may be it. */
  #wanted: CreateSync | undefined;
  #found: PeriodicSync | undefined;
  #lastHandle = -1;

  constructor(context: LinkLayerContext, options: { maxSyncs: number; listSize: number }) {
    this.#context = context;
    this.#maxSyncs = options.maxSyncs;
    this.list = new PeriodicAdvertiserList(options.listSize);
  }

  reset(): void {
    for (const sync of this.#syncs.values()) sync.end();
    this.#syncs.clear();
    this.#found = undefined;
    this.#wanted = undefined;
    this.list.clear();
  }

  get(handle: number): PeriodicSync | undefined {
    const sync = this.#syncs.get(handle);
    return sync?.isEstablished ? sync : undefined;
  }
  /** A search is under way: one at a time. */
  get isPending(): boolean {
    return this.#wanted !== undefined;
  }
  get isFull(): boolean {
    return this.#syncs.size >= this.#maxSyncs;
  }

  /** Gives a status for a search that cannot be. */
  check(wanted: CreateSync): number {
    const { options, advertisingSid: sid, advertiserAddressType: type, advertiserAddress: bytes } = wanted;
    const terms = { skip: wanted.skip, syncTimeout: wanted.syncTimeout, cteType: wanted.syncCteType };
    if (options > ALL_OPTIONS || !areSyncTermsValid(terms)) return Invalid;
    const usesList = (options & Options.UsesList) !== 0;
    if (!usesList && (sid > 0x0f || type > 1)) return Invalid;
    if (options & Options.FiltersDuplicates && !hasFeature(this.#context.features, LeFeature.PeriodicAdvertisingAdiSupport))
      return HciErrorCode.UnsupportedFeatureOrParameterValue;
    if (this.isPending || wanted.syncCteType === ALL_CTE_TYPES) return Disallowed;
    if (!usesList && this.#isFollowed(sid, { type: type as 0 | 1, bytes })) return HciErrorCode.ConnectionAlreadyExists;
    return this.isFull ? HciErrorCode.MemoryCapacityExceeded : Success;
  }

  create(wanted: CreateSync): void {
    this.#wanted = wanted;
  }

  cancel(): void {
    this.#finish(HciErrorCode.OperationCancelledByHost);
  }

  terminate(handle: number): number {
    if (handle > HIGHEST_HANDLE) return Invalid;
    const sync = this.get(handle);
    if (!sync) return HciErrorCode.UnknownAdvertisingIdentifier;
    sync.end();
    this.#syncs.delete(handle);
    return Success;
  }

  /** @param enable bit 0 reports, bit 1 no duplicates */
  setReceive(handle: number, enable: number): number {
    if (handle > HIGHEST_HANDLE || enable > 3) return Invalid;
    const sync = this.get(handle);
    if (!sync) return HciErrorCode.UnknownAdvertisingIdentifier;
    if (enable & 2 && !hasFeature(this.#context.features, LeFeature.PeriodicAdvertisingAdiSupport))
      return HciErrorCode.UnsupportedFeatureOrParameterValue;
    sync.reports.set((enable & 1) !== 0, (enable & 2) !== 0);
    return Success;
  }

  #isFollowed(sid: number, { type, bytes }: AirAddress): boolean {
    for (const { description } of this.#syncs.values())
      if (description.sid === sid && isAddress(bytes, 0, type, identityOf(description.peer))) return true;
    return false;
  }
  /** Whether this very train is followed, whoever sends it. */
  follows(accessAddress: number): boolean {
    for (const sync of this.#syncs.values()) if (sync.accessAddress === accessAddress) return true;
    return false;
  }

  /** Follows a train for `outcome`. The caller has seen that there is room. */
  follow(
    description: TrainDescription,
    terms: SyncTerms,
    reports: { isOn: boolean; filtersDuplicates: boolean },
    outcome: SyncOutcome,
  ): PeriodicSync {
    do this.#lastHandle = (this.#lastHandle + 1) % (HIGHEST_HANDLE + 1);
    while (this.#syncs.has(this.#lastHandle));
    const handle = this.#lastHandle;
    const told = new SyncReports(this.#context.host, handle, reports.isOn, reports.filtersDuplicates);
    const ending: SyncOutcome = {
      onEstablished: (status) => {
        if (status !== Success) this.#syncs.delete(handle);
        outcome.onEstablished(status);
      },
      onLost: () => {
        this.#syncs.delete(handle);
        outcome.onLost();
      },
    };
    const sync = new PeriodicSync(handle, this.#context, description, terms, ending, told);
    this.#syncs.set(handle, sync);
    return sync;
  }

  /** Told of a train that is lost. */
  lost(syncHandle: number): void {
    this.#context.host.event(LePeriodicAdvertisingSyncLost, { syncHandle });
  }

  /** Looks on into the advertising event of an ADV_EXT_IND, where a train is looked for that may be its. */
  seeker(pdu: Uint8Array, view: ExtendedView): Follower | undefined {
    if (!this.#wanted || this.#found || view.auxPtrAt < 0) return undefined;
    const first = { pdu, view };
    let isFirst = true;
    return {
      onPacket: (packet) => {
        if (isFirst && packet) this.#onAuxAdvInd(first, packet);
        isFirst = false;
        return undefined;
      },
    };
  }

  #onAuxAdvInd(primary: { pdu: Uint8Array; view: ExtendedView }, { pdu, startUs, phy }: AuxiliaryPacket): void {
    const view = pduType(pdu) === AdvPduType.AdvExtInd ? readExtendedPdu(pdu) : undefined;
    const wanted = this.#wanted;
    if (!view || view.syncInfoAt < 0 || !wanted || this.#found || this.isFull) return;
    const { sid } = view.adi ?? primary.view.adi ?? {};
    const from = view.advAAt >= 0 ? { pdu, at: view.advAAt } : { pdu: primary.pdu, at: primary.view.advAAt };
    const info = decodeSyncInfo(pdu, view.syncInfoAt);
    if (sid === undefined || from.at < 0 || !info || this.follows(info.accessAddress)) return;
    const onAir = { type: txAddressType(from.pdu), bytes: from.pdu.slice(from.at, from.at + 6) };
    const peer = this.#context.resolving.identify(onAir.type, onAir.bytes);
    if (!peer || !this.#isWanted(wanted, peer, onAir, sid)) return;
    const description = { info, fromUs: startUs, slackUs: 0, peer, onAir, sid, phy, timing: readAcad(view.acad).timing };
    const terms = { skip: wanted.skip, syncTimeout: wanted.syncTimeout, cteType: wanted.syncCteType };
    const isOn = !(wanted.options & Options.ReportsOff);
    const filtersDuplicates = (wanted.options & Options.FiltersDuplicates) !== 0;
    const sync = this.follow(
      description,
      terms,
      { isOn, filtersDuplicates },
      {
        onEstablished: (status) => this.#onEstablished(sync, status),
        onLost: () => this.lost(sync.handle),
      },
    );
    this.#found = sync;
  }

  #isWanted(wanted: CreateSync, peer: Peer, onAir: AirAddress, sid: number): boolean {
    const { type, bytes } = identityOf(peer);
    if (wanted.options & Options.UsesList) return this.list.has(type, bytes, sid);
    if (sid !== wanted.advertisingSid) return false;
    const named: AirAddress = { type: wanted.advertiserAddressType as 0 | 1, bytes: wanted.advertiserAddress };
    return isAddress(bytes, 0, type, named) || isAddress(onAir.bytes, 0, onAir.type, named);
  }

  #onEstablished(sync: PeriodicSync, status: number): void {
    // Of those on the list another one may have what this one lacks.
    if (status === HciErrorCode.UnsupportedRemoteFeature && this.#wanted!.options & Options.UsesList) {
      this.#found = undefined;
      return;
    }
    this.#finish(status, sync);
  }

  /** The search is over. */
  #finish(status: number, sync?: PeriodicSync): void {
    const found = this.#found;
    this.#wanted = undefined;
    this.#found = undefined;
    if (status !== Success && found) {
      found.end();
      this.#syncs.delete(found.handle);
    }
    const description = status === Success ? sync?.description : undefined;
    const event = { status, syncHandle: description ? sync!.handle : 0, ...trainParameters(description) };
    const { host } = this.#context;
    if (host.wants(LePeriodicAdvertisingSyncEstablishedV2))
      host.event(LePeriodicAdvertisingSyncEstablishedV2, { ...event, ...subeventParameters(description) });
    else host.event(LePeriodicAdvertisingSyncEstablished, event);
  }
}
