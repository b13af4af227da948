import { decodeFloat, decodeSfloat } from "jelling/bytes";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { type Named, named } from "../data/named.ts";
import { type IddProtection, unprotected } from "./protection.ts";
import { IDD_RESULTS, type IddResult } from "./results.ts";

/** The operation codes of the command control point that read. All others alter therapy or state, and have no name here. */
export const CommandReadOpcode = Object.freeze({ GetMaximumBolus: 0x147d, GetHighLowSettings: 0x148e });
/** Operand of GetHighLowSettings. */
export const SettingsType = Object.freeze({ Low: 0, High: 1 });

const RESPONSE = 0x0f55;
const HIGH_LOW_RESPONSE = 0x148f;
const MAXIMUM_BOLUS_RESPONSE = 0x1482;
const TYPES = { 0: "low", 1: "high" } as const;

/** Limits through the day: blocks fill it from midnight. A limit of 0 is off in its block. mg/dL on every pump. */
export interface HighLowSettings {
  readonly type: Named<"low" | "high">;
  readonly firstBlockIndex: number;
  readonly blocks: readonly { readonly durationMin: number; readonly limitMgdl: number | undefined }[];
}

export type CommandReadResponse =
  | { readonly kind: "response_code"; readonly requestOpcode: number; readonly code: Named<IddResult> }
  | ({ readonly kind: "high_low_settings" } & HighLowSettings)
  | { readonly kind: "maximum_bolus"; readonly amountIu: number | undefined };

/** A notification of Command Data or an indication of the command control point, decrypted. @throws {PumpDataError} */
export function decodeCommandRead(bytes: Uint8Array, protection: IddProtection): CommandReadResponse {
  const name = "IDD Command Control Point";
  return decodeValue(name, unprotected(name, bytes, protection), (reader): CommandReadResponse => {
    const opcode = reader.u16();
    switch (opcode) {
      case RESPONSE:
        return { kind: "response_code", requestOpcode: reader.u16(), code: named(IDD_RESULTS, reader.u8()) };
      case HIGH_LOW_RESPONSE: {
        const flags = reader.u8();
        const type = named(TYPES, reader.u8());
        const firstBlockIndex = reader.u8();
        const count = 1 + (flags & 1) + ((flags >> 1) & 1);
        const blocks = Array.from({ length: count }, () => ({ durationMin: reader.u16(), limitMgdl: decodeSfloat(reader.u16()).value }));
        return { kind: "high_low_settings", type, firstBlockIndex, blocks };
      }
      case MAXIMUM_BOLUS_RESPONSE:
        // SFLOAT by the SIG, FLOAT where this pump does as it does elsewhere: the length tells.
        return {
          kind: "maximum_bolus",
          amountIu: (reader.remaining === 4 ? decodeFloat(reader.u32()) : decodeSfloat(reader.u16())).value,
        };
      default:
        throw new PumpDataError("opcode", `${name}: unexpected response 0x${opcode.toString(16).padStart(4, "0")}`);
    }
  });
}
