import { join } from "node:path";
import { buildKeyDatabase, inventKeys, type LocalDateTime, SimulatedPump } from "@jelling/minimed";
import { type Clock, delay } from "jelling/async";
import { toHex } from "jelling/bytes";
import { type Logger, SeededRandom, systemRandom } from "jelling/core";
import { writePrivateFile } from "jelling/node";
import type { HciTransport } from "jelling/transport";

/** Of name, keys and glucose: the same every time, so that files of an earlier run still fit. */
const SEED = 1;
/** How far back its history goes. */
const HISTORY_DAYS = 30;
/** The user of the pump tries again after a while. */
const NEXT_ATTEMPT_MS = 5000;

export interface PumpOptions {
  readonly transport: HciTransport;
  readonly clock: Clock;
  /** Where the key database for the phone's side goes. */
  readonly folder: string;
  readonly logger: Logger;
  /** What its clock shows at the beginning, as this computer's; without it always the same. */
  readonly startsAt?: Date | undefined;
  readonly historyDays?: number | undefined;
  readonly tell: (sentence: string) => void;
}

/** Switches a simulated pump on whose user is always about to pair a new phone. Its keys are invented, and open nothing real. */
export async function startPump(options: PumpOptions): Promise<{ pump: SimulatedPump; keysPath: string } & AsyncDisposable> {
  const { transport, clock, folder, logger, startsAt, historyDays = HISTORY_DAYS, tell } = options;
  const keys = inventKeys(new SeededRandom(SEED, "keys of the simulated pump"));
  const keysPath = join(folder, "pump-keys.hex");
  await writePrivateFile(keysPath, `${toHex(buildKeyDatabase(keys.phone))}\n`);
  const pump = await SimulatedPump.open({
    transport,
    clock,
    random: systemRandom,
    seed: SEED,
    keyDatabase: keys.pump,
    historyDays,
    startLocal: startsAt && localOf(startsAt),
    logger: logger.child("pump"),
    onEvent: ({ text }) => tell(`pump: ${text}`),
  });
  const stop = new AbortController();
  const user = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        if (!pump.hasPhone) await pump.pairNewPhone({ signal: stop.signal });
      } catch (error) {
        if (stop.signal.aborted) return;
        tell(`pump: ${error instanceof Error ? error.message : String(error)}`);
      }
      await delay(clock, NEXT_ATTEMPT_MS, { signal: stop.signal, name: "the pump's user" }).catch(() => undefined);
    }
  };
  const done = user();
  return {
    pump,
    keysPath,
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the simulated pump is switched off"));
      await pump[Symbol.asyncDispose]();
      await done;
    },
  };
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
