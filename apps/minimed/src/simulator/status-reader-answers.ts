import { Reader } from "jelling/bytes";
import { StatusReaderOpcode } from "../idd/status-reader.ts";
import type { DeliverySource } from "./delivery-source.ts";
import {
  encodeActiveBasalRate,
  encodeActiveBolus,
  encodeActiveBolusIds,
  encodeCounter,
  encodeDeliveredInsulin,
  encodeDisplayFormat,
  encodeInsulinOnBoard,
  encodeStatusReaderResult,
  encodeTherapyAlgorithmStates,
  encodeTimeInRange,
  encodeTotalDailyInsulin,
  IddResultCode,
} from "./encode/status-reader.ts";

/** Which amounts of a bolus. */
const Selection = Object.freeze({ Programmed: 0x0f, Remaining: 0x33, Delivered: 0x3c });
const COUNTER_OPERAND = 2;
const BOLUS_OPERAND = 3;

type Answer = (source: DeliverySource) => Uint8Array;

/** Requests without an operand. Those of a 780G: warm-up time, calibration icon and early calibration are "not supported" there. */
const ANSWERS: Readonly<Record<number, Answer>> = {
  [StatusReaderOpcode.GetActiveBolusIds]: (source) => encodeActiveBolusIds(source.boluses().map(({ programmed }) => programmed.bolusId)),
  [StatusReaderOpcode.GetActiveBasalRateDelivery]: (source) => encodeActiveBasalRate(source.basalRate()),
  [StatusReaderOpcode.GetTotalDailyInsulin]: (source) => encodeTotalDailyInsulin(source.dailyInsulin()),
  [StatusReaderOpcode.GetDeliveredInsulin]: (source) => encodeDeliveredInsulin(source.deliveredInsulin()),
  [StatusReaderOpcode.GetInsulinOnBoard]: (source) => encodeInsulinOnBoard(source.insulinOnBoard()),
  [StatusReaderOpcode.GetTherapyAlgorithmStates]: (source) => encodeTherapyAlgorithmStates(source.therapy()),
  [StatusReaderOpcode.GetDisplayFormat]: (source) => encodeDisplayFormat(source.displayFormat),
  [StatusReaderOpcode.GetTimeInRange]: (source) => encodeTimeInRange(source.timeInRange()),
};

/** The answer of the status reader to a request that reads. */
export function answerStatusReader(source: DeliverySource, opcode: number, operand: Uint8Array): Uint8Array {
  const refuse = (code: number): Uint8Array => encodeStatusReaderResult(opcode, code);
  const answer = ANSWERS[opcode];
  if (answer) return operand.length === 0 ? answer(source) : refuse(IddResultCode.InvalidOperand);
  if (opcode === StatusReaderOpcode.GetActiveBolusDelivery) return bolusAnswer(source, operand) ?? refuse(IddResultCode.InvalidOperand);
  if (opcode === StatusReaderOpcode.GetCounter) {
    const [type, selection] = operand;
    if (operand.length !== COUNTER_OPERAND) return refuse(IddResultCode.InvalidOperand);
    const minutes = source.counterMinutes(type!, selection!);
    return minutes === undefined ? refuse(IddResultCode.NotApplicable) : encodeCounter(type!, selection!, minutes);
  }
  return refuse(IddResultCode.OpcodeNotSupported);
}

/** undefined: no such bolus, or no such half of it. */
function bolusAnswer(source: DeliverySource, operand: Uint8Array): Uint8Array | undefined {
  if (operand.length !== BOLUS_OPERAND) return undefined;
  const reader = new Reader(operand);
  const id = reader.u16();
  const selection = reader.u8();
  const bolus = source.boluses().find(({ programmed }) => programmed.bolusId === id);
  if (!bolus) return undefined;
  const { programmed, delivered } = bolus;
  if (selection === Selection.Programmed) return encodeActiveBolus(programmed);
  if (selection === Selection.Delivered) return encodeActiveBolus({ ...programmed, ...delivered });
  if (selection !== Selection.Remaining) return undefined;
  return encodeActiveBolus({
    ...programmed,
    fastIu: programmed.fastIu - delivered.fastIu,
    extendedIu: programmed.extendedIu - delivered.extendedIu,
    durationMin: programmed.durationMin - delivered.durationMin,
  });
}
