import { join } from "node:path";
import { formatLocal, type SimulatedPump } from "@jelling/minimed";
import { SeededRandom } from "jelling/core";
import { stateFolder } from "jelling/node";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { linesOf } from "../../lines.ts";
import { PacedClock } from "../../paced-clock.ts";
import { Population } from "../../population.ts";
import { strike } from "../../pump/fault-schedule.ts";
import { FAULT_WORDS, type FaultName, type FaultOrder, faultHelp, parseFault, type TimedFault } from "../../pump/fault-words.ts";
import { type ServedController, serveControllers, serveOn } from "../../serving.ts";
import type { ServingOptions } from "../../serving-options.ts";
import { table } from "../../terminal.ts";
import { shellWord } from "../../text.ts";

interface Options extends ServingOptions {
  readonly seed: number;
  readonly days: number;
  readonly speed: number;
  readonly fault?: readonly TimedFault[];
  readonly writeKeys?: string;
  readonly carelink?: "nothing" | "all";
  readonly loss?: number;
}

/** Words of the one who sits at the pump, beside the faults. */
const OTHER_WORDS = [
  { usage: "state", help: "where the pump stands, and which faults are still to strike" },
  { usage: "help", help: "this list" },
  { usage: "quit", help: "ends the pump" },
] as const;

/** A simulated pump that other programs reach, struck by what standard input says, until Ctrl-C, `quit` or `--timeout`. */
export async function sim(
  context: Context,
  { seed, days, speed, fault, writeKeys, carelink: offers, loss, ...where }: Options,
): Promise<void> {
  const { terminal, io } = context;
  await using closing = new Closing();
  const paced = speed === 1 ? undefined : new PacedClock(speed);
  if (paced) closing.add(async () => paced[Symbol.dispose]());
  const tell = new PumpTeller(context);
  const carelink = offers && { code: codeOf(seed), offers };
  const code = carelink?.code.toString().padStart(6, "0");
  const population = new Population({
    clock: io.clock ?? paced,
    logger: await context.logger(),
    seed,
    loss,
    ...(io.clock ? {} : { startsAt: new Date() }),
    folder: join(stateFolder(io.env), "sim"),
    pump: { seed, historyDays: days, carelink, keysPath: writeKeys, faults: fault, onEvent: (text) => tell.event(text) },
    tell: (sentence) => terminal.note(sentence),
  });
  closing.add(() => population[Symbol.asyncDispose]());
  const { name, address, keys } = await population.add("pump");
  const pump = population.pump!;
  terminal.result(
    () => ({ type: "pump", name, address: address.toString(), keys, seed, days, speed, ...(code !== undefined && { code, offers }) }),
    () =>
      `pump        ${address}  ${name}, ${days} ${days === 1 ? "day" : "days"} of history, seed ${seed}${speed === 1 ? "" : `, ${speed} times as fast`}`,
  );
  for (const { spec } of await serveControllers(context, population, closing, { ...where, controllers: 1 }))
    terminal.result(
      () => ({ type: "controller", transport: spec, keys }),
      () => howToReach(spec, keys!, code),
    );
  const isBackground = io.stdinIsOthers();
  terminal.line(
    isBackground ? "In the background nothing is read from the terminal." : "Type help for what can go wrong with it; Ctrl-C or quit ends.",
  );
  tell.begin(pump);
  closing.add(async () => tell.end()); // what comes of being switched off is no event
  const quit = new AbortController();
  // Not waited for: whatever it still does to the pump ends with the pump.
  closing.add(async () => quit.abort());
  if (!isBackground) void new PumpConsole(context, pump, tell, () => quit.abort()).read(AbortSignal.any([context.signal, quit.signal]));
  await serveOn(context, quit.signal);
}

/** What a user types next. */
function howToReach(spec: ServedController["spec"], keys: string, code: string | undefined): string {
  const how = `-t ${spec === "vhci" ? "hci:N" : spec} --keys ${shellWord(keys)}`;
  const lines =
    code === undefined
      ? [`pair it     jelling pump pair ${how}`, `then        jelling pump watch ${how}`]
      : [`connect     jelling pump pair --mode carelink --code ${code} ${how}`];
  return [...(spec === "vhci" ? ["controller  in the kernel: jelling doctor names its N"] : []), ...lines].join("\n");
}

/** What it shows to an uploader: the same every time, so that a command can be typed again. */
function codeOf(seed: number): number {
  return new SeededRandom(seed, "code for an uploader").uint32() % 1_000_000;
}

/** Says what the pump does and what became of what was typed, with the time that the pump shows. */
class PumpTeller {
  readonly #context: Context;
  #pump: SimulatedPump | undefined;
  /** What came before there was a pump to ask the time. */
  #early: string[] | undefined = [];
  #ended = false;

  constructor(context: Context) {
    this.#context = context;
  }

  begin(pump: SimulatedPump): void {
    this.#pump = pump;
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const text of early) this.event(text);
  }

  end(): void {
    this.#ended = true;
  }

  event(text: string): void {
    if (this.#ended) return;
    if (this.#early) this.#early.push(text);
    else this.answer({ type: "event", text }, text);
  }

  answer(object: Record<string, unknown>, text: string): void {
    const local = this.#pump ? formatLocal(this.#pump.now) : undefined;
    this.#context.terminal.result(
      () => ({ ...object, ...(local !== undefined && { pumpTime: local }) }),
      () => `${local === undefined ? "" : `${local.replace("T", " ")}  `}${text}`,
    );
  }
}

/** Reads what is to happen to a pump, a line at a time, and answers each. */
class PumpConsole {
  readonly #context: Context;
  readonly #pump: SimulatedPump;
  readonly #tell: PumpTeller;
  readonly #quit: () => void;

  constructor(context: Context, pump: SimulatedPump, tell: PumpTeller, quit: () => void) {
    this.#context = context;
    this.#pump = pump;
    this.#tell = tell;
    this.#quit = quit;
  }

  /** Until `signal` aborts, or the input ends: the pump stays. */
  async read(signal: AbortSignal): Promise<void> {
    try {
      for await (const line of linesOf(this.#context.io.stdin(signal))) {
        await this.#take(line.trim());
        if (signal.aborted) return;
        await this.#context.terminal.flush();
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#context.terminal.note(`nothing more is read from standard input: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #take(line: string): Promise<void> {
    const { terminal } = this.#context;
    switch (line.toLowerCase()) {
      case "":
        return;
      case "help":
        return this.#help();
      case "state":
        return this.#state();
      case "quit":
      case "exit":
        this.#tell.answer({ type: "quit" }, "the pump is switched off");
        return this.#quit();
      default:
    }
    let order: FaultOrder;
    try {
      order = parseFault(line);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      if (terminal.json) terminal.object({ type: "error", line, message: error.message });
      else terminal.note(error.message);
      return;
    }
    await strike(this.#pump, order, ({ fault, line: plain, values, told }, failure) => {
      const object = { type: "fault", fault, line: plain, ...values };
      if (failure === undefined) this.#tell.answer(object, told);
      else this.#tell.answer({ ...object, type: "error", message: failure }, `${plain}: ${failure}`);
    });
  }

  #help(): void {
    const { terminal } = this.#context;
    const words = [...faultHelp(), ...OTHER_WORDS];
    terminal.object({ type: "help", words });
    for (const line of table(words.map(({ usage, help }) => [usage, help]))) terminal.line(line);
  }

  #state(): void {
    const { connected, authenticated, hasPhone, handshakes, history, forbiddenWrites, faults } = this.#pump;
    const pending = (Object.keys(FAULT_WORDS) as FaultName[]).flatMap((name): [word: string, left: unknown][] => {
      const left = faults[name];
      if (typeof left === "function" || left === 0 || left === false || left === undefined) return [];
      return [[FAULT_WORDS[name].word, left === true ? "on" : left === Number.POSITIVE_INFINITY ? "always" : left]];
    });
    const link = authenticated ? "connected to its phone" : connected ? "connected" : hasPhone ? "looks for its phone" : "has no phone";
    this.#tell.answer(
      {
        type: "state",
        connected,
        authenticated,
        hasPhone,
        handshakes,
        records: history.count,
        forbiddenWrites,
        faults: Object.fromEntries(pending),
      },
      [
        link,
        `handshakes so far: ${handshakes}`,
        `records: ${history.count}`,
        ...(forbiddenWrites ? [`forbidden writes that were refused: ${forbiddenWrites}`] : []),
        ...pending.map((entry) => `to come: ${entry.join(" ")}`),
      ].join(", "),
    );
  }
}
