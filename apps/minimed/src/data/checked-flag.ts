import { ArgumentError, kindOf } from "jelling/core";

/** Whether a value has a checksum, as its reader has to be told: neither guess is right for every pump. @throws {ArgumentError} */
export function checkedFlag<Name extends string>(what: string, options: Readonly<Record<Name, boolean>>, name: Name): boolean {
  const flag: unknown = (options as Readonly<Record<Name, unknown>> | null | undefined)?.[name];
  if (typeof flag !== "boolean") throw new ArgumentError(`${what}: ${name}: expected true or false, got ${kindOf(flag)}`);
  return flag;
}
