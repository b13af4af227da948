/** An adapter that this machine has, or that a page was given. */
export interface FoundTransport {
  /** Opens it, here and now: "usb:1-2", "hci:0". */
  readonly spec: string;
  readonly kind: "usb" | "hci";
  /** What it calls itself, where it does. */
  readonly name?: string | undefined;
  /** Its device address, where that is told without opening it (`hci`, by the management API). */
  readonly address?: string | undefined;
  /** Vendor and product, "0a12:0001", and its serial number where it has one. */
  readonly usbId?: string | undefined;
  readonly serialNumber?: string | undefined;
}

/** A kind of adapters that come and go. */
export interface TransportSource {
  /** Those that are there. @throws the platform does not tell */
  list(): Promise<readonly FoundAdapter[]>;
  /** Calls `changed` when it is time to look again, until it is disposed. */
  watch(changed: () => void): Disposable;
}

/** `key` is another one when an adapter was away meanwhile, where the platform tells. */
export interface FoundAdapter {
  readonly key: string;
  readonly found: FoundTransport;
}

/** Adapters that come and go by themselves. */
export interface TransportChange {
  readonly change: "added" | "removed";
  readonly transport: FoundTransport;
}
