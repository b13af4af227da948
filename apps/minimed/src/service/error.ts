import { BleError } from "jelling/core";

export type PumpServiceErrorCode =
  /** The configuration is not what it should be; `problems` has everything that is wrong with it. */
  | "ERR_PUMP_SERVICE_CONFIG"
  /** A file that the configuration names cannot be used: missing, empty, too large, or open to others. */
  | "ERR_PUMP_SERVICE_FILE";

/** The service cannot begin as it is set up. Messages name files and settings, and never what stands in them. */
export class PumpServiceError extends BleError {
  readonly code: PumpServiceErrorCode;
  /** One sentence each. */
  readonly problems: readonly string[];
  constructor(code: PumpServiceErrorCode, problems: readonly string[], options?: ErrorOptions) {
    // Whoever shows them in one line still shows where one ends.
    super(problems.map((problem) => (/[.!?]$/.test(problem) ? problem : `${problem}.`)).join("\n"), options);
    this.code = code;
    this.problems = problems;
  }
}
