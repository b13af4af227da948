import { type AnnunciationStatus, decodeAnnunciationStatus } from "../idd/annunciation-status.ts";
import {
  CommandReadOpcode,
  type CommandReadResponse,
  decodeCommandRead,
  type HighLowSettings,
  SettingsType,
} from "../idd/command-reads.ts";
import { decodeIddFeatures, type IddFeatures } from "../idd/features.ts";
import { decodeIddStatus, type IddStatus } from "../idd/status.ts";
import {
  type ActiveBasalRate,
  type ActiveBolus,
  type DisplayFormat,
  decodeStatusReaderResponse,
  type InsulinOnBoard,
  StatusReaderOpcode,
  type StatusReaderResponse,
  type TherapyAlgorithmStates,
  type TimeInRange,
} from "../idd/status-reader.ts";
import type { PumpChannel } from "./pump-channel.ts";

/** Which amounts of a bolus are asked for. */
const BolusSelection = Object.freeze({ Programmed: 0x0f, Delivered: 0x3c });
const NOTHING = new Uint8Array();

/** A bolus that is being delivered. */
export interface BolusUnderWay {
  readonly bolusId: number;
  /** undefined: it ended meanwhile. */
  readonly programmed: ActiveBolus | undefined;
  readonly delivered: ActiveBolus | undefined;
}

/** Reads the insulin delivery service of a pump. What the pump has not, or does not give at present, is undefined. Within an operation of the channel. */
export class DeliveryReader {
  readonly #channel: PumpChannel;
  #features: IddFeatures | undefined;

  constructor(channel: PumpChannel) {
    this.#channel = channel;
  }

  /** They do not change during a connection, and are read once. */
  async features(): Promise<IddFeatures | undefined> {
    this.#features ??= await this.#channel.optional("iddFeatures", async () =>
      decodeIddFeatures(await this.#channel.readSealed("iddFeatures")),
    );
    return this.#features;
  }

  async status(): Promise<IddStatus | undefined> {
    const protection = await this.#protection();
    return await this.#channel.optional("iddStatus", async () => decodeIddStatus(await this.#channel.readSealed("iddStatus"), protection));
  }

  /** undefined where the pump shows none. */
  async annunciation(): Promise<AnnunciationStatus | undefined> {
    const protection = await this.#protection();
    return await this.#channel.optional("iddAnnunciationStatus", async () =>
      decodeAnnunciationStatus(await this.#channel.readSealed("iddAnnunciationStatus"), protection),
    );
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

  /** Those under way, with what was programmed and what was delivered; undefined where the pump does not say. */
  async boluses(): Promise<BolusUnderWay[] | undefined> {
    const ids = await this.#read(StatusReaderOpcode.GetActiveBolusIds, "active_bolus_ids");
    if (!ids) return undefined;
    const boluses: BolusUnderWay[] = [];
    for (const bolusId of ids.bolusIds) {
      const amounts = (selection: number): Promise<ActiveBolus | undefined> =>
        this.#read(StatusReaderOpcode.GetActiveBolusDelivery, "active_bolus", Uint8Array.of(bolusId & 0xff, bolusId >> 8, selection));
      const programmed = await amounts(BolusSelection.Programmed);
      boluses.push({ bolusId, programmed, delivered: await amounts(BolusSelection.Delivered) });
    }
    return boluses;
  }

  /** Limits of the alerts through the day, in mg/dL. */
  async highLowSettings(type: "high" | "low"): Promise<HighLowSettings | undefined> {
    const { High, Low } = SettingsType;
    const settings = await this.#command(CommandReadOpcode.GetHighLowSettings, Uint8Array.of(type === "high" ? High : Low));
    return settings?.kind === "high_low_settings" ? settings : undefined;
  }

  /** IU. */
  async maximumBolus(): Promise<number | undefined> {
    const settings = await this.#command(CommandReadOpcode.GetMaximumBolus, NOTHING);
    return settings?.kind === "maximum_bolus" ? settings.amountIu : undefined;
  }

  async #protection(): Promise<{ e2e: boolean }> {
    return { e2e: (await this.features())?.e2e ?? false };
  }

  /** A general response says that the pump does not give it: that it has no such thing, or none at present. */
  async #read<Kind extends StatusReaderResponse["kind"]>(
    opcode: number,
    kind: Kind,
    operand: Uint8Array = NOTHING,
  ): Promise<Extract<StatusReaderResponse, { kind: Kind }> | undefined> {
    if (!this.#channel.has("iddStatusReader")) return undefined;
    const { e2e } = await this.#protection();
    const response = await this.#channel.exchange("iddStatusReader", { opcode, operand, e2eCrc: e2e }, (plaintext) => {
      const answer = decodeStatusReaderResponse(plaintext, { e2e, request: opcode });
      return answer.kind === "response_code" && answer.requestOpcode !== opcode ? undefined : answer;
    });
    if (response.kind === kind) return response as Extract<StatusReaderResponse, { kind: Kind }>;
    if (response.kind === "response_code") this.#channel.logger.info(() => `the pump does not give ${kind}: ${response.code}`);
    return undefined;
  }

  /** What was asked for comes as a notification, before the indication that ends the exchange. */
  async #command(opcode: number, operand: Uint8Array): Promise<CommandReadResponse | undefined> {
    if (!this.#channel.has("iddCommand")) return undefined;
    const { e2e } = await this.#protection();
    let data: CommandReadResponse | undefined;
    this.#channel.onCommandData = (plaintext) => {
      const came = decodeCommandRead(plaintext, { e2e });
      if (came.kind !== "response_code") data ??= came;
    };
    try {
      const response = await this.#channel.exchange("iddCommand", { opcode, operand, e2eCrc: e2e }, (plaintext) => {
        const answer = decodeCommandRead(plaintext, { e2e });
        return answer.kind === "response_code" && answer.requestOpcode === opcode ? answer : undefined;
      });
      return response.code === "success" ? data : undefined;
    } finally {
      this.#channel.onCommandData = undefined;
    }
  }
}
