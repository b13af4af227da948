import type { CharacteristicProperty } from "../properties.ts";
import type { AttributePermissions } from "../server/definition.ts";

// Data alone: what JSON can hold. Lists are in the order of their handles.

/** A value: what is not said is as for the server's own definitions. */
export interface ValueDescription {
  readonly uuid: string;
  /** Hexadecimal, the octets in their order on air. Without it the value is empty; those that the server keeps for each client have none. */
  readonly value?: string | undefined;
  /** Octets, 0 to 512; 512 unless given. */
  readonly maxLength?: number | undefined;
  readonly fixedLength?: boolean | undefined;
  /** Whether it may be read and written, where the properties say otherwise. */
  readonly readable?: boolean | undefined;
  readonly writable?: boolean | undefined;
  /** What may be written may be by request and by command alike. */
  readonly anyWrite?: boolean | undefined;
  /** What the link must have; "open" unless given. */
  readonly permissions?: AttributePermissions | undefined;
  /** Reads are answered with this ATT error code, 1 to 255, in place of a value. */
  readonly readError?: number | undefined;
}

/** 0x2902 of a characteristic that is notified or indicated is its Client Characteristic Configuration, and has nothing but its handle. */
export interface DescriptorDescription extends ValueDescription {
  readonly handle: number;
}

export interface CharacteristicDescription extends ValueDescription {
  /** Of the declaration. */
  readonly handle: number;
  readonly valueHandle: number;
  /** The octet of the declaration; what extended properties there are the descriptor 0x2900 says by its value. */
  readonly properties: readonly CharacteristicProperty[];
  /** All of them: none is made by itself. */
  readonly descriptors?: readonly DescriptorDescription[] | undefined;
}

export interface IncludeDescription {
  /** Of the declaration. */
  readonly handle: number;
  /** Handle of the service that is included. */
  readonly service: number;
}

export interface ServiceDescription {
  readonly uuid: string;
  readonly handle: number;
  /** Last handle of the service, which may lie behind its last attribute. */
  readonly endHandle: number;
  /** True unless given. */
  readonly primary?: boolean | undefined;
  readonly includes?: readonly IncludeDescription[] | undefined;
  readonly characteristics?: readonly CharacteristicDescription[] | undefined;
}

/** A GATT database as data: every attribute at its handle, gaps and service ends included (Vol 3 Part G 3). */
export interface GattDescription {
  readonly services: readonly ServiceDescription[];
}
