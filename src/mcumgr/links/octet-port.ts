import type { BleError } from "../../core/error.ts";

/** A line: octets both ways, in order, with no edges between messages. */
export interface OctetPort extends AsyncDisposable {
  /** For people: "serial", and "/dev/ttyACM0 at 115200 baud". */
  readonly info: { readonly kind: string; readonly target: string };
  /** What came, in pieces of any size. A piece belongs to the receiver. */
  onOctets: ((octets: Uint8Array) => void) | undefined;
  /** The line is gone. Called once; not after disposing. */
  onClose: ((reason: BleError) => void) | undefined;
  /**
   * Resolves when the port would take more. Called again only then.
   *
   * @throws the reason, when the line is gone
   */
  write(octets: Uint8Array): Promise<void>;
}
