import { PumpDataError } from "../../data/error.ts";
import { RecordAssembler } from "../../history/fragments.ts";
import { type AnnunciationStatus, decodeAnnunciationStatus } from "../../idd/annunciation-status.ts";
import {
  CommandReadOpcode,
  type CommandReadResponse,
  decodeCommandRead,
  type HighLowSettings,
  SettingsType,
} from "../../idd/command-reads.ts";
import { decodeIddFeatures, type IddFeatures } from "../../idd/features.ts";
import { decodeIddStatus, type IddStatus } from "../../idd/status.ts";
import {
  type ActiveBasalRate,
  type ActiveBolus,
  COUNTER_SELECTIONS,
  COUNTER_TYPES,
  type DisplayFormat,
  decodeStatusReaderResponse,
  type InsulinOnBoard,
  StatusReaderOpcode,
  type StatusReaderResponse,
  type TherapyAlgorithmStates,
  type TimeInRange,
} from "../../idd/status-reader.ts";
import type { PumpChannel } from "../pump-channel.ts";
import type { PumpValueName } from "../pump-handles.ts";
import { orNone } from "./refusal.ts";

/** Which amounts of a bolus are asked for. */
const BolusSelection = Object.freeze({ Programmed: 0x0f, Delivered: 0x3c });
const NOTHING = new Uint8Array();
/** A pump has two or three under way. Each takes seconds, in which nothing else is read. */
const MOST_BOLUSES = 8;
/** More than a day in blocks of half an hour has; what a pump sends beyond is dropped. */
const MOST_COMMAND_DATA = 32;

export type CounterType = (typeof COUNTER_TYPES)[keyof typeof COUNTER_TYPES];
export type CounterSelection = (typeof COUNTER_SELECTIONS)[keyof typeof COUNTER_SELECTIONS];

/** A bolus that is being delivered. */
export interface BolusUnderWay {
  readonly bolusId: number;
  /** undefined: it ended meanwhile. */
  readonly programmed: ActiveBolus | undefined;
  readonly delivered: ActiveBolus | undefined;
}

/** IU; undefined for what the pump does not give. */
export interface InsulinAmounts {
  readonly bolusIu: number | undefined;
  readonly basalIu: number | undefined;
}

/** Reads the insulin delivery service of a pump. What the pump has not, or does not give at present, is undefined. Within an operation of the channel. */
export class DeliveryReader {
  readonly #channel: PumpChannel;
  #features: IddFeatures | undefined;
  /** Whether the pump was asked for them. What is damaged says nothing, and is asked for again. */
  #isAsked = false;

  constructor(channel: PumpChannel) {
    this.#channel = channel;
  }

  /**
   * They do not change during a connection, and are read once. They say in which form everything else is asked for and given: nothing of the
   * service is read without them.
   *
   * @throws {PumpDataError} they are damaged
   */
  async features(): Promise<IddFeatures | undefined> {
    if (this.#isAsked) return this.#features;
    this.#features = await this.#channel.optional("iddFeatures", async () => {
      const features = decodeIddFeatures(await this.#channel.readSealed("iddFeatures"));
      if (features.crc === "invalid") throw new PumpDataError("crc", "IDD Features: the E2E-CRC does not match");
      return features;
    });
    this.#isAsked = true;
    this.#channel.delivery.isOn = this.#features?.e2e ?? false;
    return this.#features;
  }

  status(): Promise<IddStatus | undefined> {
    return this.#value("iddStatus", decodeIddStatus);
  }

  /** undefined where the pump shows none. */
  annunciation(): Promise<AnnunciationStatus | undefined> {
    return this.#value("iddAnnunciationStatus", decodeAnnunciationStatus);
  }

  insulinOnBoard(): Promise<InsulinOnBoard | undefined> {
    return this.#read(StatusReaderOpcode.GetInsulinOnBoard, "insulin_on_board");
  }
  timeInRange(): Promise<TimeInRange | undefined> {
    return this.#read(StatusReaderOpcode.GetTimeInRange, "time_in_range");
  }
  therapyAlgorithmStates(): Promise<TherapyAlgorithmStates | undefined> {
    return this.#read(StatusReaderOpcode.GetTherapyAlgorithmStates, "therapy_algorithm_states");
  }
  basalRate(): Promise<ActiveBasalRate | undefined> {
    return this.#read(StatusReaderOpcode.GetActiveBasalRateDelivery, "active_basal_rate");
  }
  displayFormat(): Promise<DisplayFormat | undefined> {
    return this.#read(StatusReaderOpcode.GetDisplayFormat, "display_format");
  }

  /** Of the day so far. */
  async totalDailyInsulin(): Promise<(InsulinAmounts & { readonly sumIu: number | undefined }) | undefined> {
    const total = await this.#read(StatusReaderOpcode.GetTotalDailyInsulin, "total_daily_insulin");
    return total && { bolusIu: total.bolusIu, basalIu: total.basalIu, sumIu: total.sumIu };
  }

  /** Of the pump's life. */
  async deliveredInsulin(): Promise<InsulinAmounts | undefined> {
    const delivered = await this.#read(StatusReaderOpcode.GetDeliveredInsulin, "delivered_insulin");
    return delivered && { bolusIu: delivered.bolusIu, basalIu: delivered.basalIu };
  }

  /** Minutes. */
  async counter(type: CounterType, selection: CounterSelection): Promise<number | undefined> {
    const operand = Uint8Array.of(codeOf(COUNTER_TYPES, type), codeOf(COUNTER_SELECTIONS, selection));
    return (await this.#read(StatusReaderOpcode.GetCounter, "counter", operand))?.minutes;
  }

  async sensorWarmUpHours(): Promise<number | undefined> {
    return (await this.#read(StatusReaderOpcode.GetSensorWarmUpRemaining, "warm_up_remaining"))?.hours;
  }

  /** As the pump sends it. */
  async calibrationIcon(): Promise<number | undefined> {
    return (await this.#read(StatusReaderOpcode.GetCalibrationIcon, "calibration_icon"))?.icon;
  }

  async earlyCalibrationMin(): Promise<number | undefined> {
    const time = await this.#read(StatusReaderOpcode.GetEarlyCalibrationTime, "early_calibration_time");
    return time && 60 * time.hours + time.minutes;
  }

  /** Those under way, with what was programmed and what was delivered; undefined where the pump does not say. */
  async boluses(): Promise<BolusUnderWay[] | undefined> {
    const ids = await this.#read(StatusReaderOpcode.GetActiveBolusIds, "active_bolus_ids");
    if (!ids) return undefined;
    const boluses: BolusUnderWay[] = [];
    for (const bolusId of [...new Set(ids.bolusIds)].slice(0, MOST_BOLUSES)) {
      const amounts = async (selection: number): Promise<ActiveBolus | undefined> => {
        const operand = Uint8Array.of(bolusId & 0xff, bolusId >> 8, selection);
        const amount = await this.#read(StatusReaderOpcode.GetActiveBolusDelivery, "active_bolus", operand);
        return amount?.bolusId === bolusId ? amount : undefined;
      };
      const programmed = await amounts(BolusSelection.Programmed);
      boluses.push({ bolusId, programmed, delivered: await amounts(BolusSelection.Delivered) });
    }
    return boluses;
  }

  /** Limits of the alerts through the day, in mg/dL. */
  async highLowSettings(type: "high" | "low"): Promise<HighLowSettings | undefined> {
    const { High, Low } = SettingsType;
    const came = await this.#command(CommandReadOpcode.GetHighLowSettings, Uint8Array.of(type === "high" ? High : Low));
    // More than three blocks come in several values, by the index of the first of each.
    const parts = came.flatMap((data) => (data.kind === "high_low_settings" && data.type === type ? [data] : []));
    parts.sort((a, b) => a.firstBlockIndex - b.firstBlockIndex);
    const [first] = parts;
    return first && { type: first.type, firstBlockIndex: first.firstBlockIndex, blocks: parts.flatMap(({ blocks }) => blocks) };
  }

  /** IU. */
  async maximumBolusIu(): Promise<number | undefined> {
    for (const data of await this.#command(CommandReadOpcode.GetMaximumBolus, NOTHING))
      if (data.kind === "maximum_bolus") return data.amountIu;
    return undefined;
  }

  /** Resets what the pump has pushed, so that it pushes again. @returns whether it did @throws {PumpError} ERR_PUMP_FORBIDDEN it was not pushed */
  async reset(field: Uint8Array): Promise<boolean> {
    const response = await this.#statusReader(StatusReaderOpcode.ResetStatus, field);
    return response?.kind === "response_code" && response.code === "success";
  }

  async #value<T>(
    name: PumpValueName,
    decode: (content: Uint8Array, protection: { e2e: boolean }) => T | undefined,
  ): Promise<T | undefined> {
    if (!this.#channel.has(name)) return undefined;
    await this.features();
    return await this.#channel.optional(name, async () =>
      decode(this.#channel.delivery.open(name, await this.#channel.readSealed(name)), { e2e: false }),
    );
  }

  /** A general response says that the pump does not give it: that it has no such thing, or none at present. */
  async #read<Kind extends StatusReaderResponse["kind"]>(
    opcode: number,
    kind: Kind,
    operand: Uint8Array = NOTHING,
  ): Promise<Extract<StatusReaderResponse, { kind: Kind }> | undefined> {
    const response = await this.#statusReader(opcode, operand);
    if (response?.kind === kind) return response as Extract<StatusReaderResponse, { kind: Kind }>;
    if (response?.kind === "response_code") this.#channel.logger.info(() => `the pump does not give ${kind}: ${response.code}`);
    return undefined;
  }

  async #statusReader(opcode: number, operand: Uint8Array): Promise<StatusReaderResponse | undefined> {
    if (!this.#channel.has("iddStatusReader")) return undefined;
    await this.features();
    const { delivery } = this.#channel;
    return await orNone(this.#channel, `status 0x${opcode.toString(16).padStart(4, "0")}`, () =>
      this.#channel.exchange("iddStatusReader", { opcode, operand, e2eCrc: delivery.isOn }, (plaintext) => {
        const answer = decodeStatusReaderResponse(delivery.open("iddStatusReader", plaintext), { e2e: false, request: opcode });
        return answer.kind === "response_code" && answer.requestOpcode !== opcode ? undefined : answer;
      }),
    );
  }

  /**
   * What was asked for comes as notifications, before the indication that ends the exchange. Empty where the pump does not give it.
   *
   * @throws {PumpDataError} one of them cannot be read: what is left is not what the pump has
   */
  async #command(opcode: number, operand: Uint8Array): Promise<CommandReadResponse[]> {
    if (!this.#channel.has("iddCommand") || !this.#channel.has("iddCommandData")) return [];
    await this.features();
    const { delivery, logger } = this.#channel;
    const came: CommandReadResponse[] = [];
    let unreadable: PumpDataError | undefined;
    const decode = (value: Uint8Array): CommandReadResponse => decodeCommandRead(value, { e2e: delivery.isOn });
    const assembler = new RecordAssembler({
      largest: this.#channel.largestPlaintext,
      isWhole: (held) => !(attempt(() => decode(held)) instanceof PumpDataError),
    });
    const take = (values: readonly Uint8Array[]): void => {
      for (const value of values) {
        const data = attempt(() => decode(value));
        if (data instanceof PumpDataError) unreadable ??= data;
        else if (came.length < MOST_COMMAND_DATA) came.push(data);
      }
    };
    this.#channel.onCommandData = (plaintext) => take(assembler.push(plaintext));
    try {
      const response = await orNone(this.#channel, `command 0x${opcode.toString(16)}`, () =>
        this.#channel.exchange(
          "iddCommand",
          { opcode, operand, e2eCrc: delivery.isOn },
          (plaintext) => {
            const answer = decodeCommandRead(delivery.open("iddCommand", plaintext), { e2e: false });
            // Which of the two ways a pump takes with its maximum bolus was not seen: as an answer, or as data with a response behind them.
            return answer.kind !== "response_code" || answer.requestOpcode === opcode ? answer : undefined;
          },
          { prolonged: false },
        ),
      );
      take(assembler.finish());
      if (response && response.kind !== "response_code") return [...came, response];
      if (response?.code === "success") {
        if (unreadable) throw unreadable;
        return came;
      }
      if (response) logger.info(() => `the pump does not give 0x${opcode.toString(16)}: ${response.code}`);
      return [];
    } finally {
      this.#channel.onCommandData = undefined;
    }
  }
}

/** Or why it cannot be read. */
function attempt<T>(read: () => T): T | PumpDataError {
  try {
    return read();
  } catch (error) {
    if (error instanceof PumpDataError) return error;
    throw error;
  }
}

function codeOf(names: Readonly<Record<number, string>>, name: string): number {
  return Number(Object.keys(names).find((code) => names[Number(code)] === name));
}
