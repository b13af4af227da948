import { type Codec, decode } from "../bytes/index.ts";

/** A PDU of a fixed channel as its table declares it: name, code, what follows the code. */
export interface PduDeclaration {
  readonly name: string;
  readonly code: number;
  readonly parameters: Codec<unknown>;
}

export function byCode(declarations: readonly PduDeclaration[]): ReadonlyMap<number, PduDeclaration> {
  return new Map(declarations.map((declaration) => [declaration.code, declaration]));
}

/** The fields of a PDU from `offset` on. @throws {DecodeError} */
export function fieldsOf(
  declaration: Pick<PduDeclaration, "name" | "parameters">,
  bytes: Uint8Array,
  offset: number,
): Record<string, unknown> {
  return decode(declaration.parameters, bytes, { name: declaration.name, offset }) as Record<string, unknown>;
}
