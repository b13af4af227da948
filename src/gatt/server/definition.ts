import type { LinkSecurity } from "../../att/security.ts";
import type { Address } from "../../core/address.ts";
import type { Uuid, UuidLike } from "../../core/uuid.ts";
import type { CharacteristicProperty } from "../properties.ts";
import type { Access } from "./access.ts";

/** Who is on the other end of a bearer, as the server sees it. The link's security is the bearer's. */
export interface GattPeer {
  /** Tells peers apart in a program's own records: one string for one bonded peer, whatever address it uses. */
  readonly id: string;
  readonly address: Address;
  /** There is a bond with it, whether or not its key is in use: decides how a client is told that it must encrypt. */
  readonly bonded?: boolean | undefined;
  /**
   * What a bonded peer left in earlier connections: values of Client Characteristic Configuration descriptors and of Client Supported
   * Features, by attribute handle. Looked at when the link becomes encrypted with the bond's key.
   */
  readonly storedCccd?: Readonly<Record<number, number>> | undefined;
  /** What each of those configures, as it was given with it; lets them outlive a change of the database in another run of the program. */
  readonly storedCccdOf?: Readonly<Record<number, string>> | undefined;
  /**
   * Called for a bonded peer when such a value changes; 0 forgets it. `of` says what it configures: "180f/2a19", the types of the service and
   * of the characteristic.
   */
  onCccdChanged?(handle: number, value: number, of?: string): void;
  /** Database Hash (hexadecimal) that a bonded peer last knew. */
  readonly storedDatabaseHash?: string | undefined;
  /** Called for a bonded peer that now knows the database with this hash. */
  onDatabaseHash?(hash: string): void;
  /**
   * Who signed a PDU that ends with a signature (Vol 3 Part H 2.4.5); `undefined` where it is nobody's, or was taken before. Without it
   * signed writes are dropped.
   */
  verifySignature?(signed: Uint8Array): Promise<{ readonly authenticated: boolean } | undefined>;
  /** Asked for each access to an attribute that requires authorization; without it such access is refused. */
  authorize?(access: { readonly handle: number; readonly write: boolean }): boolean | Promise<boolean>;
}

/** How a value is written: by request, by command without an answer, as the end of prepared writes, by a command that is signed. */
export type WriteKind = "write" | "command" | "execute" | "signed";

/** What a handler learns about the access it serves. */
export interface GattRequest {
  readonly peer: GattPeer;
  readonly security: LinkSecurity;
  /** The attribute's handle. */
  readonly handle: number;
  /** For a read, what the client asked for (the handler gives the whole value all the same). 0 for a write: prepared parts were merged. */
  readonly offset: number;
  /** "command" and "signed" are not answered; "execute" ends a long or reliable write. A `read` handler sees it too where it is asked for the rest of the value. */
  readonly operation: "read" | WriteKind;
  /** Aborts when the link is lost or the handler took too long. */
  readonly signal: AbortSignal;
  /** Calls `callback` once the response has left; for a command at once after the handler. */
  afterResponse(callback: () => void): void;
}

/** Gives the whole value, at most 512 octets; the server cuts out what was asked for. @throws {AttError} to refuse with its code */
export type ReadHandler = (request: GattRequest) => Uint8Array | Promise<Uint8Array>;
/**
 * Takes a written value, which is the handler's to keep. It is the whole value: the parts of a long write are merged into what `read` gives, or
 * into the stored value where there is no `read`. @throws {AttError} to refuse with its code */
export type WriteHandler = (value: Uint8Array, request: GattRequest) => void | Promise<void>;

/** A client's configuration of a characteristic. */
export interface SubscriptionState {
  readonly notify: boolean;
  readonly indicate: boolean;
  /** From an earlier connection of a bonded peer, without any write in this one. */
  readonly restored: boolean;
}

/** Called before a write to the CCCD is answered; an AttError refuses it. What it sends leaves after the response. */
export type SubscriptionHandler = (peer: GattPeer, state: SubscriptionState) => void | Promise<void>;

export interface AttributePermissions {
  readonly read?: Access | undefined;
  readonly write?: Access | undefined;
  /** For writing the CCCD and for being notified; as `read` unless given. */
  readonly subscribe?: Access | undefined;
}

export interface ValueDefinition {
  readonly uuid: UuidLike;
  /** The value, where no `read` handler gives it and no `write` handler takes it. */
  readonly value?: Uint8Array | undefined;
  /** Longest value that may be written, 512 by default. */
  readonly maxLength?: number | undefined;
  /** The value keeps the length of `value`: a shorter write changes its beginning, a longer one is refused. */
  readonly fixedLength?: boolean | undefined;
  readonly permissions?: AttributePermissions | undefined;
  /** Whether clients may read it, whatever the properties say. By default they say it, and a descriptor may be read. */
  readonly readable?: boolean | undefined;
  /**
   * Whether clients may write it, whatever the properties say. By default they say it, and a descriptor may be written where it has a `write`
   * handler. How it is written the properties say; by request where they say nothing.
   */
  readonly writable?: boolean | undefined;
  /** What may be written may be by request and by command alike. By default the properties say how, and a descriptor is written by request. */
  readonly anyWrite?: boolean | undefined;
  readonly read?: ReadHandler | undefined;
  /** `read` is asked anew for each part of a long read. By default all parts are of the value that it gave for the first. */
  readonly readEachPart?: boolean | undefined;
  /** Is handed every write; the stored `value` then changes only where the handler sets it. */
  readonly write?: WriteHandler | undefined;
}

export interface DescriptorDefinition extends ValueDefinition {
  /** Behind the characteristic's other attributes so far; otherwise the next one. */
  readonly handle?: number | undefined;
}

export interface CharacteristicDefinition extends ValueDefinition {
  readonly properties: readonly CharacteristicProperty[];
  readonly onSubscription?: SubscriptionHandler | undefined;
  /** Makes a Characteristic User Description. */
  readonly description?: string | undefined;
  /**
   * Descriptors in this order. A Client Characteristic Configuration is put before them for "notify" and "indicate", and an Extended
   * Properties descriptor for "reliable-write" and "writable-auxiliaries"; listing 0x2902 without a value places it elsewhere. With handlers of
   * its own, of a characteristic that is neither notified nor indicated, it is a descriptor like any other.
   */
  readonly descriptors?: readonly DescriptorDefinition[] | undefined;
  /** The descriptors are those listed, and none is made: "notify" without a Client Characteristic Configuration can be had, and any other mixture. */
  readonly descriptorsAsListed?: boolean | undefined;
  /** Handle of the declaration, behind what comes before it; otherwise the next one. Handles in a service need the service's own. */
  readonly handle?: number | undefined;
  /** Handle of the value, behind the declaration; otherwise the next one. */
  readonly valueHandle?: number | undefined;
}

/** A service that is in the database already. */
export interface IncludableService {
  readonly uuid: Uuid;
  readonly handle: number;
  readonly endHandle: number;
  /** Handle of the include declaration; otherwise they follow the service's declaration. */
  readonly includeHandle?: number | undefined;
}

export interface ServiceDefinition {
  readonly uuid: UuidLike;
  /** True unless given. A secondary service is found through those that include it. */
  readonly primary?: boolean | undefined;
  readonly includes?: readonly IncludableService[] | undefined;
  readonly characteristics: readonly CharacteristicDefinition[];
  /** Handle of the service declaration, where it must be a certain one; otherwise after everything added so far. */
  readonly handle?: number | undefined;
  /** Last handle of the service, which may lie behind its last attribute; otherwise that one's. Needs `handle`. */
  readonly endHandle?: number | undefined;
}

/** The short form of `GattServer.add`: a value to be read, or written where `write` is given. */
export interface LooseValueDefinition extends ValueDefinition {
  readonly properties?: readonly CharacteristicProperty[] | undefined;
}

export interface NotifyOptions {
  /** This peer only, which must have subscribed. Without it every subscriber. */
  readonly to?: GattPeer | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}
