import { Address } from "../../src/core/address.ts";
import type { PeriodicPort } from "../../src/gap/periodic/periodic-port.ts";
import type { CommandDeclaration, EventDeclaration } from "../../src/hci/declare.ts";
import { HciError, HciErrorCode } from "../../src/hci/error.ts";
import { LeFeature } from "../../src/hci/features.ts";
import { ExtendedController } from "./extended-controller.ts";

type Parameters = Readonly<Record<string, unknown>>;

interface TrainState {
  parameters: Parameters;
  data: Uint8Array | undefined;
  pieces: Uint8Array[];
  isPartial: boolean;
  /** Value of Enable; `undefined` while it is off. */
  enabled: number | undefined;
}

const MAX_SKIP = 0x01f3;
const LONGEST_TIMEOUT = 0x4000;

/**
 * A controller that knows the rules of periodic advertising on top of those of advertising sets (Vol 4 Part E 7.8.61 to 7.8.73, 7.8.88 to 7.8.92,
 * 7.8.125 to 7.8.127), and nothing of a radio: what happens there, tests say.
 */
export class PeriodicController extends ExtendedController implements PeriodicPort {
  readonly features = new Set<number>([
    LeFeature.LePeriodicAdvertising,
    LeFeature.PeriodicAdvertisingSyncTransferSender,
    LeFeature.PeriodicAdvertisingSyncTransferRecipient,
    LeFeature.PeriodicAdvertisingAdiSupport,
    LeFeature.PeriodicAdvertisingWithResponsesAdvertiser,
    LeFeature.PeriodicAdvertisingWithResponsesScanner,
  ]);
  readonly unsupported = new Set<string>();
  readonly events: string[] = [];
  /** Events that are not in the mask of this controller. */
  readonly unknownEvents = new Set<string>();
  readonly trains = new Map<number, TrainState>();
  /** Parameters of each periodic command that was taken, in order. */
  readonly taken: { readonly name: string; readonly parameters: Parameters }[] = [];
  /** Pending LE Periodic Advertising Create Sync. */
  creating: Parameters | undefined;
  readonly syncs = new Set<number>();
  readonly list: string[] = [];
  listSize = 4;
  /** Octets of periodic data that fit in the interval. */
  mostData = 1650;
  /** The established event of a cancelled attempt. */
  onSyncCancelled: (() => void) | undefined;
  /** Called when an answer is about to be given; what it throws is given in its place, after the command had its effect. */
  onAnswer: ((name: string, parameters: Parameters) => void) | undefined;

  supports({ name }: CommandDeclaration): boolean {
    return !this.unsupported.has(name);
  }

  hasLeFeature(bit: number): boolean {
    return this.features.has(bit);
  }

  async enableEvents(events: readonly EventDeclaration[]): Promise<void> {
    await Promise.resolve();
    if (events.some(({ name }) => this.unknownEvents.has(name)))
      throw new HciError({ status: HciErrorCode.InvalidHciCommandParameters, command: "LeSetEventMask" });
    this.events.push(...events.map(({ name }) => name));
  }

  /** A reset: everything is gone. */
  reset(): void {
    this.sets.clear();
    this.trains.clear();
    this.syncs.clear();
    this.creating = undefined;
    this.list.length = 0;
    this.scanning = undefined;
    this.initiating = undefined;
    this.randomAddress = undefined;
  }

  override async send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R> {
    const given = parameters as Parameters;
    const { name } = declaration;
    if (this.unsupported.has(name)) throw new Error(`${name} was sent to a controller without it`);
    const status = this.refusals.get(name) ?? this.#status(name, given);
    if (status === undefined) return await super.send(declaration, parameters);
    const handle = (given.advertisingHandle ?? given.syncHandle) as number | undefined;
    const short = name.replace(/^LeSet|^Le/, "");
    await Promise.resolve();
    this.onCommand?.(short, given);
    const refused = this.refusals.get(name) ?? this.#act(name, given);
    this.log.push(
      `${short}${name.endsWith("Enable") ? ` ${String(given.enable)}` : ""}${handle === undefined ? "" : ` ${String(handle as number)}`}${refused ? " refused" : ""}`,
    );
    if (refused) throw new HciError({ status: refused, command: name });
    this.taken.push({ name, parameters: given });
    this.onAnswer?.(short, given);
    return { status: 0, ...given } as R;
  }

  /** The last parameters of a command. */
  last(name: string): Parameters | undefined {
    return this.taken.findLast((each) => each.name === name)?.parameters;
  }

  /** `undefined`: not a periodic command; the rules that bind advertising sets are looked at first. */
  #status(name: string, given: Parameters): number | undefined {
    const train = this.trains.get(given.advertisingHandle as number);
    if (name === "LeRemoveAdvertisingSet" && train) {
      if (train.enabled !== undefined) return HciErrorCode.CommandDisallowed;
      this.trains.delete(given.advertisingHandle as number);
    }
    return /Periodic/.test(name) ? 0 : undefined;
  }

  #act(name: string, given: Parameters): number {
    switch (name) {
      case "LeSetPeriodicAdvertisingParameters":
      case "LeSetPeriodicAdvertisingParametersV2":
        return this.#setParameters(given);
      case "LeSetPeriodicAdvertisingData":
        return this.#setData(given);
      case "LeSetPeriodicAdvertisingEnable":
        return this.#enable(given);
      case "LeSetPeriodicAdvertisingSubeventData":
        return this.#setSubeventData(given);
      case "LePeriodicAdvertisingCreateSync":
        return this.#createSync(given);
      case "LePeriodicAdvertisingCreateSyncCancel":
        if (!this.creating) return HciErrorCode.CommandDisallowed;
        this.creating = undefined;
        queueMicrotask(() => this.onSyncCancelled?.());
        return 0;
      case "LePeriodicAdvertisingTerminateSync":
        if (this.creating) return HciErrorCode.CommandDisallowed;
        return this.syncs.delete(given.syncHandle as number) ? 0 : HciErrorCode.UnknownAdvertisingIdentifier;
      case "LeClearPeriodicAdvertiserList":
        if (this.creating) return HciErrorCode.CommandDisallowed;
        this.list.length = 0;
        return 0;
      case "LeAddDeviceToPeriodicAdvertiserList": {
        if (this.creating) return HciErrorCode.CommandDisallowed;
        if (this.list.length >= this.listSize) return HciErrorCode.MemoryCapacityExceeded;
        const entry = `${new Address(given.advertiserAddress as Uint8Array, given.advertiserAddressType as number)} ${given.advertisingSid as number}`;
        if (this.list.includes(entry)) return HciErrorCode.InvalidHciCommandParameters;
        this.list.push(entry);
        return 0;
      }
      case "LeSetPeriodicAdvertisingReceiveEnable":
      case "LePeriodicAdvertisingSyncTransfer":
      case "LeSetPeriodicSyncSubevent":
      case "LeSetPeriodicAdvertisingResponseData":
        return this.syncs.has(given.syncHandle as number) ? 0 : HciErrorCode.UnknownAdvertisingIdentifier;
      case "LePeriodicAdvertisingSetInfoTransfer": {
        const train = this.trains.get(given.advertisingHandle as number);
        if (!train) return HciErrorCode.UnknownAdvertisingIdentifier;
        return train.enabled === undefined ? HciErrorCode.CommandDisallowed : 0;
      }
      case "LeSetPeriodicAdvertisingSyncTransferParameters":
      case "LeSetDefaultPeriodicAdvertisingSyncTransferParameters":
        return 0;
      default:
        return HciErrorCode.UnknownHciCommand;
    }
  }

  #setParameters(given: Parameters): number {
    const handle = given.advertisingHandle as number;
    const set = this.sets.get(handle);
    if (!set) return HciErrorCode.UnknownAdvertisingIdentifier;
    // Neither connectable, scannable, legacy nor anonymous.
    if ((set.parameters.advertisingEventProperties as number) & 0x33) return HciErrorCode.InvalidHciCommandParameters;
    const known = this.trains.get(handle);
    if (known?.enabled !== undefined) return HciErrorCode.CommandDisallowed;
    const min = given.periodicAdvertisingIntervalMin as number;
    if (min < 6 || min > (given.periodicAdvertisingIntervalMax as number)) return HciErrorCode.InvalidHciCommandParameters;
    const made: TrainState = { parameters: given, data: undefined, pieces: [], isPartial: false, enabled: undefined };
    this.trains.set(handle, { ...(known ?? made), parameters: given });
    return 0;
  }

  #setData(given: Parameters): number {
    const handle = given.advertisingHandle as number;
    if (!this.sets.has(handle)) return HciErrorCode.UnknownAdvertisingIdentifier;
    const train = this.trains.get(handle);
    if (!train || (train.parameters.numSubevents as number) > 0) return HciErrorCode.CommandDisallowed;
    const operation = given.operation as number;
    const octets = given.advertisingData as Uint8Array;
    if (train.enabled !== undefined && operation < 3) return HciErrorCode.CommandDisallowed;
    if (operation < 3 && octets.length === 0) return HciErrorCode.InvalidHciCommandParameters;
    if (operation === 4) return train.enabled === undefined || octets.length > 0 || !train.data?.length ? 0x12 : 0;
    if (operation === 1 || operation === 3) train.pieces = [];
    train.pieces.push(octets);
    train.isPartial = operation < 2;
    const data = Uint8Array.from(train.pieces.flatMap((piece) => [...piece]));
    if (data.length > this.mostData && !train.isPartial) return HciErrorCode.PacketTooLong;
    if (!train.isPartial) train.data = data;
    return 0;
  }

  #enable(given: Parameters): number {
    const handle = given.advertisingHandle as number;
    if (!this.sets.has(handle)) return HciErrorCode.UnknownAdvertisingIdentifier;
    const train = this.trains.get(handle);
    const enable = given.enable as number;
    if ((enable & 1) === 0) {
      if (train) train.enabled = undefined;
      return 0;
    }
    if (!train || train.isPartial) return HciErrorCode.CommandDisallowed;
    train.enabled = enable;
    return 0;
  }

  #setSubeventData(given: Parameters): number {
    const train = this.trains.get(given.advertisingHandle as number);
    if (!train) return HciErrorCode.UnknownAdvertisingIdentifier;
    const count = (train.parameters.numSubevents as number | undefined) ?? 0;
    const subevents = given.subevents as { subevent: number; responseSlotCount: number; subeventData: Uint8Array }[];
    const octets = subevents.reduce((sum, { subeventData }) => sum + 4 + subeventData.length, 2);
    const isRight = subevents.every(({ subevent, responseSlotCount }) => subevent < count && responseSlotCount > 0);
    return subevents.length > 0 && subevents.length <= 15 && isRight && octets <= 255 ? 0 : HciErrorCode.InvalidHciCommandParameters;
  }

  #createSync(given: Parameters): number {
    if (this.creating) return HciErrorCode.CommandDisallowed;
    const timeout = given.syncTimeout as number;
    if ((given.skip as number) > MAX_SKIP || timeout < 10 || timeout > LONGEST_TIMEOUT || (given.advertiserAddressType as number) > 1)
      return HciErrorCode.InvalidHciCommandParameters;
    if ((given.options as number) & 1 && this.list.length === 0) return HciErrorCode.CommandDisallowed;
    this.creating = given;
    return 0;
  }
}
