import { type Clock, type OperationOptions, Pending } from "../async/index.ts";
import { DecodeError, decode } from "../bytes/index.ts";
import { checkOperation, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError, type BleError, type Logger, StateError, TimeoutError } from "../core/index.ts";
import { Reset } from "./commands/controller-baseband.ts";
import { ReadBdAddr, ReadLocalVersionInformation } from "./commands/informational.ts";
import { type CommandDeclaration, encodeCommand, opcodeText } from "./declare.ts";
import { ControllerError, HciError, HciErrorCode } from "./error.ts";

/** Commands that may wait for the controller; more are refused. */
const QUEUE_CAPACITY = 256;
/** How long an answer that may be a late one waits for the true one. */
const DOUBT_MS = 100;

interface Entry {
  readonly declaration: CommandDeclaration;
  readonly packet: Uint8Array;
  /** The connection that the command is about, where it is about one. */
  readonly handle: number | undefined;
  /** Part of bringing the controller back: leaves while the others are held. */
  readonly isUrgent: boolean;
  readonly pending: Pending<unknown>;
  readonly timeout: TimeoutError; // made when asked, so that its stack shows who asked
}

export interface SendOptions extends OperationOptions {
  /** Leaves before all others, and while they are held. */
  isUrgent?: boolean | undefined;
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
 *
 * An answer names its opcode and nothing else. So one that names another connection than its command did is dropped; and after an answer
 * was lost, the first one to the next command of that opcode may be the lost one, late: the next 100 ms show whether another one follows,
 * and the last one counts.
 */
export class CommandFlow {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeoutMs: number;
  readonly #transmit: (packet: Uint8Array) => void;
  readonly #onDead: (error: ControllerError) => void;
  #queue: Entry[] = [];
  /** What the last event granted; one command may be sent before the first, 4.4. Every answer grants anew, so none is counted down. */
  #credits = 1;
  #outstanding: Entry | undefined;
  #probe: Entry | undefined;
  #deadline: Disposable | undefined;
  /** Set while commands wait although none is under way: the controller has granted none. */
  #starving: Disposable | undefined;
  /** Opcodes of which an answer is missing and may still come, and the connection that it is about. */
  readonly #doubtful = new Map<number, number | undefined>();
  #isHeld = false;
  #pumping = false;
  #closed: BleError | undefined;

  constructor({ clock, logger, timeoutMs, transmit, onDead }: CommandFlowOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#timeoutMs = timeoutMs;
    this.#transmit = transmit;
    this.#onDead = onDead;
  }

  send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P, options: SendOptions = {}): Promise<R> {
    if (this.#closed) return Promise.reject(this.#closed);
    let packet: Uint8Array;
    try {
      checkSending(declaration, parameters, options);
      options.signal?.throwIfAborted();
      packet = encodeCommand(declaration, parameters);
    } catch (error) {
      return Promise.reject(error);
    }
    if (declaration.unanswered) {
      this.#transmit(packet);
      return Promise.resolve(undefined as R);
    }
    if (this.#queue.length >= QUEUE_CAPACITY && !options.isUrgent)
      return Promise.reject(new StateError(`${declaration.name}: ${QUEUE_CAPACITY} commands wait for the controller already`));
    const entry = this.#entry(declaration as CommandDeclaration, packet, { ...options, handle: handleOf(parameters) });
    if (entry.isUrgent) this.#queue.unshift(entry);
    else this.#queue.push(entry);
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
    const entry = this.#awaited(packet[4]! | (packet[5]! << 8));
    const outcome = entry && this.#outcomeOf(entry, packet);
    if (outcome) this.#answered(entry, outcome);
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
    const entry = this.#awaited(packet[5]! | (packet[6]! << 8));
    // Success only announces the Command Complete of a command that has one.
    const isAnswer = status !== HciErrorCode.Success || !entry?.declaration.returns || entry.declaration.anyAnswer;
    if (entry && isAnswer) this.#answered(entry, status === HciErrorCode.Success ? { value: undefined } : failure(entry, status));
    this.#pump();
  }

  /**
   * Refuses the commands that wait, with `reason`, and lets only urgent ones leave until the result is disposed. The command under way is
   * waited for.
   */
  hold(reason: BleError): Disposable {
    this.#isHeld = true;
    for (const entry of [...this.#queue]) entry.pending.reject(reason);
    return {
      [Symbol.dispose]: () => {
        this.#isHeld = false;
        this.#pump();
      },
    };
  }

  /** The controller, or another one, begins anew: what is under way will have no answer, and one command may be sent. */
  restart(reason: BleError): void {
    this.#deadline?.[Symbol.dispose]();
    this.#starving?.[Symbol.dispose]();
    this.#starving = undefined;
    this.#doubtful.clear();
    this.#credits = 1;
    const entry = this.#outstanding;
    this.#outstanding = undefined;
    this.#probe = undefined;
    entry?.pending.reject(reason);
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

  #entry(
    declaration: CommandDeclaration,
    packet: Uint8Array,
    { handle, isUrgent = false, ...options }: SendOptions & { handle?: number | undefined },
  ): Entry {
    const entry: Entry = {
      declaration,
      packet,
      handle,
      isUrgent,
      timeout: new TimeoutError(declaration.name, this.#timeoutMs),
      pending: new Pending<unknown>({
        clock: this.#clock,
        operation: declaration.name,
        ...options,
        onSettled: () => {
          const at = this.#queue.indexOf(entry);
          if (at >= 0) this.#queue.splice(at, 1); // not sent yet, so it never is
          if (!this.#next) this.#starving?.[Symbol.dispose]();
        },
      }),
    };
    return entry;
  }

  /** What may leave next. */
  get #next(): Entry | undefined {
    const entry = this.#queue[0];
    return entry && (entry.isUrgent || !this.#isHeld) ? entry : undefined;
  }

  #pump(): void {
    if (this.#pumping) return; // an answer that came inside `transmit`: the loop below goes on
    this.#pumping = true;
    while (!this.#closed && !this.#outstanding && this.#credits > 0) {
      const entry = this.#next;
      if (!entry) break;
      this.#queue.shift();
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
    if (this.#closed || this.#outstanding || !this.#next) return;
    this.#starving = this.#clock.setTimer(this.#timeoutMs, "a grant of commands", () => {
      this.#logger.warn(`the controller has granted no command for ${this.#timeoutMs} ms; the next one is sent all the same`);
      this.#credits = 1;
      this.#pump();
    });
  }

  #start(entry: Entry): void {
    this.#outstanding = entry;
    this.#deadline = this.#clock.setTimer(this.#timeoutMs, entry.declaration.name, () => this.#unanswered(entry));
    this.#transmit(entry.packet);
  }

  /** The command under way, if `opcode` is its. */
  #awaited(opcode: number): Entry | undefined {
    const entry = this.#outstanding;
    if (entry?.declaration.opcode === opcode) return entry;
    this.#doubtful.delete(opcode); // the late one; there is no other
    // Opcode 0x0000 only changes the credits; others are late answers to lost commands or a vendor's announcements.
    if (opcode !== 0) this.#logger.debug(() => `an answer to ${opcodeText(opcode)} that nobody waits for was dropped`);
    return undefined;
  }

  #answered(entry: Entry, outcome: Outcome): void {
    this.#deadline?.[Symbol.dispose]();
    const { name, opcode } = entry.declaration;
    if (this.#isDoubtful(entry, outcome)) {
      this.#doubtful.delete(opcode);
      this.#deadline = this.#clock.setTimer(DOUBT_MS, `a second answer to ${name}`, () => {
        this.#answered(entry, outcome);
        this.#pump();
      });
      return;
    }
    this.#outstanding = undefined;
    this.#probe = undefined;
    if (opcode === Reset.opcode) this.#doubtful.clear(); // what came before is forgotten by the controller
    if ("error" in outcome) entry.pending.reject(outcome.error);
    else entry.pending.resolve(outcome.value);
  }

  /** Whether this may be the answer to an earlier command. It is not where it names another connection than that one was about. */
  #isDoubtful({ declaration: { opcode } }: Entry, { handle }: Outcome): boolean {
    if (!this.#doubtful.has(opcode)) return false;
    const lost = this.#doubtful.get(opcode);
    return handle === undefined || lost === undefined || handle === lost;
  }

  /** What a Command Complete says; nothing where it is about another connection. */
  #outcomeOf(entry: Entry, packet: Uint8Array): Outcome | undefined {
    const { declaration } = entry;
    const status = packet[6];
    const isFailure = status !== undefined && status !== HciErrorCode.Success;
    let returns: unknown;
    let problem: unknown;
    try {
      returns = declaration.returns && decode(declaration.returns, packet, { name: declaration.name, offset: 6 });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      problem = error;
    }
    const handle = handleOf(returns);
    // After an error the other parameters may be missing, or zeros.
    if (entry.handle !== undefined && handle !== undefined && handle !== entry.handle && !(isFailure && handle === 0)) {
      this.#logger.warn(() => `${declaration.name} for handle ${entry.handle}: an answer about handle ${handle} was dropped`);
      return undefined;
    }
    if (isFailure) return failure(entry, status);
    return problem === undefined ? { value: returns, handle } : { error: problem };
  }

  #unanswered(entry: Entry): void {
    entry.pending.reject(entry.timeout);
    if (entry === this.#probe) {
      this.#outstanding = undefined;
      this.#onDead(new ControllerError("the controller does not answer commands any more", { cause: entry.timeout }));
      return;
    }
    this.#logger.warn(`${entry.declaration.name} was not answered within ${this.#timeoutMs} ms`);
    this.#doubtful.set(entry.declaration.opcode, entry.handle);
    const declaration: CommandDeclaration =
      entry.declaration.opcode === ReadLocalVersionInformation.opcode ? ReadBdAddr : ReadLocalVersionInformation;
    const probe = this.#entry(declaration, encodeCommand(declaration, {}), {});
    probe.pending.promise.catch((error: unknown) => this.#logger.debug(`sign of life: ${String(error)}`));
    this.#probe = probe;
    this.#start(probe);
  }
}

const OPTIONS = optionNames<SendOptions>({ signal: true, timeoutMs: true, isUrgent: true });

function checkSending(declaration: CommandDeclaration, parameters: unknown, options: SendOptions): void {
  checkOperation(declaration.name, options ?? null, OPTIONS);
  if (typeof parameters !== "object" || parameters === null)
    throw new ArgumentError(`${declaration.name}: expected an object of parameters, got ${kindOf(parameters)}`);
}

/** What an answer says, and the connection that it names. */
type Outcome = ({ readonly value: unknown } | { readonly error: unknown }) & { readonly handle?: number | undefined };

const failure = ({ declaration }: Entry, status: number): Outcome => ({ error: new HciError({ status, command: declaration.name }) });

/** Connection_Handle among parameters or return parameters; some tables call it Handle. */
function handleOf(parameters: unknown): number | undefined {
  const { connectionHandle, handle = connectionHandle } = (parameters ?? {}) as { connectionHandle?: unknown; handle?: unknown };
  return typeof handle === "number" ? handle & 0x0fff : undefined;
}
