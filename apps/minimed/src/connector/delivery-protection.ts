import { PumpDataError } from "../data/error.ts";
import { nextE2eCounter, openProtected } from "../idd/protection.ts";
import type { PumpValueName } from "./pump-handles.ts";

/** E2E protection of what the insulin delivery service sends during one connection. Bit 0 of IDD Features says whether there is any. */
export class DeliveryProtection {
  /** Set from IDD Features, before anything else of the service is read. */
  isOn = false;
  /** Counter of the last value of each characteristic. */
  readonly #counters = new Map<PumpValueName, number>();

  /**
   * The content of a value that the pump sent. A counter that is out of order is refused, and the next one is measured by it.
   *
   * @throws {PumpDataError} "crc", "counter", "length"
   */
  open(name: PumpValueName, bytes: Uint8Array): Uint8Array {
    if (!this.isOn) return bytes;
    const last = this.#counters.get(name);
    this.#counters.delete(name); // one that cannot be read may have had any
    const { content, counter } = openProtected(name, bytes);
    this.#counters.set(name, counter);
    // The first one that is seen may be any: the pump may have sent some before, to who does not listen any more.
    const isExpected = counter !== 0 && (last === undefined || counter === nextE2eCounter(last));
    if (!isExpected) throw new PumpDataError("counter", `${name}: E2E counter ${counter} behind ${last ?? "none"}`);
    return content;
  }
}
