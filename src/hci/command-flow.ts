import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { DecodeError, decode } from "../bytes/index.ts";
import { type BleError, type Logger, StateError, TimeoutError } from "../core/index.ts";
import { ReadBdAddr, ReadLocalVersionInformation } from "./commands/informational.ts";
import { type CommandDeclaration, encodeCommand, opcodeText } from "./declare.ts";
import { ControllerError, HciError, HciErrorCode } from "./error.ts";

/** Commands that may wait for the controller; more are refused. */
const QUEUE_CAPACITY = 256;

interface Entry {
  readonly declaration: CommandDeclaration;
  readonly packet: Uint8Array;
  readonly pending: Pending<unknown>;
  readonly timeout: TimeoutError; // made when asked, so that its stack shows who asked
}

export interface CommandFlowOptions {
  clock: Clock;
  logger: Logger;
  /** How long the controller may take to answer a command that it was sent, in milliseconds. */
  timeoutMs: number;
  transmit: (packet: Uint8Array) => void;
  /** The controller does not answer any more. */
  onDead: (error: ControllerError) => void;
}

/**
 * Command flow control, Vol 4 Part E 4.4: commands leave in order, one at a time, and only while Num_HCI_Command_Packets allows. One
 * at a time, because a controller's grant does not say which of several commands under way it has counted.
 *
 * A caller may give up early (signal, timeout); its command is under way all the same, and the answer is waited for and dropped so that
 * it is not taken for the answer to a later command. A command that the controller leaves unanswered is followed by a harmless one as
 * a sign of life: an answer to that shows that the lost one was skipped, and none that the controller is dead.
 */
export class CommandFlow {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #transmit: (packet: Uint8Array) => void;
  readonly #onDead: (error: ControllerError) => void;
  #queue: Entry[] = [];
  #credits = 1; // one command may be sent before the first event, 4.4
  #outstanding: Entry | undefined;
  #probe: Entry | undefined;
  #deadline: Disposable | undefined;
  /** Set while commands wait although none is under way: the controller has granted none. */
  #starving: Disposable | undefined;
  #pumping = false;
  #closed: BleError | undefined;

  constructor({ clock, logger, timeoutMs, transmit, onDead }: CommandFlowOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
    this.#transmit = transmit;
    this.#onDead = onDead;
  }

  send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P, { signal, timeoutMs }: OperationOptions = {}): Promise<R> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason);
    let packet: Uint8Array;
    try {
      packet = encodeCommand(declaration, parameters);
    } catch (error) {
      return Promise.reject(error);
    }
    if (declaration.unanswered) {
      this.#transmit(packet);
      return Promise.resolve(undefined as R);
    }
    if (this.#queue.length >= QUEUE_CAPACITY)
      return Promise.reject(new StateError(`${declaration.name}: ${QUEUE_CAPACITY} commands wait for the controller already`));
    const entry = this.#entry(declaration as CommandDeclaration, packet, { signal, timeoutMs });
    this.#queue.push(entry);
    this.#pump();
    return entry.pending.promise as Promise<R>;
  }

  /** @param packet a whole Command Complete event of consistent length */
  onCommandComplete(packet: Uint8Array): void {
    if (packet.length < 6) {
      this.#logger.warn("a Command Complete event of wrong length was dropped");
      return;
    }
    this.#credits = packet[3]!;
    const entry = this.#answered(packet[4]! | (packet[5]! << 8));
    if (entry) this.#complete(entry, packet);
    this.#pump();
  }

  /** @param packet a whole Command Status event of consistent length */
  onCommandStatus(packet: Uint8Array): void {
    if (packet.length !== 7) {
      this.#logger.warn("a Command Status event of wrong length was dropped");
      return;
    }
    const status = packet[3]!;
    this.#credits = packet[4]!;
    const opcode = packet[5]! | (packet[6]! << 8);
    // Success only announces the Command Complete of a command that has one.
    const goesOn =
      status === HciErrorCode.Success && this.#outstanding?.declaration.opcode === opcode && this.#outstanding.declaration.returns;
    const entry = goesOn ? undefined : this.#answered(opcode);
    if (status === HciErrorCode.Success) entry?.pending.resolve(undefined);
    else entry?.pending.reject(new HciError({ status, command: entry.declaration.name }));
    this.#pump();
  }

  /** Rejects everything that waits, now and later. */
  close(reason: BleError): void {
    if (this.#closed) return;
    this.#closed = reason;
    this.#deadline?.[Symbol.dispose]();
    this.#starving?.[Symbol.dispose]();
    const entries = this.#outstanding ? [this.#outstanding, ...this.#queue] : this.#queue;
    this.#outstanding = undefined;
    this.#queue = [];
    for (const entry of entries) entry.pending.reject(reason);
  }

  #entry(declaration: CommandDeclaration, packet: Uint8Array, options: OperationOptions): Entry {
    const entry: Entry = {
      declaration,
      packet,
      timeout: new TimeoutError(declaration.name, this.#timeoutMs),
      pending: new Pending<unknown>({
        clock: this.#clock,
        operation: declaration.name,
        ...options,
        onSettled: () => {
          const at = this.#queue.indexOf(entry);
          if (at >= 0) this.#queue.splice(at, 1); // not sent yet, so it never is
          if (this.#queue.length === 0) this.#starving?.[Symbol.dispose]();
        },
      }),
    };
    return entry;
  }

  #pump(): void {
    if (this.#pumping) return; // an answer that came inside `transmit`: the loop below goes on
    this.#pumping = true;
    while (!this.#closed && !this.#outstanding && this.#credits > 0) {
      const entry = this.#queue.shift();
      if (!entry) break;
      this.#start(entry);
    }
    this.#pumping = false;
    this.#watchGrant();
  }

  /**
   * A controller that takes nothing for a while says so with a grant of 0 and takes it back with an event of opcode 0x0000. Where that
   * does not come it may be lost, so the next command is sent all the same: then it is answered, or the controller is dead.
   */
  #watchGrant(): void {
    this.#starving?.[Symbol.dispose]();
    this.#starving = undefined;
    if (this.#closed || this.#outstanding || this.#queue.length === 0) return;
    this.#starving = this.#clock.setTimer(this.#timeoutMs, "a grant of commands", () => {
      this.#logger.warn(`the controller has granted no command for ${this.#timeoutMs} ms; the next one is sent all the same`);
      this.#credits = 1;
      this.#pump();
    });
  }

  #start(entry: Entry): void {
    this.#outstanding = entry;
    this.#credits--;
    this.#deadline = this.#clock.setTimer(this.#timeoutMs, entry.declaration.name, () => this.#unanswered(entry));
    this.#transmit(entry.packet);
  }

  #answered(opcode: number): Entry | undefined {
    const entry = this.#outstanding;
    if (entry?.declaration.opcode === opcode) {
      this.#deadline?.[Symbol.dispose]();
      this.#outstanding = undefined;
      this.#probe = undefined;
      return entry;
    }
    // Opcode 0x0000 only changes the credits; others are late answers to lost commands or a vendor's announcements.
    if (opcode !== 0) this.#logger.debug(() => `an answer to ${opcodeText(opcode)} that nobody waits for was dropped`);
    return undefined;
  }

  #complete({ declaration, pending }: Entry, packet: Uint8Array): void {
    const status = packet[6];
    if (status !== undefined && status !== HciErrorCode.Success) {
      pending.reject(new HciError({ status, command: declaration.name }));
      return;
    }
    try {
      pending.resolve(declaration.returns ? decode(declaration.returns, packet, { name: declaration.name, offset: 6 }) : undefined);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      pending.reject(error);
    }
  }

  #unanswered(entry: Entry): void {
    entry.pending.reject(entry.timeout);
    if (entry === this.#probe) {
      this.#outstanding = undefined;
      this.#onDead(new ControllerError("the controller does not answer commands any more", { cause: entry.timeout }));
      return;
    }
    this.#logger.warn(`${entry.declaration.name} was not answered within ${this.#timeoutMs} ms`);
    const declaration: CommandDeclaration =
      entry.declaration.opcode === ReadLocalVersionInformation.opcode ? ReadBdAddr : ReadLocalVersionInformation;
    const probe = this.#entry(declaration, encodeCommand(declaration, {}), {});
    probe.pending.promise.catch((error: unknown) => this.#logger.debug(`sign of life: ${String(error)}`));
    this.#probe = probe;
    this.#credits = Math.max(this.#credits, 1); // the lost command's credit would come back with its answer only
    this.#start(probe);
  }
}
