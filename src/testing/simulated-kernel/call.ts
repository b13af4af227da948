import { StateError } from "../../core/index.ts";
import {
  type AnyMgmtCommand,
  type DecodedBy,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  eventsByCode,
  type Fields,
  type GivenTo,
  type MgmtCommandPacket,
  Status,
  type StatusName,
} from "../../mgmt-protocol/index.ts";
import type { SystemFault } from "../../transport/index.ts";
import type { Controller, PendingCall } from "./controller.ts";
import type { KernelCore, ManagementSocket } from "./core.ts";
import { fixedLength } from "./lengths.ts";

const CommandComplete = eventsByCode.get(0x0001)!;

/** A command that the dispatcher let through, and its answer. */
export class Call<C extends AnyMgmtCommand = AnyMgmtCommand> implements PendingCall {
  readonly core: KernelCore;
  readonly socket: ManagementSocket;
  readonly command: C;
  readonly index: number;
  readonly parameters: DecodedBy<C["parameters"]>;
  /** The octets of the parameters. */
  readonly octets: Uint8Array;
  readonly #controller: Controller | undefined;
  #answered = false;
  #timer: Disposable | undefined;
  #fault: SystemFault | undefined;
  /** What has to be undone when the command is abandoned. */
  onAbandoned: ((status: "InvalidIndex" | "NotPowered") => void) | undefined;

  constructor(
    core: KernelCore,
    at: { socket: ManagementSocket; command: C; index: number; controller: Controller | undefined; octets: Uint8Array },
    parameters: MgmtCommandPacket["parameters"],
  ) {
    this.core = core;
    this.socket = at.socket;
    this.command = at.command;
    this.index = at.index;
    this.octets = at.octets;
    this.#controller = at.controller;
    this.parameters = parameters as DecodedBy<C["parameters"]>;
  }

  get opcode(): number {
    return this.command.opcode;
  }

  /** The controller it is for. */
  get controller(): Controller {
    if (!this.#controller) throw new StateError(`${this.command.name} came without a controller`);
    return this.#controller;
  }

  /** What the write failed with, if it did. */
  get fault(): SystemFault | undefined {
    return this.#fault;
  }

  /** Command Complete. */
  complete(returns: GivenTo<C["returns"]>, status: StatusName = "Success"): void {
    this.#answer(() => encodeCommandComplete(this.command, this.index, Status[status], returns));
  }

  /** The failure in the form this command has: Command Status, or Command Complete that repeats what was asked for. */
  fail(status: StatusName): void {
    if (this.command.failure === "complete") this.completeWithEcho(status);
    else this.failWithStatus(status);
  }

  failWithStatus(status: StatusName): void {
    this.#answer(() => encodeCommandStatus(this.opcode, this.index, Status[status]));
  }

  /** Command Complete whose return parameters begin like the parameters and go on with zeros. */
  completeWithEcho(status: StatusName): void {
    const { parameters, returns } = this.command;
    const returnParameters = new Uint8Array(fixedLength(returns.fields));
    returnParameters.set(this.octets.subarray(0, commonLength(parameters.fields, returns.fields)));
    const values = { commandOpcode: this.opcode, status: Status[status], returnParameters };
    this.#answer(() => encodeEvent(CommandComplete, this.index, values as never));
  }

  /** The write itself fails, and no answer comes. */
  failWrite(fault: SystemFault): void {
    this.#fault = fault;
    this.#answered = true;
  }

  /** Stays pending until `finish` is called after `ms`, unless the controller goes or is powered off before. */
  after(ms: number, finish: () => void): void {
    this.keep();
    this.#timer = this.core.clock.setTimer(ms, this.command.title, finish);
  }

  /** Stays pending until it is answered. */
  keep(): void {
    this.controller.pending.add(this);
  }

  abandon(status: "InvalidIndex" | "NotPowered"): void {
    this.onAbandoned?.(status);
    this.fail(status);
  }

  #answer(encode: () => Uint8Array): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#timer?.[Symbol.dispose]();
    this.#controller?.pending.delete(this);
    this.core.deliver(this.socket, encode());
  }
}

/** How many octets of the parameters come back in front of the return parameters. */
function commonLength(parameters: Fields, returns: Fields): number {
  const common: Record<string, Fields[string]> = {};
  const names = Object.keys(parameters);
  for (const [i, [name, field]] of Object.entries(returns).entries()) {
    if (names[i] !== name) break;
    common[name] = field;
  }
  return fixedLength(common);
}

/** Why a command cannot be carried out; undefined when this is no reason. */
export type Check<C extends AnyMgmtCommand> = (call: Call<C>) => StatusName | undefined;
/** Carries a command out. */
export type Action<C extends AnyMgmtCommand> = (call: Call<C>) => void;

export interface Handler {
  readonly command: AnyMgmtCommand;
  handle(call: Call): void;
}

/** What is done about a command: the checks in their order, the first that objects answers it; then the action. */
export function on<C extends AnyMgmtCommand>(command: C, checks: readonly Check<C>[], action: Action<C>): Handler {
  return {
    command,
    handle: (call) => {
      const typed = call as unknown as Call<C>;
      for (const check of checks) {
        const status = check(typed);
        if (status !== undefined) return typed.fail(status);
      }
      action(typed);
    },
  };
}
