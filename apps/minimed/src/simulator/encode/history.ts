import { encodeSfloat, Writer } from "jelling/bytes";
import { dateTimeBytes, type LocalDateTime } from "../../data/date-time.ts";
import { amountWord, writeAmount } from "./amount.ts";

/** Types of the events that a simulated pump records. */
export const HistoryEvent = Object.freeze({
  BolusProgrammed1: 0x005a,
  BolusProgrammed2: 0x0066,
  BolusDelivered1: 0x0069,
  BolusDelivered2: 0x0096,
  BasalRateChanged: 0x0099,
  MaximumBolusChanged: 0x03fc,
  MicroBolus: 0xf001,
  LoopTransition: 0xf002,
  TherapyContext: 0xf004,
  Meal: 0xf005,
  BloodGlucose: 0xf007,
  CalibrationAccepted: 0xf008,
  CalibrationRejected: 0xf009,
  DeliveryStopped: 0xf00a,
  DeliveryRestarted: 0xf00b,
  SensorGlucose: 0xf00c,
  CgmAnalytics: 0xf00d,
  ReferenceTime: 0xf00e,
  AnnunciationCleared: 0xf00f,
  Annunciation: 0xf010,
  MaximumAutoBasalChanged: 0xf01a,
});

export const HISTORY_HEADER_OCTETS = 8;
/** Where the time of an annunciation stands in its data. */
export const RAISED_AT = 6;
const VENDOR = 0xf000;

/** A record: its header and the data of its event. */
export function encodeHistoryRecord(type: number, sequenceNumber: number, relativeOffsetSeconds: number, data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HISTORY_HEADER_OCTETS + data.length);
  record[0] = type;
  record[1] = type >> 8;
  record[2] = sequenceNumber;
  record[3] = sequenceNumber >>> 8;
  record[4] = sequenceNumber >>> 16;
  record[5] = sequenceNumber >>> 24;
  record[6] = relativeOffsetSeconds;
  record[7] = relativeOffsetSeconds >> 8;
  record.set(data, HISTORY_HEADER_OCTETS);
  return record;
}

function octets(length: number, write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(length);
  write(writer);
  return writer.finish();
}

export interface BolusAmountWords {
  readonly bolusId: number;
  readonly bolusType: number;
  readonly fastIu: number;
  readonly extendedIu: number;
  readonly durationMin: number;
}

/** Part 1 of what was programmed, or of what was delivered. */
export function bolusAmountsData({ bolusId, bolusType, fastIu, extendedIu, durationMin }: BolusAmountWords): Uint8Array {
  return octets(13, (writer) => {
    writer.u16(bolusId);
    writer.u8(bolusType);
    writeAmount(writer, fastIu);
    writeAmount(writer, extendedIu);
    writer.u16(durationMin);
  });
}

export interface BolusProgrammedWords {
  readonly delayMin?: number | undefined;
  readonly templateNumber?: number | undefined;
  readonly activation?: number | undefined;
  readonly isCorrection: boolean;
  readonly isMeal: boolean;
}

/** Part 2 of what was programmed. */
export function bolusProgrammedData({ delayMin, templateNumber, activation, isCorrection, isMeal }: BolusProgrammedWords): Uint8Array {
  return octets(5, (writer) => {
    writer.u8(
      (delayMin === undefined ? 0 : 1) |
        (templateNumber === undefined ? 0 : 2) |
        (activation === undefined ? 0 : 4) |
        (isCorrection ? 8 : 0) |
        (isMeal ? 16 : 0),
    );
    if (delayMin !== undefined) writer.u16(delayMin);
    if (templateNumber !== undefined) writer.u8(templateNumber);
    if (activation !== undefined) writer.u8(activation);
  });
}

export interface BolusDeliveredWords {
  readonly startOffsetSeconds: number;
  readonly activation?: number | undefined;
  readonly endReason?: number | undefined;
  readonly annunciationInstanceId?: number | undefined;
}

/** Part 2 of what was delivered. */
export function bolusDeliveredData({ startOffsetSeconds, activation, endReason, annunciationInstanceId }: BolusDeliveredWords): Uint8Array {
  return octets(9, (writer) => {
    writer.u8((activation === undefined ? 0 : 1) | (endReason === undefined ? 0 : 2) | (annunciationInstanceId === undefined ? 0 : 4));
    writer.u32(startOffsetSeconds);
    if (activation !== undefined) writer.u8(activation);
    if (endReason !== undefined) writer.u8(endReason);
    if (annunciationInstanceId !== undefined) writer.u16(annunciationInstanceId);
  });
}

/** IU/h. */
export function basalRateChangedData(oldRate: number, newRate: number, context?: number): Uint8Array {
  return octets(10, (writer) => {
    writer.u8(context === undefined ? 0 : 1);
    writeAmount(writer, oldRate);
    writeAmount(writer, newRate);
    if (context !== undefined) writer.u8(context);
  });
}

/** An amount or a rate that was changed. */
export function changedAmountData(before: number, after: number): Uint8Array {
  return octets(8, (writer) => {
    writeAmount(writer, before);
    writeAmount(writer, after);
  });
}

export function microBolusData(bolusNumber: number, amountIu: number): Uint8Array {
  const word = amountWord(amountIu);
  return Uint8Array.of(bolusNumber, word, word >>> 8, word >>> 16, word >>> 24);
}

/** A state or a reason, for the events that have nothing else. */
export function octetData(octet: number): Uint8Array {
  return Uint8Array.of(octet);
}

export interface TherapyContextWords {
  readonly sensorEnabled: boolean;
  readonly autoMode: boolean;
  /** IU/h. */
  readonly basalRate?: number | undefined;
  readonly stopReason?: number | undefined;
  readonly temporaryBasal?: { readonly type: number; readonly adjustment: number } | undefined;
}

export function therapyContextData({ sensorEnabled, autoMode, basalRate, stopReason, temporaryBasal }: TherapyContextWords): Uint8Array {
  return octets(11, (writer) => {
    writer.u8(
      (sensorEnabled ? 1 : 0) |
        (basalRate === undefined ? 0 : 2) |
        (autoMode ? 4 : 0) |
        (stopReason === undefined ? 0 : 8) |
        (temporaryBasal ? 16 : 0),
    );
    if (basalRate !== undefined) writeAmount(writer, basalRate);
    if (stopReason !== undefined) writer.u8(stopReason);
    if (temporaryBasal) {
      writer.u8(temporaryBasal.type);
      writeAmount(writer, temporaryBasal.adjustment);
    }
  });
}

export function mealData(carbohydratesG: number): Uint8Array {
  const word = encodeSfloat(carbohydratesG);
  return Uint8Array.of(word, word >> 8);
}

/** What a fingerstick or a calibration says. @param timeOffsetMin since the reference time, may be negative */
export function bloodGlucoseData(timeOffsetMin: number, mgdl: number): Uint8Array {
  // kg/L: five decades below mg/dL.
  const word = (0xb << 12) | (mgdl & 0xfff);
  return Uint8Array.of(timeOffsetMin, timeOffsetMin >> 8, word, word >> 8);
}

/** @param word mg/dL, or from 0x300 on why there is none */
export function sensorGlucoseData(timeOffsetMin: number, word: number, isigRaw: number, vCounter: number): Uint8Array {
  return Uint8Array.of(timeOffsetMin, timeOffsetMin >> 8, word, word >> 8, isigRaw, isigRaw >> 8, vCounter, vCounter >> 8);
}

export function cgmAnalyticsData(timeOffsetMin: number, psgv: number, calibrationFactor: number): Uint8Array {
  const word = encodeSfloat(psgv);
  return Uint8Array.of(timeOffsetMin, timeOffsetMin >> 8, word, word >> 8, calibrationFactor, calibrationFactor >> 8);
}

export function referenceTimeData(reason: number, local: LocalDateTime): Uint8Array {
  return Uint8Array.of(reason, ...dateTimeBytes(local));
}

export interface AnnunciationRecordWords {
  readonly instanceId: number;
  readonly code: number;
  readonly status: number;
  readonly silenced: boolean;
  /** Seconds since 2000, by the pump's clock. */
  readonly raisedAt: number;
  /** Two octets for each flag behind the time. */
  readonly auxiliary: Uint8Array;
}

export function annunciationData({ instanceId, code, status, silenced, raisedAt, auxiliary }: AnnunciationRecordWords): Uint8Array {
  return octets(10 + auxiliary.length, (writer) => {
    // The time takes the place of the first two.
    const present = (1 << (2 + Math.ceil(auxiliary.length / 2))) - 1;
    writer.u8(present | (silenced ? 0x40 : 0));
    writer.u16(instanceId);
    writer.u16(VENDOR | code);
    writer.u8(status);
    writer.u32(raisedAt);
    writer.bytes(auxiliary);
  });
}

export function annunciationClearedData(faultType: number, instanceId: number): Uint8Array {
  return Uint8Array.of(faultType, faultType >> 8, instanceId, instanceId >> 8);
}
