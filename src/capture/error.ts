import { BleError } from "../core/error.ts";

/** A capture file is not what its format says; `offset` is where in the file, in octets. What came before it was delivered. */
export class CaptureError extends BleError {
  readonly code = "ERR_CAPTURE";
  /** `truncated`: the file ends inside a record, as it does after a crash; `not-a-capture`: another kind of file; `damaged`: a length that cannot be. */
  readonly reason: "not-a-capture" | "unsupported" | "truncated" | "damaged";
  readonly offset: number;
  /** Whole records read before the fault. */
  readonly records: number;
  constructor(reason: CaptureError["reason"], problem: string, at: { offset: number; records: number }, options?: ErrorOptions) {
    super(problem, options);
    this.reason = reason;
    this.offset = at.offset;
    this.records = at.records;
  }
}
