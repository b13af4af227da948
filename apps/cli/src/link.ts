import type { Address } from "jelling/core";
import type { Connection, Device } from "jelling/device";
import type { PairingAgent } from "jelling/smp";
import { type AgentOptions, pairingAgent, pairingPolicy } from "./agent.ts";
import { type Context, durationText } from "./context.ts";
import { CommandError, codeOf } from "./errors.ts";
import { openSession } from "./session.ts";
import { parseTarget, resolveTarget } from "./target.ts";

/** How long connecting may take. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface LinkOptions extends AgentOptions {
  /** Pair if there is no bond yet. */
  pair?: boolean;
  /** The command is about to pair: what the bond promises is not asked for before. */
  anew?: boolean;
  /** Done when the device is found. */
  beforeConnecting?: (device: Device, address: Address) => Promise<void>;
}

/** Finds the device, connects - which encrypts with the bond if there is one - and does `work`; takes everything down afterwards. */
export async function withConnection(
  context: Context,
  text: string,
  options: LinkOptions,
  work: (connection: Connection, device: Device) => Promise<void>,
): Promise<void> {
  const { terminal } = context;
  const target = await parseTarget(text);
  const passkey = new PasskeyWatch(pairingAgent(context, options));
  await using session = await openSession(context, { agent: passkey.agent, pairing: pairingPolicy(context, options) });
  const { device } = session;
  const address = await resolveTarget(context, device, target);
  await options.beforeConnecting?.(device, address);
  terminal.status(`connecting to ${address} …`);
  const connection = await connect(context, device, address.toString(), { text, ...options });
  terminal.status("");
  try {
    if (options.pair && !connection.bonded) await connection.pair({ signal: context.signal });
    await work(connection, device);
  } catch (error) {
    throw passkey.explained(error, text) ?? explained(error, text);
  } finally {
    await connection.disconnect();
  }
}

async function connect(
  context: Context,
  device: Device,
  address: string,
  { text, anew = false }: { text: string; anew?: boolean },
): Promise<Connection> {
  const timeoutMs = context.timeoutMs(CONNECT_TIMEOUT_MS);
  try {
    // A person waits for every answer: the shorter interval is worth its energy for the time of a command.
    return await device.connect(address, {
      signal: context.signal,
      timeoutMs,
      intervalMs: [15, 30],
      // Nothing but pairing follows: no attribute is read, written or believed on a link that is not encrypted.
      ...(anew && { policy: { dangerouslyTrustUnencryptedPeer: true } }),
    });
  } catch (error) {
    if (codeOf(error) !== "ERR_TIMEOUT") throw explained(error, text);
    throw new CommandError(
      `${address} could not be connected to within ${durationText(timeoutMs)}: is it on, in range and not connected to another device?`,
      { cause: error },
    );
  }
}

/** What the commonest ATT error codes mean to somebody at a terminal. */
const REFUSALS: Readonly<Record<number, string>> = {
  1: "the device has no attribute with this handle; jelling gatt list shows which there are",
  2: "the device does not let this be read; jelling gatt list shows what can be done with it",
  3: "the device does not let this be written; jelling gatt list shows what can be done with it",
};

/** Confirm Value Failed, of Pairing Failed (Vol 3 Part H 3.5.5). */
const CONFIRM_VALUE_FAILED = 0x04;

/** Notes whether a pairing was by passkey: then values that do not fit mean a wrong one. */
class PasskeyWatch {
  readonly agent: PairingAgent;
  #advice: string | undefined;

  constructor(agent: PairingAgent) {
    const { enterPasskey, displayPasskey } = agent;
    this.agent = {
      ...agent,
      enterPasskey: (question) => {
        this.#advice = "the passkey was not the one that the device shows, which may be another each time";
        return enterPasskey?.(question) ?? Promise.resolve(undefined);
      },
      displayPasskey: (question) => {
        this.#advice = "the passkey that was entered on the device was not the one shown here, which is another each time";
        displayPasskey?.(question);
      },
    };
  }

  explained(error: unknown, text: string): CommandError | undefined {
    const { code, reason } = error as { code?: unknown; reason?: unknown };
    if (code !== "ERR_PAIRING" || reason !== CONFIRM_VALUE_FAILED || this.#advice === undefined) return undefined;
    return new CommandError(`${(error as Error).message}; ${this.#advice}: jelling pair ${text}`, { cause: error });
  }
}

/** What a refusal means here, and the command that helps. */
function explained(error: unknown, text: string): unknown {
  const { code, errorCode } = error as { code?: unknown; errorCode?: unknown };
  if (code === "ERR_BOND_LOST") return new CommandError(`${(error as Error).message}: jelling pair ${text}`, { cause: error });
  if (code !== "ERR_ATT") return error;
  const refusal = REFUSALS[errorCode as number];
  if (refusal !== undefined) return new CommandError(refusal, { cause: error });
  // Insufficient Authentication, Encryption Key Size Too Short, Insufficient Encryption
  if (![0x05, 0x0c, 0x0f].includes(errorCode as number)) return error;
  return new CommandError(`the device wants to be paired with for this: jelling pair ${text}, or --pair`, { cause: error });
}
