import type { UpgradeEvent, UpgradePlan, UpgradePlanOptions, UpgradeResult } from "jelling/mcumgr";
import type { Context } from "../../context.ts";
import { CommandError } from "../../errors.ts";
import { GOES_ON, ProgressShow, plain, withWayOn } from "./output.ts";
import { type Invocation, readFirmwareFile, withClient } from "./session.ts";

interface Options {
  image?: number;
  slot?: number;
  confirm?: boolean;
  permanent?: boolean;
  reset: boolean;
  force?: boolean;
  dryRun?: boolean;
  recovery?: boolean;
  startTimeout?: number;
}

/** An upgrade marks an image, and looks for it again, by its digest. */
const NO_FORCE =
  '; forced or not, an upgrade needs an image, by whose digest it is marked and found again: "image upload FILE --force" sends any file as it is';

/** Brings a file of firmware to life, or says what that would take. */
export async function upgrade(at: Invocation, file: string, options: Options): Promise<void> {
  const { context } = at;
  const { readUpgradeFacts, planUpgrade, upgradeFirmware } = await import("jelling/mcumgr");
  const firmware = await readFirmwareFile(context, file, options.force ? NO_FORCE : "");
  const planOptions: UpgradePlanOptions = {
    image: options.image,
    slot: options.slot,
    confirm: options.permanent ? "at-once" : options.confirm === false ? "never" : "when-running",
    reset: options.reset,
    force: options.force,
  };
  const isRecovery = options.recovery;
  await withClient(at, async ({ client, signal, clock }) => {
    if (options.dryRun) {
      const facts = await readUpgradeFacts(client, { signal, isRecovery });
      const plan = planUpgrade(facts, firmware, planOptions);
      await showPlan(context, plan);
      if (plan.status === "blocked") throw blocked(plan);
      return;
    }
    const teller = new Teller(context);
    try {
      const result = await upgradeFirmware(client, firmware, {
        ...planOptions,
        isRecovery,
        signal,
        clock,
        startTimeoutMs: options.startTimeout,
        onEvent: (event) => teller.tell(event),
      });
      teller.end();
      showResult(context, result);
      if (result.outcome === "blocked") throw blocked(result.plan);
    } catch (error) {
      teller.end();
      throw withWayOn(context, signal, error, teller.stopped);
    }
  });
}

function blocked({ obstacles }: UpgradePlan): CommandError {
  const [first] = obstacles;
  const force = first?.canForce ? " (--force)" : "";
  return new CommandError(`nothing was changed: ${first?.message} ${first?.advice}${force}`);
}

function stepObject(step: UpgradePlan["steps"][number]): Record<string, unknown> {
  const { kind, image, why } = step;
  const more =
    step.kind === "upload"
      ? {
          version: step.firmware.image.version,
          length: step.firmware.octets.length,
          file: step.firmware.file,
          destination: step.destination,
        }
      : step.kind === "erase"
        ? { slot: step.slot }
        : "hash" in step
          ? { hash: step.hash }
          : {};
  return plain({ step: kind, image, why, ...more }) as Record<string, unknown>;
}

async function showPlan({ terminal }: Context, plan: UpgradePlan): Promise<void> {
  const { describeUpgradeStep } = await import("jelling/mcumgr");
  const { status, method, images, steps, obstacles, notes } = plan;
  terminal.object({
    type: "plan",
    status,
    method,
    images: images.map(({ firmware, ...image }) => plain({ ...image, file: firmware.file })),
    steps: steps.map(stepObject),
    obstacles,
    notes,
  });
  for (const { message, advice } of images) terminal.line([message, advice].filter((text) => text !== "").join(" "));
  for (const note of notes) terminal.line(`Note: ${note}`);
  if (status === "complete") terminal.line("Nothing is to be done.");
  for (const [i, step] of steps.entries()) {
    terminal.line(`${i + 1}. ${describeUpgradeStep(step)}`);
    terminal.line(terminal.paint("dim", `   ${step.why}`));
  }
}

const RESULTS = {
  complete: "done: the new image runs and stays",
  "on-trial": "done: the new image runs on trial",
  "waits-for-reset": "done: the new image waits for a reset",
  blocked: "",
  unchecked: "done, as far as can be seen",
} as const;

function showResult({ terminal }: Context, { outcome, wasThere, advice, images, durationMs }: UpgradeResult): void {
  terminal.object({
    type: "result",
    outcome,
    wasThere,
    advice,
    durationMs: Math.round(durationMs),
    images: images.map(({ image, version, hash, condition }) => plain({ image, version, hash, condition })),
  });
  if (outcome === "blocked") return;
  const said = wasThere ? images.map(({ message }) => message).join(" ") : RESULTS[outcome];
  terminal.line(terminal.paint("green", said));
  if (advice !== "") terminal.line(advice);
}

/** Says what goes on, as lines and as a bar. */
class Teller {
  readonly #context: Context;
  #progress: ProgressShow | undefined;
  #hasMarked = false;
  #hasReset = false;

  constructor(context: Context) {
    this.#context = context;
  }

  end(): void {
    this.#progress?.end();
    this.#context.terminal.status("");
  }

  /** What to know where the user stopped it. */
  get stopped(): string {
    const share = this.#progress?.share;
    if (this.#hasReset) return "stopped while the device starts: type the same command again, and it looks what runs, and confirms it";
    if (this.#hasMarked) return "stopped before the reset: the next start tries the new image; type the same command again, and it goes on";
    const where = share === undefined ? "stopped" : `stopped at ${share} %`;
    return `${where}: the device runs what it ran before; ${GOES_ON}`;
  }

  tell(event: UpgradeEvent): void {
    const { terminal } = this.#context;
    switch (event.type) {
      case "plan":
        for (const { message } of event.plan.images) terminal.status(message);
        terminal.object({ type: "state", status: event.plan.status, conditions: event.plan.images.map(({ condition }) => condition) });
        return;
      case "step": {
        const { step, number, total } = event;
        terminal.object({ type: "step", number, total, ...stepObject(step) });
        this.#progress = step.kind === "upload" ? new ProgressShow(this.#context, `${number}/${total} upload`) : undefined;
        if (step.kind === "reset") this.#hasReset = true;
        terminal.status(`${number}/${total} ${step.kind.replaceAll("-", " ")} …`);
        return;
      }
      case "progress":
        this.#progress?.at(event.progress);
        return;
      case "done": {
        const { step, durationMs } = event;
        if (step.kind === "test" || step.kind === "make-permanent") this.#hasMarked = true;
        if (step.kind === "confirm") this.#hasReset = false;
        terminal.object({ type: "done", step: step.kind, durationMs: Math.round(durationMs) });
        const image = step.image === undefined ? "" : `  image ${step.image}`;
        terminal.line(`${step.kind.replaceAll("-", " ").padEnd(15)}${(durationMs / 1000).toFixed(1).padStart(6)} s${image}`);
        return;
      }
      case "again":
        terminal.object({ type: "again", step: event.step?.kind, why: event.why });
        terminal.note(`again: ${event.why}`);
    }
  }
}
