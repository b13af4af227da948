import type { Controller } from "./controller.ts";
import type { DeviceInRange } from "./device-in-range.ts";

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
  /** Programs that use it; without any it is closed after a while. */
  users: number;
  idleTimer: Disposable | undefined;
  /** A pairing on it ends with it. */
  onClosed: (() => void) | undefined;
  isClosed: boolean;
}
