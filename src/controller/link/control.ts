import { type Link, LinkRole, type Radio, type Scheduler } from "../../air/index.ts";
import { DecodeError, encode } from "../../bytes/index.ts";
import type { SeededRandom } from "../../core/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import type { HostInterface } from "../host-interface.ts";
import { type ControlPdu, decodeControlPdu, LlRejectExtInd, LlRejectInd, LlTerminateInd, LlUnknownRsp } from "./control-pdus.ts";
import { ResponseTimer } from "./response-timer.ts";

/** Control PDUs that may wait. A peer makes us queue at most one for each of its own; one that overdoes it gets no answers. */
const QUEUE_CAPACITY = 32;

/** What the procedures of a link need of their connection. */
export interface ControlContext {
  readonly handle: number;
  readonly role: LinkRole;
  readonly link: Link;
  readonly radio: Radio;
  readonly host: HostInterface;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  /** LE features of this controller. */
  readonly features: bigint;
  /** The connection ends here and now, with this reason for the host. */
  lose(reason: number): void;
}

/** A procedure of the Link Layer that this side starts. One at a time; the others wait. */
export interface Procedure {
  readonly name: string;
  /** Opcode of the PDU that asks, which a rejection names. */
  readonly requestOpcode: number;
  /** Whether it changes when connection events are, or how: no two procedures may at a time (Vol 6 Part B 5.3). */
  readonly hasInstant: boolean;
  begin(): void;
  /** The peer rejected it or does not know it. */
  onRejected(errorCode: number): void;
}

type Parameters<P> = P | ((eventCounter: number) => P);

interface Outgoing {
  readonly octets: number;
  readonly make: (eventCounter: number) => Uint8Array;
  readonly onTaken: (() => void) | undefined;
  readonly onAcknowledged: (() => void) | undefined;
}

/** A control PDU on its way. */
export interface TakenPdu {
  readonly payload: Uint8Array;
  /** Called once it is encrypted, or not. */
  readonly onTaken: (() => void) | undefined;
  readonly onAcknowledged: (() => void) | undefined;
}

export interface SendOptions {
  onTaken?: () => void;
  onAcknowledged?: () => void;
}

/** Control PDUs out and in, and whose turn it is: Link Layer Control Protocol, Vol 6 Part B 5. */
export class LinkControl {
  readonly context: ControlContext;
  #queue: Outgoing[] = [];
  #held: Outgoing[] = [];
  #holds = false;
  #waiting: Procedure[] = [];
  #active: Procedure | undefined;
  /** The procedure under way waits for the peer's answer: an indication needs none, and what was answered cannot be turned down any more. */
  #isAwaiting = false;
  readonly #response: ResponseTimer;
  readonly #timers: ResponseTimer[] = [];
  readonly #receivers = new Map<number, (payload: Uint8Array) => void>();
  #isTerminating = false;
  /** While a procedure begins, what it sends waits until it is ready for the answer, which a link without radio time brings at once. */
  #isBeginning = false;
  #isWakeDue = false;

  constructor(context: ControlContext) {
    this.context = context;
    this.#response = this.responseTimer();
    this.on(LlRejectInd, ({ errorCode }) => this.#onRejected(errorCode));
    this.on(LlRejectExtInd, ({ rejectOpcode, errorCode }) => this.#onRejected(errorCode, rejectOpcode));
    this.on(LlUnknownRsp, ({ unknownType }) => this.#onRejected(HciErrorCode.UnsupportedRemoteFeature, unknownType));
  }

  get isTerminating(): boolean {
    return this.#isTerminating;
  }
  /** Whether the procedure under way waits for the peer's answer. */
  get isAwaiting(): boolean {
    return this.#isAwaiting;
  }
  /** The procedure that this side has under way. */
  get active(): Procedure | undefined {
    return this.#active;
  }

  /** Octets of the next control PDU; 0 when there is none. */
  get nextOctets(): number {
    return this.#queue[0]?.octets ?? 0;
  }

  take(): TakenPdu | undefined {
    const next = this.#queue.shift();
    if (!next) return undefined;
    return { payload: next.make(this.context.link.eventCounter), onTaken: next.onTaken, onAcknowledged: next.onAcknowledged };
  }

  /** Queues a PDU; its parameters may be made when it is sent, for the instant that depends on when that is. */
  send<P>(declaration: ControlPdu<P>, parameters: Parameters<P>, options: SendOptions = {}): void {
    if (this.#isTerminating || this.#queue.length + this.#held.length >= QUEUE_CAPACITY) return;
    (this.#holds ? this.#held : this.#queue).push(outgoing(declaration, parameters, options));
    this.#wake();
  }

  /** As `send`, while the others are held back: for the encryption procedures themselves. */
  sendFirst<P>(declaration: ControlPdu<P>, parameters: Parameters<P>, options: SendOptions = {}): void {
    if (this.#isTerminating) return;
    this.#queue.push(outgoing(declaration, parameters, options));
    this.#wake();
  }

  /** Keeps back everything but the PDUs of the encryption procedures, Vol 6 Part B 5.1.3.1. */
  hold(): void {
    this.#holds = true;
  }
  release(): void {
    this.#holds = false;
    this.#queue.push(...this.#held);
    this.#held = [];
    this.#wake();
  }

  /** Handles a PDU of the peer. */
  on<P>(declaration: ControlPdu<P>, handler: (parameters: P) => void): void {
    this.#receivers.set(declaration.opcode, (payload) => handler(decodeControlPdu(declaration, payload)));
  }

  receive(payload: Uint8Array): void {
    const opcode = payload[0];
    if (opcode === undefined) return;
    const receiver = this.#receivers.get(opcode);
    try {
      if (receiver) receiver(payload);
      else this.send(LlUnknownRsp, { unknownType: opcode });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.send(LlUnknownRsp, { unknownType: opcode }); // a length that is not its own, Vol 6 Part B 5
    }
  }

  /** Whether a procedure of this name is under way or waits. */
  has(name: string): boolean {
    return this.#active?.name === name || this.isWaiting(name);
  }

  /** Whether a procedure of this name waits for its turn. */
  isWaiting(name: string): boolean {
    return this.#waiting.some((procedure) => procedure.name === name);
  }

  /**
   * A central that has such a procedure under way turns the peripheral's down (Vol 6 Part B 5.3).
   *
   * @param name of the peripheral's procedure
   */
  collides(name: string, reject: (errorCode: number) => void): boolean {
    const active = this.#active;
    if (this.context.role !== LinkRole.Central || !active?.hasInstant) return false;
    reject(active.name === name ? HciErrorCode.LlProcedureCollision : HciErrorCode.DifferentTransactionCollision);
    return true;
  }

  start(procedure: Procedure): void {
    this.#waiting.push(procedure);
    this.#next();
  }

  /** Own procedure under way: from here on the peer has 40 s. */
  awaitResponse(): void {
    this.#isAwaiting = true;
    this.#response.start();
  }
  responded(): void {
    this.#isAwaiting = false;
    this.#response.stop();
  }

  /** For a procedure of the peer in which this side waits for a further PDU. */
  responseTimer(): ResponseTimer {
    const timer = new ResponseTimer(this.context.scheduler, () => this.context.lose(HciErrorCode.LlResponseTimeout));
    this.#timers.push(timer);
    return timer;
  }

  finish(procedure: Procedure): void {
    if (this.#active !== procedure) return;
    this.responded();
    this.#active = undefined;
    this.#next();
  }

  reject(opcode: number, errorCode: number, isExtended: boolean): void {
    if (isExtended) this.send(LlRejectExtInd, { rejectOpcode: opcode, errorCode });
    else this.send(LlRejectInd, { errorCode });
  }

  /**
   * Ends the link: nothing else is sent any more. `onEnded` once the peer knows, or after the supervision timeout without a word of it
   * (Vol 6 Part B 5.1.6): the PDU may stand behind data that the peer does not take.
   */
  terminate(errorCode: number, supervisionTimeoutUs: number, onEnded: () => void): void {
    this.#queue = [outgoing(LlTerminateInd, { errorCode }, { onAcknowledged: onEnded })];
    for (const timer of this.#timers) timer.stop();
    const timer = new ResponseTimer(this.context.scheduler, onEnded);
    timer.start(supervisionTimeoutUs);
    this.#timers.push(timer);
    this.#held = [];
    this.#isTerminating = true;
    this.#wake();
  }

  close(): void {
    for (const timer of this.#timers) timer.stop();
    this.#queue = [];
    this.#held = [];
    this.#waiting = [];
    this.#active = undefined;
  }

  #next(): void {
    if (this.#active || this.#isTerminating) return;
    this.#active = this.#waiting.shift();
    if (!this.#active) return;
    this.#isBeginning = true;
    this.#active.begin();
    this.#isBeginning = false;
    if (this.#isWakeDue) this.#wake();
  }

  #wake(): void {
    this.#isWakeDue = this.#isBeginning;
    if (!this.#isBeginning) this.context.link.wake(this.context.role);
  }

  #onRejected(errorCode: number, opcode?: number): void {
    const procedure = this.#active;
    if (!procedure || !this.#isAwaiting || (opcode !== undefined && opcode !== procedure.requestOpcode)) return;
    this.responded();
    procedure.onRejected(errorCode);
    this.finish(procedure);
  }
}

function outgoing<P>({ octets, opcode, parameters: codec }: ControlPdu<P>, parameters: Parameters<P>, options: SendOptions): Outgoing {
  return {
    octets,
    make: (eventCounter) => {
      const values = typeof parameters === "function" ? (parameters as (counter: number) => P)(eventCounter) : parameters;
      const payload = new Uint8Array(octets);
      payload[0] = opcode;
      payload.set(encode(codec, values), 1);
      return payload;
    },
    onTaken: options.onTaken,
    onAcknowledged: options.onAcknowledged,
  };
}
