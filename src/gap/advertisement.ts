import { Address, AddressType } from "../core/address.ts";
import type { Uuid, UuidLike } from "../core/uuid.ts";
import { joinManufacturerData, type ManufacturerData } from "./ad-fields.ts";
import { AdvertisingData, distinctUuids } from "./advertising-data.ts";
import type { DuplicateFilter } from "./duplicate-filter.ts";
import {
  AdvertisingEventType,
  ANONYMOUS,
  CONNECTABLE,
  DATA_STATUS,
  DataStatus,
  DIRECT_ADDRESS_AT,
  DIRECTED,
  fourAt,
  isScannable,
  isScanResponse,
  LEGACY_PDU,
  LEGACY_REPORT,
  PERIODIC_INTERVAL_AT,
  PRIMARY_PHY_AT,
  type ReportLayout,
  RSSI_AT,
  SCAN_RESPONSE,
  SCANNABLE,
  SECONDARY_PHY_AT,
  SID_AT,
  TX_POWER_AT,
  UNRESOLVED_TARGET,
} from "./report-layout.ts";

/** Finds the identity address behind a private address, where its key is known. */
export type ResolveAddress = (address: Address) => Address | undefined;

const RSSI_NOT_AVAILABLE = 127;
const POWER_NOT_AVAILABLE = 127;
const NO_SID = 0xff;
const PERIODIC_UNIT_MS = 1.25;
const DATA_AT = LEGACY_REPORT.dataAt;
/** By the values of HCI; 0: none. 3 and 4 are LE Coded, with S=8 and S=2 where a host has asked to be told (Vol 4 Part E 7.7.65.13). */
const PHYS = [undefined, "1M", "2M", "coded", "coded"] as const;

/**
 * One advertising report, read in place from the controller's packet: nothing is decoded until it is asked for.
 *
 * The object may be kept; it then keeps its packet. `keep()` copies the few octets of the report where the packet may be a part of a
 * larger buffer (a socket's, say) that should not be held.
 */
export class Advertisement {
  readonly #packet: Uint8Array;
  readonly #offset: number;
  readonly #end: number;
  readonly #resolve: ResolveAddress | undefined;
  /** The report this one completes: the advertisement of a scan response, or the scan response of an advertisement. */
  readonly #other: Advertisement | undefined;
  readonly #layout: ReportLayout;
  #address: Address | undefined;
  #data: AdvertisingData | undefined;

  /** @param offset of Event_Type; @param end behind the report; @param layout which of the two reports it is */
  constructor(
    packet: Uint8Array,
    offset: number,
    end: number,
    resolve?: ResolveAddress,
    other?: Advertisement,
    layout: ReportLayout = LEGACY_REPORT,
  ) {
    this.#packet = packet;
    this.#offset = offset;
    this.#end = end;
    this.#resolve = resolve;
    this.#other = other;
    this.#layout = layout;
  }

  /** See AdvertisingEventType; a controller may report other values. Extended advertising has the value of the legacy PDU that is most like it. */
  get eventType(): number {
    if (!this.#layout.isExtended) return this.#packet[this.#offset]!;
    const bits = this.#packet[this.#offset]!;
    if (bits & SCAN_RESPONSE) return AdvertisingEventType.ScanResponse;
    if (bits & CONNECTABLE) return bits & DIRECTED ? AdvertisingEventType.ConnectableDirected : AdvertisingEventType.ConnectableUndirected;
    return bits & SCANNABLE ? AdvertisingEventType.ScannableUndirected : AdvertisingEventType.NonConnectableUndirected;
  }
  get isScanResponse(): boolean {
    return isScanResponse(this.#packet, this.#offset, this.#layout);
  }
  /** Of the advertisement; false for a scan response of a legacy report whose advertisement was not heard. */
  get connectable(): boolean {
    if (this.#layout.isExtended) return (this.#packet[this.#offset]! & CONNECTABLE) !== 0;
    const type = this.isScanResponse ? this.#other?.eventType : this.eventType;
    return type === AdvertisingEventType.ConnectableUndirected || type === AdvertisingEventType.ConnectableDirected;
  }
  /** Whether the advertiser answers scan requests. */
  get scannable(): boolean {
    return isScannable(this.#packet, this.#offset, this.#layout);
  }
  /** Sent to one device alone; a legacy one (ADV_DIRECT_IND) carries no data. */
  get directed(): boolean {
    if (this.#layout.isExtended) return (this.#packet[this.#offset]! & DIRECTED) !== 0;
    return this.eventType === AdvertisingEventType.ConnectableDirected;
  }
  /** Sent with the PDUs of extended advertising. */
  get isExtended(): boolean {
    return this.#layout.isExtended && (this.#packet[this.#offset]! & LEGACY_PDU) === 0;
  }
  /** The advertiser tells no address; `address` is then zeros. */
  get isAnonymous(): boolean {
    return this.#layout.isExtended && this.#packet[this.#offset + this.#layout.addressAt] === ANONYMOUS;
  }
  /** The controller knows the device by the private address on the air (resolving list): `address` is its identity. */
  get isResolved(): boolean {
    const type = this.#packet[this.#offset + this.#layout.addressAt]!;
    return type === AddressType.PublicIdentity || type === AddressType.RandomIdentity;
  }
  /** It is sent to a resolvable private address that the controller does not know for an own one; `directAddress` has it. */
  get isTargetUnresolved(): boolean {
    return this.#layout.isExtended && this.directed && this.#packet[this.#offset + DIRECT_ADDRESS_AT] === UNRESOLVED_TARGET;
  }
  /** There is more data than was received. */
  get isTruncated(): boolean {
    return this.#layout.isExtended && (this.#packet[this.#offset]! & DATA_STATUS) === DataStatus.Truncated;
  }
  /** Where the advertising event began. */
  get primaryPhy(): "1M" | "coded" {
    return this.#layout.isExtended && this.#packet[this.#offset + PRIMARY_PHY_AT]! >= 3 ? "coded" : "1M";
  }
  /** Where the data came; `undefined` with legacy PDUs. */
  get secondaryPhy(): "1M" | "2M" | "coded" | undefined {
    return this.#layout.isExtended ? PHYS[this.#packet[this.#offset + SECONDARY_PHY_AT]!] : undefined;
  }
  /** Advertising Set Identifier, 0 to 15; `undefined` where there is none. */
  get sid(): number | undefined {
    const sid = this.#layout.isExtended ? this.#packet[this.#offset + SID_AT]! : NO_SID;
    return sid === NO_SID ? undefined : sid;
  }
  /** Who it is sent to, where it is directed and the controller says; a private address of this device among them. */
  get directAddress(): Address | undefined {
    if (!this.#layout.isExtended || !this.directed) return undefined;
    const at = this.#offset + DIRECT_ADDRESS_AT;
    const type = this.isTargetUnresolved ? 1 : this.#packet[at]!;
    return new Address(this.#packet, type, at + 1);
  }
  /** Interval of the periodic advertising that belongs to this advertising set; `undefined` where there is none. */
  get periodicIntervalMs(): number | undefined {
    if (!this.#layout.isExtended) return undefined;
    const at = this.#offset + PERIODIC_INTERVAL_AT;
    const units = this.#packet[at]! | (this.#packet[at + 1]! << 8);
    return units === 0 ? undefined : units * PERIODIC_UNIT_MS;
  }

  /** The address on air. */
  get address(): Address {
    const at = this.#offset + this.#layout.addressAt;
    this.#address ??= this.isAnonymous ? NOBODY : new Address(this.#packet, this.#packet[at]!, at + 1);
    return this.#address;
  }
  /** The address as one number, equal for equal addresses: a key that costs no text. */
  get addressKey(): number {
    return addressKeyAt(this.#packet, this.#offset + this.#layout.addressAt);
  }
  /** Who sends: the address itself when it is public or static, the identity behind a private one when it resolves, else `undefined`. */
  get identity(): Address | undefined {
    if (this.isAnonymous) return undefined;
    const { address } = this;
    if (address.isIdentity) return address;
    return this.#resolve?.(address);
  }

  /** Received signal strength; `undefined` where the controller has none. */
  get rssiDbm(): number | undefined {
    const rssi = (this.#packet[this.#layout.isExtended ? this.#offset + RSSI_AT : this.#end - 1]! << 24) >> 24;
    return rssi === RSSI_NOT_AVAILABLE ? undefined : rssi;
  }

  /** Octets of this report's data, a view that is not to be written to or transferred: later reports of the device may show the same octets. */
  get data(): Uint8Array {
    return this.#packet.subarray(this.#offset + this.#layout.dataAt, this.#end - this.#layout.tail);
  }
  /**
   * The report whose data are of one of the two kinds: this one, or the one that completes it. Static, since a private method of instances is
   * one more thing that the engine writes into each of them.
   */
  static #with(isResponse: boolean, report: Advertisement): Advertisement | undefined {
    let found: Advertisement | undefined = report;
    while (found && found.isScanResponse !== isResponse) found = found.#other;
    return found;
  }
  static #dataOf(report: Advertisement | undefined): AdvertisingData | undefined {
    if (!report) return undefined;
    report.#data ??= new AdvertisingData(report.#packet, report.#offset + report.#layout.dataAt, report.#end - report.#layout.tail);
    return report.#data;
  }
  /** Advertising data; empty for a scan response whose advertisement was not heard. */
  get advertisingData(): AdvertisingData {
    return Advertisement.#dataOf(Advertisement.#with(false, this)) ?? AdvertisingData.empty;
  }
  /** Scan response data, once heard. */
  get scanResponseData(): AdvertisingData | undefined {
    return Advertisement.#dataOf(Advertisement.#with(true, this));
  }

  /**
   * The complete local name, be it in the advertising data or in the scan response; where neither has one, the shortened name. Of two of the
   * same kind the advertising data's.
   */
  get name(): string | undefined {
    const { advertisingData, scanResponseData } = this;
    return (
      advertisingData.completeName ?? scanResponseData?.completeName ?? advertisingData.shortenedName ?? scanResponseData?.shortenedName
    );
  }
  /** A mask of AdFlag, of the advertising data alone: flags are not sent in a scan response (Supplement Part A 1.3). Absent flags are zero. */
  get flags(): number {
    return this.advertisingData.flags;
  }
  /** Of the header of extended advertising, else of the advertising data, else of the scan response. */
  get txPowerDbm(): number | undefined {
    if (this.#layout.isExtended) {
      const power = (this.#packet[this.#offset + TX_POWER_AT]! << 24) >> 24;
      if (power !== POWER_NOT_AVAILABLE) return power;
    }
    return this.advertisingData.txPowerDbm ?? this.scanResponseData?.txPowerDbm;
  }
  /** Of the advertising data, else of the scan response. */
  get appearance(): number | undefined {
    return this.advertisingData.appearance ?? this.scanResponseData?.appearance;
  }
  /** Every service UUID, each once: of complete and incomplete lists, of the advertising data and of the scan response. */
  get serviceUuids(): Uuid[] {
    return distinct(this.advertisingData.serviceUuids, this.scanResponseData?.serviceUuids);
  }
  /** Every solicited service UUID, each once, of both. */
  get solicitedServiceUuids(): Uuid[] {
    return distinct(this.advertisingData.solicitedServiceUuids, this.scanResponseData?.solicitedServiceUuids);
  }
  /** All structures, several of one company included, in the order they were sent, those of the scan response last. */
  get manufacturerData(): ManufacturerData[] {
    return Advertisement.#join(Advertisement.#join(undefined, this, false), this, true) ?? [];
  }
  /** Adds the manufacturer data of one kind, without an object for what else there is. */
  static #join(before: ManufacturerData[] | undefined, report: Advertisement, isResponse: boolean): ManufacturerData[] | undefined {
    const from = Advertisement.#with(isResponse, report);
    if (!from) return before;
    return joinManufacturerData(before, from.#packet, from.#offset + from.#layout.dataAt, from.#end - from.#layout.tail);
  }
  /** All structures, several of one service included, in the order they were sent, those of the scan response last. */
  get serviceData(): { uuid: Uuid; data: Uint8Array }[] {
    return [...this.advertisingData.serviceData, ...(this.scanResponseData?.serviceData ?? [])];
  }

  /** Whether a service list names this UUID. */
  hasService(uuid: UuidLike): boolean {
    return this.advertisingData.hasService(uuid) || (this.scanResponseData?.hasService(uuid) ?? false);
  }

  /** The same report in octets of its own, which no larger buffer is held for. */
  keep(): Advertisement {
    if (this.#offset === 0 && this.#end === this.#packet.length) return this;
    const octets = this.#packet.slice(this.#offset, this.#end);
    return new Advertisement(octets, 0, octets.length, this.#resolve, this.#other?.keep(), this.#layout);
  }

  /** Whether a report says the same, signal strength aside. */
  isSameAs(packet: Uint8Array, offset: number, end: number): boolean {
    const own = this.#packet;
    const at = this.#offset;
    const { isExtended, tail } = this.#layout;
    if (end - offset !== this.#end - at) return false;
    if (!isExtended) return areSame(packet, offset, end - tail, own, at);
    const behind = RSSI_AT + 1;
    return areSame(packet, offset, offset + TX_POWER_AT, own, at) && areSame(packet, offset + behind, end, own, at + behind);
  }

  /** Notes that this was delivered, and with it the report that completes it. @internal */
  note(filter: DuplicateFilter, data: boolean): void {
    this.noteReport(filter, data);
    this.#other?.noteReport(filter, data);
  }

  /** Notes this report alone. @internal */
  noteReport(filter: DuplicateFilter, data: boolean): void {
    filter.note(this.#packet, this.#offset, this.#end, data, this.#layout);
  }

  /** Takes back what `note` noted. @internal */
  forget(filter: DuplicateFilter, data: boolean): void {
    filter.forget(this.#packet, this.#offset, this.#end, data, this.#layout);
    this.#other?.forget(filter, data);
  }

  toString(): string {
    const rssi = this.rssiDbm === undefined ? "" : ` ${this.rssiDbm} dBm`;
    return `${this.isAnonymous ? "anonymous" : this.address}${rssi}${this.name === undefined ? "" : ` "${this.name}"`}`;
  }
}

/** In place of the address of an anonymous advertiser. */
const NOBODY = new Address(new Uint8Array(6), 0);

/** Whether octets of `packet`, four or more, are those of `other` from `at` on. Four at a time, which takes half as long as one by one. */
function areSame(packet: Uint8Array, from: number, to: number, other: Uint8Array, at: number): boolean {
  for (let i = from; i < to; i += 4) {
    const k = Math.min(i, to - 4);
    if (fourAt(packet, k) !== fourAt(other, k - from + at)) return false;
  }
  return true;
}

function distinct(uuids: Uuid[], more: Uuid[] = []): Uuid[] {
  return distinctUuids([...uuids, ...more]);
}

/** Seven octets in place, Address_Type first, as one number below 2^49. Identity types of HCI (2, 3) count as public and random. */
export function addressKeyAt(bytes: Uint8Array, at: number): number {
  return numberOf(bytes[at]! & 1, bytes, at + 1);
}

/** The same number for a decoded address. */
export function addressKey({ bytes, type }: Address): number {
  return numberOf(type, bytes, 0);
}

function numberOf(type: number, bytes: Uint8Array, at: number): number {
  return (type * 0x1_0000 + (bytes[at + 5]! << 8) + bytes[at + 4]!) * 0x1_0000_0000 + (fourAt(bytes, at) >>> 0);
}

/** A report as a controller would send it, for tests and replays. */
export function createAdvertisement(report: {
  address: Address;
  eventType?: number;
  data?: Uint8Array;
  rssiDbm?: number;
  resolve?: ResolveAddress;
  /** The report that it completes, or that completes it. */
  other?: Advertisement;
}): Advertisement {
  const data = report.data ?? new Uint8Array(0);
  const octets = new Uint8Array(DATA_AT + data.length + 1);
  octets[0] = report.eventType ?? AdvertisingEventType.ConnectableUndirected;
  octets[1] = report.address.type;
  octets.set(report.address.bytes, 2);
  octets[8] = data.length;
  octets.set(data, DATA_AT);
  octets[octets.length - 1] = (report.rssiDbm ?? RSSI_NOT_AVAILABLE) & 0xff;
  return new Advertisement(octets, 0, octets.length, report.resolve, report.other);
}
