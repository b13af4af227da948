import type { Logger } from "jelling/core";
import { FILTER_TIME_OFFSET, RecordAccessOpcode, RecordAccessOperator } from "../cgm/record-access.ts";
import { SpecificOpsOpcode } from "../cgm/specific-ops.ts";
import { appendE2eCrc } from "../data/e2e-crc.ts";
import { PumpError } from "../error.ts";
import type { SakeSession } from "../sake/session.ts";

/** The characteristics of the pump that we write, by the names used here. */
export type ControlPointName = "cgmRecordAccess" | "cgmSpecificOps";

/** What may follow an operation code. */
type OperandCheck = (operand: Uint8Array) => boolean;

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

/**
 * Everything that may be written to a pump, by characteristic and operation code. What is not here cannot be encoded; no entry alters therapy,
 * deletes a record, or sets anything. The other writes of the program are the Client Characteristic Configurations of the characteristics
 * that are read, and nothing else.
 */
const ALLOWED: Readonly<
  Record<ControlPointName, { readonly encrypted: boolean; readonly requests: Readonly<Record<number, OperandCheck>> }>
> = {
  cgmRecordAccess: {
    encrypted: false,
    requests: {
      [RecordAccessOpcode.Report]: records,
      [RecordAccessOpcode.Abort]: (operand) => operand.length === 1 && operand[0] === RecordAccessOperator.Null,
      [RecordAccessOpcode.Count]: records,
    },
  },
  cgmSpecificOps: {
    encrypted: true,
    requests: {
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
    },
  },
};

const making = Symbol("only the table makes requests");

/** A request that the table allows. Its octets come out once, at the moment it is sent. */
export class PumpRequest {
  readonly controlPoint: ControlPointName;
  readonly opcode: number;
  readonly #plaintext: Uint8Array;
  readonly #seal: ((plaintext: Uint8Array) => Uint8Array) | undefined;

  constructor(
    key: typeof making,
    at: {
      controlPoint: ControlPointName;
      opcode: number;
      plaintext: Uint8Array;
      seal: ((plaintext: Uint8Array) => Uint8Array) | undefined;
    },
  ) {
    if (key !== making) throw new PumpError("ERR_PUMP_FORBIDDEN", "Requests are made by the table of allowed requests alone.");
    this.controlPoint = at.controlPoint;
    this.opcode = at.opcode;
    this.#plaintext = at.plaintext;
    this.#seal = at.seal;
  }

  /** The value to write. An encrypted request is sealed here, so call it when it is handed to the link, and send what it gives. */
  take(): Uint8Array {
    return this.#seal ? this.#seal(this.#plaintext) : this.#plaintext;
  }
}

/** Makes the requests of one authenticated session. */
export class RequestEncoder {
  readonly #session: SakeSession;
  readonly #logger: Logger;

  constructor(session: SakeSession, logger: Logger) {
    this.#session = session;
    this.#logger = logger;
  }

  /**
   * @param e2eCrc whether the service's values end with a CRC; never so at a record access control point
   * @throws {PumpError} ERR_PUMP_FORBIDDEN for anything outside the table, ERR_PUMP_SESSION_ENDED without an authenticated session
   */
  encode(controlPoint: ControlPointName, opcode: number, operand: Uint8Array, { e2eCrc }: { e2eCrc: boolean }): PumpRequest {
    const { encrypted, requests } = ALLOWED[controlPoint];
    const text = `${controlPoint} 0x${opcode.toString(16).padStart(2, "0")}`;
    if (!Object.hasOwn(requests, opcode) || !requests[opcode]!(operand))
      throw new PumpError("ERR_PUMP_FORBIDDEN", `The request ${text} with ${operand.length} octets is not one this program may send.`);
    if (this.#session.isClosed) throw new PumpError("ERR_PUMP_SESSION_ENDED", "There is no authenticated session with the pump.");
    this.#logger.info(`request ${text}`);
    const content = Uint8Array.of(opcode, ...operand);
    return new PumpRequest(making, {
      controlPoint,
      opcode,
      plaintext: e2eCrc && encrypted ? appendE2eCrc(content) : content,
      seal: encrypted ? (plaintext) => this.#session.encrypt(plaintext) : undefined,
    });
  }
}
