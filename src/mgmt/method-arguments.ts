import type { OperationOptions } from "../async/index.ts";
import { ArgumentError, nearestName } from "../core/index.ts";
import { type AnyMgmtCommand, type Fields, NO_CONTROLLER } from "../mgmt-protocol/index.ts";

/** Fields that a caller gives: counts and lengths are computed. */
export function givenFields(fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([, { description }]) => description.countOf === undefined && description.lengthOf === undefined)
    .map(([name]) => name);
}

/** What a command's method was called with: index, parameters, options. @throws {ArgumentError} too few or too many */
export function argumentsOf(
  command: AnyMgmtCommand,
  args: readonly unknown[],
): { index: number; parameters: Readonly<Record<string, unknown>>; options: OperationOptions } {
  const rest = [...args];
  const index = command.index === "none" ? NO_CONTROLLER : ((rest.shift() as number | undefined) ?? NO_CONTROLLER);
  const names = givenFields(command.parameters.fields);
  let parameters: Readonly<Record<string, unknown>> = {};
  if (names.length === 1) parameters = { [names[0]!]: rest.shift() };
  else if (names.length > 1) parameters = (rest.shift() ?? {}) as Readonly<Record<string, unknown>>;
  const options = (rest.shift() ?? {}) as OperationOptions;
  if (rest.length > 0) throw new ArgumentError(`${command.name}: ${args.length} arguments: expected at most ${args.length - rest.length}`);
  if (typeof parameters !== "object" || Array.isArray(parameters))
    throw new ArgumentError(`${command.name}: expected an object of ${names.join(", ")}`);
  checkNames(command, parameters);
  return { index, parameters, options };
}

/** Whether every parameter is one of the command's. @throws {ArgumentError} the first that is not */
export function checkNames(command: AnyMgmtCommand, parameters: Readonly<Record<string, unknown>>): void {
  checkFieldNames(command.parameters.fields, parameters, `${command.name}: `);
}

/** Entries of lists have names too. */
function checkFieldNames(fields: Fields, values: Readonly<Record<string, unknown>>, where: string): void {
  const names = givenFields(fields);
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, names);
    const hint = nearest === undefined ? `expected ${names.join(", ")}` : `did you mean "${nearest}"?`;
    throw new ArgumentError(`${where}unknown parameter "${unknown}": ${hint}`);
  }
  for (const [name, value] of Object.entries(values)) {
    const entryFields = fields[name]?.description.of?.description.fields;
    if (!entryFields || !Array.isArray(value)) continue;
    for (const [i, entry] of value.entries())
      if (typeof entry === "object" && entry !== null)
        checkFieldNames(entryFields, entry as Record<string, unknown>, `${where}${name}[${i}]: `);
  }
}
