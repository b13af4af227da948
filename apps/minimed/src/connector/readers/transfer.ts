import { TimeoutError } from "jelling/core";
import type { PumpChannel } from "../pump-channel.ts";
import type { ControlPointName } from "../requests.ts";

/** A transfer of records: what asks for them, and what stops it. */
export interface Transfer<Response> {
  readonly name: Extract<ControlPointName, "cgmRecordAccess" | "iddRecordAccess">;
  readonly opcode: number;
  readonly operand: Uint8Array;
  readonly abort: { readonly opcode: number; readonly operand: Uint8Array };
  /** Reads an indication: the response to `opcode`, or undefined. */
  readonly read: (plaintext: Uint8Array, opcode: number) => Response | undefined;
  /** Stops it: the pump is told, and its answer is waited for. */
  readonly signal: AbortSignal;
}

export type TransferEnd<Response> =
  | { readonly kind: "answered"; readonly response: Response }
  /** It was stopped before its end, and the pump knows. `error` says why. */
  | { readonly kind: "stopped"; readonly error: unknown };

/**
 * Runs a transfer within an operation of the channel. One that makes no progress for 10 s, or is stopped, is aborted, and the pump's answer to
 * that is waited for: what comes of it later could be taken for the next one's.
 *
 * @throws {TimeoutError} the pump does not take the request, or does not answer the abort · {AttError} it refuses · why the session ended
 */
export async function transfer<Response>(
  channel: PumpChannel,
  { name, opcode, operand, abort, read, signal }: Transfer<Response>,
): Promise<TransferEnd<Response>> {
  let isTaken = false;
  const onTaken = (): void => {
    isTaken = true;
  };
  try {
    const response = await channel.exchange(name, { opcode, operand, e2eCrc: false }, (plaintext) => read(plaintext, opcode), {
      signal,
      onTaken,
    });
    return { kind: "answered", response };
  } catch (error) {
    // A pump that has not even taken the request takes no other one either.
    if (channel.ended || !isTaken || !(signal.aborted || error instanceof TimeoutError || isOfData(error))) throw error;
    channel.logger.info(() => `the transfer is aborted: ${error instanceof Error ? error.message : String(error)}`);
    // Records that go on coming do not prolong it.
    await channel.exchange(name, { ...abort, e2eCrc: false }, (plaintext) => answerTo(read, plaintext, abort.opcode), { prolonged: false });
    return { kind: "stopped", error };
  }
}

/** The answer to the abort, whatever else comes before it: the response of what was aborted, or something that cannot be read. */
function answerTo<Response>(
  read: (plaintext: Uint8Array, opcode: number) => Response | undefined,
  plaintext: Uint8Array,
  opcode: number,
): Response | undefined {
  try {
    return read(plaintext, opcode);
  } catch (error) {
    if (isOfData(error)) return undefined;
    throw error;
  }
}

function isOfData(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === "ERR_PUMP_DATA";
}
