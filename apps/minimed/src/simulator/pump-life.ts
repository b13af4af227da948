import type { Clock } from "jelling/async";
import { addSeconds, type LocalDateTime, secondsBetween } from "../data/date-time.ts";
import { encodeHistoryRecord, HistoryEvent, sensorGlucoseData, therapyContextData } from "./encode/history.ts";
import { clockSteps } from "./life/clock-plan.ts";
import { Changed, type ClockStep, DAY_S, type Draft } from "./life/draft.ts";
import { SimulatedLife } from "./life/life.ts";
import { FIRST_SPECIAL_WORD, glucoseWord, READING_INTERVAL_S, RUN_TIME_HOURS, SensorWord, WARM_UP_MIN } from "./life/sensor-plan.ts";
import { PlannedRecords } from "./planned-records.ts";
import { PumpMemory } from "./pump-memory.ts";
import { Recorder } from "./recorder.ts";
import { SimulatedSensor } from "./sensor.ts";
import { FIRST_SEQUENCE_NUMBER } from "./simulated-history.ts";
import { StatusLatch } from "./status-latch.ts";

/** The sensor's session began so long before the pump is switched on. */
const SENSOR_AGE_S = 2 * DAY_S + 3 * 3600 + 150;
const RECORD_DELAY_S = 8;
const NOTHING = new Uint8Array();

/** A sensor session, by the seconds of the life. */
interface Session {
  readonly fromS: number;
  readonly toS: number;
}

export interface PumpLifeOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** What the pump's clock shows when it is switched on. */
  readonly startLocal: LocalDateTime;
  /** Days of history before that. */
  readonly historyDays: number;
  /** Most records that its memory holds. */
  readonly historyCapacity: number;
  /** mg/dL by time offset in minutes, in place of the curve. */
  readonly glucose: ((timeOffsetMin: number) => number) | undefined;
  readonly hasSensor: boolean;
}

/** The memory, from the moment it is needed: it takes a while to look back on a long life. */
interface Parts {
  readonly recorder: Recorder;
  readonly memory: PumpMemory;
}

/**
 * A pump in its life: it catches up with it whenever somebody asks, records what happened meanwhile, and remembers what has changed. While somebody
 * listens it does so by itself, as it happens. What it tells and what it records come from the same life.
 */
export class PumpLife implements Disposable {
  readonly latch = new StatusLatch();
  readonly life: SimulatedLife;
  readonly #options: PumpLifeOptions;
  readonly #startMs: number;
  readonly #startS: number;
  readonly #anchorS: number;
  #parts: Parts | undefined;
  /** Everything up to here has happened. */
  #doneS: number;
  #at: { day: number; draft: number } | undefined;
  #listening: Disposable | undefined;
  #isListening = false;
  #busy = false;
  /** What the user did with the sensor, until the life's next one begins: another session, or none. */
  #manual: { readonly session: Session | undefined; readonly untilS: number } | undefined;
  #nextSampleS = Number.POSITIVE_INFINITY;
  #lastWord: number | undefined;

  constructor(options: PumpLifeOptions) {
    this.#options = options;
    this.#startMs = options.clock.now();
    const { startLocal } = options;
    this.#startS = startLocal.hour * 3600 + startLocal.minute * 60 + startLocal.second;
    this.#anchorS = Math.floor((this.#startS - SENSOR_AGE_S) / 60) * 60;
    this.#doneS = this.#startS;
    this.life = new SimulatedLife({ seed: options.seed, firstDay: -options.historyDays, sensorAnchorS: this.#anchorS });
    if (!options.hasSensor) this.#manual = { session: undefined, untilS: Number.POSITIVE_INFINITY };
    this.#followSession(this.#startS);
  }

  /** Seconds of the life that have passed. */
  get nowS(): number {
    return this.#startS + (this.#options.clock.now() - this.#startMs) / 1000;
  }

  get memory(): PumpMemory {
    return this.#get().memory;
  }

  /** What the pump's clock shows. */
  get now(): LocalDateTime {
    // Without a look at the life where nothing can have happened to the clock yet.
    if (!this.#parts && this.nowS < DAY_S) return addSeconds(this.#options.startLocal, Math.floor(this.nowS - this.#startS));
    this.advance();
    return this.#get().recorder.localAt(this.nowS);
  }

  localAt(atS: number): LocalDateTime {
    return addSeconds(this.now, Math.floor(atS) - Math.floor(this.nowS));
  }

  // --- the course of the life ---------------------------------------------------------------------------------------------------

  #get(): Parts {
    if (this.#parts) return this.#parts;
    const { seed, startLocal, historyCapacity } = this.#options;
    const { life } = this;
    const { firstDay } = life;
    let shiftS = 0;
    for (let day = firstDay; day < 0; day++)
      for (const [, step] of clockSteps(seed, day)) if (step.kind === "shift") shiftS += step.seconds;
    const atS = firstDay * DAY_S;
    const begin = {
      nextNumber: FIRST_SEQUENCE_NUMBER,
      referenceAtS: atS,
      clock: { atS, local: addSeconds(startLocal, atS - this.#startS - shiftS) },
      lost: undefined,
    };
    const past = new PlannedRecords({ life, begin, endS: this.#startS });
    const memory = new PumpMemory({ past, capacity: historyCapacity, update: () => this.advance() });
    this.#parts = { recorder: new Recorder(past.end), memory };
    const day = life.day(0);
    const draft = day.drafts.findIndex((each) => each.atS >= this.#startS);
    this.#at = { day: 0, draft: draft < 0 ? day.drafts.length : draft };
    return this.#parts;
  }

  /** What has happened since the last time. */
  advance(): void {
    const nowS = this.nowS;
    if (this.#busy || (nowS <= this.#doneS && this.#parts)) return;
    this.#busy = true;
    const bits = new Set<number>();
    try {
      this.#get();
      for (let next = this.#next(); next.draft.atS <= nowS; next = this.#next()) {
        this.#take(next.draft, next.isOwn, bits);
        if (next.isOwn) this.#followSession(this.#nextSampleS + READING_INTERVAL_S);
        else this.#at!.draft++;
      }
      this.#doneS = nowS;
    } finally {
      this.#busy = false;
    }
    this.latch.raise([...bits]);
    this.#arm();
  }

  /** The next thing that happens: of the life, or of a sensor that is not the life's. */
  #next(): { readonly draft: Draft; readonly isOwn: boolean } {
    const planned = this.#planned();
    return this.#nextSampleS + RECORD_DELAY_S > planned.atS
      ? { draft: planned, isOwn: false }
      : { draft: this.#ownSample(this.#nextSampleS), isOwn: true };
  }

  #planned(): Draft {
    this.#get();
    const { life } = this;
    const at = this.#at!;
    let drafts = life.day(at.day).drafts;
    while (at.draft >= drafts.length) {
      at.day++;
      at.draft = 0;
      drafts = life.day(at.day).drafts;
    }
    return drafts[at.draft]!;
  }

  #take(draft: Draft, isOwn: boolean, bits: Set<number>): void {
    const { recorder, memory } = this.#get();
    if (this.#manual && draft.atS >= this.#manual.untilS) {
      this.#manual = undefined;
      this.#followSession(draft.atS);
    }
    // Numbers are not left out for what does not happen.
    if (!isOwn && draft.ofSensor && (this.#manual || (this.#options.glucose && draft.sampleAtS !== undefined))) return;
    const isContext = draft.type === HistoryEvent.TherapyContext;
    const taken = isContext && !this.#sessionAt(draft.atS) ? { ...draft, data: withoutSensor(draft.data) } : draft;
    const recorded = recorder.record(taken);
    if (recorded) memory.append(recorded);
    if (isOwn) this.#lastWord = sampleWord(draft.data);
    for (const bit of draft.bits) bits.add(bit);
  }

  /** While somebody listens what happens is told as it happens. */
  listen(listening: boolean): void {
    this.#isListening = listening;
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
    if (listening) this.advance();
    this.#arm();
  }

  #arm(): void {
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
    if (!this.#isListening) return;
    const inMs = Math.max(1, Math.ceil((this.#next().draft.atS - this.nowS) * 1000));
    this.#listening = this.#options.clock.setTimer(inMs, "the life of a simulated pump", () => this.advance());
  }

  /** Records something now, beside what the life has in store. */
  record(
    type: number,
    data: Uint8Array,
    { bits = [Changed.History], clock, skips }: Partial<Pick<Draft, "bits" | "clock" | "skips">> = {},
  ): void {
    this.advance();
    const { recorder, memory } = this.#get();
    const recorded = recorder.record({ atS: this.nowS, type, data, bits, clock, skips });
    if (recorded) memory.append(recorded);
    this.latch.raise(bits);
  }

  /** A clock that is set, or lost, and what the pump records of it. */
  setClock(step: ClockStep): void {
    this.record(HistoryEvent.ReferenceTime, NOTHING, { clock: step });
    const context = therapyContextData({ sensorEnabled: this.#sessionAt(this.nowS) !== undefined, autoMode: false });
    this.record(HistoryEvent.TherapyContext, context);
  }

  /** @param local what the user sets the clock to */
  setClockTo(local: LocalDateTime): void {
    this.setClock({ kind: "shift", seconds: secondsBetween(this.now, local) });
  }

  /** Octets in place of a record, under the next number. */
  recordGarbage(octets: Uint8Array | undefined): void {
    this.advance();
    const { recorder, memory } = this.#get();
    const { nextNumber } = recorder.state;
    const data = sensorGlucoseData(0, 120, 2000, 0).subarray(0, 3);
    recorder.record({ atS: this.nowS, data: NOTHING, bits: [], skips: 1 });
    memory.append({ number: nextNumber, bytes: octets?.slice() ?? encodeHistoryRecord(HistoryEvent.SensorGlucose, nextNumber, 0, data) });
    this.latch.raise([Changed.History]);
  }

  skipNumbers(count: number): void {
    this.advance();
    this.#get().recorder.record({ atS: this.nowS, data: NOTHING, bits: [], skips: count });
  }

  /** The memory fails: it is empty, and numbers begin at 1. */
  restartNumbering(): void {
    this.advance();
    const { recorder, memory } = this.#get();
    memory.clear();
    recorder.restart();
    this.setClock({ kind: "periodic" });
  }

  // --- sensor -------------------------------------------------------------------------------------------------------------------

  /** A new sensor. @param start when its session began, by the pump's clock */
  startSensor(start: LocalDateTime): void {
    this.advance();
    const fromS = Math.floor(this.nowS) + secondsBetween(this.now, start);
    this.#changeSensor({ fromS, toS: fromS + RUN_TIME_HOURS * 3600 }, this.#nextPlannedS());
  }

  stopSensor(): void {
    this.advance();
    this.#changeSensor(undefined, Number.POSITIVE_INFINITY);
  }

  #changeSensor(session: Session | undefined, untilS: number): void {
    this.#manual = { session, untilS };
    this.#followSession(this.nowS);
    this.latch.raise([Changed.Calibration, Changed.SensorMessage, Changed.SensorConnectivity, Changed.CalibrationContext]);
    this.#arm();
  }

  #nextPlannedS(): number {
    const nowS = this.nowS;
    return this.life.sensors.sessions({ fromS: nowS, toS: nowS + 9 * DAY_S }).find(({ fromS }) => fromS > nowS)!.fromS;
  }

  #sessionAt(atS: number): Session | undefined {
    if (this.#manual && atS < this.#manual.untilS) {
      const { session } = this.#manual;
      return session && atS >= session.fromS && atS < session.toS ? session : undefined;
    }
    return this.life.sensors.sessionAt(atS);
  }

  /** Where the life's own readings do not hold, those of the session in force are made here, from a moment on. */
  #followSession(afterS: number): void {
    this.#nextSampleS = Number.POSITIVE_INFINITY;
    if (!this.#manual && !this.#options.glucose) return;
    const planned = this.life.sensors.sessions({ fromS: afterS, toS: afterS + 9 * DAY_S }).find(({ toS }) => toS > afterS);
    const session = this.#manual ? this.#manual.session : planned;
    if (!session) return;
    const due = Math.max(0, Math.ceil((afterS - session.fromS) / READING_INTERVAL_S));
    const nextS = session.fromS + due * READING_INTERVAL_S;
    if (nextS < session.toS) this.#nextSampleS = nextS;
  }

  #ownSample(atS: number): Draft {
    const session = this.#sessionAt(atS);
    const word = (session && this.wordOf(session, (atS - session.fromS) / 60)) ?? SensorWord.Updating;
    const bits: number[] = [Changed.Measurement, Changed.SensorEndOfLife, Changed.History];
    if (this.#lastWord === undefined || (word !== this.#lastWord && Math.max(word, this.#lastWord) >= FIRST_SPECIAL_WORD))
      bits.push(Changed.SensorMessage);
    const isig = word < FIRST_SPECIAL_WORD ? word * 17 : 900;
    const data = sensorGlucoseData(0, word, isig, 0);
    return { atS: atS + RECORD_DELAY_S, type: HistoryEvent.SensorGlucose, data, sampleAtS: atS, bits, ofSensor: true };
  }

  /** @param offsetMin minutes since the session began */
  wordOf(session: Session, offsetMin: number): number | undefined {
    const { glucose } = this.#options;
    if (!glucose && !this.#manual)
      return this.life.sensors.word(this.life.sensors.sessionAt(session.fromS)!, session.fromS + 60 * offsetMin);
    if (offsetMin < WARM_UP_MIN) return SensorWord.Starting;
    const mgdl = glucose ? glucose(offsetMin) : Math.round(this.life.curve.at(session.fromS / 60 + offsetMin));
    return mgdl <= 0 ? SensorWord.Updating : glucoseWord(mgdl);
  }

  /** What a sample says that was due at a moment; undefined: there was none. */
  wordAt(atS: number): number | undefined {
    const session = this.#sessionAt(atS);
    return session && this.wordOf(session, Math.floor((atS - session.fromS) / READING_INTERVAL_S) * (READING_INTERVAL_S / 60));
  }

  /** undefined: no session runs. */
  get session(): Session | undefined {
    return this.#sessionAt(this.nowS);
  }

  get sensor(): SimulatedSensor | undefined {
    this.advance();
    const { session } = this;
    if (!session) return undefined;
    const { glucose } = this.#options;
    return new SimulatedSensor({
      start: this.localAt(session.fromS),
      ageMin: () => (this.nowS - session.fromS) / 60,
      wordAt: (offsetMin) => this.wordOf(session, offsetMin),
      trendAt: (offsetMin) =>
        glucose
          ? (glucose(offsetMin) - glucose(Math.max(0, offsetMin - READING_INTERVAL_S / 60))) / (READING_INTERVAL_S / 60)
          : this.life.curve.trendAt(session.fromS / 60 + offsetMin),
    });
  }

  [Symbol.dispose](): void {
    this.#isListening = false;
    this.#listening?.[Symbol.dispose]();
  }
}

const sampleWord = (data: Uint8Array): number => data[2]! | (data[3]! << 8);

/** The sensor's flag of a therapy context, cleared. */
function withoutSensor(data: Uint8Array): Uint8Array {
  const copy = data.slice();
  copy[0]! &= ~1;
  return copy;
}
