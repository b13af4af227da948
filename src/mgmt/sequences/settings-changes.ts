import { DecodeError } from "../../bytes/index.ts";
import { CaptureRedactor, MonitoredSockets, MonitorOpcode, type MonitorRecord, managementPacketOf } from "../../capture/index.ts";
import { checkOptions, optionNames } from "../../core/index.ts";
import {
  answeredAs,
  commandName,
  commandsByOpcode,
  decodeCommand,
  decodePacket,
  type MgmtCommandPacket,
  type MgmtReplyPacket,
  namedBy,
  nameOf,
  Status,
} from "../../mgmt-protocol/index.ts";
import { followSockets, Monitor, type MonitorOptions, openMonitor } from "../monitor.ts";
import { Feed } from "./feed.ts";

/** Changes that wait for a reader; the oldest are dropped and counted. */
const CHANGE_CAPACITY = 1024;
/** Commands that wait for their reply; some never get one, and the oldest are forgotten. */
const MOST_UNANSWERED = 1024;

export interface WatchSettingsFilter {
  /** Only commands for this controller. */
  readonly index?: number | undefined;
  /** Commands that only ask as well. */
  readonly all?: boolean | undefined;
  /** Keep keys and passkeys in the parameters. Without it zeros stand in their place. */
  readonly secrets?: boolean | undefined;
}

/** A command that a program gave, and what became of it. */
export interface SettingsChange {
  /** When the reply was given, milliseconds since 1970-01-01 UTC. */
  readonly timeMs: number;
  /** The controller; NO_CONTROLLER where the command belongs to none. */
  readonly index: number;
  /** Name of the program; undefined where its socket was opened before anybody listened. */
  readonly program: string | undefined;
  /** Number of the program's socket. */
  readonly cookie: number;
  /** Whether that socket may change anything; undefined as with `program`. */
  readonly privileged: boolean | undefined;
  /** The documentation's name, "SetPowered"; "0x0060" where there is none. */
  readonly command: string;
  readonly opcode: number;
  /** Raw octets where the command is not known or not well-formed. */
  readonly parameters: Readonly<Record<string, unknown>> | Uint8Array;
  /** One of Status, or another number. */
  readonly status: number;
  /** "Success"; undefined for a number that has no name. */
  readonly statusName: string | undefined;
  /** The controller's settings after the command, where the reply tells them. Bits as in Settings. */
  readonly settings: number | undefined;
}

type Asked = Pick<SettingsChange, "index" | "cookie" | "command" | "opcode" | "parameters">;

/**
 * Tells from the records of the monitor who changes what: pairs each command with its reply. Records may come from a capture as well.
 * Memory is bounded: of more than 1024 unanswered commands the oldest are forgotten.
 */
export class SettingsTracker {
  readonly #filter: WatchSettingsFilter;
  readonly #sockets: MonitoredSockets;
  readonly #redactor: CaptureRedactor | undefined;
  /** In the order in which they were given. */
  readonly #asked = new Set<Asked>();

  /** @param known sockets that were open before the first record */
  constructor(filter: WatchSettingsFilter = {}, known?: MonitoredSockets) {
    this.#filter = filter;
    this.#sockets = new MonitoredSockets(known);
    this.#redactor = filter.secrets ? undefined : new CaptureRedactor();
  }

  /** Commands whose reply has not come. */
  get unanswered(): number {
    return this.#asked.size;
  }

  /** @returns the change that this record completes */
  push(record: MonitorRecord): SettingsChange | undefined {
    switch (record.opcode) {
      case MonitorOpcode.ControlCommand:
        this.#command(this.#redactor?.redact(record) ?? record);
        return undefined;
      case MonitorOpcode.ControlEvent:
        return this.#reply(record);
      case MonitorOpcode.ControlClose:
        this.#forget(record);
        break;
    }
    followSockets(this.#sockets, record);
    return undefined;
  }

  #command(record: MonitorRecord): void {
    const packet = managementPacketOf(record);
    if (!packet || (this.#filter.index !== undefined && this.#filter.index !== record.index)) return;
    const opcode = packet[0]! | (packet[1]! << 8);
    const declaration = commandsByOpcode.get(opcode);
    if (declaration && !this.#filter.all && /^(Read|Get)(?=[A-Z])/.test(declaration.name)) return;
    this.#asked.add({
      index: record.index,
      cookie: cookieOf(record),
      command: commandName(opcode),
      opcode,
      parameters: parametersOf(packet),
    });
    if (this.#asked.size > MOST_UNANSWERED) this.#asked.delete(this.#asked.values().next().value!);
  }

  #reply(record: MonitorRecord): SettingsChange | undefined {
    const reply = replyOf(record);
    if (!reply) return undefined;
    const cookie = cookieOf(record);
    const asked = this.#take(cookie, record.index, reply);
    if (!asked) return undefined;
    const socket = this.#sockets.get(cookie);
    return {
      timeMs: record.timeMs,
      ...asked,
      program: socket?.program,
      privileged: socket?.privileged,
      status: reply.status,
      statusName: nameOf(Status, reply.status),
      settings: reply.status === Status.Success ? reply.settings : undefined,
    };
  }

  /** The oldest that the reply can be for: one that names the same device, instance or handle, if it names any. */
  #take(cookie: number, index: number, reply: Reply): Asked | undefined {
    let other: Asked | undefined; // a device that was paired is named by its identity
    for (const asked of this.#asked) {
      if (asked.cookie !== cookie || asked.index !== index || answeredAs(asked.opcode) !== answeredAs(reply.opcode)) continue;
      other ??= asked;
      if (namedBy(reply, { declaration: commandsByOpcode.get(asked.opcode), parameters: asked.parameters }) === "other") continue;
      this.#asked.delete(asked);
      return asked;
    }
    if (other) this.#asked.delete(other);
    return other;
  }

  /** A socket that is closed gets no replies any more. */
  #forget(record: MonitorRecord): void {
    if (record.payload.length < 4) return;
    const cookie = cookieOf(record);
    for (const asked of [...this.#asked]) if (asked.cookie === cookie) this.#asked.delete(asked);
  }
}

/** @param record of at least 4 octets, the first of which are the cookie */
function cookieOf({ payload }: MonitorRecord): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
}

function parametersOf(packet: Uint8Array): MgmtCommandPacket["parameters"] {
  try {
    return decodeCommand(packet).parameters;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return packet.slice(6); // the kernel will refuse it; who sent it is of interest all the same
  }
}

interface Reply extends Pick<MgmtReplyPacket, "opcode" | "status" | "returns"> {
  readonly settings: number | undefined;
}

function replyOf(record: MonitorRecord): Reply | undefined {
  const packet = managementPacketOf(record);
  if (!packet) return undefined;
  try {
    const reply = decodePacket(packet);
    if (reply.kind === "event") return undefined;
    const { opcode, status, returns } = reply;
    const settings = returns instanceof Uint8Array ? undefined : returns?.currentSettings;
    return { opcode, status, returns, settings: typeof settings === "number" ? settings : undefined };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return undefined;
  }
}

export interface WatchSettingsOptions extends WatchSettingsFilter {
  /** Changes that may wait for the reader. Default 1024; of a reader further behind the oldest are dropped, and `dropped` counts them. */
  readonly capacity?: number | undefined;
  /** Ends the loop with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const NAMES = { index: true, all: true, secrets: true, capacity: true, signal: true } as const;
const watchOptions = optionNames<WatchSettingsOptions>(NAMES);
const openingOptions = optionNames<WatchSettingsOptions & MonitorOptions>({
  ...NAMES,
  clock: true,
  epochMs: true,
  logger: true,
  socket: true,
});

/**
 * Who changes what on the management interface of this machine: every command of every program that changes something, with its outcome,
 * from the first `next()` until the loop is left. What changes without a command (rfkill, a controller unplugged) is not told.
 *
 * @param source a monitor that is open, which stays open; or how to open one, which is closed with the loop
 * @throws what `openMonitor` throws, in the loop
 */
export function watchSettings(source: Monitor, options?: WatchSettingsOptions): Feed<SettingsChange>;
export function watchSettings(options?: WatchSettingsOptions & MonitorOptions): Feed<SettingsChange>;
export function watchSettings(
  source: Monitor | (WatchSettingsOptions & MonitorOptions) = {},
  further: WatchSettingsOptions = {},
): Feed<SettingsChange> {
  const options = source instanceof Monitor ? further : source;
  checkOptions("watchSettings", options, source instanceof Monitor ? watchOptions : openingOptions);
  const { capacity = CHANGE_CAPACITY, signal } = options;
  return new Feed<SettingsChange>({ capacity, signal }, (sink) => {
    const tracker = new SettingsTracker(options, source instanceof Monitor ? source.sockets : undefined);
    const record = (told: MonitorRecord): void => {
      const change = tracker.push(told);
      if (change) sink.push(change);
    };
    if (source instanceof Monitor) {
      const following = source.listen({ record, end: (reason) => sink.end(reason) });
      return () => {
        following[Symbol.dispose]();
        return undefined;
      };
    }
    const opening = openMonitor({ ...source, capacity: undefined });
    const reading = opening.then(async (monitor) => {
      for await (const told of monitor) record(told);
    });
    reading.then(
      () => sink.end(),
      (error: unknown) => sink.end(error),
    );
    return async () => {
      const monitor = await opening.catch(() => undefined); // the loop has been told why
      await monitor?.[Symbol.asyncDispose]();
    };
  });
}
