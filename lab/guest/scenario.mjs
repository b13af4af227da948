// @ts-check
/** The frame of the scenarios: steps one after the other, each with a deadline, everything put away at the end, and an exit status. */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCaptureFile } from "jelling/node";
import { EmulatorCrash, forgetBonds, scope } from "./bluez.mjs";

// A limit for what hangs: a loaded machine takes its time, and starting a program takes the emulated one some seconds.
const stepLimitMs = 180_000;
/** Exit status where the lab itself failed, as lab/run.mjs has it. */
const LAB_FAILED = 125;
/** Time for sockets, workers and timers to be gone after the last step. */
const graceMs = 5_000;

/**
 * @typedef {object} Scenario
 * @property {<R extends AsyncDisposable>(resource: R) => R} use disposes of it at the end, the last first
 * @property {<T>(what: string, body: () => T | Promise<T>) => Promise<T>} step one claim; its failure ends the scenario
 * @property {(who: string) => string} capturePath where a capture goes: a folder that outlives the machine, where one is given
 * @property {(who: string) => Promise<import("jelling/capture").CaptureWriter["write"]>} capture opens one for a device's packets
 */

/** @type {NodeJS.Timeout | undefined} */
let grace;

/** Another scenario is about to be loaded, which takes as long as it takes: what is still running may be its modules. */
export function anotherComes() {
  clearTimeout(grace);
}

/**
 * Runs a scenario on a BlueZ that remembers nothing. The exit status of the process is 0 only when every step of every scenario has been taken
 * and the process ends by itself, so nothing is left running;
 * it is 125 where nothing went wrong but scenarios whose emulator crashed.
 *
 * @param {string} name also the beginning of its captures' names
 * @param {(scenario: Scenario) => Promise<void>} body
 */
export async function runScenario(name, body) {
  anotherComes();
  const folder = process.env.JELLING_CAPTURES ?? join(tmpdir(), "captures");
  mkdirSync(folder, { recursive: true });
  const capturePath = (/** @type {string} */ who) => join(folder, `${name}-${who}.btsnoop`);
  const started = performance.now();
  const fail = (/** @type {string} */ why, status = 1) => {
    process.stdout.write(`not ok ${name}: ${why}\n`);
    // What failed by itself is not made good by the lab's failing as well.
    if (process.exitCode !== 1) process.exitCode = status;
  };
  try {
    await forgetBonds();
    await scope(async (use) => {
      const capture = async (/** @type {string} */ who) => {
        const writer = use(await openCaptureFile(capturePath(who), { epochMs: performance.timeOrigin }));
        return writer.write;
      };
      await body({ use, step, capturePath, capture });
    });
    process.stdout.write(`ok ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
  } catch (error) {
    const errors = error instanceof AggregateError ? error.errors : [error];
    fail(
      errors.map((each) => (each instanceof Error ? `${each.stack}` : String(each))).join("\nand then "),
      errors.some((each) => each instanceof EmulatorCrash) ? LAB_FAILED : 1,
    );
  }
  grace = setTimeout(() => {
    fail(`left running: ${process.getActiveResourcesInfo().join(", ")}`);
    process.exit();
  }, graceMs);
  grace.unref();
}

/**
 * Something that a callback tells once.
 *
 * @template T
 * @returns {{ once: Promise<T>, happened: boolean, happen: (value: T) => void }}
 */
export function happening() {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  /** @type {Promise<T>} */
  const once = new Promise((settle) => {
    resolve = settle;
  });
  const result = {
    once,
    happened: false,
    happen: (/** @type {T} */ value) => {
      result.happened = true;
      resolve(value);
    },
  };
  return result;
}

/**
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} body
 * @returns {Promise<T>}
 */
async function step(what, body) {
  const started = performance.now();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${stepLimitMs / 1000} s`)), stepLimitMs);
  });
  try {
    const result = await Promise.race([Promise.resolve().then(body), /** @type {Promise<never>} */ (limit)]);
    process.stdout.write(`  ok ${what} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
    return result;
  } catch (error) {
    process.stdout.write(`  not ok ${what}\n`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
