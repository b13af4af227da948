import { VirtualClock } from "jelling/async";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
import {
  MemoryNightscoutLedger,
  type NightscoutDocument,
  NightscoutUploader,
  type NightscoutUploaderOptions,
  nightscoutDocuments,
} from "../../src/export/index.ts";
import type { PumpState } from "../../src/live/state.ts";
import type { TherapyView } from "../../src/store/view.ts";
import { HOUR, MINUTE, PUMP } from "../memory-view.ts";
import { NightscoutServer, type NightscoutServerOptions, SECRET, SITE } from "../nightscout-server.ts";
import type { Document } from "./http.ts";

export const SERIAL = "NG7654321H";
/** Rights that suffice. */
export const RIGHTS = ["api:status:read", "api:entries,treatments,devicestatus:create,read,update"];

export interface WorldOptions {
  readonly nowMs: number;
  readonly view: TherapyView;
  readonly api?: "v1" | "v3";
  readonly server?: NightscoutServerOptions;
  readonly uploader?: Partial<NightscoutUploaderOptions>;
  /** Time passes only where the test lets it. */
  readonly isStill?: boolean;
}

/** A site, a pump's data, and uploaders that come one after the other. */
export class World {
  readonly clock: VirtualClock;
  readonly server: NightscoutServer;
  readonly ledger = new MemoryNightscoutLedger();
  readonly lines: string[] = [];
  readonly token: string;
  readonly #options: WorldOptions;
  view: TherapyView;
  state: PumpState | undefined;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.view = options.view;
    this.clock = new VirtualClock({ startMs: options.nowMs, auto: !options.isStill });
    this.server = new NightscoutServer({ now: this.clock.now.bind(this.clock), forbidden: [SERIAL, SECRET], ...options.server });
    this.token = this.server.addToken("jelling", RIGHTS);
  }

  get nowMs(): number {
    return this.clock.now();
  }

  open(more: Partial<NightscoutUploaderOptions> = {}): NightscoutUploader {
    const { api = "v1", uploader } = this.#options;
    return new NightscoutUploader({
      site: api === "v1" ? { url: SITE, secret: SECRET } : { url: SITE, token: this.token },
      api,
      view: delegate(() => this.view),
      pump: PUMP,
      state: () => this.state,
      ledger: this.ledger,
      clock: this.clock,
      wallClock: () => this.clock.now(),
      random: new SeededRandom(5),
      fetch: this.server.fetch,
      logger: new Logger("", LogLevel.Trace, (_level, scope, line) => this.lines.push(`${scope} ${line}`)),
      ...uploader,
      ...more,
    });
  }

  /** What the site ought to have, by the mapping alone. */
  expected(fromMs: number, toMs: number): { entries: string[]; treatments: string[] } {
    const { entries, treatments } = nightscoutDocuments(
      this.view,
      { fromMs, toMs },
      { pump: PUMP, nowMs: this.nowMs, ...this.#options.uploader?.mapping },
    );
    return { entries: entries.map(summary).sort(), treatments: treatments.map(summary).sort() };
  }

  /** What it has. */
  get found(): { entries: string[]; treatments: string[] } {
    const of = (collection: string): string[] => this.server.documents(collection).map(summary).sort();
    return { entries: of("entries"), treatments: of("treatments") };
  }

  get posts(): { path: string; documents: Document[] }[] {
    return this.server.requests
      .filter(({ method, path }) => method === "POST" && !path.endsWith("/preview"))
      .map(({ path, body }) => ({ path, documents: [JSON.parse(body) as Document | Document[]].flat() }));
  }
}

function delegate(view: () => TherapyView): TherapyView {
  return new Proxy({} as TherapyView, { get: (_, name) => Reflect.get(view(), name) as unknown });
}

/** The fields that are ours, in one line. */
export function summary(document: NightscoutDocument | Document): string {
  const { identifier, eventType, created_at, type, date, sgv, mbg, insulin, carbs, absolute, duration, notes, glucose } =
    document as Document;
  const time = type === undefined ? created_at : date;
  return JSON.stringify([type ?? eventType, time, sgv ?? mbg ?? glucose, insulin, carbs, absolute, duration, notes, identifier]);
}

/** A state with everything that a status tells, read at `atMs` of a clock that is that of the day. */
export function stateAt(atMs: number, more: Partial<PumpState["values"]> = {}, epochMs = 0): PumpState {
  const told = <T>(value: T): { value: T; atMs: number } => ({ value, atMs });
  return {
    epochMs,
    link: { kind: "ready", sinceMs: atMs - HOUR },
    heardAtMs: atMs,
    hint: undefined,
    values: {
      information: told({ manufacturer: "Medtronic", model: "MMT-1886", serial: SERIAL, hardware: "A1", firmware: "6.7", software: "1" }),
      battery: told(75),
      transmitterBattery: told(90),
      status: told({
        therapyControlState: "run",
        operationalState: "ready",
        reservoirRemainingIu: 143.25,
        reservoirAttached: true,
        sensorConnectivity: ["sensor_on"],
        sensorConnectivityBits: 1,
        sensorMessage: "no_message",
      }),
      insulinOnBoard: told({
        insulinOnBoardIu: 1.35,
        remainingDurationMin: 100,
        partialStatusDurationMin: undefined,
        partialStatusRemaining: undefined,
      }),
      timeInRange: told({ notEnoughData: false, abovePercent: 10, belowPercent: 2, inRangePercent: 88, smartGuardPercent: 99 }),
      therapy: told({
        flags: 0,
        shield: "auto_basal_mode",
        readiness: "no_action_required",
        plgm: undefined,
        lgs: undefined,
        temporaryTargetMin: undefined,
        waitToCalibrateMin: undefined,
        safeBasalMin: undefined,
      }),
      boluses: told([]),
      ...more,
    },
  };
}

export const QUIET = 11 * MINUTE;
