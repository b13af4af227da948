import {
  type CommandDeclaration,
  LeClearAdvertisingSets,
  LeCreateConnection,
  LeExtendedCreateConnection,
  LeReadAdvertisingPhysicalChannelTxPower,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeSetAdvertisingData,
  LeSetAdvertisingEnable,
  LeSetAdvertisingParameters,
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingData,
  LeSetExtendedAdvertisingEnable,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedScanEnable,
  LeSetExtendedScanParameters,
  LeSetExtendedScanResponseData,
  LeSetScanEnable,
  LeSetScanParameters,
  LeSetScanResponseData,
} from "../../hci/index.ts";
import type { LinkLayer } from "../link-layer.ts";

/** What a command handler works on. */
export interface CommandContext {
  readonly linkLayer: LinkLayer;
  /** Supported_Commands, 64 octets. */
  readonly supportedCommands: Uint8Array;
  /** Does something right behind the answer to this command. */
  afterwards(act: () => void): void;
}

/** A host uses the one kind of commands or the other until the next reset: Vol 4 Part E 3.1.1. */
export type CommandKind = "legacy" | "extended";
const LEGACY: readonly Pick<CommandDeclaration, "opcode">[] = [
  LeSetAdvertisingParameters,
  LeReadAdvertisingPhysicalChannelTxPower,
  LeSetAdvertisingData,
  LeSetScanResponseData,
  LeSetAdvertisingEnable,
  LeSetScanParameters,
  LeSetScanEnable,
  LeCreateConnection,
];
const EXTENDED: readonly Pick<CommandDeclaration, "opcode">[] = [
  LeSetAdvertisingSetRandomAddress,
  LeSetExtendedAdvertisingParameters,
  LeSetExtendedAdvertisingParametersV2,
  LeSetExtendedAdvertisingData,
  LeSetExtendedScanResponseData,
  LeSetExtendedAdvertisingEnable,
  LeReadMaximumAdvertisingDataLength,
  LeReadNumberOfSupportedAdvertisingSets,
  LeRemoveAdvertisingSet,
  LeClearAdvertisingSets,
  LeSetExtendedScanParameters,
  LeSetExtendedScanEnable,
  LeExtendedCreateConnection,
];
export const commandKinds: ReadonlyMap<number, CommandKind> = new Map<number, CommandKind>([
  ...LEGACY.map(({ opcode }) => [opcode, "legacy"] as const),
  ...EXTENDED.map(({ opcode }) => [opcode, "extended"] as const),
]);

/** A command this controller knows. */
export interface CommandHandler {
  readonly declaration: CommandDeclaration;
  /** LE feature without which the command is unknown. */
  readonly feature: number | undefined;
  readonly answer: ((context: CommandContext, parameters: unknown, packet: Uint8Array) => { status: number }) | undefined;
  readonly begin: ((context: CommandContext, parameters: unknown) => number | (() => void)) | undefined;
}

/** A command that is answered by Command Complete. `packet`: the whole of it, for what its declaration does not tell apart. */
export function answers<P, R>(
  declaration: CommandDeclaration<P, R>,
  answer: (context: CommandContext, parameters: P, packet: Uint8Array) => R | { status: number },
  feature?: number,
): CommandHandler {
  return { declaration, feature, begin: undefined, answer: answer as CommandHandler["answer"] };
}

/** A command that is answered by Command Status: an error, or success and what happens then. */
export function begins<P>(
  declaration: CommandDeclaration<P, void>,
  begin: (context: CommandContext, parameters: P) => number | (() => void),
  feature?: number,
): CommandHandler {
  return { declaration, feature, answer: undefined, begin: begin as CommandHandler["begin"] };
}
