import { AttError, AttErrorCode } from "jelling/att";
import type { GattRequest, GattServer, LocalCharacteristic, LocalService } from "jelling/gatt";
import { encodeCgmFeature } from "../cgm/feature.ts";
import { fragment } from "../cgm/fragments.ts";
import { encodeNumberOfRecords, encodeRecordAccessResponse, RecordAccessCode, RecordAccessOpcode } from "../cgm/record-access.ts";
import { encodeSessionRunTime, encodeSessionStartTime } from "../cgm/session.ts";
import { SpecificOpsOpcode } from "../cgm/specific-ops.ts";
import type { LocalDateTime } from "../data/date-time.ts";
import { appendE2eCrc, checkE2eCrc } from "../data/e2e-crc.ts";
import { PumpDataError } from "../data/error.ts";
import { encodeCurrentTime } from "../data/standard.ts";
import { FRAME_OVERHEAD } from "../sake/frame.ts";
import { SakeFrameError, type SakeSession } from "../sake/session.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import type { SimulatedSensor } from "./sensor.ts";

const CRC = { e2eCrc: true };
/** E2E-CRC and trend information; interstitial fluid in subcutaneous tissue. */
const FEATURE = encodeCgmFeature({ bits: 0x009000, type: 9, sampleLocation: 5 });
/** Application errors of the CGM service. */
const CgmError = Object.freeze({ MissingCrc: 0x80, InvalidCrc: 0x81 });
const SPECIFIC_OPS_RESPONSE = 0x1c;
const OPCODE_NOT_SUPPORTED = 0x02;
const COMMUNICATION_INTERVAL_MIN = 5;
/** Approved treatment, calibration free, recommended calibration, abnormal increase detection; a sensor of 7 days. */
const SENSOR_DETAILS = Uint8Array.of(0x91, 0x07, 0x1d, 0x00, 0xff, 0xff, 0x60, 0x27);

/** What a pump tells about itself. */
export interface PumpIdentity {
  /** Seven digits, invented. */
  readonly digits: string;
  readonly name: string;
  readonly serial: string;
}

export interface PumpServerOptions {
  readonly server: GattServer;
  readonly identity: PumpIdentity;
  /** undefined while no sensor session runs. */
  readonly sensor: () => SimulatedSensor | undefined;
  readonly clock: () => LocalDateTime;
  readonly batteryPercent: () => number;
  /** The authenticated session with the phone that is connected. */
  readonly session: () => SakeSession | undefined;
  /** Longest notification the link takes: ATT_MTU − 3. */
  readonly largestNotification: () => number;
}

/** The services of a pump that a phone reads: device information, battery, time, CGM. As on a real one there is no 0x1801. */
export class PumpServer {
  readonly #options: PumpServerOptions;
  #glucose!: LocalService;
  #measurement!: LocalCharacteristic;
  #recordAccess!: LocalCharacteristic;
  #specificOps!: LocalCharacteristic;
  #busy = false;
  /** Writes that a read-only client never makes: of the session start time, of records, of settings. */
  forbiddenWrites = 0;

  constructor(options: PumpServerOptions) {
    this.#options = options;
    const { server, identity } = options;
    const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);
    const plain = (uuid: (typeof CharacteristicUuid)[keyof typeof CharacteristicUuid], value: Uint8Array) => ({
      uuid,
      properties: ["read"] as const,
      value,
    });
    server.addService({
      uuid: ServiceUuid.GenericAccess,
      characteristics: [
        plain(CharacteristicUuid.DeviceName, new TextEncoder().encode(identity.name)),
        plain(CharacteristicUuid.Appearance, new Uint8Array(2)),
      ],
    });
    server.addService({
      uuid: ServiceUuid.DeviceInformation,
      handle: 0x0100, // away from the phone's: readers of captures keep one table for both servers
      characteristics: [
        plain(CharacteristicUuid.ManufacturerName, text("Simulated pumps")),
        plain(CharacteristicUuid.ModelNumber, text("SIM-780")),
        plain(CharacteristicUuid.SerialNumber, text(identity.serial)),
        plain(CharacteristicUuid.HardwareRevision, text("A1.01")),
        plain(CharacteristicUuid.FirmwareRevision, text("6.7.1")),
        plain(CharacteristicUuid.SoftwareRevision, text("")),
        plain(CharacteristicUuid.SystemId, new Uint8Array(8)),
        plain(CharacteristicUuid.PnpId, new Uint8Array(7)),
        plain(CharacteristicUuid.RegulatoryData, new Uint8Array()),
      ],
    });
    server.addService({
      uuid: ServiceUuid.Battery,
      characteristics: [
        { uuid: CharacteristicUuid.BatteryLevel, properties: ["read", "notify"], read: () => Uint8Array.of(options.batteryPercent()) },
      ],
    });
    server.addService({
      uuid: ServiceUuid.CurrentTime,
      characteristics: [{ uuid: CharacteristicUuid.CurrentTime, properties: ["read", "notify"], read: () => this.#currentTime() }],
    });
    this.#addGlucose(undefined);
  }

  /** Puts the CGM service elsewhere, as another version of the pump's software may: a pump has no Service Changed to tell of it. */
  moveGlucose(handle: number): void {
    this.#options.server.removeService(this.#glucose);
    this.#addGlucose(handle);
  }

  #addGlucose(handle: number | undefined): void {
    const cgm = this.#options.server.addService({
      uuid: ServiceUuid.ContinuousGlucoseMonitoring,
      ...(handle !== undefined && { handle }),
      characteristics: [
        { uuid: CharacteristicUuid.CgmMeasurement, properties: ["notify"] },
        { uuid: CharacteristicUuid.CgmFeature, properties: ["read"], value: FEATURE },
        {
          uuid: CharacteristicUuid.CgmSessionStartTime,
          properties: ["read", "write"],
          read: () => this.#seal(encodeSessionStartTime(this.#sensor().start, CRC)),
          write: () => this.#forbid(),
        },
        {
          uuid: CharacteristicUuid.CgmSessionRunTime,
          properties: ["read"],
          read: () => encodeSessionRunTime(this.#sensor().runTimeHours, CRC),
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
      ],
    });
    this.#glucose = cgm;
    this.#measurement = cgm.characteristic(CharacteristicUuid.CgmMeasurement)!;
    this.#recordAccess = cgm.characteristic(CharacteristicUuid.RecordAccessControlPoint)!;
    this.#specificOps = cgm.characteristic(CharacteristicUuid.CgmSpecificOpsControlPoint)!;
  }

  /** A new connection: whatever was being answered on the last one is over. */
  reset(): void {
    this.#busy = false;
  }

  #currentTime(): Uint8Array {
    const local = this.#options.clock();
    return encodeCurrentTime({ local, dayOfWeek: 0, fractions256: 0, adjustReason: 0 });
  }

  /** @throws {AttError} Read Not Permitted while no sensor session runs, as the pump answers */
  #sensor(): SimulatedSensor {
    const sensor = this.#options.sensor();
    if (!sensor) throw new AttError(AttErrorCode.ReadNotPermitted);
    return sensor;
  }

  #session(): SakeSession {
    const session = this.#options.session();
    if (!session || session.isClosed) throw new AttError(AttErrorCode.InsufficientAuthorization);
    return session;
  }

  #seal(plaintext: Uint8Array): Uint8Array {
    return this.#session().encrypt(plaintext);
  }

  #forbid(): never {
    this.forbiddenWrites++;
    throw new AttError(AttErrorCode.WriteNotPermitted);
  }

  /** One exchange at a time, and only with a client that can hear the answer. */
  #begin(controlPoint: LocalCharacteristic, { peer }: GattRequest): void {
    if (!controlPoint.subscribers.some(({ id }) => id === peer.id)) throw new AttError(AttErrorCode.CccdImproperlyConfigured);
    if (this.#busy) throw new AttError(AttErrorCode.ProcedureAlreadyInProgress);
    this.#busy = true;
  }

  /** Indications that are lost with the link are nobody's concern: the next session starts over. */
  #answer(controlPoint: LocalCharacteristic, value: Uint8Array, { peer }: GattRequest): void {
    const done = (): void => {
      this.#busy = false;
    };
    controlPoint.indicate(value, { to: peer }).then(done, done);
  }

  #onRecordAccess(value: Uint8Array, request: GattRequest): void {
    this.#session();
    const opcode = value[0] ?? 0;
    if (opcode === RecordAccessOpcode.Delete) this.#forbid();
    this.#begin(this.#recordAccess, request);
    this.#answer(this.#recordAccess, this.#recordAccessResponse(opcode, value.subarray(1), request), request);
  }

  /** Sends the records that are asked for, and gives the response that ends them. */
  #recordAccessResponse(opcode: number, operand: Uint8Array, { peer }: GattRequest): Uint8Array {
    const { Report, Count, Abort } = RecordAccessOpcode;
    if (opcode === Abort) return encodeRecordAccessResponse(opcode, RecordAccessCode.Success);
    if (opcode !== Report && opcode !== Count) return encodeRecordAccessResponse(opcode, RecordAccessCode.OpcodeNotSupported);
    const sensor = this.#options.sensor();
    const offsets = sensor ? sensor.select(operand) : [];
    if (!offsets) return encodeRecordAccessResponse(opcode, RecordAccessCode.InvalidOperand);
    if (opcode === Count) return encodeNumberOfRecords(offsets.length);
    if (!sensor || offsets.length === 0) return encodeRecordAccessResponse(opcode, RecordAccessCode.NoRecordsFound);
    for (const offset of offsets)
      for (const part of fragment(sensor.record(offset, CRC), this.#options.largestNotification(), FRAME_OVERHEAD))
        this.#measurement.notify(this.#seal(part), { to: peer }).catch(() => undefined); // lost with the link
    return encodeRecordAccessResponse(opcode, RecordAccessCode.Success);
  }

  #onSpecificOps(value: Uint8Array, request: GattRequest): void {
    const [opcode, ...operand] = openRequest(this.#session(), value);
    if (opcode === undefined) throw new AttError(CgmError.MissingCrc);
    this.#begin(this.#specificOps, request);
    this.#answer(this.#specificOps, this.#seal(appendE2eCrc(this.#specificOpsResponse(opcode, operand))), request);
  }

  #specificOpsResponse(opcode: number, operand: readonly number[]): Uint8Array {
    if (opcode === SpecificOpsOpcode.GetSensorDetails && operand.length === 0) return SENSOR_DETAILS;
    if (opcode === SpecificOpsOpcode.GetCommunicationInterval && operand.length === 0)
      return Uint8Array.of(opcode + 1, COMMUNICATION_INTERVAL_MIN);
    if (!(Object.values(SpecificOpsOpcode) as number[]).includes(opcode)) this.forbiddenWrites++;
    return Uint8Array.of(SPECIFIC_OPS_RESPONSE, opcode, OPCODE_NOT_SUPPORTED);
  }
}

/** Decrypts a request and checks its CRC. @throws {AttError} with the codes of the service */
function openRequest(session: SakeSession, value: Uint8Array): Uint8Array {
  try {
    return checkE2eCrc("request", session.decrypt(value));
  } catch (error) {
    if (error instanceof SakeFrameError) throw new AttError(AttErrorCode.InsufficientAuthorization, { cause: error });
    if (error instanceof PumpDataError)
      throw new AttError(error.problem === "crc" ? CgmError.InvalidCrc : CgmError.MissingCrc, { cause: error });
    throw error;
  }
}
