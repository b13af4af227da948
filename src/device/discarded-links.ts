import { delay, Pending } from "../async/index.ts";
import type { Logger } from "../core/logger.ts";
import { ControllerError, Disconnect, type Hci, HciError, HciErrorCode } from "../hci/index.ts";

/** How long the next attempt to connect waits for such a link to be gone. */
const PATIENCE_MS = 5000;
/** How often a controller is asked to end one. */
const ATTEMPTS = 3;
const PAUSE_MS = 1000;

/** Links that nobody wants: those that came after who asked for them had gone, and those that answer nothing that was asked. */
export class DiscardedLinks {
  readonly #hci: Hci;
  readonly #logger: Logger;
  readonly #onStuck: (error: ControllerError) => void;
  /** Until the controller says that they are gone. */
  readonly #links = new Map<number, Pending<void>>();
  readonly #closed = new AbortController();

  /** @param at.onStuck called for a link that the controller does not end: it may not go on without an owner */
  constructor(at: { hci: Hci; logger: Logger; onStuck: (error: ControllerError) => void }) {
    this.#hci = at.hci;
    this.#logger = at.logger;
    this.#onStuck = at.onStuck;
  }

  /** Takes a link down; resolves when it is gone, or after 5 s, while it is still worked at. */
  async discard(handle: number, supervisionTimeoutMs: number): Promise<void> {
    const done = new Pending<void>({ clock: this.#hci.clock, operation: "disconnection", timeoutMs: PATIENCE_MS });
    void this.#takeDown(handle, supervisionTimeoutMs + 2000).then(() => done.resolve());
    await done.promise.catch(() => this.#logger.warn("a link that nobody wants takes long to be taken down"));
  }

  async #takeDown(connectionHandle: number, timeoutMs: number): Promise<void> {
    const { clock } = this.#hci;
    let failure: unknown;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) await delay(clock, PAUSE_MS, { signal: this.#closed.signal }).catch(() => undefined);
      if (this.#closed.signal.aborted) return;
      const gone = new Pending<void>({ clock, operation: "disconnection", timeoutMs });
      this.#links.set(connectionHandle, gone);
      const reason = HciErrorCode.RemoteUserTerminatedConnection;
      this.#hci.send(Disconnect, { connectionHandle, reason }).catch((error: unknown) => {
        const isUnknown = error instanceof HciError && error.status === HciErrorCode.UnknownConnectionIdentifier;
        if (isUnknown) gone.resolve();
        else gone.reject(error);
      });
      try {
        await gone.promise;
        return;
      } catch (error) {
        failure = error;
        this.#logger.warn(() => `a link that nobody wants could not be taken down: ${String(error)}`);
      } finally {
        if (this.#links.get(connectionHandle) === gone) this.#links.delete(connectionHandle);
      }
    }
    if (this.#closed.signal.aborted) return;
    this.#onStuck(new ControllerError("the controller does not end a link that nobody wants; it is reset", { cause: failure }));
  }

  onGone(handle: number): void {
    this.#links.get(handle)?.resolve();
  }

  /** The controller could not end it. */
  onDisconnectFailed(handle: number, error: HciError): void {
    this.#links.get(handle)?.reject(error);
  }

  /** The controller was reset, and has no links. */
  onReset(): void {
    for (const gone of this.#links.values()) gone.resolve();
  }

  /** The controller is gone, and its links with it. */
  close(): void {
    this.#closed.abort();
    this.onReset();
  }
}
