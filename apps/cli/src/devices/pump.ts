import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildKeyDatabase, inventKeys, type LocalDateTime, SakeDeviceType, SimulatedPump } from "@jelling/minimed";
import { type Clock, delay } from "jelling/async";
import { toHex } from "jelling/bytes";
import { type Logger, randomBytes, SeededRandom, systemRandom } from "jelling/core";
import { writePrivateFile } from "jelling/node";
import type { HciTransport } from "jelling/transport";
import { UsageError } from "../errors.ts";
import { FaultSchedule } from "../pump/fault-schedule.ts";
import type { TimedFault } from "../pump/fault-words.ts";

/** Of name, keys and life: the same every time where nobody says another, so that files of an earlier run still fit. */
const USUAL_SEED = 1;
/** With the manufacturer's prefix, as a pump's; the same every time for the same seed, so that a phone knows it again. */
const PREFIX = "00:23:F7";
const USUAL_ADDRESS = `${PREFIX}:4A:65:6C`;
/** How far back its history goes. */
const HISTORY_DAYS = 30;
/** The user of the pump tries again after a while. */
const NEXT_ATTEMPT_MS = 5000;

/** What may be chosen of a simulated pump. */
export interface PumpChoices {
  /** Of its name, its keys and its life. */
  readonly seed?: number | undefined;
  /** How far back its history goes. */
  readonly historyDays?: number | undefined;
  /** The file for the key database of the phone's side, which is not there yet or is this pump's; one in the folder by default. */
  readonly keysPath?: string | undefined;
  /** Its user connects an uploader in place of a phone: the code that the pump shows, and what it offers then. */
  readonly carelink?: { readonly code: number; readonly offers: "nothing" | "all" } | undefined;
  /** What goes wrong with it, and when. */
  readonly faults?: readonly TimedFault[] | undefined;
  /** Told what the pump does and what strikes it, in place of `tell`. */
  readonly onEvent?: ((text: string) => void) | undefined;
}

export interface PumpOptions extends PumpChoices {
  readonly transport: HciTransport;
  readonly clock: Clock;
  /** Where the key database for the phone's side goes. */
  readonly folder: string;
  readonly logger: Logger;
  /** What its clock shows at the beginning, as this computer's; without it always the same. */
  readonly startsAt?: Date | undefined;
  readonly tell: (sentence: string) => void;
}

/** Switches a simulated pump on whose user is always about to pair a new phone. Its keys are invented, and open nothing real. */
export async function startPump(options: PumpOptions): Promise<{ pump: SimulatedPump; keysPath: string } & AsyncDisposable> {
  const { transport, clock, folder, logger, startsAt, seed = USUAL_SEED, historyDays = HISTORY_DAYS, faults = [] } = options;
  const tell = options.onEvent ?? ((text: string) => options.tell(`pump: ${text}`));
  const { carelink } = options;
  const keys = carelink
    ? inventKeys(new SeededRandom(seed, "keys of the simulated pump and an uploader"), SakeDeviceType.CareLinkUploader)
    : inventKeys(new SeededRandom(seed, "keys of the simulated pump"));
  const keysName = carelink ? "pump-carelink-keys" : "pump-keys";
  const keysPath = options.keysPath ?? join(folder, seed === USUAL_SEED ? `${keysName}.hex` : `${keysName}-${seed}.hex`);
  const keysText = `${toHex(buildKeyDatabase(keys.phone))}\n`;
  if (options.keysPath !== undefined) await refuseOther(options.keysPath, keysText);
  await writePrivateFile(keysPath, keysText);
  const pump = await SimulatedPump.open({
    transport,
    clock,
    random: systemRandom,
    seed,
    keyDatabase: keys.pump,
    historyDays,
    offers: carelink?.offers,
    startLocal: startsAt && localOf(startsAt),
    logger: logger.child("pump"),
    onEvent: ({ text }) => tell(text),
  });
  const stop = new AbortController();
  const user = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        if (!pump.hasPhone)
          await (carelink
            ? pump.pairUploader({ confirmationCode: carelink.code, signal: stop.signal })
            : pump.pairNewPhone({ signal: stop.signal }));
      } catch (error) {
        if (stop.signal.aborted) return;
        tell(messageOf(error));
      }
      await delay(clock, NEXT_ATTEMPT_MS, { signal: stop.signal, name: "the pump's user" }).catch(() => undefined);
    }
  };
  const done = user();
  const schedule = new FaultSchedule(pump, clock, faults, ({ line, told }, failure) =>
    tell(failure === undefined ? `fault: ${told}` : `fault "${line}": ${failure}`),
  );
  return {
    pump,
    keysPath,
    [Symbol.asyncDispose]: async () => {
      schedule[Symbol.dispose]();
      stop.abort(new Error("the simulated pump is switched off"));
      await pump[Symbol.asyncDispose]();
      await done;
    },
  };
}

export function pumpAddress(seed: number | undefined): string {
  if (seed === undefined || seed === USUAL_SEED) return USUAL_ADDRESS;
  return [
    PREFIX,
    ...Array.from(randomBytes(new SeededRandom(seed, "address of the simulated pump"), 3), (octet) => octet.toString(16).padStart(2, "0")),
  ]
    .join(":")
    .toUpperCase();
}

/** Keys of a real phone in that file would be lost. @throws {UsageError} */
async function refuseOther(path: string, keysText: string): Promise<void> {
  let present: string;
  try {
    present = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if (present !== keysText) throw new UsageError(`${path} is there and does not hold this pump's keys: name another file for them`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function localOf(date: Date): LocalDateTime {
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
  };
}
