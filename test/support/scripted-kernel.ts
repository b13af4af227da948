import { VirtualClock } from "../../src/async/index.ts";
import {
  type AnyMgmtCommand,
  type AnyMgmtEvent,
  decodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  events,
  type GivenTo,
  type Mgmt,
  type MgmtEvents,
  openMgmt,
  Status,
} from "../../src/mgmt/index.ts";
import type { KernelSocket, SystemFault } from "../../src/transport/index.ts";

type Values = Readonly<Record<string, unknown>>;
/** Return parameters, or a status other than Success, or no reply at all. */
export type ScriptedAnswer = Values | number | "silence" | SystemFault;
export type Script = Partial<Record<string, ScriptedAnswer | ((parameters: Values, index: number) => ScriptedAnswer)>>;

/** A kernel that answers each command as its script says, and says what the test says. Success without parameters where the script is silent. */
export class ScriptedKernel implements KernelSocket {
  readonly info = { spec: "mgmt", remedy: "run as root" } as const;
  readonly clock = new VirtualClock();
  onPacket: ((packet: Uint8Array) => void) | undefined;
  onClose: KernelSocket["onClose"];
  readonly written: { readonly name: string; readonly index: number; readonly parameters: Values }[] = [];
  readonly script: Script;

  constructor(script: Script = {}) {
    this.script = script;
  }

  /** "StartDiscovery 0", in the order they were written. */
  get names(): string[] {
    return this.written.map(({ name, index }) => (index === 0xffff ? name : `${name} ${index}`));
  }
  /** How often a command was written. */
  count(name: string): number {
    return this.written.filter((command) => command.name === name).length;
  }

  open(): Promise<Mgmt> {
    return openMgmt({ socket: this, clock: this.clock });
  }

  write(packet: Uint8Array): SystemFault | undefined {
    const { declaration, index, parameters } = decodeCommand(packet);
    if (!declaration || parameters instanceof Uint8Array) throw new Error("a command that is not known");
    this.written.push({ name: declaration.name, index, parameters });
    const scripted = this.script[declaration.name] ?? {};
    const answer = typeof scripted === "function" ? scripted(parameters, index) : scripted;
    if (answer === "silence") return undefined;
    if (typeof answer === "object" && "errno" in answer) return answer as SystemFault;
    queueMicrotask(() => this.reply(declaration, index, answer as Values | number));
    return undefined;
  }

  /** The reply to a command, now. */
  reply(command: AnyMgmtCommand, index: number, answer: Values | number): void {
    if (typeof answer === "number") this.onPacket?.(encodeCommandStatus(command.opcode, index, answer));
    else this.onPacket?.(encodeCommandComplete(command, index, Status.Success, { ...this.echo(command), ...answer } as never));
  }

  /** Parameters of the last command of this kind that its return parameters repeat. */
  private echo(command: AnyMgmtCommand): Values {
    const asked = this.written.findLast(({ name }) => name === command.name)?.parameters ?? {};
    return Object.fromEntries(Object.entries(asked).filter(([name]) => name in command.returns.fields));
  }

  say<N extends keyof MgmtEvents>(name: N, index: number, parameters: GivenTo<MgmtEvents[N]["parameters"]>): void {
    const event: AnyMgmtEvent = events[name];
    this.onPacket?.(encodeEvent(event, index, parameters as never));
  }

  /** Lets everything that is ready run. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.onPacket = undefined;
  }
}

/** What Read Controller Information answers, with these settings on. */
export function information(currentSettings: number): Values {
  const name = "computer";
  return {
    address: "00:00:00:01:AA:00",
    bluetoothVersion: 9,
    manufacturer: 1521,
    supportedSettings: 0xf_ffff,
    currentSettings,
    classOfDevice: 0,
    name,
    shortName: "",
  };
}
