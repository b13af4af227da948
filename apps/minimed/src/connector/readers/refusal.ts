import { AttError, AttErrorCode } from "jelling/att";
import { PumpError } from "../../error.ts";
import type { PumpChannel } from "../pump-channel.ts";

/** Of ATT, how a pump says that it has no such thing, or none at present. */
const NONE: ReadonlySet<number> = new Set([
  AttErrorCode.ReadNotPermitted,
  AttErrorCode.WriteNotPermitted,
  AttErrorCode.RequestNotSupported,
]);
/** Application errors of the services: a checksum or a counter that the pump does not take (0x80 to 0x82). */
const PROTECTION: ReadonlySet<number> = new Set([0x80, 0x81, 0x82]);

export function refused(what: string, code: string | number): PumpError {
  return new PumpError("ERR_PUMP_REFUSED", `The pump does not give ${what}: ${String(code).replaceAll("_", " ")}.`);
}

/**
 * What asking a control point gives; undefined where the pump does not take the question because there is nothing to tell.
 *
 * @throws {PumpError} ERR_PUMP_PROTOCOL it does not accept checksum or counter · ERR_PUMP_REFUSED any other refusal of the write
 */
export async function orNone<T>(channel: PumpChannel, what: string, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AttError)) throw error;
    if (NONE.has(error.errorCode)) {
      channel.logger.info(() => `the pump does not give ${what}: ${error.message}`);
      return undefined;
    }
    if (PROTECTION.has(error.errorCode))
      throw new PumpError("ERR_PUMP_PROTOCOL", `The pump does not accept the checksum or counter of the request for ${what}.`, {
        cause: error,
      });
    throw new PumpError("ERR_PUMP_REFUSED", `The pump does not take the request for ${what}: ${error.message}.`, { cause: error });
  }
}
