import { IoCapability, type PairingAgent, type PairingPolicy } from "jelling/smp";
import type { Context } from "./context.ts";

export interface AgentOptions {
  io?: "none" | "display" | "yes-no" | "keyboard" | "keyboard-display";
  passkey?: number;
  yes?: boolean;
  legacy?: boolean;
  secureOnly?: boolean;
  /** What the device gave out of band. */
  oob?: string;
  /** False: keep no keys. */
  bond?: boolean;
}

const CAPABILITIES: Readonly<Record<NonNullable<AgentOptions["io"]>, IoCapability>> = {
  none: IoCapability.NoInputNoOutput,
  display: IoCapability.DisplayOnly,
  "yes-no": IoCapability.DisplayYesNo,
  keyboard: IoCapability.KeyboardOnly,
  "keyboard-display": IoCapability.KeyboardDisplay,
};

/** What this side can do: what was said, else what can be known - a passkey on the command line, somebody at the keyboard, nobody. */
function capabilityOf({ terminal }: Context, { io, passkey }: AgentOptions): IoCapability {
  if (io !== undefined) return CAPABILITIES[io];
  if (passkey !== undefined) return IoCapability.KeyboardOnly;
  return terminal.interactive ? IoCapability.KeyboardDisplay : IoCapability.NoInputNoOutput;
}

export function pairingPolicy(context: Context, options: AgentOptions): Partial<PairingPolicy> {
  const ioCapability = capabilityOf(context, options);
  return {
    ioCapability,
    mitm: ioCapability !== IoCapability.NoInputNoOutput,
    ...(options.bond === false ? { bonding: false } : {}),
    ...(options.legacy ? { secureConnections: false } : {}),
    // Only who asks for less protection in so many words gives up what a bond has.
    ...(options.legacy || options.io === "none" ? { allowDowngrade: true } : {}),
    ...(options.secureOnly ? { secureConnectionsOnly: true } : {}),
  };
}

/** What the user at the terminal says to the questions of a pairing; `peer` is what the device is called. */
export interface PairingAnswers {
  confirm(peer: string, signal: AbortSignal): Promise<boolean>;
  compare(peer: string, value: number, signal: AbortSignal): Promise<boolean>;
  enterPasskey(peer: string, signal: AbortSignal): Promise<number | undefined>;
  displayPasskey(peer: string, passkey: number): void;
}

/** The user at the terminal. Without one the command line answers, and what it does not answer is refused. */
export function pairingAnswers({ terminal, io }: Context, { yes = false, passkey }: AgentOptions): PairingAnswers {
  const ask = {
    yesNo: (question: string, signal: AbortSignal) => {
      terminal.status(""); // the question takes its line
      return io.ask.yesNo(question, signal);
    },
    text: (question: string, check: (answer: string) => string | undefined, signal: AbortSignal) => {
      terminal.status("");
      return io.ask.text(question, check, signal);
    },
  };
  const refuse = (what: string, option: string): undefined => {
    terminal.note(`pairing asks for ${what} and nobody is there to answer: give ${option}`);
    return undefined;
  };
  return {
    confirm: async (peer, signal) => {
      if (yes) return true;
      if (!terminal.interactive) return true; // the command itself is the consent: it names the device to pair with
      return (await ask.yesNo(`Pair with ${peer} without protection against somebody in the middle?`, signal)) ?? false;
    },
    compare: async (peer, value, signal) => {
      const digits = String(value).padStart(6, "0");
      if (yes) return true;
      if (!terminal.interactive) return refuse(`a comparison of ${digits}`, "--yes") ?? false;
      return (await ask.yesNo(`Does ${peer} show ${digits}?`, signal)) ?? false;
    },
    enterPasskey: async (peer, signal) => {
      if (passkey !== undefined) return passkey;
      if (!terminal.interactive) return refuse("a passkey", "--passkey");
      const check = (answer: string): string | undefined =>
        /^\d{6}$/.test(answer.trim()) ? undefined : "six digits, please, zeros in front included";
      const answer = await ask.text(`The passkey that ${peer} shows`, check, signal);
      return answer === undefined ? undefined : Number(answer.trim());
    },
    displayPasskey: (peer, shown) => terminal.note(`enter this passkey on ${peer}: ${String(shown).padStart(6, "0")}`),
  };
}

/** The same as an agent of the library's own pairing. */
export function pairingAgent(context: Context, options: AgentOptions): PairingAgent {
  const answers = pairingAnswers(context, options);
  const { terminal, io } = context;
  return {
    replaceBond: async ({ bond: { identity, authenticated }, replacement, signal }) => {
      if (options.yes) return true;
      if (!terminal.interactive) {
        terminal.note(`${identity} did not show that it has the key of its bond: give --yes to replace the bond, if the device lost it`);
        return false;
      }
      const protection = (isProtected: boolean): string => (isProtected ? "protected" : "not protected");
      const change = `${protection(authenticated)} against somebody in the middle, the new one ${protection(replacement.authenticated)}`;
      terminal.status("");
      return (
        (await io.ask.yesNo(
          `${identity} did not show that it has the key of its bond (${change}). Has the device lost it, and shall the bond be replaced?`,
          signal,
        )) ?? false
      );
    },
    confirm: ({ peer, signal }) => answers.confirm(peer.toString(), signal),
    compare: ({ peer, value, signal }) => answers.compare(peer.toString(), value, signal),
    enterPasskey: ({ peer, signal }) => answers.enterPasskey(peer.toString(), signal),
    displayPasskey: ({ peer, passkey }) => answers.displayPasskey(peer.toString(), passkey),
  };
}
