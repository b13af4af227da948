import { SeededRandom } from "jelling/core";
import {
  annunciationClearedData,
  annunciationData,
  basalRateChangedData,
  bloodGlucoseData,
  bolusAmountsData,
  bolusDeliveredData,
  bolusProgrammedData,
  cgmAnalyticsData,
  changedAmountData,
  HistoryEvent,
  mealData,
  microBolusData,
  octetData,
  referenceTimeData,
  sensorGlucoseData,
  therapyContextData,
} from "../encode/history.ts";
import type { GlucoseCurve } from "../glucose-curve.ts";
import { clockSteps } from "./clock-plan.ts";
import {
  Activation,
  BasalContext,
  BOLUS_STEP_IU,
  BOLUS_STEP_S,
  BolusType,
  type DayState,
  type Delivery,
  daysOfBattery,
  EndReason,
  type LifeDay,
  type PlannedAlarm,
  type PlannedBolus,
  type PlannedCalibration,
} from "./day-model.ts";
import { Changed, type ClockStep, DAY_S, type Draft, type Span, spanAt } from "./draft.ts";
import { FIRST_SPECIAL_WORD, READING_INTERVAL_S, type SensorPlan, type SensorSample } from "./sensor-plan.ts";
import { LOOP_ENTERED, LoopExit, StopReason, TherapyDay } from "./therapy-plan.ts";

export interface DayOptions {
  readonly seed: number;
  readonly index: number;
  readonly curve: GlucoseCurve;
  readonly sensors: SensorPlan;
  readonly begin: DayState;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
const NOTHING = new Uint8Array();
const NO_BITS: readonly number[] = [];
const round = (value: number, step: number): number => Math.round(Math.round(value / step) * step * 1000) / 1000;

/** Makes one day out of its seed and of what the day before has left. */
export function makeDay(options: DayOptions): LifeDay {
  return new DayMaker(options).make();
}

class DayMaker {
  readonly #options: DayOptions;
  readonly #day: Span;
  readonly #therapy: TherapyDay;
  readonly #samples: readonly SensorSample[];
  readonly #drafts: Draft[] = [];
  readonly #boluses: Mutable<PlannedBolus>[] = [];
  readonly #deliveries: Delivery[] = [];
  /** Event data that name a bolus, or an alarm. */
  readonly #bolusIds = new Map<PlannedBolus, readonly Uint8Array[]>();
  readonly #instanceIds = new Map<PlannedAlarm, readonly [raised: Uint8Array, cleared: Uint8Array]>();
  readonly #alarms: Mutable<PlannedAlarm>[] = [];
  readonly #calibrations: PlannedCalibration[] = [];
  #state: Mutable<DayState>;

  constructor(options: DayOptions) {
    const { seed, index, sensors, curve, begin } = options;
    this.#options = options;
    this.#day = { fromS: index * DAY_S, toS: (index + 1) * DAY_S };
    this.#therapy = new TherapyDay(seed, index, sensors, (atS) => curve.at(atS / 60));
    this.#samples = sensors.samples(this.#day);
    this.#state = { ...begin };
  }

  make(): LifeDay {
    this.#addMeals();
    this.#addSensor();
    this.#addReadings();
    this.#addSuspensions();
    this.#addTransitions();
    this.#addBasal();
    this.#addFingersticks();
    this.#addRarities();
    this.#addReferences();
    const { index, begin } = this.#options;
    this.#deliveries.sort((a, b) => a.atS - b.atS);
    this.#addReservoir();
    this.#number();
    // The order in which they were made stays where the time is the same.
    this.#drafts.sort((a, b) => a.atS - b.atS);
    return {
      index,
      therapy: this.#therapy,
      drafts: this.#drafts,
      boluses: this.#boluses,
      deliveries: this.#deliveries,
      alarms: this.#alarms,
      calibrations: this.#calibrations.sort((a, b) => a.atS - b.atS),
      begin,
      end: this.#state,
    };
  }

  #random(label: string): SeededRandom {
    return new SeededRandom(this.#options.seed, `${label} ${this.#options.index}`);
  }

  #within(atS: number): boolean {
    return atS >= this.#day.fromS && atS < this.#day.toS;
  }

  #record(atS: number, type: number, data: Uint8Array, bits: readonly number[], more: Partial<Draft> = {}): void {
    this.#drafts.push({ atS, type, data, bits: [...bits, Changed.History], ...more });
  }

  #glucose(atS: number): number {
    return Math.round(this.#options.curve.at(atS / 60));
  }

  // --- boluses ------------------------------------------------------------------------------------------------------------------

  #addMeals(): void {
    const random = this.#random("boluses");
    for (const { atMin, carbohydratesG } of this.#options.curve.meals(this.#options.index)) {
      const atS = Math.round(60 * (atMin - 10 + 12 * random.unit()));
      const mgdl = this.#glucose(atS);
      const recommended = round(carbohydratesG / 11 + Math.max(0, mgdl - 130) / 50, 0.1);
      const changed = random.unit() < 0.15;
      const amount = changed ? round(recommended * (0.7 + 0.5 * random.unit()), 0.1) : recommended;
      const canceled = random.unit() < 0.05;
      const multiwave = random.unit() < 0.3 && this.#therapy.pauseAt(atS) !== undefined;
      if (spanAt(this.#therapy.suspensions, atS)) continue; // nothing is given, and the meal is not told
      this.#record(atS, HistoryEvent.Meal, mealData(carbohydratesG), NO_BITS);
      this.#bolus(atS + 1, {
        fastIu: multiwave ? round(amount * 0.6, 0.1) : amount,
        extendedIu: multiwave ? round(amount * 0.4, 0.1) : 0,
        durationMin: multiwave ? 60 : 0,
        activation: changed ? Activation.Changed : Activation.Recommended,
        isMeal: true,
        isCorrection: mgdl > 130,
        canceled,
      });
    }
    // One that its user gives without the calculator.
    if (random.unit() < 0.2) {
      const atS = Math.round(this.#day.fromS + 3600 * (14.5 + random.unit()));
      if (!spanAt(this.#therapy.suspensions, atS)) {
        this.#record(atS, HistoryEvent.Meal, mealData(0), NO_BITS);
        const manual = {
          extendedIu: 0,
          durationMin: 0,
          activation: Activation.Manual,
          isMeal: false,
          isCorrection: false,
          canceled: false,
        };
        this.#bolus(atS, { ...manual, fastIu: round(0.5 + 2 * random.unit(), 0.1) });
      }
    }
  }

  #bolus(
    fromS: number,
    bolus: Pick<PlannedBolus, "fastIu" | "extendedIu" | "durationMin" | "activation"> & {
      readonly isMeal: boolean;
      readonly isCorrection: boolean;
      readonly canceled: boolean;
    },
  ): void {
    const { fastIu, extendedIu, durationMin, activation, isMeal, isCorrection, canceled } = bolus;
    const bolusType = extendedIu > 0 ? BolusType.Multiwave : BolusType.Fast;
    const steps = Math.ceil(fastIu / BOLUS_STEP_IU);
    const given = canceled ? Math.max(1, Math.floor(steps / 2)) : steps;
    const toS = fromS + (extendedIu > 0 && !canceled ? 60 * durationMin : BOLUS_STEP_S * given);
    const delivered = { fastIu: Math.min(fastIu, given * BOLUS_STEP_IU), extendedIu: canceled ? 0 : extendedIu };
    const planned = { fromS, toS, bolusId: 0, bolusType, fastIu, extendedIu, durationMin, activation, delivered };
    this.#boluses.push(planned);
    const words = { bolusId: 0, bolusType, durationMin };
    const programmedData = bolusAmountsData({ ...words, fastIu, extendedIu });
    const deliveredData = bolusAmountsData({ ...words, ...delivered });
    this.#bolusIds.set(planned, [programmedData, deliveredData]);
    this.#record(fromS, HistoryEvent.BolusProgrammed1, programmedData, [Changed.Bolus]);
    this.#record(fromS, HistoryEvent.BolusProgrammed2, bolusProgrammedData({ activation, isMeal, isCorrection }), NO_BITS);
    const progress = [Changed.Reservoir, Changed.Bolus, Changed.InsulinOnBoard];
    for (let step = 1; step <= given; step++) {
      const atS = fromS + BOLUS_STEP_S * step;
      this.#deliveries.push({ atS, iu: Math.min(BOLUS_STEP_IU, fastIu - BOLUS_STEP_IU * (step - 1)), kind: "bolus" });
      if (atS < toS) this.#drafts.push({ atS, data: NOTHING, bits: progress });
    }
    for (let minute = 5; extendedIu > 0 && !canceled && minute <= durationMin; minute += 5)
      this.#deliveries.push({ atS: fromS + 60 * minute, iu: (5 * extendedIu) / durationMin, kind: "bolus" });
    this.#record(toS, HistoryEvent.BolusDelivered1, deliveredData, progress);
    const endReason = canceled ? EndReason.Canceled : EndReason.Delivered;
    this.#record(toS, HistoryEvent.BolusDelivered2, bolusDeliveredData({ startOffsetSeconds: 0, activation, endReason }), [
      Changed.TotalDailyInsulin,
    ]);
  }

  /** Identifiers ascend by time, whatever order all was made in: they are filled in at the end. */
  #number(): void {
    for (const bolus of this.#boluses.sort((a, b) => a.fromS - b.fromS)) {
      bolus.bolusId = this.#state.bolusId = (this.#state.bolusId + 1) & 0xffff;
      for (const data of this.#bolusIds.get(bolus)!) setWord(data, 0, bolus.bolusId);
    }
    for (const alarm of this.#alarms.sort((a, b) => a.fromS - b.fromS)) {
      alarm.instanceId = this.#state.instanceId = (this.#state.instanceId + 1) & 0xffff;
      const [raised, cleared] = this.#instanceIds.get(alarm)!;
      setWord(raised, 1, alarm.instanceId);
      setWord(cleared, 2, alarm.instanceId);
    }
  }

  // --- sensor -------------------------------------------------------------------------------------------------------------------

  #addSensor(): void {
    const { sensors } = this.#options;
    const change = [Changed.Calibration, Changed.SensorMessage, Changed.SensorConnectivity, Changed.CalibrationContext];
    for (const session of sensors.sessions({ fromS: this.#day.fromS - DAY_S, toS: this.#day.toS })) {
      if (this.#within(session.toS)) {
        this.#drafts.push({ atS: session.toS, data: NOTHING, bits: change, ofSensor: true });
        this.#alarm(session.toS, 794, 1200, NOTHING, true);
      }
      if (this.#within(session.fromS)) {
        this.#drafts.push({ atS: session.fromS, data: NOTHING, bits: [...change, Changed.CalibrationRecommended], ofSensor: true });
        this.#alarm(session.fromS + 2, 798, 60, NOTHING, true);
      }
      for (const { fromS, toS } of session.unheard)
        if (this.#within(fromS)) {
          this.#alarm(fromS + 600, 780, toS - fromS - 600, NOTHING, true);
          this.#drafts.push({ atS: fromS + 310, data: NOTHING, bits: [Changed.SensorMessage, Changed.SensorConnectivity], ofSensor: true });
        }
    }
  }

  /** A reading every five minutes, what the closed loop makes of it, and the alarms that come of it. */
  #addReadings(): void {
    const random = this.#random("readings");
    let before: number | undefined;
    let calmUntilS = Number.NEGATIVE_INFINITY;
    let severe = false;
    for (const [i, { atS, word }] of this.#samples.entries()) {
      const isValue = word < FIRST_SPECIAL_WORD;
      const bits: number[] = [Changed.Measurement, Changed.SensorEndOfLife];
      if (before === undefined || isValue !== before < FIRST_SPECIAL_WORD || (!isValue && word !== before))
        bits.push(Changed.SensorMessage);
      const isig = isValue ? Math.round(word * 17 + 40 * random.unit()) : 900;
      const sample = { sampleAtS: atS, ofSensor: true };
      this.#record(atS + 8, HistoryEvent.SensorGlucose, sensorGlucoseData(0, word, isig, (i % 13) - 4), bits, sample);
      if (isValue) this.#record(atS + 9, HistoryEvent.CgmAnalytics, cgmAnalyticsData(0, word, 1000 + (i % 7)), NO_BITS, sample);
      if (isValue) {
        this.#dose(atS + 20, word);
        const rising = before !== undefined && before < word;
        const alarm = (code: number, lastsS: number, auxiliary: Uint8Array): void => {
          this.#alarm(atS + 10, code, lastsS, auxiliary, true);
          calmUntilS = atS + 3600;
        };
        const sg = Uint8Array.of(word & 0xff, word >> 8);
        if (word < 55 && !severe) {
          severe = true;
          alarm(827, 900, sg);
        } else if (atS >= calmUntilS && word < 70) alarm(803, 600, Uint8Array.of(...sg, ...this.#clockTime(atS)));
        else if (atS >= calmUntilS && word < 85 && !rising && before !== undefined && before >= 85) alarm(805, 420, NOTHING);
        else if (atS >= calmUntilS && word > 250 && rising) alarm(816, 800, sg);
        if (word > 90) severe = false;
      }
      before = word;
    }
  }

  /** Minutes and hours of a day, as annunciations have them. */
  #clockTime(atS: number): number[] {
    const minutes = Math.floor((atS - this.#day.fromS) / 60);
    return [minutes % 60, Math.floor(minutes / 60)];
  }

  /** The closed loop: a micro bolus, and a correction of its own where glucose stays high. */
  #dose(atS: number, mgdl: number): void {
    if (!this.#within(atS) || this.#therapy.pauseAt(atS) || spanAt(this.#therapy.suspensions, atS)) return;
    const amount = Math.min(0.25, Math.max(0, round(0.075 + (mgdl - 120) / 700, 0.025)));
    if (amount > 0) {
      const number = Math.floor((atS - this.#day.fromS) / READING_INTERVAL_S) & 0xff;
      this.#record(atS, HistoryEvent.MicroBolus, microBolusData(number, amount), [Changed.Reservoir]);
      this.#deliveries.push({ atS, iu: amount, kind: "basal" });
    }
    const lastBolusS = this.#boluses.findLast(({ fromS }) => fromS <= atS)?.fromS ?? Number.NEGATIVE_INFINITY;
    if (mgdl <= 180 || atS - this.#state.lastCorrectionS < 3600 || atS - lastBolusS < 5400 || atS + 60 >= this.#day.toS) return;
    this.#state.lastCorrectionS = atS;
    this.#bolus(atS + 5, {
      fastIu: round(Math.min(3, (mgdl - 140) / 80), 0.1),
      extendedIu: 0,
      durationMin: 0,
      activation: Activation.Commanded,
      isMeal: false,
      isCorrection: true,
      canceled: false,
    });
  }

  #addFingersticks(): void {
    const random = this.#random("fingersticks");
    for (const hour of [7.2, 18.3]) {
      const [comes, at, factor, fate] = [random.unit(), random.unit(), random.unit(), random.unit()];
      if (comes > 0.6) continue;
      const atS = Math.round(this.#day.fromS + 3600 * (hour + at));
      const mgdl = Math.round(this.#glucose(atS) * (0.92 + 0.16 * factor));
      const bits = [Changed.Calibration, Changed.SensorMessage, Changed.CalibrationContext, Changed.CalibrationRecommended];
      const sample = { sampleAtS: atS };
      this.#record(atS + 3, HistoryEvent.BloodGlucose, bloodGlucoseData(0, mgdl), [Changed.CalibrationContext], sample);
      const session = this.#options.sensors.sessionAt(atS);
      if (!session || fate > 0.6) continue;
      const rejected = fate > 0.55;
      const type = rejected ? HistoryEvent.CalibrationRejected : HistoryEvent.CalibrationAccepted;
      this.#record(atS + 60, type, bloodGlucoseData(0, mgdl), bits, { ...sample, ofSensor: true });
      this.#calibrations.push({ atS, mgdl, rejected });
    }
  }

  // --- therapy ------------------------------------------------------------------------------------------------------------------

  #addSuspensions(): void {
    for (const { fromS, toS, stopReason, restartReason, isSetChange } of this.#therapy.suspensions) {
      const bits: number[] = [Changed.TherapyState, Changed.BasalRate, Changed.TherapyAlgorithm];
      if (isSetChange) bits.push(Changed.OperationalState, Changed.Reservoir);
      this.#record(fromS, HistoryEvent.DeliveryStopped, octetData(stopReason), bits);
      if (isSetChange) {
        const auxiliary = Uint8Array.of(3, 0);
        this.#alarm(fromS - 3000, 109, 600, auxiliary);
        this.#drafts.push({ atS: fromS + 60, data: NOTHING, bits: [Changed.OperationalState, Changed.Reservoir] });
        this.#deliveries.push({ atS: fromS + 60, iu: 180 + 5 * (this.#random("reservoir").uint32() % 24), kind: "fill" });
      }
      if (stopReason === StopReason.Alarm) this.#alarm(fromS, 7, toS - fromS - 20, Uint8Array.of(1, 0));
      this.#record(toS, HistoryEvent.DeliveryRestarted, octetData(restartReason), bits);
    }
  }

  #addTransitions(): void {
    const bits = [Changed.TherapyAlgorithm, Changed.BasalRate];
    for (const { fromS, toS, exit } of this.#therapy.pauses) {
      if (this.#within(fromS)) {
        this.#record(fromS, HistoryEvent.LoopTransition, octetData(exit), bits);
        if (exit === LoopExit.Alarm) this.#alarm(fromS + 1, 820, 900, Uint8Array.of(1, 0, 0, 0));
        if (exit === LoopExit.HighGlucose) this.#alarm(fromS + 1, 819, 900, Uint8Array.of(1, 0));
      }
      if (this.#within(toS)) this.#record(toS, HistoryEvent.LoopTransition, octetData(LOOP_ENTERED), bits);
    }
  }

  #addBasal(): void {
    const therapy = this.#therapy;
    for (const atS of therapy.boundaries(this.#day)) {
      const [before, after] = [therapy.basalRateAt(atS - 0.5), therapy.basalRateAt(atS)];
      if (before === after) continue;
      const context = therapy.pauseAt(atS) ? (atS % 2 === 0 ? BasalContext.Device : undefined) : BasalContext.Controller;
      this.#record(atS, HistoryEvent.BasalRateChanged, basalRateChangedData(before, after, context), [Changed.BasalRate]);
    }
    for (let atS = this.#day.fromS; atS < this.#day.toS; atS += 300) {
      const rate = therapy.basalRateAt(atS + 150);
      if (rate > 0) this.#deliveries.push({ atS: atS + 299, iu: rate / 12, kind: "basal" });
    }
  }

  // --- all else -----------------------------------------------------------------------------------------------------------------

  #alarm(fromS: number, code: number, lastsS: number, auxiliary: Uint8Array, ofSensor = false): void {
    if (!this.#within(fromS)) return;
    const toS = Math.min(fromS + Math.max(30, Math.round(lastsS)), this.#day.toS - 1);
    const alarm = { fromS, toS, instanceId: 0, code, auxiliary, ofSensor };
    this.#alarms.push(alarm);
    const raised = annunciationData({ instanceId: 0, code, status: 0x33, silenced: code % 3 === 0, raisedAt: 0, auxiliary });
    this.#record(fromS, HistoryEvent.Annunciation, raised, [Changed.Annunciation], { isAnnunciation: true, ofSensor });
    const cleared = annunciationClearedData(code, 0);
    this.#instanceIds.set(alarm, [raised, cleared]);
    this.#record(toS, HistoryEvent.AnnunciationCleared, cleared, [Changed.Annunciation], { ofSensor });
  }

  #addRarities(): void {
    const { index } = this.#options;
    const random = this.#random("rarities");
    const at = (): number => Math.round(this.#day.fromS + 3600 * (2 + 20 * random.unit()));
    if (random.unit() < 0.12) this.#drafts.push({ atS: at(), data: NOTHING, bits: NO_BITS, skips: 1 + (random.uint32() % 12) });
    if (random.unit() < 0.3) {
      const octets = new Uint8Array(random.uint32() % 9);
      random.fill(octets);
      this.#record(at(), [0xf003, 0xf020, 0x0330, 0x03a6][random.uint32() % 4]!, octets, NO_BITS);
    }
    if (random.unit() < 0.2) this.#alarm(at(), 108, 300, Uint8Array.of(1 + (random.uint32() % 6)));
    if (random.unit() < 0.06) this.#alarm(at(), 775, 1800, Uint8Array.of(1, 0));
    if (daysOfBattery(index) === 27) this.#alarm(at(), 104, 3000, NOTHING);
    if (daysOfBattery(index) === 0) this.#alarm(at(), 84, 120, NOTHING);
    if (((index % 40) + 40) % 40 === 13) {
      const before = this.#state.maximumBolusIu;
      this.#state.maximumBolusIu = before === 15 ? 12 : 15;
      this.#record(at(), HistoryEvent.MaximumBolusChanged, changedAmountData(before, this.#state.maximumBolusIu), NO_BITS);
    }
    const rate = this.#state.maximumAutoBasal;
    this.#state.maximumAutoBasal = round(1.5 + 0.4 * random.unit(), 0.0001 * 10);
    this.#record(this.#day.fromS + 1, HistoryEvent.MaximumAutoBasalChanged, changedAmountData(rate, this.#state.maximumAutoBasal), NO_BITS);
  }

  /** The clock, every hour and whenever it changes, and behind it a picture of the therapy. */
  #addReferences(): void {
    const steps: [number, ClockStep][] = [];
    for (let hour = 0; hour < 24; hour++) steps.push([this.#day.fromS + 3600 * hour, { kind: "periodic" }]);
    steps.push(...clockSteps(this.#options.seed, this.#options.index));
    const therapy = this.#therapy;
    const { sensors } = this.#options;
    for (const [atS, clock] of steps) {
      const bits = clock.kind === "periodic" ? [Changed.TimeInRange] : NO_BITS;
      this.#record(atS, HistoryEvent.ReferenceTime, referenceTimeData(0, NO_TIME), bits, { clock });
      const pause = therapy.pauseAt(atS);
      const suspension = spanAt(therapy.suspensions, atS);
      const temporaryBasal = therapy.temporaryBasalAt(atS);
      this.#record(
        atS,
        HistoryEvent.TherapyContext,
        therapyContextData({
          sensorEnabled: sensors.sessionAt(atS) !== undefined,
          autoMode: pause === undefined,
          basalRate: pause ? therapy.baseRateAt(atS) : undefined,
          stopReason: suspension?.stopReason,
          temporaryBasal,
        }),
        NO_BITS,
      );
    }
  }

  /** What is left after all that went in; the pump warns once when it comes to an end. */
  #addReservoir(): void {
    for (const { atS, iu, kind } of this.#deliveries) {
      const before = this.#state.reservoirIu;
      if (kind === "fill") {
        this.#state.reservoirIu = iu;
        continue;
      }
      if (kind === "bolus") this.#state.bolusIu += iu;
      else this.#state.basalIu += iu;
      this.#state.reservoirIu = Math.max(0, before - iu);
      if (before > 20 && this.#state.reservoirIu <= 20) {
        const left = Math.round(this.#state.reservoirIu);
        this.#alarm(atS + 1, 105, 900, Uint8Array.of(left, 0, 0, 0));
      }
    }
  }
}

function setWord(data: Uint8Array, at: number, word: number): void {
  data[at] = word;
  data[at + 1] = word >> 8;
}

const NO_TIME = Object.freeze({ year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
