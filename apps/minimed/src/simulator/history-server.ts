import { onAbort } from "jelling/async";
import { Reader } from "jelling/bytes";
import type { GattPeer, GattRequest, LocalCharacteristic } from "jelling/gatt";
import { fragment } from "../cgm/fragments.ts";
import { HistoryAccessOpcode, HistoryFilter, HistoryOperator } from "../history/record-access.ts";
import { FRAME_OVERHEAD } from "../sake/frame.ts";
import type { HistoryMemory } from "./delivery-source.ts";
import { encodeHistoryAccessResponse, encodeNumberOfHistoryRecords, HistoryAccessCode } from "./encode/history-access.ts";
import { checkSubscribed, type ServedControlPoints } from "./served-control-points.ts";
import type { ServedSession } from "./served-session.ts";

const DELETE = 0x3c;
const REFERENCE_TIME = 0xf00e;
const LAST_NUMBER = 0xffff_ffff;

export interface HistoryServerOptions {
  readonly served: ServedSession;
  /** It may take a moment to look back, so not before it is asked for. */
  readonly memory: () => HistoryMemory;
  readonly controlPoints: ServedControlPoints;
  /** Counter and CRC behind a record, where they are in use. */
  readonly protect: (record: Uint8Array) => Uint8Array;
  readonly recordAccess: () => LocalCharacteristic;
  readonly historyData: () => LocalCharacteristic;
}

/** The records that a request is about: numbers from `first` to `last`, as far as they pass the filter. */
interface Selection {
  readonly first: number;
  readonly last: number;
  readonly passes: (record: Uint8Array) => boolean;
  /** Only the first that is found, from this end. */
  readonly one?: "first" | "last";
}

/** The history's record access control point and History Data. */
export class HistoryServer {
  readonly #options: HistoryServerOptions;
  readonly #served: ServedSession;

  constructor(options: HistoryServerOptions) {
    this.#options = options;
    this.#served = options.served;
  }

  get #memory(): HistoryMemory {
    return this.#options.memory();
  }

  /** A write to the control point, which is plain. */
  onWrite(value: Uint8Array, request: GattRequest): void {
    this.#served.require();
    const { controlPoints } = this.#options;
    const recordAccess = this.#options.recordAccess();
    const opcode = value[0] ?? 0;
    if (opcode === DELETE) this.#served.forbid();
    if (opcode === HistoryAccessOpcode.Abort) {
      // It may come while records are sent: that is what it is for. The transfer ends without an answer of its own.
      checkSubscribed(recordAccess, request);
      controlPoints.stop();
    }
    controlPoints.begin(recordAccess, request, async (signal) => {
      const answer = await this.#run(opcode, value.subarray(1), signal, request);
      if (answer && !signal.aborted) await this.#served.outbox.indicate(recordAccess, () => answer, request.peer);
    });
  }

  /** Sends a value in notifications that the link takes, each of them a frame of its own. */
  async sendParts(characteristic: LocalCharacteristic, content: Uint8Array, peer: GattPeer): Promise<void> {
    for (const part of fragment(content, this.#served.largestNotification, FRAME_OVERHEAD))
      await this.#served.outbox.notify(characteristic, () => this.#served.seal(part), peer);
  }

  /** undefined: it ended without an answer. */
  async #run(opcode: number, operand: Uint8Array, signal: AbortSignal, request: GattRequest): Promise<Uint8Array | undefined> {
    const { Report, Count, Abort } = HistoryAccessOpcode;
    const answer = (code: number): Uint8Array => encodeHistoryAccessResponse(opcode, code);
    if (opcode === Abort)
      return answer(
        operand.length === 1 && operand[0] === HistoryOperator.Null ? HistoryAccessCode.Success : HistoryAccessCode.InvalidOperator,
      );
    if (opcode !== Report && opcode !== Count) return answer(HistoryAccessCode.OpcodeNotSupported);
    if (this.#served.faults.strike("uncompletedRequests")) return answer(HistoryAccessCode.NotCompleted);
    const selection = this.#select(operand);
    if (typeof selection === "number") return answer(selection);
    if (opcode === Count) return encodeNumberOfHistoryRecords(this.#count(selection));
    const sent = await this.#report(selection, signal, request);
    if (sent === undefined) return undefined;
    return answer(sent > 0 ? HistoryAccessCode.Success : HistoryAccessCode.NoRecordsFound);
  }

  /** The records that an operand asks for, or the code that refuses it. */
  #select(operand: Uint8Array): Selection | number {
    const { All, LessOrEqual, GreaterOrEqual, Range, First, Last, Null } = HistoryOperator;
    const [operator, filter] = operand;
    const known: readonly (number | undefined)[] = [All, LessOrEqual, GreaterOrEqual, Range, First, Last];
    if (operator === Null) return HistoryAccessCode.OperatorNotSupported;
    if (!known.includes(operator)) return HistoryAccessCode.InvalidOperator;
    // The pump wants a filter with every operator.
    const passes = filterOf(filter);
    if (!passes) return HistoryAccessCode.OperandNotSupported;
    const numbers = operator === Range ? 2 : operator === LessOrEqual || operator === GreaterOrEqual ? 1 : 0;
    if (operand.length !== 2 + 4 * numbers) return HistoryAccessCode.InvalidOperand;
    const reader = new Reader(operand, { offset: 2 });
    if (operator === LessOrEqual) return { first: 0, last: reader.u32(), passes };
    if (operator === GreaterOrEqual) return { first: reader.u32(), last: LAST_NUMBER, passes };
    if (operator === Range) {
      const selection = { first: reader.u32(), last: reader.u32(), passes };
      return selection.first > selection.last ? HistoryAccessCode.InvalidOperand : selection;
    }
    const all = { first: 0, last: LAST_NUMBER, passes };
    if (operator === All) return all;
    return { ...all, one: operator === First ? "first" : "last" };
  }

  /** Records of a selection, by ascending numbers. Asks the memory anew for each: it may record on, and forget. */
  *#records({ first, last, passes, one }: Selection): Generator<Uint8Array, void> {
    const memory = this.#memory;
    if (memory.first === undefined || memory.last === undefined) return;
    const backwards = one === "last";
    let number = backwards ? Math.min(last, memory.last) : Math.max(first, memory.first);
    while (number >= first && number <= Math.min(last, memory.last ?? -1)) {
      const record = memory.record(number);
      if (record && passes(record)) {
        yield record;
        if (one) return;
      }
      number += backwards ? -1 : 1;
      if (backwards && number < (memory.first ?? 0)) return;
    }
  }

  #count(selection: Selection): number {
    const memory = this.#memory;
    const isAll = selection.passes === anyRecord && selection.first <= (memory.first ?? 0) && selection.last >= (memory.last ?? 0);
    if (isAll && !selection.one) return memory.count;
    let count = 0;
    for (const _ of this.#records(selection)) count++;
    return count;
  }

  /** How many were sent; undefined when it stopped in the middle. */
  async #report(selection: Selection, signal: AbortSignal, { peer }: GattRequest): Promise<number | undefined> {
    const { faults } = this.#served;
    const historyData = this.#options.historyData();
    let sent = 0;
    for (const record of this.#records(selection)) {
      if (signal.aborted) return undefined;
      if (faults.stopTransferAfter !== undefined && sent >= faults.stopTransferAfter) {
        faults.stopTransferAfter = undefined;
        await aborted(signal);
        return undefined;
      }
      await this.sendParts(historyData, this.#options.protect(record), peer);
      sent++;
      if (faults.vanishingRecords > 0) {
        this.#memory.drop(faults.vanishingRecords);
        faults.vanishingRecords = 0;
      }
    }
    return signal.aborted ? undefined : sent;
  }
}

const anyRecord = (): boolean => true;
const isReferenceTime = (record: Uint8Array): boolean => (record[0]! | (record[1]! << 8)) === REFERENCE_TIME;

function filterOf(filter: number | undefined): ((record: Uint8Array) => boolean) | undefined {
  if (filter === HistoryFilter.SequenceNumber) return anyRecord;
  if (filter === HistoryFilter.ReferenceTime) return isReferenceTime;
  if (filter === HistoryFilter.OtherEvents) return (record) => !isReferenceTime(record);
  return undefined;
}

/** Resolves when the procedure is stopped, by the phone or with the link. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => onAbort(signal, resolve));
}
