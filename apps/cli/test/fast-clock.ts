import { VirtualClock } from "jelling/async";

/** So many simulated milliseconds pass in one step. */
const STEP_MS = 25;
/** What the event loop may hold while nobody but this process has something to do. */
const OWN = new Set(["Timeout", "Immediate", "MessagePort"]);

/**
 * Simulated time for a command that also reads and writes files and sockets: standing still while code runs, however busy the machine is.
 * Where simulated time alone is waited for, it passes as fast as the machine can; while a file or a module is read, or a socket or a process is
 * there that was not there when the clock was made, a step takes at least a millisecond of the system's, so that a file does not take a
 * simulated minute.
 */
export class FastClock extends VirtualClock {
  readonly #before = resources();
  #stopped = false;
  /** When the last of all timers is due: after that nobody waits. */
  #lastMs = 0;

  constructor() {
    super({ auto: false });
    void this.#run();
  }

  override setTimer(delayMs: number, name: string, fire: () => unknown): Disposable {
    this.#lastMs = Math.max(this.#lastMs, this.now() + delayMs);
    return super.setTimer(delayMs, name, fire);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.now() > this.#lastMs || this.#othersAreBusy()) await new Promise((resolve) => setTimeout(resolve, 1));
      await this.advance(STEP_MS);
    }
  }

  #othersAreBusy(): boolean {
    if (modulesOnTheirWay() > 0) return true;
    for (const [kind, count] of resources()) if (/req/i.test(kind) || count > (this.#before.get(kind) ?? 0)) return true;
    return false;
  }

  override [Symbol.dispose](): void {
    this.#stopped = true;
    super[Symbol.dispose]();
  }
}

/** What keeps the event loop open, without timers: requests to the file system or a name server, sockets, pipes, processes. */
function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) if (!OWN.has(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Modules that a command loads on use come from the test runner's other process, over a pipe that is always open. */
function modulesOnTheirWay(): number {
  const worker = (globalThis as { __vitest_worker__?: { resolvingModules?: ReadonlySet<string> } }).__vitest_worker__;
  return worker?.resolvingModules?.size ?? 0;
}
