import type { StatusName } from "../../../mgmt-protocol/index.ts";
import type { Controller } from "../controller.ts";
import type { DeviceInRange } from "./device-in-range.ts";

/** What a program says to a question: yes or no, a passkey, a PIN; undefined to refuse. */
export type Answer = boolean | number | Uint8Array | undefined;
export type Question = "confirm" | "passkey" | "pin";

/** A pairing under way on a link. */
export interface LinkPairing {
  /** What is asked at this end. */
  questionAt(link: Link): Question | undefined;
  /** Takes the answer. What follows from it comes later. */
  answer(link: Link, answer: Answer): void;
  /** The link is gone, or somebody gave up. */
  abort(status: StatusName): void;
}

/** One end of a link: that of a controller of this kernel. */
export interface Link {
  readonly controller: Controller;
  /** The peer as programs know it: its identity once that is known. */
  address: string;
  addressType: number;
  readonly device: DeviceInRange | undefined;
  /** The other end, where that is a controller of this kernel too. */
  other: Link | undefined;
  readonly isInitiator: boolean;
  /** A link nobody uses is closed after a while. */
  idleTimer: Disposable | undefined;
  pairing: LinkPairing | undefined;
  isClosed: boolean;
}
