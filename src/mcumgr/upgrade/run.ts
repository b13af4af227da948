import { callOut } from "../../async/call-out.ts";
import { type Clock, delay, SystemClock } from "../../async/clock.ts";
import { Deadline } from "../../async/deadline.ts";
import type { OperationOptions } from "../../async/pending.ts";
import { checkBoolean, checkFunction, checkMilliseconds, checkOperation, optionNames } from "../../core/arguments.ts";
import { ArgumentError, ClosedError, TimeoutError } from "../../core/error.ts";
import type { McumgrClient } from "../client/client.ts";
import type { Firmware } from "../image/package.ts";
import { ImageMismatchError, McumgrError } from "../protocol/error.ts";
import type { ImageUploadOptions } from "../transfer/image-upload.ts";
import type { TransferProgress } from "../transfer/progress.ts";
import { troubleOf } from "../transfer/trouble.ts";
import { UpgradeError } from "./error.ts";
import { readUpgradeFacts, type UpgradeFacts } from "./facts.ts";
import { afterReset, refused, repeated } from "./outcome.ts";
import { checkPlanOptions, PLAN_OPTIONS, planUpgrade } from "./plan.ts";
import type { PlannedImage, UpgradePlan, UpgradePlanOptions, UpgradeStep } from "./types.ts";

/** What an upgrade tells while it runs. */
export type UpgradeEvent =
  /** What the device said, and what is to be done from here: at the start, and wherever that has changed. */
  | { readonly type: "plan"; readonly facts: UpgradeFacts; readonly plan: UpgradePlan }
  /** A step begins. `number` counts from 1, `total` is what is known of now. */
  | { readonly type: "step"; readonly step: UpgradeStep; readonly number: number; readonly total: number }
  /** Of an upload. */
  | { readonly type: "progress"; readonly step: UpgradeStep; readonly progress: TransferProgress }
  /** A step has ended well. */
  | { readonly type: "done"; readonly step: UpgradeStep; readonly durationMs: number }
  /** A step is looked at again: its answer was lost, or the link. */
  | { readonly type: "again"; readonly step: UpgradeStep | undefined; readonly why: string };

export interface UpgradeOptions extends UpgradePlanOptions, OperationOptions {
  /** The bootloader's recovery answers: see `readUpgradeFacts`. */
  readonly isRecovery?: boolean | undefined;
  /** How long the device may take to answer after a reset, in milliseconds: exchanging images takes up to a minute. 180 s by default. */
  readonly startTimeoutMs?: number | undefined;
  /** See `McumgrClient.uploadImage`. */
  readonly upload?: Pick<ImageUploadOptions, "window" | "alignment"> | undefined;
  readonly onEvent?: ((event: UpgradeEvent) => void) | undefined;
  /** Real time by default. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = new Set([
  ...PLAN_OPTIONS,
  ...optionNames<Omit<UpgradeOptions, keyof UpgradePlanOptions>>({
    signal: true,
    timeoutMs: true,
    isRecovery: true,
    startTimeoutMs: true,
    upload: true,
    onEvent: true,
    clock: true,
  }),
]);

/**
 * `complete`: the image runs and stays. `on-trial`: it runs, and was not to be confirmed. `waits-for-reset`: it is there, and the device was not to be
 * reset. `blocked`: nothing was done, see `plan.obstacles`. `unchecked`: the image carries no digest, or nothing answers over this link once the
 * recovery has started the application: it could not be looked at.
 */
export type UpgradeOutcome = "complete" | "on-trial" | "waits-for-reset" | "blocked" | "unchecked";

export interface UpgradeResult {
  readonly outcome: UpgradeOutcome;
  /** Nothing had to be done. */
  readonly wasThere: boolean;
  readonly plan: UpgradePlan;
  readonly images: readonly PlannedImage[];
  /** How to go on, in a sentence; empty where there is nothing to go on with. */
  readonly advice: string;
  readonly durationMs: number;
}

const DEFAULT_START_TIMEOUT_MS = 180_000;
/** So often is a step tried whose answer, or whose link, is lost. */
const ATTEMPTS = 5;
/** A device that erases what another program has begun to upload answers nobody meanwhile. */
const SILENCE_MS = 45_000;
/** A mark is a few octets of flash memory. Where the answer is lost, things are looked at before it is made again. */
const MARKING_TIMEOUT_MS = 10_000;
/** A server that has no buffer just now, or is busy, has one soon. */
const PAUSE_MS = 500;
/** So often is the device told to reset, so long apart: it resets a quarter of a second after it was told. */
const RESETS = 3;
const AGAIN_AFTER_MS = 2000;

/**
 * Brings firmware to life on a device: upload, check, mark, reset, reconnect, check, confirm, as far as each is wanting. Before every step the device
 * is asked how things stand, so that an upgrade that was cut short anywhere is finished by the same call; what is done already is not done again.
 * What keeps it from being done as things are is a result (`blocked`), and so is what is left to do.
 *
 * @throws {UpgradeError} the device refuses, reverted, does not start it, does not come back · what `uploadImage` throws · {TimeoutError} ·
 * {ArgumentError} · `signal.reason`: all can be gone on with by the same call
 */
export async function upgradeFirmware(client: McumgrClient, firmware: Firmware, options: UpgradeOptions = {}): Promise<UpgradeResult> {
  checkOperation("upgradeFirmware", options, OPTIONS);
  checkPlanOptions("upgradeFirmware", options);
  checkBoolean("upgradeFirmware: isRecovery", options.isRecovery);
  checkFunction("upgradeFirmware: onEvent", options.onEvent);
  if (options.startTimeoutMs !== undefined)
    checkMilliseconds("upgradeFirmware: startTimeoutMs", options.startTimeoutMs, 1, Number.MAX_SAFE_INTEGER);
  const { clock = new SystemClock(), signal, timeoutMs } = options;
  using deadline = new Deadline({ clock, operation: "the upgrade", signal, timeoutMs });
  deadline.signal.throwIfAborted();
  return await new UpgradeRun(client, firmware, options, clock, deadline.signal).run();
}

class UpgradeRun {
  readonly #client: McumgrClient;
  readonly #firmware: Firmware;
  readonly #options: UpgradeOptions;
  readonly #planOptions: UpgradePlanOptions;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #startMs: number;
  /** Steps that have ended well, by kind and image. */
  readonly #done = new Set<string>();
  #steps = 0;
  #attempts = 0;
  /** When something was answered last. */
  #heardAtMs: number;
  #told = "";
  /** Images that were seen to run on trial. */
  readonly #started = new Set<number>();
  /** So often was the device told to reset; it may not have heard it. */
  #resets = 0;
  #entries = 0;
  #waited = 0;
  #refusal: { readonly key: string; readonly error: UpgradeError } | undefined;

  constructor(client: McumgrClient, firmware: Firmware, options: UpgradeOptions, clock: Clock, signal: AbortSignal) {
    this.#client = client;
    this.#firmware = firmware;
    this.#options = options;
    const { image, slot, confirm, reset, force } = options;
    this.#planOptions = { image, slot, confirm, reset, force };
    this.#clock = clock;
    this.#signal = signal;
    this.#startMs = clock.now();
    this.#heardAtMs = this.#startMs;
  }

  async run(): Promise<UpgradeResult> {
    for (;;) {
      const looked = await this.#attempt(undefined, async () => {
        const { isRecovery } = this.#options;
        const facts = await readUpgradeFacts(this.#client, { signal: this.#signal, isRecovery });
        return { facts, plan: planUpgrade(facts, this.#firmware, this.#planOptions) };
      });
      if (looked === undefined) continue;
      const { facts, plan } = looked;
      this.#tellPlan(facts, plan);
      for (const { image, condition } of plan.images) if (condition === "on-trial") this.#started.add(image);
      if (this.#resets > 0) {
        const verdict = afterReset(facts, plan, this.#started, this.#options);
        if (verdict instanceof UpgradeError) {
          if (plan.steps[0]?.kind !== "reset" || this.#resets >= RESETS) throw verdict;
          if (await this.#looksAgain(plan.steps[0], "the image waits for its start still")) continue;
        }
        if (verdict === "unchecked") return this.#result(plan, "unchecked");
      }
      const step = this.#nextOf(plan);
      if (step === undefined) return this.#result(plan);
      // What refused may have been another than was asked: it started anew meanwhile, and is now something else.
      const refusal = this.#refusal;
      this.#refusal = undefined;
      if (refusal?.key === keyOf(step)) throw refusal.error;
      if (this.#done.has(keyOf(step))) {
        if (step.kind !== "enter-recovery" || this.#entries >= RESETS) throw repeated(step, plan);
        if (await this.#looksAgain(step, "the application runs still")) continue;
      }
      const outcome = await this.#take(step, plan);
      if (outcome !== undefined) return outcome;
    }
  }

  /** Without a digest nothing shows that the upload is done but that it was. */
  #nextOf(plan: UpgradePlan): UpgradeStep | undefined {
    return plan.steps.find((step) => !(step.kind === "upload" && step.firmware.image.digest === undefined && this.#done.has(keyOf(step))));
  }

  async #take(step: UpgradeStep, plan: UpgradePlan): Promise<UpgradeResult | undefined> {
    const startMs = this.#clock.now();
    this.#steps++;
    const total = this.#steps - 1 + plan.steps.length - plan.steps.indexOf(step);
    this.#tell({ type: "step", step, number: this.#steps, total });
    const done = await this.#attempt(step, async () => {
      await this.#do(step, plan);
      return true;
    });
    if (!done) {
      this.#steps--; // it is looked at again
      return undefined;
    }
    this.#done.add(keyOf(step));
    const unanswered = step.kind === "reset" ? await this.#awaitStart(plan, "reset") : undefined;
    this.#tell({ type: "done", step, durationMs: this.#clock.now() - startMs });
    return unanswered;
  }

  async #do(step: UpgradeStep, plan: UpgradePlan): Promise<void> {
    const client = this.#client;
    const operation = { signal: this.#signal };
    const marking = { ...operation, timeoutMs: MARKING_TIMEOUT_MS };
    switch (step.kind) {
      case "enter-recovery":
        this.#entries++;
        await client.reset({ ...operation, bootMode: 1, reconnect: false });
        await this.#awaitStart(plan, "enter-recovery");
        return;
      case "erase":
        await client.image.erase({ slot: step.slot }, operation);
        this.#forget("upload", step.image);
        return;
      case "upload":
        await this.#upload(step);
        return;
      case "test":
        await client.image.setState({ hash: step.hash, confirm: false }, marking);
        return;
      case "make-permanent":
        await client.image.setState({ hash: step.hash, confirm: true }, marking);
        return;
      case "confirm-running":
      case "confirm":
        await client.image.setState({ ...this.#named(step, plan), confirm: true }, marking);
        return;
      case "reset":
        this.#resets++;
        await client.reset({ ...operation, reconnect: false });
    }
  }

  /**
   * What runs is confirmed as what runs, where that is clear: by its digest an image that crashes just then, and is no longer the one that runs,
   * would be made permanent all the same.
   */
  #named(
    { image, hash }: { readonly image: number; readonly hash: Uint8Array | undefined },
    { images }: UpgradePlan,
  ): { hash?: Uint8Array } {
    return hash === undefined || (image === 0 && images.length === 1) ? {} : { hash };
  }

  #forget(kind: UpgradeStep["kind"], image: number): void {
    this.#done.delete(`${kind} ${image}`);
  }

  /**
   * Where the link ended in place of the answer, nobody knows whether the device has heard it, or is about to do it: it is given a while, once for
   * every time that it is told.
   */
  async #looksAgain(step: UpgradeStep, why: string): Promise<boolean> {
    const told = this.#resets + this.#entries;
    if (this.#waited === told) {
      this.#done.delete(keyOf(step));
      return false;
    }
    this.#waited = told;
    this.#tell({ type: "again", step, why });
    await delay(this.#clock, AGAIN_AFTER_MS, { signal: this.#signal, name: "mcumgr upgrade looks again" });
    return true;
  }

  /** What arrives damaged is sent once more: the server has thrown it away. */
  async #upload(step: UpgradeStep & { readonly kind: "upload" }): Promise<void> {
    const { window, alignment } = this.#options.upload ?? {};
    const options: ImageUploadOptions = {
      image: step.destination,
      window,
      alignment,
      signal: this.#signal,
      onProgress: (progress) => {
        this.#attempts = 0;
        this.#heardAtMs = this.#clock.now();
        this.#tell({ type: "progress", step, progress });
      },
    };
    try {
      await this.#client.uploadImage(step.firmware.octets, options);
    } catch (error) {
      if (!(error instanceof ImageMismatchError)) throw error;
      this.#tell({ type: "again", step, why: error.message });
      await this.#client.uploadImage(step.firmware.octets, options);
    }
  }

  /** Waits until the device answers after a reset. */
  async #awaitStart(plan: UpgradePlan, kind: "reset" | "enter-recovery"): Promise<UpgradeResult | undefined> {
    const timeoutMs = this.#options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS;
    try {
      await this.#client.reconnect({ signal: this.#signal, timeoutMs });
      this.#heardAtMs = this.#clock.now();
      return undefined;
    } catch (error) {
      if (!(error instanceof TimeoutError) || this.#signal.aborted) throw error;
      // The recovery is often served where the application is not.
      if (kind === "reset" && plan.method === "recovery") return this.#result(plan, "unchecked");
      throw new UpgradeError(
        "no-answer",
        {
          message: `the device does not answer ${Math.round(timeoutMs / 1000)} s after its reset`,
          advice: "see whether it has power and is in reach, then do the same again: it goes on from there",
        },
        { cause: error },
      );
    }
  }

  /** Undefined where it is to be looked at again. */
  async #attempt<T>(step: UpgradeStep | undefined, act: () => Promise<T>): Promise<T | undefined> {
    const client = this.#client;
    try {
      if (!client.isConnected)
        await client.reconnect({ signal: this.#signal, timeoutMs: this.#options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS });
      const value = await act();
      this.#heardAtMs = this.#clock.now();
      if (step !== undefined) this.#attempts = 0;
      return value;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof ArgumentError || error instanceof UpgradeError) throw error;
      const trouble = troubleOf(error, !client.isConnected || error instanceof ClosedError)?.kind;
      // An application that is busy when it is told to do something refuses.
      if (error instanceof McumgrError && step !== undefined && (trouble === undefined || trouble === "busy")) {
        this.#refusal = { key: keyOf(step), error: refused(step, error) };
        return undefined;
      }
      if (trouble === undefined) throw error;
      const isErasing = step === undefined && trouble === "silence" && this.#clock.now() - this.#heardAtMs < SILENCE_MS;
      if (++this.#attempts >= ATTEMPTS && !isErasing) throw error;
      this.#tell({ type: "again", step, why: error instanceof Error ? error.message : String(error) });
      if (trouble === "memory" || trouble === "busy")
        await delay(this.#clock, PAUSE_MS, { signal: this.#signal, name: "mcumgr upgrade waits for a busy server" });
      return undefined;
    }
  }

  #result(plan: UpgradePlan, outcome: UpgradeOutcome = outcomeOf(plan)): UpgradeResult {
    const advice =
      outcome === "unchecked"
        ? "See whether the new version runs: it could not be looked at over this link."
        : [...plan.obstacles, ...plan.images].map((entry) => entry.advice).find((text) => text !== "");
    return {
      outcome,
      wasThere: this.#steps === 0 && outcome !== "blocked",
      plan,
      images: plan.images,
      advice: advice ?? "",
      durationMs: this.#clock.now() - this.#startMs,
    };
  }

  #tellPlan(facts: UpgradeFacts, plan: UpgradePlan): void {
    const told = JSON.stringify([plan.status, plan.steps.map(keyOf), plan.images.map(({ condition }) => condition), plan.method]);
    if (told === this.#told) return;
    this.#told = told;
    this.#tell({ type: "plan", facts, plan });
  }

  #tell(event: UpgradeEvent): void {
    if (this.#options.onEvent) callOut(this.#options.onEvent, event);
  }
}

function keyOf(step: UpgradeStep): string {
  return `${step.kind} ${step.image ?? ""}`;
}

function outcomeOf({ status, images }: UpgradePlan): UpgradeOutcome {
  if (status === "blocked") return "blocked";
  if (images.some(({ condition }) => condition === "stored" || condition === "pending")) return "waits-for-reset";
  if (images.some(({ condition }) => condition === "on-trial")) return "on-trial";
  return images.some(({ condition }) => condition === "absent") ? "unchecked" : "complete";
}
