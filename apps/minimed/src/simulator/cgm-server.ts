import { AttError, AttErrorCode } from "jelling/att";
import type { GattRequest, GattServer, LocalCharacteristic, LocalService } from "jelling/gatt";
import { encodeCgmFeature } from "../cgm/feature.ts";
import { fragment } from "../cgm/fragments.ts";
import { encodeNumberOfRecords, encodeRecordAccessResponse, RecordAccessCode, RecordAccessOpcode } from "../cgm/record-access.ts";
import { encodeSessionRunTime, encodeSessionStartTime } from "../cgm/session.ts";
import { SpecificOpsOpcode } from "../cgm/specific-ops.ts";
import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";
import { FRAME_OVERHEAD } from "../sake/frame.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import {
  type CalibrationWords,
  encodeAlertLevel,
  encodeCalibrationContext,
  encodeCalibrationValue,
  encodeCgmStatus,
} from "./encode/cgm.ts";
import type { SimulatedSensor } from "./sensor.ts";
import { checkSubscribed, ServedControlPoints } from "./served-control-points.ts";
import type { ServedSession } from "./served-session.ts";
import { vendorValues } from "./vendor-values.ts";

const CRC = { e2eCrc: true };
/** E2E-CRC and trend information; interstitial fluid in subcutaneous tissue. */
const FEATURE = encodeCgmFeature({ bits: 0x009000, type: 9, sampleLocation: 5 });
/** Application errors of the CGM service. */
const CgmError = Object.freeze({ MissingCrc: 0x80, InvalidCrc: 0x81 });
const SPECIFIC_OPS_RESPONSE = 0x1c;
/** Codes of the general answer; the last one is the pump's own, while no sensor session runs. */
const SpecificOpsCode = Object.freeze({ OpcodeNotSupported: 2, InvalidOperand: 3, NotCompleted: 4, OutOfRange: 5, NoSession: 0x80 });
const COMMUNICATION_INTERVAL_MIN = 5;
/** Asks for the newest record. */
const NEWEST = 0xffff;
/** Approved treatment, calibration free, recommended calibration, abnormal increase detection; a sensor of 7 days. */
const SENSOR_DETAILS = Uint8Array.of(0x91, 0x07, 0x1d, 0x00, 0xff, 0xff, 0x60, 0x27);
/** mg/dL, or mg/dL a minute, by the request that asks for it. */
const ALERT_LEVELS: Readonly<Record<number, number>> = {
  [SpecificOpsOpcode.GetPatientHighAlertLevel]: 250,
  [SpecificOpsOpcode.GetPatientLowAlertLevel]: 70,
  [SpecificOpsOpcode.GetHypoAlertLevel]: 54,
  [SpecificOpsOpcode.GetHyperAlertLevel]: 300,
  [SpecificOpsOpcode.GetRateOfDecreaseAlertLevel]: -3,
  [SpecificOpsOpcode.GetRateOfIncreaseAlertLevel]: 3,
};

export interface CgmServerOptions {
  readonly server: GattServer;
  readonly served: ServedSession;
  /** undefined while no sensor session runs. */
  readonly sensor: () => SimulatedSensor | undefined;
  /** Calibrations of the session, by ascending record numbers. */
  readonly calibrations: () => readonly CalibrationWords[];
  /** Also the vendor's values. */
  readonly vendorValues: boolean;
}

/** The CGM service of a pump. */
export class CgmServer {
  readonly #options: CgmServerOptions;
  readonly #served: ServedSession;
  readonly #controlPoints: ServedControlPoints;
  #service!: LocalService;
  #measurement!: LocalCharacteristic;
  #recordAccess!: LocalCharacteristic;
  #specificOps!: LocalCharacteristic;

  constructor(options: CgmServerOptions) {
    this.#options = options;
    this.#served = options.served;
    this.#controlPoints = new ServedControlPoints(options.served.faults);
    this.#add(undefined);
  }

  /** Puts it elsewhere, without a word to the phone. */
  move(handle: number): void {
    this.#options.server.removeService(this.#service);
    this.#add(handle);
  }

  /** Another connection, or none. */
  reset(): void {
    this.#controlPoints.stop();
  }

  #add(handle: number | undefined): void {
    const sealed = (value: () => Uint8Array) => () => this.#served.seal(this.#served.withCrc(value()));
    const service = this.#options.server.addService({
      uuid: ServiceUuid.ContinuousGlucoseMonitoring,
      ...(handle !== undefined && { handle }),
      characteristics: [
        { uuid: CharacteristicUuid.CgmMeasurement, properties: ["notify"] },
        { uuid: CharacteristicUuid.CgmFeature, properties: ["read"], value: FEATURE },
        { uuid: CharacteristicUuid.CgmStatus, properties: ["read"], read: sealed(() => this.#status()) },
        {
          uuid: CharacteristicUuid.CgmSessionStartTime,
          properties: ["read", "write"],
          read: sealed(() => encodeSessionStartTime(this.#sensor().start, CRC)),
          write: () => this.#served.forbid(),
        },
        {
          uuid: CharacteristicUuid.CgmSessionRunTime,
          properties: ["read"],
          read: () => this.#served.withCrc(encodeSessionRunTime(this.#sensor().runTimeHours, CRC)),
        },
        {
          uuid: CharacteristicUuid.RecordAccessControlPoint,
          properties: ["write", "indicate"],
          write: (value, request) => this.#onRecordAccess(value, request),
        },
        {
          uuid: CharacteristicUuid.CgmSpecificOpsControlPoint,
          properties: ["write", "indicate"],
          write: (value, request) => this.#onSpecificOps(value, request),
        },
        ...(this.#options.vendorValues
          ? vendorValues({
              served: this.#served,
              requireSensor: () => this.#sensor(),
              at: (uuid) => this.#service.characteristic(uuid)!,
            })
          : []),
      ],
    });
    this.#service = service;
    this.#measurement = service.characteristic(CharacteristicUuid.CgmMeasurement)!;
    this.#recordAccess = service.characteristic(CharacteristicUuid.RecordAccessControlPoint)!;
    this.#specificOps = service.characteristic(CharacteristicUuid.CgmSpecificOpsControlPoint)!;
  }

  /** @throws {AttError} Read Not Permitted while no sensor session runs, as the pump answers */
  #sensor(): SimulatedSensor {
    const sensor = this.#options.sensor();
    if (!sensor) throw new AttError(AttErrorCode.ReadNotPermitted);
    return sensor;
  }

  #status(): Uint8Array {
    const sensor = this.#sensor();
    return encodeCgmStatus(sensor.latestOffsetMin, sensor.octetsAt(sensor.latestOffsetMin));
  }

  // --- records ------------------------------------------------------------------------------------------------------------------

  #onRecordAccess(value: Uint8Array, request: GattRequest): void {
    this.#served.require();
    const opcode = value[0] ?? 0;
    if (opcode === RecordAccessOpcode.Delete) this.#served.forbid();
    if (opcode === RecordAccessOpcode.Abort) {
      checkSubscribed(this.#recordAccess, request);
      this.#controlPoints.stop();
    }
    this.#controlPoints.begin(this.#recordAccess, request, async (signal) => {
      const answer = await this.#recordAccessAnswer(opcode, value.subarray(1), signal, request);
      if (!signal.aborted) await this.#served.outbox.indicate(this.#recordAccess, () => answer, request.peer);
    });
  }

  /** Sends the records that are asked for, and gives the answer that ends them. */
  async #recordAccessAnswer(opcode: number, operand: Uint8Array, signal: AbortSignal, { peer }: GattRequest): Promise<Uint8Array> {
    const { Report, Count, Abort } = RecordAccessOpcode;
    if (opcode === Abort) return encodeRecordAccessResponse(opcode, RecordAccessCode.Success);
    if (opcode !== Report && opcode !== Count) return encodeRecordAccessResponse(opcode, RecordAccessCode.OpcodeNotSupported);
    if (this.#served.faults.strike("uncompletedRequests")) return encodeRecordAccessResponse(opcode, RecordAccessCode.NotCompleted);
    const sensor = this.#options.sensor();
    const offsets = sensor ? sensor.select(operand) : [];
    if (!offsets) return encodeRecordAccessResponse(opcode, RecordAccessCode.InvalidOperand);
    if (opcode === Count) return encodeNumberOfRecords(offsets.length);
    if (!sensor || offsets.length === 0) return encodeRecordAccessResponse(opcode, RecordAccessCode.NoRecordsFound);
    for (const offset of offsets) {
      const record = this.#served.withCrc(sensor.record(offset, CRC));
      for (const part of fragment(record, this.#served.largestNotification, FRAME_OVERHEAD)) {
        if (signal.aborted) return encodeRecordAccessResponse(opcode, RecordAccessCode.NotCompleted);
        await this.#served.outbox.notify(this.#measurement, () => this.#served.seal(part), peer);
      }
    }
    return encodeRecordAccessResponse(opcode, RecordAccessCode.Success);
  }

  // --- specific operations ------------------------------------------------------------------------------------------------------

  #onSpecificOps(value: Uint8Array, request: GattRequest): void {
    const [opcode, ...operand] = checkedRequest(this.#served.open(value));
    if (opcode === undefined) throw new AttError(CgmError.MissingCrc);
    this.#controlPoints.begin(this.#specificOps, request, async () => {
      const answer = this.#served.withCrc(appendE2eCrc(this.#specificOpsAnswer(opcode, operand)));
      await this.#served.outbox.indicate(this.#specificOps, () => this.#served.seal(answer), request.peer);
    });
  }

  #specificOpsAnswer(opcode: number, operand: readonly number[]): Uint8Array {
    const refuse = (code: number): Uint8Array => Uint8Array.of(SPECIFIC_OPS_RESPONSE, opcode, code);
    const { faults } = this.#served;
    if (!(Object.values(SpecificOpsOpcode) as number[]).includes(opcode)) {
      this.#served.forbiddenWrites++;
      return refuse(SpecificOpsCode.OpcodeNotSupported);
    }
    if (faults.strike("uncompletedRequests")) return refuse(SpecificOpsCode.NotCompleted);
    const wantsRecord = opcode === SpecificOpsOpcode.GetCalibrationValue || opcode === SpecificOpsOpcode.GetCalibrationContext;
    const wantsNumber = wantsRecord || opcode === SpecificOpsOpcode.ReadSessionStartTime;
    if (operand.length !== (wantsNumber ? 2 : 0)) return refuse(SpecificOpsCode.InvalidOperand);
    const level = ALERT_LEVELS[opcode];
    if (level !== undefined) return encodeAlertLevel(opcode + 1, level);
    if (opcode === SpecificOpsOpcode.GetCommunicationInterval) return Uint8Array.of(opcode + 1, COMMUNICATION_INTERVAL_MIN);
    // What a 780G has no answer to.
    if (opcode === SpecificOpsOpcode.ReadCurrentSessionId) return refuse(SpecificOpsCode.OpcodeNotSupported);
    if (opcode === SpecificOpsOpcode.GetSensorDetails) return SENSOR_DETAILS;
    if (opcode === SpecificOpsOpcode.ReadSessionStartTime || !this.#options.sensor()) return refuse(SpecificOpsCode.NoSession);
    const calibration = this.#calibration(operand[0]! | (operand[1]! << 8));
    if (opcode === SpecificOpsOpcode.GetCalibrationContext)
      return encodeCalibrationContext(opcode + 1, 0, calibration ? CALIBRATION_FACTOR : 0);
    return calibration ? encodeCalibrationValue(opcode + 1, calibration) : refuse(SpecificOpsCode.OutOfRange);
  }

  #calibration(recordNumber: number): CalibrationWords | undefined {
    const calibrations = this.#options.calibrations();
    return recordNumber === NEWEST ? calibrations.at(-1) : calibrations.find((each) => each.recordNumber === recordNumber);
  }
}

const CALIBRATION_FACTOR = 1000;

/** A request without its CRC. @throws {AttError} with the codes of the service */
function checkedRequest(plaintext: Uint8Array): Uint8Array {
  try {
    return checkE2eCrc("request", plaintext);
  } catch (error) {
    if (error instanceof PumpDataError)
      throw new AttError(error.problem === "crc" ? CgmError.InvalidCrc : CgmError.MissingCrc, { cause: error });
    throw error;
  }
}
