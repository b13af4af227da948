import { ArgumentError, ClosedError, checkInteger, checkOptions, kindOf, Logger, optionNames, TimeoutError } from "../core/index.ts";
import {
  type AnyMgmtCommand,
  answeredAs,
  checkLimits,
  commands,
  type DecodedBy,
  decodeCommand,
  encodeCommand,
  type GivenTo,
  type MgmtEventName,
  type MgmtReplyPacket,
  NO_CONTROLLER,
  namedBy,
  Status,
} from "../mgmt-protocol/index.ts";
import { type BlockingKernelSocket, openBlockingKernelSocket } from "../transport/index.ts";
import { checkEventName, checkIndex, checkTimeout, EVENT_NAMES, isCommand, usualTimeoutMs } from "./checks.ts";
import { commandText, MgmtError, MgmtWriteError } from "./error.ts";
import { argumentsOf } from "./method-arguments.ts";
import { readReceived } from "./received.ts";
import { LATE_REPLY_MS } from "./requests.ts";
import { type MgmtResponse, responseOf, valuesByPosition } from "./response.ts";
import type { MgmtEvent, MgmtEventOf, MgmtSyncMethods } from "./types.ts";

/** Events that wait for `nextEvent`; the oldest are dropped and counted. */
const EVENT_CAPACITY = 1024;
/** Commands that were given up, whose answer may still come. */
const FORGOTTEN_CAPACITY = 64;

export interface MgmtSyncOptions {
  readonly logger?: Logger | undefined;
  /** How long a command may block that says nothing of its own. Default 10 s; Set Powered 30 s, Disconnect 40 s, Pair Device 120 s. */
  readonly timeoutMs?: number | undefined;
  /** The kernel; another one in tests. It is closed with the client. */
  readonly socket?: BlockingKernelSocket | undefined;
}

export interface SyncRequestOptions {
  /** How long it may block. A command that takes longer is given up here, not in the kernel. */
  readonly timeoutMs?: number | undefined;
  /** As `RequestOptions.unchecked`. */
  readonly unchecked?: boolean | undefined;
}

export interface NextEventOptions {
  /** Only events of this controller. */
  readonly index?: number | undefined;
  /** How long to block for it; 0 looks at what has come. Default 10 s. */
  readonly timeoutMs?: number | undefined;
}

const syncOptions = optionNames<MgmtSyncOptions>({ logger: true, timeoutMs: true, socket: true });
const requestOptions = optionNames<SyncRequestOptions>({ timeoutMs: true, unchecked: true });
const eventOptions = optionNames<NextEventOptions>({ index: true, timeoutMs: true });

/** A client whose methods block, one for each command. */
export type MgmtSync = MgmtSyncClient & MgmtSyncMethods;

/**
 * Opens the management socket of this machine's kernel for scripts and prompts: every method returns what the kernel answered, without
 * promises.
 *
 * While a method waits, nothing else of this process runs: no timer, no promise, no event of another client, no handler of a signal (one that
 * nobody handles ends the process as ever). So it is not for servers. The socket is this client's alone, and no thread is started.
 *
 * @throws {TransportError} not Linux, a kernel without Bluetooth, a container with a network of its own, koffi missing
 */
export function openMgmtSync(options: MgmtSyncOptions = {}): MgmtSync {
  checkOptions("openMgmtSync", options, syncOptions);
  checkDeadline("openMgmtSync", options.timeoutMs);
  return new MgmtSyncClient(options.socket ?? openBlockingKernelSocket("control"), options) as MgmtSync;
}

/**
 * Sends one command by its name and blocks for the answer, on a socket of its own: `sendSync("SetPowered", 0, 1)`. As `MgmtClient.send`.
 *
 * @throws as `MgmtSyncClient.sendSync` and `openMgmtSync`
 */
export function sendSync(name: string, index: number | null | undefined, ...values: unknown[]): MgmtResponse {
  using mgmt = openMgmtSync();
  return mgmt.sendSync(name, index, ...values);
}

/** A command that was given up. */
interface Forgotten {
  readonly key: number;
  readonly packet: Uint8Array;
  readonly untilMs: number;
}

/** The management socket for programs that block. `openMgmtSync` makes one. */
export class MgmtSyncClient implements Disposable {
  readonly #socket: BlockingKernelSocket;
  readonly #logger: Logger;
  readonly #timeoutMs: number | undefined;
  readonly #events: MgmtEvent[] = [];
  readonly #forgotten: Forgotten[] = [];
  #isClosed = false;
  /** Events that were lost because nobody asked for them in time. */
  dropped = 0;

  static {
    for (const [name, command] of Object.entries<AnyMgmtCommand>(commands)) {
      Object.defineProperty(MgmtSyncClient.prototype, name, {
        configurable: true,
        value(this: MgmtSyncClient, ...args: unknown[]) {
          const { index, parameters, options } = argumentsOf(command, args);
          return this.request(command, index, parameters, options as SyncRequestOptions);
        },
      });
    }
  }

  constructor(socket: BlockingKernelSocket, { logger = Logger.silent, timeoutMs }: MgmtSyncOptions = {}) {
    this.#socket = socket;
    this.#logger = logger.child("mgmt");
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends a command and blocks until it is answered.
   *
   * @throws {MgmtError} the kernel's answer is a status other than Success
   * @throws {MgmtWriteError} the kernel did not take the command
   * @throws {ArgumentError} a value its field cannot hold, or out of its limits; nothing was sent
   * @throws {TimeoutError} no reply in time
   * @throws {TransportClosed} the socket is gone
   */
  request<C extends AnyMgmtCommand>(
    command: C,
    index: number,
    parameters: GivenTo<C["parameters"]>,
    options: SyncRequestOptions = {},
  ): DecodedBy<C["returns"]> {
    return (this.#request(command, index, parameters, options).returns ?? {}) as DecodedBy<C["returns"]>;
  }

  /**
   * Sends a command by the name it has in the protocol description, with its parameters by position or as one object, and blocks until it is
   * answered. What comes back has btsocket's shape.
   *
   * @param name "SetPowered", "Set Powered", in any case
   * @param index the controller; null or undefined for none
   * @throws as `request`
   */
  sendSync(name: string, index: number | null | undefined, ...values: unknown[]): MgmtResponse {
    const { command, parameters } = valuesByPosition(name, values);
    return responseOf(this.#request(command, index ?? NO_CONTROLLER, parameters, {}));
  }

  /**
   * The next event, of one name, of several, or any: one that came while a command blocked, else the first that comes. Undefined when none
   * has come in time.
   */
  nextEvent(options?: NextEventOptions): MgmtEvent | undefined;
  nextEvent<N extends MgmtEventName>(name: N | readonly N[], options?: NextEventOptions): MgmtEventOf<N> | undefined;
  nextEvent(first?: MgmtEventName | readonly MgmtEventName[] | NextEventOptions, second?: NextEventOptions): MgmtEvent | undefined {
    const isNamed = typeof first === "string" || Array.isArray(first);
    const names = isNamed ? new Set<string>([first].flat() as string[]) : undefined;
    for (const name of names ?? []) checkEventName(name, EVENT_NAMES);
    const options = isNamed ? second : (first as NextEventOptions | undefined);
    checkOptions("nextEvent", options, eventOptions);
    const { index, timeoutMs = 10_000 } = options ?? {};
    if (index !== undefined) checkInteger("nextEvent: index", index, 0, NO_CONTROLLER);
    checkDeadline("nextEvent", timeoutMs);
    this.#throwIfClosed();
    const isWanted = (event: MgmtEvent): boolean => (names?.has(event.event) ?? true) && (index ?? event.index) === event.index;
    const waiting = this.#events.findIndex(isWanted);
    if (waiting >= 0) return this.#events.splice(waiting, 1)[0];
    const untilMs = this.#socket.now() + timeoutMs;
    // What waits at the socket when the time is over is still looked through, a flood of other events not for ever.
    for (let overtime = EVENT_CAPACITY; overtime > 0; ) {
      const leftMs = Math.max(0, untilMs - this.#socket.now());
      if (leftMs === 0) overtime--;
      const packet = this.#socket.read(leftMs);
      if (!packet) return undefined;
      const event = this.#receive(packet);
      if (!event) continue;
      if (isWanted(event)) return event;
      this.#keep(event);
    }
    return undefined;
  }

  /** Closes the socket. Settings, advertising and a running discovery stay with the kernel. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#socket[Symbol.dispose]();
  }

  #request(
    command: AnyMgmtCommand,
    index: number,
    parameters: Readonly<Record<string, unknown>>,
    options: SyncRequestOptions,
  ): MgmtReplyPacket {
    if (!isCommand(command)) throw new ArgumentError(`a management command: expected one of \`commands\`, got ${kindOf(command)}`);
    checkOptions(command.name, options, requestOptions);
    checkDeadline(command.name, options.timeoutMs);
    this.#throwIfClosed();
    checkIndex(command, index);
    const packet = encodeCommand(command, index, parameters as never);
    if (!options.unchecked) checkLimits(command.parameters.fields, parameters, `${command.name}.`);
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs ?? usualTimeoutMs(command);
    const reply = this.#exchange(command, index, packet, timeoutMs);
    if (reply.status === Status.Success) return reply;
    const returns = reply.returns instanceof Uint8Array ? undefined : reply.returns;
    throw new MgmtError({ command, index, status: reply.status, returns, remedy: this.#socket.info.remedy });
  }

  #exchange(command: AnyMgmtCommand, index: number, packet: Uint8Array, timeoutMs: number): MgmtReplyPacket {
    const untilMs = this.#socket.now() + timeoutMs;
    const key = keyOf(command.opcode, index);
    const timedOut = (): TimeoutError => new TimeoutError(commandText(command, index), timeoutMs);
    // The answer to an identical command that was given up would be taken for that to this one.
    for (let late = this.#late(key); late; late = this.#late(key)) {
      const now = this.#socket.now();
      if (now >= untilMs) throw timedOut();
      const received = this.#socket.read(Math.min(untilMs, late.untilMs) - now);
      if (received) this.#keep(this.#receive(received));
    }
    this.#logger.debug(() => `> ${command.name} ${index}, ${packet.length - 6} octets`);
    const fault = this.#socket.write(packet);
    if (fault) throw new MgmtWriteError(command, index, fault);
    const sent = decodeCommand(packet);
    let reply: MgmtReplyPacket | undefined;
    const isAnswer = (candidate: MgmtReplyPacket): boolean => {
      if (keyOf(candidate.opcode, candidate.index) !== key) return false;
      // Command Status Success would say that the command goes on; Linux never sends it.
      if (candidate.kind === "status" && candidate.status === Status.Success) return false;
      if (namedBy(candidate, sent) === "other" && this.#forget(candidate)) return false;
      reply = candidate;
      return true;
    };
    while (!reply) {
      const leftMs = untilMs - this.#socket.now();
      const received = leftMs > 0 ? this.#socket.read(leftMs) : undefined;
      if (received) this.#keep(this.#receive(received, key, isAnswer));
      else if (this.#socket.now() >= untilMs) {
        this.#forgotten.push({ key, packet, untilMs: this.#socket.now() + LATE_REPLY_MS });
        if (this.#forgotten.length > FORGOTTEN_CAPACITY) this.#forgotten.shift();
        throw timedOut();
      }
    }
    return reply;
  }

  /** What a packet tells; replies are taken by `isAnswer`, or are the late ones of commands that were given up. */
  #receive(packet: Uint8Array, key?: number, isAnswer?: (reply: MgmtReplyPacket) => boolean): MgmtEvent | undefined {
    const received = readReceived(packet);
    switch (received.kind) {
      case "event":
        if (received.error) this.#logger.warn(() => `a packet that cannot be decoded: ${received.error?.message}`);
        return received.event;
      case "reply":
        if (!isAnswer?.(received.reply)) this.#forget(received.reply);
        return undefined;
      case "brokenReply":
        if (keyOf(received.opcode, received.index) === key) throw received.error;
        this.#forget({ ...received, returns: undefined });
        return undefined;
      case "nothing":
        this.#logger.warn(() => `a packet that cannot be decoded: ${received.error.message}`);
        return undefined;
    }
  }

  /** A late reply: the command that it is for is answered, as far as anybody cares. @returns whether there is one that it is for */
  #forget(reply: Pick<MgmtReplyPacket, "opcode" | "index" | "status" | "returns">): boolean {
    const key = keyOf(reply.opcode, reply.index);
    const at = this.#forgotten.findIndex((command) => command.key === key && namedBy(reply, decodeCommand(command.packet)) !== "other");
    if (at >= 0) this.#forgotten.splice(at, 1);
    return at >= 0;
  }

  /** A command that was given up so lately that the next identical one has to wait. */
  #late(key: number): Forgotten | undefined {
    const now = this.#socket.now();
    return this.#forgotten.find((command) => command.key === key && command.untilMs > now);
  }

  #keep(event: MgmtEvent | undefined): void {
    if (!event) return;
    this.#events.push(event);
    if (this.#events.length <= EVENT_CAPACITY) return;
    this.#events.shift();
    this.dropped++;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new ClosedError("the management client was closed");
  }
}

function keyOf(opcode: number, index: number): number {
  return answeredAs(opcode) * 0x1_0000 + index;
}

/** A call that blocks has an end. */
function checkDeadline(what: string, timeoutMs: number | undefined): void {
  checkTimeout(what, timeoutMs);
  if (timeoutMs === Number.POSITIVE_INFINITY) throw new ArgumentError(`${what}: timeoutMs: a call that blocks needs an end, got Infinity`);
}
