import type { OperationOptions } from "jelling/async";
import { BleError } from "jelling/core";
import type { CgmFeature } from "../cgm/feature.ts";
import type { PumpInformation } from "./readers/device.ts";
import type { SensorSession } from "./readers/glucose.ts";
import type { LatestGlucose } from "./reading.ts";

/** What the first reads of a session bring. */
export interface PumpSnapshot {
  /** When they were done, on the connector's clock. */
  readonly atMs: number;
  readonly information: PumpInformation;
  readonly batteryPercent: number | undefined;
  /** undefined: the pump has none, as one that takes us for an uploader may; or it could not be read. */
  readonly feature: CgmFeature | undefined;
  /** undefined: they could not be read. */
  readonly sensor: SensorSession | undefined;
  /** undefined: it could not be read. */
  readonly latest: LatestGlucose | undefined;
  /** Why a value could not be read. The session goes on without it; it may be asked for again. */
  readonly problems: PumpSnapshotProblems;
}

/** By the names of the values. */
export type PumpSnapshotProblems = Partial<Readonly<Record<"information" | "batteryPercent" | "sensor" | "latest", BleError>>>;

/** What a user would call them. */
const WORDS: Readonly<Record<keyof PumpSnapshotProblems, string>> = {
  information: "The device information",
  batteryPercent: "The battery",
  sensor: "The sensor session",
  latest: "The latest glucose",
};

const NO_INFORMATION: PumpInformation = Object.freeze({
  manufacturer: undefined,
  model: undefined,
  serial: undefined,
  hardware: undefined,
  firmware: undefined,
  software: undefined,
});

/** Of a session: what it reads. */
interface FirstReader {
  readonly ended: BleError | undefined;
  readInformation(terms: OperationOptions): Promise<PumpInformation>;
  readBattery(terms: OperationOptions): Promise<number | undefined>;
  readSensorSession(terms: OperationOptions): Promise<SensorSession>;
  readLatest(terms: OperationOptions): Promise<LatestGlucose>;
}

/** One that cannot be read leaves the others. @throws why the session ended · `signal.reason` */
export async function firstReads(reader: FirstReader, signal: AbortSignal): Promise<Omit<PumpSnapshot, "atMs" | "feature">> {
  const problems: { -readonly [Name in keyof PumpSnapshotProblems]: PumpSnapshotProblems[Name] } = {};
  const read = async <T>(name: keyof PumpSnapshotProblems, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || reader.ended || !(error instanceof BleError)) throw error;
      problems[name] = error;
      return undefined;
    }
  };
  return {
    information: (await read("information", () => reader.readInformation({ signal }))) ?? NO_INFORMATION,
    batteryPercent: await read("batteryPercent", () => reader.readBattery({ signal })),
    sensor: await read("sensor", () => reader.readSensorSession({ signal })),
    latest: await read("latest", () => reader.readLatest({ signal })),
    problems,
  };
}

/** A sentence for each. */
export function problemSentences(problems: PumpSnapshotProblems): string[] {
  return (Object.keys(WORDS) as (keyof PumpSnapshotProblems)[]).flatMap((name) => {
    const message = problems[name]?.message.replace(/\.$/, "");
    return message === undefined ? [] : [`${WORDS[name]} could not be read: ${message}.`];
  });
}
