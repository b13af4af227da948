import type { OperationOptions } from "../async/index.ts";
import type { DecodeError } from "../bytes/index.ts";
import type {
  AnyMgmtCommand,
  DecodedBy,
  GivenTo,
  MgmtCommands,
  MgmtEventName,
  MgmtEvents,
  MgmtReplyPacket,
} from "../mgmt-protocol/index.ts";

/** An event as listeners get it: its name, the controller, and its parameters. */
export type MgmtEventOf<N extends MgmtEventName> = {
  readonly [K in N]: { readonly event: K; readonly index: number } & Readonly<DecodedBy<MgmtEvents[K]["parameters"]>>;
}[N];

/** An event of a newer kernel, or, with `error`, one that could not be decoded. */
export interface UnknownMgmtEvent {
  readonly event: "unknown";
  readonly code: number;
  readonly index: number;
  readonly parameters: Uint8Array;
  readonly error?: DecodeError;
}

export type MgmtEvent = MgmtEventOf<MgmtEventName> | UnknownMgmtEvent;

/** What `on` tells of: events by their name, and what happens to the socket. */
export type MgmtSignals = { [N in MgmtEventName]: MgmtEventOf<N> } & {
  unknown: UnknownMgmtEvent;
  /** Every event, before the listeners of its own name. */
  event: MgmtEvent;
  /** Every reply to a command of this client: whoever asks for a change is told of it by the reply alone. Keys may be in it. */
  reply: MgmtReplyPacket;
  /** Every packet, as it is on the wire; keys are in it. */
  packet: { readonly direction: "sent" | "received"; readonly packet: Uint8Array };
  /** The socket is gone. */
  close: Error;
};

type IsUnion<T, Whole = T> = [T] extends [never] ? false : T extends unknown ? ([Whole] extends [T] ? false : true) : never;

/** A command's parameters as arguments: none, the value of the only one, or an object of them. */
type ParameterArguments<G> = keyof G extends never ? [] : IsUnion<keyof G> extends true ? [parameters: G] : [value: G[keyof G]];

/** A command for either takes `undefined` where it belongs to no controller. */
type IndexArgument<C extends AnyMgmtCommand> = C["index"] extends "none"
  ? []
  : C["index"] extends "controller"
    ? [index: number]
    : [index: number | undefined];

export type MgmtMethod<C extends AnyMgmtCommand> = (
  ...args: [...IndexArgument<C>, ...ParameterArguments<GivenTo<C["parameters"]>>, options?: OperationOptions]
) => Promise<DecodedBy<C["returns"]>>;

/** As `MgmtMethod`, but it blocks. */
export type MgmtSyncMethod<C extends AnyMgmtCommand> = (
  ...args: [
    ...IndexArgument<C>,
    ...ParameterArguments<GivenTo<C["parameters"]>>,
    options?: { readonly timeoutMs?: number | undefined; readonly unchecked?: boolean | undefined },
  ]
) => DecodedBy<C["returns"]>;

/** One blocking method for each command. */
export type MgmtSyncMethods = { readonly [K in keyof MgmtCommands]: MgmtSyncMethod<MgmtCommands[K]> };

/** One method for each command: `setPowered(0, true)`, `pairDevice(0, { address, addressType, ioCapability })`, `readControllerIndexList()`. */
export type MgmtMethods = { readonly [K in keyof MgmtCommands]: MgmtMethod<MgmtCommands[K]> };
