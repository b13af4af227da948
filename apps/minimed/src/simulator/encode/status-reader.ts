import { Writer } from "jelling/bytes";
import { writeAmount } from "./amount.ts";

/** Operation codes of the answers of the status reader. */
const Answer = Object.freeze({
  Result: 0x0303,
  ActiveBolusIds: 0x033f,
  ActiveBolus: 0x0359,
  ActiveBasalRate: 0x036a,
  TotalDailyInsulin: 0x039a,
  Counter: 0x03a9,
  DeliveredInsulin: 0x03cf,
  InsulinOnBoard: 0x03fc,
  TherapyAlgorithmStates: 0x03fe,
  DisplayFormat: 0x0400,
  TimeInRange: 0x0402,
  WarmUpRemaining: 0x0404,
  CalibrationIcon: 0x0406,
  EarlyCalibrationTime: 0x0408,
});

/** Codes of the general answer of both control points. */
export const IddResultCode = Object.freeze({
  Success: 0x0f,
  OpcodeNotSupported: 0x70,
  InvalidOperand: 0x71,
  NotCompleted: 0x72,
  OutOfRange: 0x73,
  NotApplicable: 0x74,
});

/** A bolus that is being delivered, or its half: amounts in IU, times in minutes, words as they are sent. */
export interface ActiveBolusWords {
  readonly bolusId: number;
  readonly bolusType: number;
  readonly fastIu: number;
  readonly extendedIu: number;
  readonly durationMin: number;
  readonly delayMin?: number | undefined;
  readonly templateNumber?: number | undefined;
  readonly activation?: number | undefined;
}

export interface ActiveBasalRateWords {
  readonly profileTemplateNumber: number;
  /** IU/h. */
  readonly configuredRate: number;
  readonly temporaryBasal?:
    | { readonly type: number; readonly adjustment: number; readonly programmedMin: number; readonly remainingMin: number }
    | undefined;
  readonly temporaryBasalTemplateNumber?: number | undefined;
  readonly context?: number | undefined;
}

export interface TherapyAlgorithmWords {
  readonly shield?: { readonly state: number; readonly readiness: number } | undefined;
  readonly plgm?: number | undefined;
  readonly lgs?: number | undefined;
  readonly temporaryTargetMin?: number | undefined;
  readonly waitToCalibrateMin?: number | undefined;
  readonly safeBasalMin?: number | undefined;
}

export interface DisplayFormatWords {
  readonly clock24h: boolean;
  /** undefined: English, whose octet is not sent. */
  readonly language?: number | undefined;
  readonly carbohydratesInExchanges: boolean;
  /** 0 tenths, 1 hundredths, 2 thousandths. */
  readonly activeInsulinResolution: number;
}

export interface TimeInRangeWords {
  readonly notEnoughData: boolean;
  readonly abovePercent: number;
  readonly belowPercent: number;
  readonly inRangePercent: number;
  readonly smartGuardPercent: number;
}

const flagsOf = (...fields: readonly unknown[]): number =>
  fields.reduce<number>((flags, field, bit) => (field === undefined ? flags : flags | (1 << bit)), 0);

function answer(opcode: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(32);
  writer.u16(opcode);
  write(writer);
  return writer.finish();
}

export function encodeStatusReaderResult(requestOpcode: number, code: number): Uint8Array {
  return answer(Answer.Result, (writer) => {
    writer.u16(requestOpcode);
    writer.u8(code);
  });
}

export function encodeActiveBolusIds(ids: readonly number[]): Uint8Array {
  return answer(Answer.ActiveBolusIds, (writer) => {
    writer.u8(ids.length);
    for (const id of ids) writer.u16(id);
  });
}

export function encodeActiveBolus({ delayMin, templateNumber, activation, ...bolus }: ActiveBolusWords): Uint8Array {
  return answer(Answer.ActiveBolus, (writer) => {
    writer.u8(flagsOf(delayMin, templateNumber, activation));
    writer.u16(bolus.bolusId);
    writer.u8(bolus.bolusType);
    writeAmount(writer, bolus.fastIu);
    writeAmount(writer, bolus.extendedIu);
    writer.u16(bolus.durationMin);
    if (delayMin !== undefined) writer.u16(delayMin);
    if (templateNumber !== undefined) writer.u8(templateNumber);
    if (activation !== undefined) writer.u8(activation);
  });
}

export function encodeActiveBasalRate(rate: ActiveBasalRateWords): Uint8Array {
  const { temporaryBasal, temporaryBasalTemplateNumber, context } = rate;
  return answer(Answer.ActiveBasalRate, (writer) => {
    writer.u8(flagsOf(temporaryBasal, temporaryBasalTemplateNumber, context));
    writer.u8(rate.profileTemplateNumber);
    writeAmount(writer, rate.configuredRate);
    if (temporaryBasal) {
      writer.u8(temporaryBasal.type);
      writeAmount(writer, temporaryBasal.adjustment);
      writer.u16(temporaryBasal.programmedMin);
      writer.u16(temporaryBasal.remainingMin);
    }
    if (temporaryBasalTemplateNumber !== undefined) writer.u8(temporaryBasalTemplateNumber);
    if (context !== undefined) writer.u8(context);
  });
}

/** IU; the sum is sent as well. As FLOAT, which is what this pump does with amounts elsewhere. */
export function encodeTotalDailyInsulin({ bolusIu, basalIu }: { readonly bolusIu: number; readonly basalIu: number }): Uint8Array {
  return answer(Answer.TotalDailyInsulin, (writer) => {
    for (const amount of [bolusIu, basalIu, bolusIu + basalIu]) writeAmount(writer, amount);
  });
}

export function encodeCounter(type: number, selection: number, minutes: number): Uint8Array {
  return answer(Answer.Counter, (writer) => {
    writer.u8(type);
    writer.u8(selection);
    writer.u32(minutes >>> 0);
  });
}

export function encodeDeliveredInsulin({ bolusIu, basalIu }: { readonly bolusIu: number; readonly basalIu: number }): Uint8Array {
  return answer(Answer.DeliveredInsulin, (writer) => {
    writeAmount(writer, bolusIu);
    writeAmount(writer, basalIu);
  });
}

export function encodeInsulinOnBoard(
  insulinOnBoardIu: number,
  more: {
    readonly remainingDurationMin?: number | undefined;
    readonly partial?: { readonly durationMin: number; readonly remaining: number } | undefined;
  } = {},
): Uint8Array {
  const { remainingDurationMin, partial } = more;
  return answer(Answer.InsulinOnBoard, (writer) => {
    writer.u8(flagsOf(remainingDurationMin, partial));
    writeAmount(writer, insulinOnBoardIu);
    if (remainingDurationMin !== undefined) writer.u16(remainingDurationMin);
    if (partial) {
      writer.u16(partial.durationMin);
      writer.u16(partial.remaining);
    }
  });
}

/** Suspend before low goes before suspend on low, although its bit is the higher one. */
export function encodeTherapyAlgorithmStates(states: TherapyAlgorithmWords): Uint8Array {
  const { shield, plgm, lgs, temporaryTargetMin, waitToCalibrateMin, safeBasalMin } = states;
  return answer(Answer.TherapyAlgorithmStates, (writer) => {
    writer.u16(flagsOf(shield, lgs, plgm, temporaryTargetMin, waitToCalibrateMin, safeBasalMin));
    if (shield) {
      writer.u8(shield.state);
      writer.u8(shield.readiness);
    }
    if (plgm !== undefined) writer.u8(plgm);
    if (lgs !== undefined) writer.u8(lgs);
    for (const minutes of [temporaryTargetMin, waitToCalibrateMin, safeBasalMin]) if (minutes !== undefined) writer.u16(minutes);
  });
}

export function encodeDisplayFormat({ clock24h, language, carbohydratesInExchanges, ...format }: DisplayFormatWords): Uint8Array {
  const flags =
    (clock24h ? 1 : 0) | (language === undefined ? 0 : 2) | (carbohydratesInExchanges ? 4 : 0) | (format.activeInsulinResolution << 6);
  return answer(Answer.DisplayFormat, (writer) => {
    writer.u8(flags);
    if (language !== undefined) writer.u8(language);
  });
}

export function encodeTimeInRange(range: TimeInRangeWords): Uint8Array {
  return answer(Answer.TimeInRange, (writer) => {
    writer.u8(range.notEnoughData ? 1 : 0);
    for (const percent of [range.abovePercent, range.belowPercent, range.inRangePercent, range.smartGuardPercent]) writer.u8(percent);
  });
}

export function encodeWarmUpRemaining(hours: number): Uint8Array {
  return answer(Answer.WarmUpRemaining, (writer) => writer.u8(hours));
}
export function encodeCalibrationIcon(icon: number): Uint8Array {
  return answer(Answer.CalibrationIcon, (writer) => writer.u8(icon));
}
export function encodeEarlyCalibrationTime(hours: number, minutes: number): Uint8Array {
  return answer(Answer.EarlyCalibrationTime, (writer) => {
    writer.u8(hours);
    writer.u8(minutes);
  });
}
