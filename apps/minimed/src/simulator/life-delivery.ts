import { parseLocal, secondsBetween } from "../data/date-time.ts";
import type { IddStatusWords } from "../idd/status.ts";
import type { BolusInProgress, DeliverySource, InsulinTotals } from "./delivery-source.ts";
import type { AnnunciationWords } from "./encode/annunciation-status.ts";
import type { CalibrationWords } from "./encode/cgm.ts";
import type { LimitBlock } from "./encode/command.ts";
import type { ActiveBasalRateWords, TherapyAlgorithmWords, TimeInRangeWords } from "./encode/status-reader.ts";
import { BOLUS_STEP_IU, BOLUS_STEP_S, daysOfBattery, type PlannedBolus } from "./life/day-model.ts";
import { DAY_S, spanAt } from "./life/draft.ts";
import { activeShare } from "./life/life.ts";
import { FIRST_SPECIAL_WORD, READING_INTERVAL_S, SensorWord } from "./life/sensor-plan.ts";
import { LoopExit, StopReason } from "./life/therapy-plan.ts";
import type { PumpLife } from "./pump-life.ts";
import type { PumpMemory } from "./pump-memory.ts";
import type { StatusLatch } from "./status-latch.ts";

const TherapyControl = Object.freeze({ Stop: 0x33, Run: 0x55 });
const Operational = Object.freeze({ Priming: 0x5a, Waiting: 0x66, Ready: 0x96 });
/** In a set change the pump waits for the reservoir, then fills the tube, then goes on. */
const WAITS_S = 60;
const PRIMES_UNTIL_S = 240;
const SensorMessage = Object.freeze({ None: 0, Updating: 2, NoSignal: 6, ChangeSensor: 7, WarmUp: 8, Below: 9, Above: 0x0a });
const MESSAGES: Readonly<Record<number, number>> = {
  [SensorWord.Starting]: SensorMessage.WarmUp,
  [SensorWord.Updating]: SensorMessage.Updating,
  [SensorWord.BelowRange]: SensorMessage.Below,
  [SensorWord.AboveRange]: SensorMessage.Above,
};
/** Bits: sensor on, paired, no signal of the transmitter. */
const Connectivity = Object.freeze({ On: 0x01, Paired: 0x02, NoSignal: 0x04 });
const Shield = Object.freeze({ OpenLoop: 1, AutoBasal: 2, SafeBasal: 3 });
const SuspendFeature = Object.freeze({ NoGlucose: 0, Suspended: 1, On: 2 });
const MOST_SAFE_BASAL_MIN = 240;
const Counter = Object.freeze({ Lifetime: 0x0f, Warranty: 0x33, Reservoir: 0x55 });
const REMAINING = 0x0f;
const WARRANTY_MIN = 4 * 365 * 1440;
/** The pump was that old at the beginning of day 0. */
const AGE_MIN = 400 * 1440;
const PENDING = 0x33;
const EPOCH = parseLocal("2000-01-01T00:00:00");
const LOW_MGDL = 70;
const HIGH_MGDL = 180;
/** Of the 288 values of a day; with fewer the pump gives no shares. */
const FEWEST_VALUES = 72;
const LIMITS: Readonly<Record<"low" | "high", readonly LimitBlock[]>> = {
  low: [{ durationMin: 1440, limitMgdl: 70 }],
  high: [
    { durationMin: 420, limitMgdl: 270 },
    { durationMin: 900, limitMgdl: 250 },
    { durationMin: 120, limitMgdl: 0 },
  ],
};
const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** What a pump in its life tells at a moment. */
export class LifeDelivery implements DeliverySource {
  readonly features = { bits: 0x1f_80dc_fen, insulinConcentrationWord: 100 };
  readonly displayFormat = { clock24h: true, carbohydratesInExchanges: false, activeInsulinResolution: 0 };
  readonly #life: PumpLife;
  #range: { readonly sampleS: number; readonly words: TimeInRangeWords } | undefined;
  #older: { readonly day: number; readonly fromS: number; readonly calibrations: readonly CalibrationWords[] } | undefined;

  constructor(life: PumpLife) {
    this.#life = life;
  }

  get history(): PumpMemory {
    return this.#life.memory;
  }
  get latch(): StatusLatch {
    return this.#life.latch;
  }
  advance(): void {
    this.#life.advance();
  }
  listen(listening: boolean): void {
    this.#life.listen(listening);
  }

  get #nowS(): number {
    return this.#life.nowS;
  }
  get #day() {
    return this.#life.life.dayAt(this.#nowS);
  }

  get maximumBolusIu(): number {
    return this.#day.end.maximumBolusIu;
  }

  status(): IddStatusWords {
    const nowS = this.#nowS;
    const suspension = spanAt(this.#day.therapy.suspensions, nowS);
    const sinceS = suspension?.isSetChange ? nowS - suspension.fromS : Number.POSITIVE_INFINITY;
    return {
      therapyControlState: suspension ? TherapyControl.Stop : TherapyControl.Run,
      operationalState: sinceS < WAITS_S ? Operational.Waiting : sinceS < PRIMES_UNTIL_S ? Operational.Priming : Operational.Ready,
      reservoirRemainingIu: this.#reservoirIu(),
      reservoirAttached: sinceS >= WAITS_S,
      ...this.#sensorState(),
    };
  }

  #sensorState(): Pick<IddStatusWords, "sensorConnectivity" | "sensorMessage"> {
    const { On, Paired, NoSignal } = Connectivity;
    const { sensor } = this.#life;
    if (!sensor) return { sensorConnectivity: Paired, sensorMessage: SensorMessage.ChangeSensor };
    const { word } = sensor;
    if (word === undefined) return { sensorConnectivity: On | Paired | NoSignal, sensorMessage: SensorMessage.NoSignal };
    return { sensorConnectivity: On | Paired, sensorMessage: MESSAGES[word] ?? SensorMessage.None };
  }

  #reservoirIu(): number {
    const nowS = this.#nowS;
    let left = this.#day.begin.reservoirIu;
    for (const { atS, iu, kind } of this.#day.deliveries) {
      if (atS > nowS) break;
      left = kind === "fill" ? iu : Math.max(0, left - iu);
    }
    return rounded(left);
  }

  annunciation(): AnnunciationWords | undefined {
    const nowS = this.#nowS;
    const hasSensor = this.#life.session !== undefined;
    const shown = this.#day.alarms.findLast((alarm) => alarm.fromS <= nowS && nowS < alarm.toS && (hasSensor || !alarm.ofSensor));
    if (!shown) return undefined;
    const { instanceId, code, fromS, auxiliary } = shown;
    const raisedAt = secondsBetween(EPOCH, this.#life.localAt(fromS)) >>> 0;
    const words = Array.from({ length: Math.ceil(auxiliary.length / 2) }, (_, i) => auxiliary[2 * i]! | ((auxiliary[2 * i + 1] ?? 0) << 8));
    // The time takes the place of the first two.
    return { instanceId, code, state: PENDING, auxiliary: [raisedAt & 0xffff, raisedAt >>> 16, ...words] };
  }

  boluses(): readonly BolusInProgress[] {
    const nowS = this.#nowS;
    return this.#life.life
      .boluses(nowS)
      .filter(({ fromS, toS }) => fromS <= nowS && nowS < toS)
      .map((bolus) => {
        const { bolusId, bolusType, fastIu, extendedIu, durationMin, activation } = bolus;
        return { programmed: { bolusId, bolusType, fastIu, extendedIu, durationMin, activation }, delivered: deliveredOf(bolus, nowS) };
      });
  }

  basalRate(): ActiveBasalRateWords {
    const nowS = this.#nowS;
    const { therapy } = this.#day;
    const temporary = therapy.temporaryBasalAt(nowS);
    const minutes = (seconds: number): number => Math.ceil(seconds / 60);
    return {
      profileTemplateNumber: 1,
      configuredRate: therapy.baseRateAt(nowS),
      temporaryBasal: temporary && {
        type: temporary.type,
        adjustment: temporary.adjustment,
        programmedMin: minutes(temporary.toS - temporary.fromS),
        remainingMin: minutes(temporary.toS - nowS),
      },
    };
  }

  insulinOnBoard(): number {
    const nowS = this.#nowS;
    let sum = 0;
    for (const bolus of this.#life.life.boluses(nowS)) {
      const given = nowS < bolus.toS ? deliveredOf(bolus, nowS) : bolus.delivered;
      sum += (given.fastIu + given.extendedIu) * activeShare(nowS - bolus.fromS);
    }
    return rounded(sum);
  }

  therapy(): TherapyAlgorithmWords {
    const nowS = this.#nowS;
    const pause = this.#day.therapy.pauseAt(nowS);
    const word = this.#life.wordAt(nowS);
    const isSuspended = spanAt(this.#day.therapy.suspensions, nowS)?.stopReason === StopReason.PredictiveLow;
    const { NoGlucose, Suspended, On } = SuspendFeature;
    const feature = word === undefined || word >= FIRST_SPECIAL_WORD ? NoGlucose : isSuspended ? Suspended : On;
    const isSafe = pause?.exit === LoopExit.SafeBasal;
    return {
      shield: { state: isSafe ? Shield.SafeBasal : pause ? Shield.OpenLoop : Shield.AutoBasal, readiness: 0 },
      plgm: feature,
      lgs: feature,
      safeBasalMin: isSafe ? Math.min(MOST_SAFE_BASAL_MIN, Math.ceil((pause.toS - nowS) / 60)) : undefined,
    };
  }

  /** Of the last 24 hours. */
  timeInRange(): TimeInRangeWords {
    const sampleS = Math.floor(this.#nowS / READING_INTERVAL_S);
    if (this.#range?.sampleS !== sampleS) this.#range = { sampleS, words: this.#computeRange() };
    return this.#range.words;
  }

  #computeRange(): TimeInRangeWords {
    const nowS = this.#nowS;
    let [values, above, below, inLoop, moments] = [0, 0, 0, 0, 0];
    const { life } = this.#life;
    for (let atS = nowS - DAY_S + READING_INTERVAL_S; atS <= nowS; atS += READING_INTERVAL_S) {
      moments++;
      if (!life.dayAt(atS).therapy.pauseAt(atS)) inLoop++;
      const word = this.#life.wordAt(atS);
      if (word === undefined || (word >= FIRST_SPECIAL_WORD && word !== SensorWord.AboveRange && word !== SensorWord.BelowRange)) continue;
      values++;
      if (word === SensorWord.BelowRange || word < LOW_MGDL) below++;
      else if (word > HIGH_MGDL) above++;
    }
    if (values < FEWEST_VALUES) return { notEnoughData: true, abovePercent: 0, belowPercent: 0, inRangePercent: 0, smartGuardPercent: 0 };
    const abovePercent = Math.round((100 * above) / values);
    const belowPercent = Math.round((100 * below) / values);
    return {
      notEnoughData: false,
      abovePercent,
      belowPercent,
      inRangePercent: 100 - abovePercent - belowPercent,
      smartGuardPercent: Math.round((100 * inLoop) / moments),
    };
  }

  dailyInsulin(): InsulinTotals {
    const nowS = this.#nowS;
    let [bolusIu, basalIu] = [0, 0];
    for (const { atS, iu, kind } of this.#day.deliveries) {
      if (atS > nowS) break;
      if (kind === "bolus") bolusIu += iu;
      else if (kind === "basal") basalIu += iu;
    }
    return { bolusIu: rounded(bolusIu), basalIu: rounded(basalIu) };
  }

  deliveredInsulin(): InsulinTotals {
    const { bolusIu, basalIu } = this.dailyInsulin();
    const { begin } = this.#day;
    return { bolusIu: rounded(begin.bolusIu + bolusIu), basalIu: rounded(begin.basalIu + basalIu) };
  }

  counterMinutes(type: number, selection: number): number | undefined {
    const elapsed = AGE_MIN + Math.floor(this.#nowS / 60);
    const remains = selection === REMAINING;
    if (type === Counter.Lifetime && !remains) return elapsed;
    if (type === Counter.Warranty) return remains ? WARRANTY_MIN - elapsed : elapsed;
    if (type !== Counter.Reservoir || remains) return undefined;
    const { life } = this.#life;
    for (let index = this.#day.index; index >= Math.max(life.firstDay, this.#day.index - 3); index--) {
      const filled = life.day(index).deliveries.findLast(({ atS, kind }) => kind === "fill" && atS <= this.#nowS);
      if (filled) return Math.floor((this.#nowS - filled.atS) / 60);
    }
    return undefined;
  }

  limits(type: "low" | "high"): readonly LimitBlock[] {
    return LIMITS[type];
  }

  get batteryPercent(): number {
    return 100 - 25 * Math.floor(daysOfBattery(Math.floor(this.#nowS / DAY_S)) / 7);
  }

  get transmitterBatteryPercent(): number {
    const { session } = this.#life;
    return session ? Math.max(25, 100 - 25 * Math.floor((this.#nowS - session.fromS) / (2 * DAY_S))) : 0;
  }

  /** Calibrations of the sensor that is worn, by ascending record numbers. */
  calibrations(): readonly CalibrationWords[] {
    const { session, life } = this.#life;
    if (!session) return [];
    const today = this.#day.index;
    const firstDay = Math.max(life.firstDay, Math.floor(session.fromS / DAY_S));
    const ofDay = (index: number): CalibrationWords[] =>
      life
        .day(index)
        .calibrations.filter(({ atS }) => atS >= session.fromS && atS <= this.#nowS)
        .map(({ atS, mgdl, rejected }, i) => ({
          glucoseMgdl: mgdl,
          timeOffsetMin: Math.floor((atS - session.fromS) / 60),
          recordNumber: 1 + 4 * (index - firstDay) + i,
          status: rejected ? 1 : 0,
        }));
    if (this.#older?.day !== today || this.#older.fromS !== session.fromS) {
      const calibrations = Array.from({ length: today - firstDay }, (_, i) => ofDay(firstDay + i)).flat();
      this.#older = { day: today, fromS: session.fromS, calibrations };
    }
    return [...this.#older.calibrations, ...ofDay(today)];
  }
}

function deliveredOf(bolus: PlannedBolus, atS: number): BolusInProgress["delivered"] {
  const sinceS = Math.max(0, atS - bolus.fromS);
  const minutes = Math.min(bolus.durationMin, Math.floor(sinceS / 60));
  return {
    fastIu: rounded(Math.min(bolus.delivered.fastIu, BOLUS_STEP_IU * Math.floor(sinceS / BOLUS_STEP_S))),
    extendedIu: bolus.durationMin === 0 ? 0 : rounded((bolus.extendedIu * 5 * Math.floor(minutes / 5)) / bolus.durationMin),
    durationMin: minutes,
  };
}
