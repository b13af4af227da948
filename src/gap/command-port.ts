import type { CommandDeclaration } from "../hci/declare.ts";

export type ParametersOf<D> = D extends CommandDeclaration<infer P, infer _> ? P : never;

/** The part of the host controller interface that this room uses. */
export interface CommandPort {
  send<P, R>(
    declaration: CommandDeclaration<P, R>,
    parameters: P,
    options?: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined },
  ): Promise<R>;
}
