import { Writer } from "jelling/bytes";
import { dateTimeBytes, parseLocal } from "../src/data/date-time.ts";
import type { IddStatusWords } from "../src/idd/status.ts";
import type { BolusInProgress, DeliverySource, InsulinTotals } from "../src/simulator/delivery-source.ts";
import { writeAmount } from "../src/simulator/encode/amount.ts";
import type { AnnunciationWords } from "../src/simulator/encode/annunciation-status.ts";
import type { LimitBlock } from "../src/simulator/encode/command.ts";
import type { ActiveBasalRateWords, TherapyAlgorithmWords, TimeInRangeWords } from "../src/simulator/encode/status-reader.ts";
import { StatusLatch } from "../src/simulator/status-latch.ts";
import { MemoryHistory } from "./memory-history.ts";

/** A pump that does nothing but deliver: the same values at all times, and a short history. */
export class SteadyDelivery implements DeliverySource {
  readonly features = { bits: 0x1f_80dc_fen, insulinConcentrationWord: 100 };
  readonly displayFormat = { clock24h: true, carbohydratesInExchanges: false, activeInsulinResolution: 0 };
  readonly maximumBolusIu = 15;
  readonly history = new MemoryHistory();
  readonly latch = new StatusLatch();
  constructor() {
    let number = 1000;
    const append = (type: number, offsetSeconds: number, data: (writer: Writer) => void): void => {
      const writer = new Writer(32);
      writer.u16(type);
      writer.u32(number++);
      writer.u16(offsetSeconds);
      data(writer);
      this.history.append(writer.finish());
    };
    append(0xf00e, 3600, (writer) => {
      writer.u8(0x3c);
      writer.bytes(dateTimeBytes(parseLocal("2031-03-02T09:00:00")));
    });
    append(0xf004, 0, (writer) => writer.u8(0x05));
    for (let minutes = 5; minutes < 60; minutes += 5) {
      append(0xf00c, 60 * minutes, (writer) => {
        writer.u16(minutes);
        writer.u16(100 + minutes);
        writer.u16(2000);
        writer.u16(5);
      });
      append(0xf001, 60 * minutes + 20, (writer) => {
        writer.u8(minutes / 5);
        writeAmount(writer, 0.075);
      });
    }
  }

  advance(): void {}
  listen(): void {}

  status(): IddStatusWords {
    return {
      therapyControlState: 0x55,
      operationalState: 0x96,
      reservoirRemainingIu: 142.5,
      reservoirAttached: true,
      sensorConnectivity: 3,
      sensorMessage: 0,
    };
  }
  annunciation(): AnnunciationWords | undefined {
    return undefined;
  }
  boluses(): readonly BolusInProgress[] {
    return [];
  }
  basalRate(): ActiveBasalRateWords {
    return { profileTemplateNumber: 1, configuredRate: 0.9 };
  }
  insulinOnBoard(): number {
    return 1.35;
  }
  therapy(): TherapyAlgorithmWords {
    return { shield: { state: 2, readiness: 0 }, plgm: 2, lgs: 2 };
  }
  timeInRange(): TimeInRangeWords {
    return { notEnoughData: false, abovePercent: 24, belowPercent: 3, inRangePercent: 73, smartGuardPercent: 97 };
  }
  dailyInsulin(): InsulinTotals {
    return { bolusIu: 9.5, basalIu: 8.25 };
  }
  deliveredInsulin(): InsulinTotals {
    return { bolusIu: 1234.5, basalIu: 987.25 };
  }
  counterMinutes(type: number): number | undefined {
    return type === 0x33 ? 2_000_000 : undefined;
  }
  limits(type: "low" | "high"): readonly LimitBlock[] {
    return [{ durationMin: 1440, limitMgdl: type === "low" ? 70 : 250 }];
  }
}
