import type { Logger, Uuid } from "jelling/core";
import { FILTER_TIME_OFFSET, RecordAccessOpcode, RecordAccessOperator } from "../cgm/record-access.ts";
import { SpecificOpsOpcode } from "../cgm/specific-ops.ts";
import { appendE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";
import { PumpError } from "../error.ts";
import { HistoryAccessOpcode, HistoryFilter, HistoryOperator } from "../history/record-access.ts";
import { CommandReadOpcode, SettingsType } from "../idd/command-reads.ts";
import { nextE2eCounter, protect } from "../idd/protection.ts";
import { decodeIddStatusChanged } from "../idd/status-changed.ts";
import { StatusReaderOpcode } from "../idd/status-reader.ts";
import type { SakeSession } from "../sake/session.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";

/** The control points of the pump that we write, by the names used here. */
export type ControlPointName = "cgmRecordAccess" | "cgmSpecificOps" | "iddStatusReader" | "iddCommand" | "iddRecordAccess";
/** The characteristics whose Client Characteristic Configuration we write. */
export type SubscribedName = ControlPointName | AskedForName | "cgmMeasurement" | "iddHistoryData" | "iddCommandData" | "iddStatusChanged";
/** What a pump only sends, of which little is known: subscribed to when somebody asks for it. */
export type AskedForName = "cgmSensorExpiration" | "cgmSensorCalibrationTime";

/** What a session knows that a request may depend on. */
interface SessionFacts {
  /** Bits of IDD Status Changed that the pump has pushed and nobody has reset. */
  readonly pushed: ReadonlySet<number>;
}
/** What may follow an operation code. */
type OperandCheck = (operand: Uint8Array, facts: SessionFacts) => boolean;

const nothing: OperandCheck = (operand) => operand.length === 0;
const octets =
  (length: number): OperandCheck =>
  (operand) =>
    operand.length === length;
/** Operator, and for a range of time offsets the filter type and one or two of them. */
const records: OperandCheck = ([operator, filter, ...offsets]) => {
  const { All, First, Last, LessOrEqual, GreaterOrEqual, Range } = RecordAccessOperator;
  if (operator === All || operator === First || operator === Last) return filter === undefined;
  if (filter !== FILTER_TIME_OFFSET) return false;
  if (operator === LessOrEqual || operator === GreaterOrEqual) return offsets.length === 2;
  return operator === Range && offsets.length === 4;
};

const anyOf =
  (...choices: readonly (readonly number[])[]): OperandCheck =>
  (operand) =>
    choices.some((choice) => choice.length === operand.length && choice.every((octet, i) => octet === operand[i]));
/** Identifier of a bolus, and which of its amounts. */
const bolus: OperandCheck = (operand) => operand.length === 3 && [0x0f, 0x33, 0x3c].includes(operand[2]!);
/** Lifetime, warranty, loaner or reservoir; remaining or elapsed. Spelled out here: nothing that another file lists opens this table. */
const counter: OperandCheck = (operand) =>
  operand.length === 2 && [0x0f, 0x33, 0x3c, 0x55].includes(operand[0]!) && [0x0f, 0x33].includes(operand[1]!);
/** Only what the pump has pushed is reset: bits that nobody has seen would be lost. */
const pushedBits: OperandCheck = (operand, { pushed }) => {
  try {
    const { bits } = decodeIddStatusChanged(operand, { e2e: false });
    return bits.length > 0 && bits.every((bit) => pushed.has(bit));
  } catch (error) {
    if (error instanceof PumpDataError) return false;
    throw error;
  }
};
/** Operator and filter, and the numbers of a range. */
const historyRecords: OperandCheck = ([operator, filter, ...numbers]) => {
  const { All, First, Last, GreaterOrEqual, LessOrEqual, Range } = HistoryOperator;
  if (!(Object.values(HistoryFilter) as unknown[]).includes(filter)) return false;
  if (operator === All || operator === First || operator === Last) return numbers.length === 0;
  if (operator === GreaterOrEqual || operator === LessOrEqual) return numbers.length === 4;
  return operator === Range && numbers.length === 8;
};

/** What may be written to one characteristic and to its configuration. */
interface PermittedWrites {
  /** Both types must be found at the handles when the write is made: one characteristic type occurs in several services of the pump. */
  readonly service: Uuid;
  readonly characteristic: Uuid;
  readonly subscription: "notify" | "indicate";
  readonly encrypted: boolean;
  /** Width of its operation codes, least significant octet first. */
  readonly opcodeOctets: 1 | 2;
  /** What stands behind a request where the service's features say that it is protected. */
  readonly e2e: "none" | "crc" | "counter and crc";
  readonly requests: Readonly<Record<number, OperandCheck>>;
}

/**
 * Everything that may be written to a pump, by characteristic and operation code. What is not here cannot be encoded; no entry alters therapy,
 * deletes a record, or sets anything.
 */
export const PERMITTED_WRITES: Readonly<Record<SubscribedName, PermittedWrites>> = Object.freeze({
  cgmMeasurement: Object.freeze({
    service: ServiceUuid.ContinuousGlucoseMonitoring,
    characteristic: CharacteristicUuid.CgmMeasurement,
    subscription: "notify",
    encrypted: false,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
  cgmRecordAccess: Object.freeze({
    service: ServiceUuid.ContinuousGlucoseMonitoring,
    characteristic: CharacteristicUuid.RecordAccessControlPoint,
    subscription: "indicate",
    encrypted: false,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({
      [RecordAccessOpcode.Report]: records,
      [RecordAccessOpcode.Abort]: (operand: Uint8Array) => operand.length === 1 && operand[0] === RecordAccessOperator.Null,
      [RecordAccessOpcode.Count]: records,
    }),
  }),
  cgmSpecificOps: Object.freeze({
    service: ServiceUuid.ContinuousGlucoseMonitoring,
    characteristic: CharacteristicUuid.CgmSpecificOpsControlPoint,
    subscription: "indicate",
    encrypted: true,
    opcodeOctets: 1,
    e2e: "crc",
    requests: Object.freeze({
      [SpecificOpsOpcode.GetCommunicationInterval]: nothing,
      [SpecificOpsOpcode.GetCalibrationValue]: octets(2),
      [SpecificOpsOpcode.GetPatientHighAlertLevel]: nothing,
      [SpecificOpsOpcode.GetPatientLowAlertLevel]: nothing,
      [SpecificOpsOpcode.GetHypoAlertLevel]: nothing,
      [SpecificOpsOpcode.GetHyperAlertLevel]: nothing,
      [SpecificOpsOpcode.GetRateOfDecreaseAlertLevel]: nothing,
      [SpecificOpsOpcode.GetRateOfIncreaseAlertLevel]: nothing,
      [SpecificOpsOpcode.GetCalibrationContext]: octets(2),
      [SpecificOpsOpcode.ReadSessionStartTime]: octets(2),
      [SpecificOpsOpcode.ReadCurrentSessionId]: nothing,
      [SpecificOpsOpcode.GetSensorDetails]: nothing,
    }),
  }),
  cgmSensorExpiration: Object.freeze({
    service: ServiceUuid.ContinuousGlucoseMonitoring,
    characteristic: CharacteristicUuid.CgmSensorExpiration,
    subscription: "indicate",
    encrypted: false,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
  cgmSensorCalibrationTime: Object.freeze({
    service: ServiceUuid.ContinuousGlucoseMonitoring,
    characteristic: CharacteristicUuid.CgmSensorCalibrationTime,
    subscription: "indicate",
    encrypted: false,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
  iddStatusReader: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.IddStatusReaderControlPoint,
    subscription: "indicate",
    encrypted: true,
    opcodeOctets: 2,
    e2e: "counter and crc",
    requests: Object.freeze({
      [StatusReaderOpcode.ResetStatus]: pushedBits,
      [StatusReaderOpcode.GetActiveBolusIds]: nothing,
      [StatusReaderOpcode.GetActiveBolusDelivery]: bolus,
      [StatusReaderOpcode.GetActiveBasalRateDelivery]: nothing,
      [StatusReaderOpcode.GetTotalDailyInsulin]: nothing,
      [StatusReaderOpcode.GetCounter]: counter,
      [StatusReaderOpcode.GetDeliveredInsulin]: nothing,
      [StatusReaderOpcode.GetInsulinOnBoard]: nothing,
      [StatusReaderOpcode.GetTherapyAlgorithmStates]: nothing,
      [StatusReaderOpcode.GetDisplayFormat]: nothing,
      [StatusReaderOpcode.GetTimeInRange]: nothing,
      [StatusReaderOpcode.GetSensorWarmUpRemaining]: nothing,
      [StatusReaderOpcode.GetCalibrationIcon]: nothing,
      [StatusReaderOpcode.GetEarlyCalibrationTime]: nothing,
    }),
  }),
  // Two of its many operation codes read. The others set, start, stop or cancel therapy: they have no name in this program.
  iddCommand: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.IddCommandControlPoint,
    subscription: "indicate",
    encrypted: true,
    opcodeOctets: 2,
    e2e: "counter and crc",
    requests: Object.freeze({
      [CommandReadOpcode.GetHighLowSettings]: anyOf([SettingsType.Low], [SettingsType.High]),
      [CommandReadOpcode.GetMaximumBolus]: nothing,
    }),
  }),
  iddRecordAccess: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.RecordAccessControlPoint,
    subscription: "indicate",
    encrypted: false,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({
      [HistoryAccessOpcode.Report]: historyRecords,
      [HistoryAccessOpcode.Abort]: anyOf([HistoryOperator.Null]),
      [HistoryAccessOpcode.Count]: historyRecords,
    }),
  }),
  iddHistoryData: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.IddHistoryData,
    subscription: "notify",
    encrypted: true,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
  iddCommandData: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.IddCommandData,
    subscription: "notify",
    encrypted: true,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
  iddStatusChanged: Object.freeze({
    service: ServiceUuid.InsulinDelivery,
    characteristic: CharacteristicUuid.IddStatusChanged,
    subscription: "indicate",
    encrypted: true,
    opcodeOctets: 1,
    e2e: "none",
    requests: Object.freeze({}),
  }),
});
/** Not subscribed to before somebody asks for one of them. */
export const ASKED_FOR_NAMES: readonly AskedForName[] = Object.freeze(["cgmSensorExpiration", "cgmSensorCalibrationTime"] as const);

/** In the order in which they are subscribed to: the last one sends as soon as it is. */
export const SUBSCRIBED_NAMES: readonly SubscribedName[] = Object.freeze([
  "cgmMeasurement",
  "cgmRecordAccess",
  "cgmSpecificOps",
  ...ASKED_FOR_NAMES,
  "iddStatusReader",
  "iddRecordAccess",
  "iddHistoryData",
  "iddCommand",
  "iddCommandData",
  "iddStatusChanged",
] as const);

const making = Symbol("only the table makes writes");

/** A write that the table permits. Its octets come out at the moment it is sent. */
export class PumpWrite {
  readonly name: SubscribedName;
  /** Operation code of a request; `undefined` for the subscription, which is a write to the configuration. */
  readonly opcode: number | undefined;
  readonly #plaintext: Uint8Array;
  readonly #seal: ((plaintext: Uint8Array) => Uint8Array) | undefined;
  #isTaken = false;

  constructor(
    key: typeof making,
    at: {
      name: SubscribedName;
      opcode: number | undefined;
      plaintext: Uint8Array;
      seal: ((plaintext: Uint8Array) => Uint8Array) | undefined;
    },
  ) {
    if (key !== making) throw new PumpError("ERR_PUMP_FORBIDDEN", "Writes are made by the table of permitted writes alone.");
    this.name = at.name;
    this.opcode = at.opcode;
    this.#plaintext = at.plaintext;
    this.#seal = at.seal;
    Object.freeze(this);
  }

  /** What it is, for logs and errors. */
  get text(): string {
    return this.opcode === undefined ? `the subscription of ${this.name}` : requestText(this.name, this.opcode);
  }

  /** Whether it was handed to the link: what the pump sends before answers something else. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Whether a value was made by the table; an object of the same form is not. */
  static isGenuine(write: unknown): write is PumpWrite {
    return typeof write === "object" && write !== null && #plaintext in write;
  }

  /** The value to write. An encrypted request is sealed here, so call it when it is handed to the link, and send what it gives. */
  take(): Uint8Array {
    this.#isTaken = true;
    return this.#seal ? this.#seal(this.#plaintext) : this.#plaintext.slice();
  }
}

/** Makes the writes of one authenticated session. */
export class RequestEncoder {
  readonly #session: SakeSession;
  readonly #logger: Logger;
  readonly #pushed = new Set<number>();
  /** E2E counter of the last request to each characteristic (1 to 255, then 1 again). */
  readonly #counters = new Map<ControlPointName, number>();

  constructor(session: SakeSession, logger: Logger) {
    this.#session = session;
    this.#logger = logger;
  }

  /** The pump has pushed these bits of IDD Status Changed: they may be reset, once. */
  onPushed(bits: readonly number[]): void {
    for (const bit of bits) this.#pushed.add(bit);
  }

  /**
   * @param e2eCrc whether the service is protected: its requests end with a CRC then, those of the insulin delivery service with a counter
   * before it; never so at a record access control point
   * @throws {PumpError} ERR_PUMP_FORBIDDEN for anything outside the table, ERR_PUMP_SESSION_ENDED without an authenticated session
   */
  encode(name: ControlPointName, opcode: number, operand: Uint8Array, { e2eCrc }: { e2eCrc: boolean }): PumpWrite {
    const permitted = Object.hasOwn(PERMITTED_WRITES, name) ? PERMITTED_WRITES[name] : undefined;
    // What is judged is what is sent: a copy, and a number that is one.
    const octets = Uint8Array.from(operand);
    const isListed = permitted !== undefined && Number.isInteger(opcode) && Object.hasOwn(permitted.requests, opcode);
    if (!isListed || !permitted.requests[opcode]!(octets, { pushed: this.#pushed }))
      throw new PumpError(
        "ERR_PUMP_FORBIDDEN",
        `The request ${requestText(String(name), Number(opcode))} with ${octets.length} octets is not one this program may send.`,
      );
    this.#throwIfClosed();
    this.#logger.info(`request ${requestText(name, opcode)}`);
    // Once asked for, however it ends: a reset that is sent again could take bits that were set in between.
    if (name === "iddStatusReader" && opcode === StatusReaderOpcode.ResetStatus)
      for (const bit of decodeIddStatusChanged(octets, { e2e: false }).bits) this.#pushed.delete(bit);
    const { encrypted, opcodeOctets, e2e } = permitted;
    const plaintext = Uint8Array.of(...[opcode & 0xff, opcode >> 8].slice(0, opcodeOctets), ...octets);
    const protectedAs = e2eCrc ? e2e : "none";
    const seal = (content: Uint8Array): Uint8Array => {
      if (protectedAs === "none") return this.#session.encrypt(content);
      if (protectedAs === "crc") return this.#session.encrypt(appendE2eCrc(content));
      const counter = nextE2eCounter(this.#counters.get(name));
      const frame = this.#session.encrypt(protect(content, counter));
      this.#counters.set(name, counter); // only of what was made: a counter that is left out would be missed by the pump
      return frame;
    };
    return new PumpWrite(making, { name, opcode, plaintext, seal: encrypted ? seal : undefined });
  }

  /** @throws {PumpError} ERR_PUMP_SESSION_ENDED without an authenticated session */
  subscription(name: SubscribedName): PumpWrite {
    this.#throwIfClosed();
    const plaintext = Uint8Array.of(PERMITTED_WRITES[name].subscription === "notify" ? 1 : 2, 0);
    return new PumpWrite(making, { name, opcode: undefined, plaintext, seal: undefined });
  }

  #throwIfClosed(): void {
    if (this.#session.isClosed) throw new PumpError("ERR_PUMP_SESSION_ENDED", "There is no authenticated session with the pump.");
  }
}

const requestText = (name: string, opcode: number): string => `${name} 0x${opcode.toString(16).padStart(2, "0")}`;
