import { decodeFloat, decodeSfloat, type Reader } from "jelling/bytes";
import { decodeValue, PumpDataError } from "../data/error.ts";
import { type Named, named } from "../data/named.ts";
import { type IddProtection, unprotected } from "./protection.ts";
import { IDD_RESULTS, type IddResult } from "./results.ts";
import {
  BASAL_CONTEXTS,
  type BasalContext,
  BOLUS_ACTIVATIONS,
  BOLUS_TYPES,
  type BolusActivation,
  type BolusType,
  TEMPORARY_BASAL_TYPES,
  type TemporaryBasalType,
} from "./words.ts";

const NAME = "IDD Status Reader Control Point";

/** Operation codes of the status reader. All of them read, but for the reset of the bits of IDD Status Changed. */
export const StatusReaderOpcode = Object.freeze({
  ResetStatus: 0x030c,
  GetActiveBolusIds: 0x0330,
  GetActiveBolusDelivery: 0x0356,
  GetActiveBasalRateDelivery: 0x0365,
  GetTotalDailyInsulin: 0x0395,
  GetCounter: 0x03a6,
  GetDeliveredInsulin: 0x03c0,
  GetInsulinOnBoard: 0x03f3,
  GetTherapyAlgorithmStates: 0x03fd,
  GetDisplayFormat: 0x03ff,
  GetTimeInRange: 0x0401,
  GetSensorWarmUpRemaining: 0x0403,
  GetCalibrationIcon: 0x0405,
  GetEarlyCalibrationTime: 0x0407,
});

const RESPONSE = 0x0303;

export const SHIELD_STATES = { 1: "open_loop", 2: "auto_basal_mode", 3: "safe_basal_mode" } as const;
export type ShieldState = (typeof SHIELD_STATES)[keyof typeof SHIELD_STATES];
export const READINESS_STATES = {
  0: "no_action_required",
  1: "bg_required",
  2: "processing_bg",
  3: "wait_to_enter_bg",
  4: "calibration_required",
  5: "bg_recommended",
} as const;
export type ReadinessState = (typeof READINESS_STATES)[keyof typeof READINESS_STATES];
/** Of suspend on low and of suspend before low. */
export const SUSPEND_STATES = { 0: "feature_on_sg_unavailable", 1: "feature_on_suspended", 2: "feature_on" } as const;
export type SuspendState = (typeof SUSPEND_STATES)[keyof typeof SUSPEND_STATES];
export const INSULIN_RESOLUTIONS = { 0: "tenths", 1: "hundredths", 2: "thousandths" } as const;
export type InsulinResolution = (typeof INSULIN_RESOLUTIONS)[keyof typeof INSULIN_RESOLUTIONS];
export const LANGUAGES = Object.freeze({
  0: "german",
  1: "spanish",
  2: "french",
  3: "italian",
  4: "dutch",
  5: "swedish",
  6: "czech",
  7: "danish",
  8: "hungarian",
  9: "norwegian",
  10: "polish",
  11: "portuguese",
  12: "slovene",
  13: "finnish",
  14: "turkish",
  15: "hebrew",
  16: "arabic",
  17: "russian",
  18: "greek",
  19: "slovak",
  20: "chinese",
  21: "japanese",
  22: "korean",
} as const);
export type Language = (typeof LANGUAGES)[keyof typeof LANGUAGES] | "english";
export const COUNTER_TYPES = { 15: "lifetime", 51: "warranty", 60: "loaner", 85: "reservoir" } as const;
export const COUNTER_SELECTIONS = { 15: "remaining", 51: "elapsed" } as const;

/** Shares of a day. They mean nothing where `notEnoughData` is true. */
export interface TimeInRange {
  readonly notEnoughData: boolean;
  readonly abovePercent: number;
  readonly belowPercent: number;
  readonly inRangePercent: number;
  readonly smartGuardPercent: number;
}

/** Amounts in IU; undefined for a special word. Times in minutes, undefined where the pump gives none. */
export interface InsulinOnBoard {
  readonly insulinOnBoardIu: number | undefined;
  readonly remainingDurationMin: number | undefined;
  readonly partialStatusDurationMin: number | undefined;
  readonly partialStatusRemaining: number | undefined;
}

export interface TherapyAlgorithmStates {
  readonly flags: number;
  readonly shield: Named<ShieldState> | undefined;
  readonly readiness: Named<ReadinessState> | undefined;
  /** Suspend before low. */
  readonly plgm: Named<SuspendState> | undefined;
  /** Suspend on low. */
  readonly lgs: Named<SuspendState> | undefined;
  readonly temporaryTargetMin: number | undefined;
  readonly waitToCalibrateMin: number | undefined;
  readonly safeBasalMin: number | undefined;
}

export interface ActiveBasalRate {
  readonly profileTemplateNumber: number;
  /** IU/h. In closed loop 0, or what was configured last: micro boluses do the work. */
  readonly configuredRate: number | undefined;
  readonly temporaryBasal:
    | {
        readonly type: Named<TemporaryBasalType>;
        /** IU/h, or a factor. */
        readonly adjustment: number | undefined;
        readonly programmedMin: number;
        readonly remainingMin: number;
      }
    | undefined;
  readonly temporaryBasalTemplateNumber: number | undefined;
  readonly context: Named<BasalContext> | undefined;
}

export interface ActiveBolus {
  readonly flags: number;
  readonly bolusId: number;
  readonly bolusType: Named<BolusType>;
  readonly fastIu: number | undefined;
  readonly extendedIu: number | undefined;
  readonly durationMin: number;
  readonly delayMin: number | undefined;
  readonly templateNumber: number | undefined;
  readonly activation: Named<BolusActivation> | undefined;
}

export interface DisplayFormat {
  readonly clock24h: boolean;
  readonly language: Named<Language>;
  readonly carbohydratesInExchanges: boolean;
  readonly activeInsulinResolution: Named<InsulinResolution>;
}

/** An indication of the status reader. */
export type StatusReaderResponse =
  | { readonly kind: "response_code"; readonly requestOpcode: number; readonly code: Named<IddResult> }
  | { readonly kind: "active_bolus_ids"; readonly bolusIds: readonly number[] }
  | ({ readonly kind: "active_bolus" } & ActiveBolus)
  | ({ readonly kind: "active_basal_rate" } & ActiveBasalRate)
  | { readonly kind: "total_daily_insulin"; readonly bolusIu?: number; readonly basalIu?: number; readonly sumIu?: number }
  | { readonly kind: "counter"; readonly type: Named<string>; readonly selection: Named<string>; readonly minutes: number }
  | { readonly kind: "delivered_insulin"; readonly bolusIu: number | undefined; readonly basalIu: number | undefined }
  | ({ readonly kind: "insulin_on_board" } & InsulinOnBoard)
  | ({ readonly kind: "therapy_algorithm_states" } & TherapyAlgorithmStates)
  | ({ readonly kind: "display_format" } & DisplayFormat)
  | ({ readonly kind: "time_in_range" } & TimeInRange)
  | { readonly kind: "warm_up_remaining"; readonly hours: number }
  | { readonly kind: "calibration_icon"; readonly icon: number }
  | { readonly kind: "early_calibration_time"; readonly hours: number; readonly minutes: number };

const float = (reader: Reader): number | undefined => decodeFloat(reader.u32()).value;

/** Readers of the responses, by their operation codes, and the request that each answers. */
const RESPONSES: Readonly<
  Record<number, { readonly answers: number | undefined; readonly read: (reader: Reader) => StatusReaderResponse }>
> = {
  [RESPONSE]: {
    answers: undefined,
    read: (reader) => ({ kind: "response_code", requestOpcode: reader.u16(), code: named(IDD_RESULTS, reader.u8()) }),
  },
  831: {
    answers: StatusReaderOpcode.GetActiveBolusIds,
    read: (reader) => ({ kind: "active_bolus_ids", bolusIds: Array.from({ length: reader.u8() }, () => reader.u16()) }),
  },
  857: { answers: StatusReaderOpcode.GetActiveBolusDelivery, read: readActiveBolus },
  874: { answers: StatusReaderOpcode.GetActiveBasalRateDelivery, read: readActiveBasalRate },
  922: { answers: StatusReaderOpcode.GetTotalDailyInsulin, read: readTotalDailyInsulin },
  937: {
    answers: StatusReaderOpcode.GetCounter,
    read: (reader) => ({
      kind: "counter",
      type: named<string>(COUNTER_TYPES, reader.u8()),
      selection: named<string>(COUNTER_SELECTIONS, reader.u8()),
      minutes: reader.u32() | 0,
    }),
  },
  975: {
    answers: StatusReaderOpcode.GetDeliveredInsulin,
    read: (reader) => ({ kind: "delivered_insulin", bolusIu: float(reader), basalIu: float(reader) }),
  },
  1020: { answers: StatusReaderOpcode.GetInsulinOnBoard, read: readInsulinOnBoard },
  1022: { answers: StatusReaderOpcode.GetTherapyAlgorithmStates, read: readTherapyAlgorithmStates },
  1024: { answers: StatusReaderOpcode.GetDisplayFormat, read: readDisplayFormat },
  1026: { answers: StatusReaderOpcode.GetTimeInRange, read: readTimeInRange },
  1028: {
    answers: StatusReaderOpcode.GetSensorWarmUpRemaining,
    read: (reader) => ({ kind: "warm_up_remaining", hours: reader.u8() }),
  },
  1030: { answers: StatusReaderOpcode.GetCalibrationIcon, read: (reader) => ({ kind: "calibration_icon", icon: reader.u8() }) },
  1032: {
    answers: StatusReaderOpcode.GetEarlyCalibrationTime,
    read: (reader) => ({ kind: "early_calibration_time", hours: reader.u8(), minutes: reader.u8() }),
  },
};

/**
 * An indication of the status reader, decrypted.
 *
 * @param request the only operation code whose answer will do, beside a general response; without it any will
 * @throws {PumpDataError} "length", "trailing", "crc", or "opcode" for a response that is unknown or answers something else
 */
export function decodeStatusReaderResponse(
  bytes: Uint8Array,
  options: IddProtection & { readonly request?: number | undefined },
): StatusReaderResponse {
  return decodeValue(NAME, unprotected(NAME, bytes, options), (reader) => {
    const { request } = options;
    const opcode = reader.u16();
    const response = RESPONSES[opcode];
    if (!response || (request !== undefined && response.answers !== undefined && response.answers !== request))
      throw new PumpDataError("opcode", `${NAME}: unexpected response 0x${opcode.toString(16).padStart(4, "0")}`);
    return response.read(reader);
  });
}

function readTimeInRange(reader: Reader): StatusReaderResponse {
  if (reader.remaining !== 5) throw new PumpDataError("length", `${NAME}: time in range of ${reader.remaining} octets, expected 5`);
  return {
    kind: "time_in_range",
    notEnoughData: reader.u8() !== 0,
    abovePercent: reader.u8(),
    belowPercent: reader.u8(),
    inRangePercent: reader.u8(),
    smartGuardPercent: reader.u8(),
  };
}

function readInsulinOnBoard(reader: Reader): StatusReaderResponse {
  const flags = reader.u8();
  const insulinOnBoardIu = float(reader);
  const remainingDurationMin = flags & 1 ? reader.u16() : undefined;
  const [partialStatusDurationMin, partialStatusRemaining] = flags & 2 ? [reader.u16(), reader.u16()] : [];
  return { kind: "insulin_on_board", insulinOnBoardIu, remainingDurationMin, partialStatusDurationMin, partialStatusRemaining };
}

/** Suspend before low comes before suspend on low, although its bit is the higher one. */
function readTherapyAlgorithmStates(reader: Reader): StatusReaderResponse {
  const flags = reader.u16();
  const has = (bit: number): boolean => ((flags >> bit) & 1) !== 0;
  return {
    kind: "therapy_algorithm_states",
    flags,
    shield: has(0) ? named(SHIELD_STATES, reader.u8()) : undefined,
    readiness: has(0) ? named(READINESS_STATES, reader.u8()) : undefined,
    plgm: has(2) ? named(SUSPEND_STATES, reader.u8()) : undefined,
    lgs: has(1) ? named(SUSPEND_STATES, reader.u8()) : undefined,
    temporaryTargetMin: has(3) ? reader.u16() : undefined,
    waitToCalibrateMin: has(4) ? reader.u16() : undefined,
    safeBasalMin: has(5) ? reader.u16() : undefined,
  };
}

function readActiveBasalRate(reader: Reader): StatusReaderResponse {
  const flags = reader.u8();
  return {
    kind: "active_basal_rate",
    profileTemplateNumber: reader.u8(),
    configuredRate: float(reader),
    temporaryBasal:
      flags & 1
        ? {
            type: named(TEMPORARY_BASAL_TYPES, reader.u8()),
            adjustment: float(reader),
            programmedMin: reader.u16(),
            remainingMin: reader.u16(),
          }
        : undefined,
    temporaryBasalTemplateNumber: flags & 2 ? reader.u8() : undefined,
    context: flags & 4 ? named(BASAL_CONTEXTS, reader.u8()) : undefined,
  };
}

function readActiveBolus(reader: Reader): StatusReaderResponse {
  const flags = reader.u8();
  return {
    kind: "active_bolus",
    flags,
    bolusId: reader.u16(),
    bolusType: named<BolusType>(BOLUS_TYPES, reader.u8()),
    fastIu: float(reader),
    extendedIu: float(reader),
    durationMin: reader.u16(),
    delayMin: flags & 1 ? reader.u16() : undefined,
    templateNumber: flags & 2 ? reader.u8() : undefined,
    activation: flags & 4 ? named(BOLUS_ACTIVATIONS, reader.u8()) : undefined,
  };
}

/** Three amounts, as FLOAT or as SFLOAT: which of them the pump sends was not seen, and their length tells. */
function readTotalDailyInsulin(reader: Reader): StatusReaderResponse {
  const amount = reader.remaining === 12 ? float : (at: Reader) => decodeSfloat(at.u16()).value;
  const [bolusIu, basalIu, sumIu] = [amount(reader), amount(reader), amount(reader)];
  return {
    kind: "total_daily_insulin",
    ...(bolusIu !== undefined && { bolusIu }),
    ...(basalIu !== undefined && { basalIu }),
    ...(sumIu !== undefined && { sumIu }),
  };
}

function readDisplayFormat(reader: Reader): StatusReaderResponse {
  const flags = reader.u8();
  return {
    kind: "display_format",
    clock24h: (flags & 1) !== 0,
    language: flags & 2 ? named<Language>(LANGUAGES, reader.u8()) : "english",
    carbohydratesInExchanges: (flags & 4) !== 0,
    activeInsulinResolution: named(INSULIN_RESOLUTIONS, flags >> 6),
  };
}
