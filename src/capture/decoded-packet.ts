import type { Address } from "../core/address.ts";
import type { Uuid } from "../core/uuid.ts";
import type { Fields } from "../mgmt-protocol/index.ts";
import type { CaptureDirection } from "./record.ts";

/** Which way management traffic goes. */
export type ManagementDirection = "program-to-kernel" | "kernel-to-program";

/** What a record of a capture says. */
export interface DecodedPacket {
  /** Position in the capture, from 1. */
  readonly number: number;
  /** Milliseconds since 1970-01-01 UTC. */
  readonly timeMs: number;
  /** Absent where nothing was sent: notes, adapters that come and go. */
  readonly direction?: CaptureDirection | ManagementDirection | undefined;
  /** `mgmt` is the traffic of management sockets, `mon` what else the Linux monitor tells. */
  readonly layer: "hci" | "acl" | "l2cap" | "att" | "smp" | "mgmt" | "mon";
  /** Number of the adapter, where the capture tells adapters apart; `NO_INDEX` where the record is about none. */
  readonly index?: number | undefined;
  /** Name of the command, event or PDU in the specification's words; for what has none here the code in hexadecimal. */
  readonly name: string;
  readonly connectionHandle?: number | undefined;
  /** Peer of the connection, once the capture has told it. */
  readonly peer?: Address | undefined;
  /** Number of the socket that a management packet went through. */
  readonly cookie?: number | undefined;
  /** Name of the program that has this socket, once the capture has told it. */
  readonly program?: string | undefined;
  /** Decoded values by their names in the specification; octets as `Uint8Array`. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** For management packets: how their fields are declared. */
  readonly declared?: Fields | undefined;
  /** Whether zeros stand in place of secrets. */
  readonly redacted?: boolean | undefined;
  /** For ATT: the type of the attribute that is spoken about, learned from discovery. */
  readonly attributeType?: Uuid | undefined;
  /** What the capture says about it: the call that it comes from. */
  readonly comment?: string | undefined;
  /** What is wrong with the packet; `fields` then holds its octets as `raw`. */
  readonly malformed?: string | undefined;
}

/** What a record says, without its place in the capture. */
export type DecodedContent = Pick<DecodedPacket, "layer" | "name" | "fields"> & Partial<DecodedPacket>;

/** Of an object that nobody else has yet. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };
