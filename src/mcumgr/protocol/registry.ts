import { ArgumentError } from "../../core/error.ts";
import { type AnyMcumgrCommand, type AnyMcumgrGroup, titleOf } from "./declare.ts";
import { McumgrGroups } from "./groups/index.ts";
import { isResponseOp, type McumgrHeader, McumgrOp } from "./header.ts";

/** A declared command with its group. */
export interface KnownCommand {
  readonly group: AnyMcumgrGroup;
  readonly command: AnyMcumgrCommand;
  /** "image.setState", as errors name it. */
  readonly title: string;
}

/** Finds groups by number, and commands by what a header says: for names of errors, for captures, and for servers. */
export class McumgrRegistry {
  readonly #groups = new Map<number, AnyMcumgrGroup>();
  readonly #commands = new Map<string, KnownCommand>();

  /** @throws {ArgumentError} two groups with one number */
  constructor(groups: Iterable<AnyMcumgrGroup> = Object.values<AnyMcumgrGroup>(McumgrGroups)) {
    for (const group of groups) {
      const twin = this.#groups.get(group.id);
      if (twin !== undefined) throw new ArgumentError(`groups ${twin.name} and ${group.name} both have number ${group.id}`);
      this.#groups.set(group.id, group);
      for (const command of Object.values(group.commands)) {
        const known = { group, command, title: titleOf(group, command) };
        this.#commands.set(`${group.id} ${command.id} ${command.op}`, known);
      }
      for (const command of Object.values(group.commands)) {
        const other = `${group.id} ${command.id} ${command.op === McumgrOp.Read ? McumgrOp.Write : McumgrOp.Read}`;
        if (command.anyOp && !this.#commands.has(other)) this.#commands.set(other, { group, command, title: titleOf(group, command) });
      }
    }
  }

  /** This registry and these groups, which take the place of known ones with their numbers. */
  with(...groups: readonly AnyMcumgrGroup[]): McumgrRegistry {
    const ids = new Set(groups.map(({ id }) => id));
    return new McumgrRegistry([...[...this.#groups.values()].filter(({ id }) => !ids.has(id)), ...groups]);
  }

  get groups(): readonly AnyMcumgrGroup[] {
    return [...this.#groups.values()];
  }

  group(id: number): AnyMcumgrGroup | undefined {
    return this.#groups.get(id);
  }

  /** The command that a message is a request of, or an answer to; undefined where none is declared. */
  find({ group, command, op }: Pick<McumgrHeader, "group" | "command" | "op">): KnownCommand | undefined {
    return this.#commands.get(`${group} ${command} ${isResponseOp(op) ? op - 1 : op}`);
  }
}
