import type { Clock } from "jelling/async";
import { AttError } from "jelling/att";
import { Reader } from "jelling/bytes";
import type { GattPeer, GattRequest, GattServer, LocalCharacteristic, LocalService } from "jelling/gatt";
import { PumpDataError } from "../data/error.ts";
import { CommandReadOpcode, SettingsType } from "../idd/command-reads.ts";
import { encodeIddFeatures } from "../idd/features.ts";
import { encodeIddStatus } from "../idd/status.ts";
import { StatusReaderOpcode } from "../idd/status-reader.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import type { DeliverySource } from "./delivery-source.ts";
import { encodeAnnunciationStatus } from "./encode/annunciation-status.ts";
import { encodeCommandResult, encodeHighLowSettings, encodeMaximumBolus } from "./encode/command.ts";
import { nextCounter, protect, protectFeatures, unprotect } from "./encode/protection.ts";
import { encodeStatusReaderResult, IddResultCode } from "./encode/status-reader.ts";
import { HistoryServer } from "./history-server.ts";
import { ServedControlPoints } from "./served-control-points.ts";
import type { ServedSession } from "./served-session.ts";
import { answerStatusReader } from "./status-reader-answers.ts";

/** Application errors of the insulin delivery service. */
const IddError = Object.freeze({ InvalidCrc: 0x81, InvalidCounter: 0x82 });
/** The pump pushes what had changed so long after it was subscribed to. */
const FIRST_PUSH_MS = 20;

export interface IddServerOptions {
  readonly server: GattServer;
  readonly clock: Clock;
  readonly served: ServedSession;
  readonly source: DeliverySource;
  /** Values end with a counter and a CRC. */
  readonly e2e: boolean;
  readonly transmitterBatteryPercent: () => number;
}

/** The insulin delivery service of a pump, vendor 0100. */
export class IddServer {
  readonly #options: IddServerOptions;
  readonly #served: ServedSession;
  readonly #source: DeliverySource;
  readonly #controlPoints: ServedControlPoints;
  readonly #history: HistoryServer;
  #service!: LocalService;
  #statusChanged!: LocalCharacteristic;
  #statusReader!: LocalCharacteristic;
  #command!: LocalCharacteristic;
  #commandData!: LocalCharacteristic;
  #recordAccess!: LocalCharacteristic;
  #historyData!: LocalCharacteristic;
  /** Counters of what was sent and received last, by UUID. */
  readonly #sent = new Map<string, number>();
  readonly #received = new Map<string, number>();
  /** Who has subscribed to what changes in this connection. */
  #listener: GattPeer | undefined;
  /** What the listener was told and has not reset: until then it is told nothing more. */
  #told: Uint8Array | undefined;
  #firstPush: Disposable | undefined;

  constructor(options: IddServerOptions) {
    this.#options = options;
    this.#served = options.served;
    this.#source = options.source;
    this.#controlPoints = new ServedControlPoints(options.served.faults);
    this.#history = new HistoryServer({
      served: options.served,
      memory: () => options.source.history,
      controlPoints: this.#controlPoints,
      protect: (record) => this.#protect(CharacteristicUuid.IddHistoryData.text, record),
      recordAccess: () => this.#recordAccess,
      historyData: () => this.#historyData,
    });
    options.source.latch.onRaised = () => this.#push();
    this.#add(undefined);
  }

  #add(handle: number | undefined): void {
    const { server } = this.#options;
    const source = this.#source;
    const sealed = (uuid: (typeof CharacteristicUuid)[keyof typeof CharacteristicUuid], make: () => Uint8Array) => ({
      uuid,
      properties: ["read"] as const,
      read: () => {
        source.advance();
        return this.#served.seal(this.#protect(uuid.text, make()));
      },
    });
    const service = server.addService({
      uuid: ServiceUuid.InsulinDelivery,
      ...(handle !== undefined && { handle }),
      characteristics: [
        {
          ...sealed(CharacteristicUuid.IddStatusChanged, () => this.#tell()),
          properties: ["read", "indicate"],
          onSubscription: (peer, { indicate, restored }) => this.#onSubscription(peer, indicate, restored),
        },
        sealed(CharacteristicUuid.IddStatus, () => encodeIddStatus(source.status())),
        sealed(CharacteristicUuid.IddAnnunciationStatus, () => encodeAnnunciationStatus(source.annunciation())),
        { uuid: CharacteristicUuid.IddFeatures, properties: ["read"], read: () => this.#served.seal(this.#features()) },
        {
          uuid: CharacteristicUuid.IddStatusReaderControlPoint,
          properties: ["write", "indicate"],
          write: (value, request) => this.#onStatusReader(value, request),
        },
        {
          uuid: CharacteristicUuid.IddCommandControlPoint,
          properties: ["write", "indicate"],
          write: (value, request) => this.#onCommand(value, request),
        },
        { uuid: CharacteristicUuid.IddCommandData, properties: ["notify"] },
        {
          uuid: CharacteristicUuid.RecordAccessControlPoint,
          properties: ["write", "indicate"],
          write: (value, request) => this.#history.onWrite(value, request),
        },
        { uuid: CharacteristicUuid.IddHistoryData, properties: ["notify"] },
        {
          uuid: CharacteristicUuid.TransmitterBatteryLevel,
          properties: ["read", "notify"],
          read: () => Uint8Array.of(this.#options.transmitterBatteryPercent()),
        },
      ],
    });
    this.#service = service;
    const at = (uuid: (typeof CharacteristicUuid)[keyof typeof CharacteristicUuid]): LocalCharacteristic => service.characteristic(uuid)!;
    this.#statusChanged = at(CharacteristicUuid.IddStatusChanged);
    this.#statusReader = at(CharacteristicUuid.IddStatusReaderControlPoint);
    this.#command = at(CharacteristicUuid.IddCommandControlPoint);
    this.#commandData = at(CharacteristicUuid.IddCommandData);
    this.#recordAccess = at(CharacteristicUuid.RecordAccessControlPoint);
    this.#historyData = at(CharacteristicUuid.IddHistoryData);
  }

  /** Puts it elsewhere, without a word to the phone. */
  move(handle: number): void {
    this.#options.server.removeService(this.#service);
    this.#add(handle);
  }

  /** Another connection, or none. */
  reset(): void {
    this.#controlPoints.stop();
    this.#firstPush?.[Symbol.dispose]();
    this.#hear(undefined);
    this.#sent.clear();
    this.#received.clear();
  }

  // --- protection ---------------------------------------------------------------------------------------------------------------

  #features(): Uint8Array {
    const { bits, insulinConcentrationWord } = this.#source.features;
    const features = encodeIddFeatures({ bits: this.#options.e2e ? bits | 1n : bits, insulinConcentrationWord });
    return this.#options.e2e ? protectFeatures(features, this.#count(this.#sent, CharacteristicUuid.IddFeatures.text)) : features;
  }

  #count(counters: Map<string, number>, uuid: string): number {
    const counter = nextCounter(counters.get(uuid) ?? 0);
    counters.set(uuid, counter);
    return counter;
  }

  #protect(uuid: string, content: Uint8Array): Uint8Array {
    return this.#options.e2e ? this.#served.withCrc(protect(content, this.#count(this.#sent, uuid))) : content;
  }

  /** A request, opened and checked. @throws {AttError} Insufficient Authorization, Invalid CRC, Invalid Counter */
  #request({ uuid }: LocalCharacteristic, value: Uint8Array): Uint8Array {
    const plaintext = this.#served.open(value);
    if (!this.#options.e2e) return plaintext;
    try {
      const { content, counter } = unprotect("request", plaintext);
      if (counter !== nextCounter(this.#received.get(uuid.text) ?? 0)) throw new AttError(IddError.InvalidCounter);
      this.#received.set(uuid.text, counter);
      return content;
    } catch (error) {
      if (error instanceof PumpDataError) throw new AttError(IddError.InvalidCrc, { cause: error });
      throw error;
    }
  }

  #indicate(controlPoint: LocalCharacteristic, content: Uint8Array, { peer }: GattRequest): Promise<void> {
    return this.#served.outbox.indicate(controlPoint, () => this.#served.seal(this.#protect(controlPoint.uuid.text, content)), peer);
  }

  // --- what has changed ---------------------------------------------------------------------------------------------------------

  /** What an earlier connection left counts for nothing: a phone that does not subscribe again may not know where its handles are. */
  #onSubscription(peer: GattPeer, indicate: boolean, restored: boolean): void {
    this.#firstPush?.[Symbol.dispose]();
    this.#source.advance();
    this.#hear(indicate && !restored ? peer : undefined);
    if (!this.#listener) return;
    this.#firstPush = this.#options.clock.setTimer(FIRST_PUSH_MS, "the first push of a pump", () => this.#push());
  }

  #hear(listener: GattPeer | undefined): void {
    this.#listener = listener;
    this.#told = undefined;
    this.#source.listen(listener !== undefined);
  }

  #push(): void {
    const peer = this.#listener;
    const { latch } = this.#source;
    if (!peer || this.#told || latch.isEmpty || this.#served.faults.withholdsPushes || !this.#served.isOpen) return;
    this.#told = latch.field;
    const make = (): Uint8Array => {
      // All that has changed until it leaves.
      return this.#served.seal(this.#protect(CharacteristicUuid.IddStatusChanged.text, this.#tell()));
    };
    void this.#served.outbox.indicate(this.#statusChanged, make, peer);
  }

  /** Whoever reads it is told as well, and may reset it. */
  #tell(): Uint8Array {
    this.#told = this.#source.latch.tell();
    return this.#told;
  }

  /** Only what was told is reset, octet for octet. */
  #reset(field: Uint8Array): number {
    const told = this.#told;
    if (this.#served.faults.strike("refusedResets")) return IddResultCode.NotCompleted;
    if (!told || told.length !== field.length || told.some((octet, i) => octet !== field[i])) return IddResultCode.InvalidOperand;
    this.#source.latch.reset();
    this.#told = undefined;
    return IddResultCode.Success;
  }

  // --- control points -----------------------------------------------------------------------------------------------------------

  #onStatusReader(value: Uint8Array, request: GattRequest): void {
    const content = this.#request(this.#statusReader, value);
    this.#source.advance();
    this.#controlPoints.begin(this.#statusReader, request, async () => {
      await this.#indicate(this.#statusReader, this.#statusReaderAnswer(content), request);
      this.#push(); // what came while the last ones were not reset
    });
  }

  #statusReaderAnswer(content: Uint8Array): Uint8Array {
    if (content.length < 2) return encodeStatusReaderResult(0, IddResultCode.InvalidOperand);
    const opcode = content[0]! | (content[1]! << 8);
    const operand = content.subarray(2);
    if (!(Object.values(StatusReaderOpcode) as number[]).includes(opcode)) this.#served.forbiddenWrites++;
    if (this.#served.faults.strike("uncompletedRequests")) return encodeStatusReaderResult(opcode, IddResultCode.NotCompleted);
    if (opcode === StatusReaderOpcode.ResetStatus) return encodeStatusReaderResult(opcode, this.#reset(operand));
    return answerStatusReader(this.#source, opcode, operand);
  }

  #onCommand(value: Uint8Array, request: GattRequest): void {
    const content = this.#request(this.#command, value);
    this.#source.advance();
    this.#controlPoints.begin(this.#command, request, async () => {
      const reader = new Reader(content);
      const opcode = content.length < 2 ? 0 : reader.u16();
      const result = (code: number): Promise<void> => this.#indicate(this.#command, encodeCommandResult(opcode, code), request);
      if (!(Object.values(CommandReadOpcode) as number[]).includes(opcode)) {
        this.#served.forbiddenWrites++;
        await result(IddResultCode.OpcodeNotSupported);
      } else if (this.#served.faults.strike("uncompletedRequests")) await result(IddResultCode.NotCompleted);
      else if (opcode === CommandReadOpcode.GetMaximumBolus) {
        if (reader.remaining > 0) await result(IddResultCode.InvalidOperand);
        // By the SIG its answer is the indication itself.
        else await this.#indicate(this.#command, encodeMaximumBolus(this.#source.maximumBolusIu), request);
      } else await result(await this.#sendLimits(reader.rest(), request));
    });
  }

  async #sendLimits(operand: Uint8Array, { peer }: GattRequest): Promise<number> {
    const [type] = operand;
    if (operand.length !== 1 || (type !== SettingsType.Low && type !== SettingsType.High)) return IddResultCode.InvalidOperand;
    const data = this.#commandData;
    for (const content of encodeHighLowSettings(type, this.#source.limits(type === SettingsType.Low ? "low" : "high")))
      await this.#history.sendParts(data, this.#protect(data.uuid.text, content), peer);
    return IddResultCode.Success;
  }
}
