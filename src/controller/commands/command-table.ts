import type { CommandDeclaration } from "../../hci/index.ts";
import type { LinkLayer } from "../link-layer.ts";

/** What a command handler works on. */
export interface CommandContext {
  readonly linkLayer: LinkLayer;
  /** Supported_Commands, 64 octets. */
  readonly supportedCommands: Uint8Array;
  /** Does something right behind the answer to this command. */
  afterwards(act: () => void): void;
}

/** A command this controller knows. */
export interface CommandHandler {
  readonly declaration: CommandDeclaration;
  /** LE features without any of which the command is unknown. */
  readonly features: readonly number[];
  readonly answer: ((context: CommandContext, parameters: unknown, packet: Uint8Array) => { status: number }) | undefined;
  readonly begin: ((context: CommandContext, parameters: unknown) => number | (() => void)) | undefined;
}

/** A command that is answered by Command Complete. `packet`: the whole of it, for what its declaration does not tell apart. */
export function answers<P, R>(
  declaration: CommandDeclaration<P, R>,
  answer: (context: CommandContext, parameters: P, packet: Uint8Array) => R | { status: number },
  ...features: readonly number[]
): CommandHandler {
  return { declaration, features, begin: undefined, answer: answer as CommandHandler["answer"] };
}

/** A command that is answered by Command Status: an error, or success and what happens then. */
export function begins<P>(
  declaration: CommandDeclaration<P, void>,
  begin: (context: CommandContext, parameters: P) => number | (() => void),
  ...features: readonly number[]
): CommandHandler {
  return { declaration, features, answer: undefined, begin: begin as CommandHandler["begin"] };
}
