import { onAbort } from "jelling/async";
import {
  AddressType,
  type AnyMgmtCommand,
  acceptPairings,
  commands,
  events,
  type Fields,
  IoCapability,
  type MgmtPairingAgent,
  type MgmtPairingReport,
  nameOf,
  type PairedKey,
  pair as pairDevice,
  present,
} from "jelling/mgmt";
import { type AgentOptions, pairingAnswers } from "../../agent.ts";
import type { Context } from "../../context.ts";
import { deviceIn, parseText } from "./parse-value.ts";
import { hci, type Invocation, indexOf, withMgmt } from "./session.ts";
import { deviceText } from "./show.ts";

interface Options extends Pick<AgentOptions, "io" | "passkey" | "yes" | "bond"> {
  capability?: string;
  pin?: string;
  type?: string;
}

/** How long pairing may take, the user's time included. */
const PAIR_MS = 120_000;
const CAPABILITIES: Readonly<Record<NonNullable<AgentOptions["io"]>, keyof typeof IoCapability>> = {
  none: "NoInputNoOutput",
  display: "DisplayOnly",
  "yes-no": "DisplayYesNo",
  keyboard: "KeyboardOnly",
  "keyboard-display": "KeyboardDisplay",
};

/** What this side says it can do: what was asked for, else what can be known - a passkey on the command line, somebody to ask, nobody. */
function capabilityOf({ terminal }: Context, { io, capability, passkey, yes }: Options): number {
  const names = { description: { type: "u8", enumeration: IoCapability } } as const;
  if (capability !== undefined) return parseText("capability", names.description, capability) as number;
  if (io !== undefined) return IoCapability[CAPABILITIES[io]];
  if (terminal.interactive) return IoCapability.KeyboardDisplay;
  if (passkey !== undefined) return IoCapability.KeyboardOnly;
  return yes ? IoCapability.DisplayYesNo : IoCapability.NoInputNoOutput;
}

/** The user at the terminal, as when pairing without the kernel's stack; PINs besides. */
function agentOf(context: Context, options: Options): MgmtPairingAgent {
  const answers = pairingAnswers(context, options);
  const { terminal, io } = context;
  return {
    confirm: ({ peer, signal }) => answers.confirm(deviceText(peer), signal),
    compare: ({ peer, value, signal }) => answers.compare(deviceText(peer), value, signal),
    enterPasskey: ({ peer, signal }) => answers.enterPasskey(deviceText(peer), signal),
    displayPasskey: ({ peer, passkey, entered }) => {
      if (entered === 0) answers.displayPasskey(deviceText(peer), passkey);
      else terminal.status(`${entered} digits are entered …`);
    },
    enterPin: async ({ peer, secure, signal }) => {
      if (options.pin !== undefined) return options.pin;
      if (!terminal.interactive) {
        terminal.note("pairing asks for a PIN and nobody is there to answer: give --pin");
        return undefined;
      }
      terminal.status("");
      const [least, what] = secure ? [16, "16 octets"] : [1, "1 to 16 octets"];
      const check = (answer: string): string | undefined => {
        const { length } = new TextEncoder().encode(answer);
        return length >= least && length <= 16 ? undefined : `${what}, please`;
      };
      return await io.ask.text(`The PIN of ${deviceText(peer)}`, check, signal);
    },
  };
}

/** Pairs with a device. */
export async function pair(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  const options = invocation.options as Options;
  const [address] = invocation.args as [string];
  const device = deviceIn(address, options.type);
  const ioCapability = capabilityOf(context, options);
  await withMgmt(invocation, async (mgmt) => {
    terminal.status(`pairing with ${deviceText(device)} …`);
    using deadline = context.deadline(PAIR_MS, `pairing with ${deviceText(device)}`);
    try {
      const agent = agentOf(context, options);
      const report = await pairDevice(mgmt, indexOf(invocation), device, {
        agent,
        ioCapability,
        signal: deadline.signal,
        timeoutMs: Number.POSITIVE_INFINITY,
        ...(options.bond === false ? { bond: false } : {}),
      });
      terminal.status("");
      showReport(context, indexOf(invocation), report);
    } finally {
      terminal.status("");
    }
  });
}

/** Lets others pair with this machine until `--count`, `--timeout` or Ctrl-C. */
export async function accept(invocation: Invocation): Promise<void> {
  const { context } = invocation;
  const { terminal } = context;
  const options = invocation.options as Options & { count?: number };
  const index = indexOf(invocation);
  await withMgmt(invocation, async (mgmt) => {
    using deadline = context.deadline(undefined, "waiting for a pairing");
    const enough = new AbortController();
    let paired = 0;
    await using _responder = await acceptPairings(mgmt, index, agentOf(context, options), {
      ioCapability: capabilityOf(context, options),
      onPaired: (report) => {
        showReport(context, index, report);
        if (++paired === options.count) enough.abort();
      },
      onFailed: ({ statusName, ...device }) => terminal.note(`the pairing with ${deviceText(device)} failed: ${statusName}`),
    });
    terminal.status(`waiting for others to pair with ${hci(index)}, Ctrl-C ends …`);
    await new Promise<void>((resolve) => {
      for (const signal of [deadline.signal, enough.signal]) {
        if (signal.aborted) resolve();
        else onAbort(signal, resolve);
      }
    });
    terminal.status("");
    if (!enough.signal.aborted && !deadline.timedOut()) deadline.signal.throwIfAborted();
  });
}

const LOADED: Readonly<Record<PairedKey["kind"], Fields>> = {
  LinkKey: fieldsOf(commands.loadLinkKeys),
  LongTermKey: fieldsOf(commands.loadLongTermKeys),
  IdentityResolvingKey: fieldsOf(commands.loadIdentityResolvingKeys),
  SignatureResolvingKey: events.newSignatureResolvingKey.parameters.fields,
};

function fieldsOf(command: AnyMgmtCommand): Fields {
  return command.parameters.fields.keys!.description.of!.description.fields!;
}

function showReport({ terminal, options }: Context, index: number, report: MgmtPairingReport): void {
  const { authenticated, bonded, keys, shortcomings } = report;
  const secrets = options.secrets ?? false;
  const typeName = (addressType: number): string | number => nameOf(AddressType, addressType) ?? addressType;
  const { address, addressType } = report;
  terminal.result(
    () => ({
      ...{ event: "paired", index, address, addressType: typeName(addressType), authenticated, bonded, shortcomings },
      keys: keys.map(({ kind, store, entry }) => ({ kind, store, key: present(LOADED[kind], { ...entry }, { secrets }) })),
    }),
    () =>
      [
        `${terminal.paint("green", "paired")}  ${deviceText(report)}`,
        `  protected  ${authenticated ? "against somebody in the middle" : "not against somebody in the middle"}`,
        ...keys.map(
          ({ kind, type, store }) =>
            `  key        ${kind}${type === undefined ? "" : `, ${type}`}${store ? "" : ", for this connection only"}`,
        ),
        ...shortcomings.map((sentence) => `  note       ${sentence}`),
      ].join("\n"),
  );
}
