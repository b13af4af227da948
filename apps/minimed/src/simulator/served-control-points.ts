import { AttError, AttErrorCode } from "jelling/att";
import type { GattRequest, LocalCharacteristic } from "jelling/gatt";
import type { SimulatedPumpFaults } from "./faults.ts";

/** One procedure at a time over all control points of a service, and only with a client that can hear the answer. */
export class ServedControlPoints {
  readonly #faults: SimulatedPumpFaults;
  #running: { readonly stop: () => void } | undefined;

  constructor(faults: SimulatedPumpFaults) {
    this.#faults = faults;
  }

  get busy(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Within the handler of a write: `serve` runs when the response has left, and until it is done no other procedure begins.
   *
   * @throws {AttError} CCCD Improperly Configured, Procedure Already in Progress
   */
  begin(controlPoint: LocalCharacteristic, request: GattRequest, serve: (signal: AbortSignal) => Promise<void> | void): void {
    checkSubscribed(controlPoint, request);
    if (this.#running || this.#faults.strike("busyWrites")) throw new AttError(AttErrorCode.ProcedureAlreadyInProgress);
    const control = new AbortController();
    const running = { stop: () => control.abort() };
    this.#running = running;
    const end = (): void => {
      if (this.#running === running) this.#running = undefined;
    };
    if (this.#faults.strike("unansweredRequests")) {
      request.afterResponse(end);
      return;
    }
    request.afterResponse(() => void Promise.resolve(serve(control.signal)).then(end, end));
  }

  /** Stops the procedure that runs, if one does. */
  stop(): void {
    this.#running?.stop();
    this.#running = undefined;
  }
}

/** @throws {AttError} CCCD Improperly Configured */
export function checkSubscribed(controlPoint: LocalCharacteristic, { peer }: GattRequest): void {
  if (!controlPoint.subscribers.some(({ id }) => id === peer.id)) throw new AttError(AttErrorCode.CccdImproperlyConfigured);
}
