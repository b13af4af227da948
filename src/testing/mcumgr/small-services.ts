import { EnumerationGroup } from "../../mcumgr/protocol/groups/enumeration.ts";
import { ShellGroup } from "../../mcumgr/protocol/groups/shell.ts";
import { StatisticsGroup } from "../../mcumgr/protocol/groups/statistics.ts";
import { ZephyrGroup } from "../../mcumgr/protocol/groups/zephyr.ts";
import { refuse, type ServedGroup, serveGroup } from "./service.ts";

/** Counters by group and name, or functions that tell them. */
export type SimulatedStatistics = Readonly<Record<string, Readonly<Record<string, number | bigint | (() => number | bigint)>>>>;

export function statisticsService(statistics: SimulatedStatistics, without: ReadonlySet<string>): ServedGroup {
  return serveGroup(
    StatisticsGroup,
    {
      show: ({ name }) => {
        const counters = Object.hasOwn(statistics, name) ? statistics[name] : undefined;
        if (counters === undefined) throw refuse(StatisticsGroup, 3);
        return {
          name,
          fields: Object.fromEntries(Object.entries(counters).map(([key, value]) => [key, typeof value === "function" ? value() : value])),
        };
      },
      list: () => ({ statList: Object.keys(statistics) }),
    },
    { title: "stat mgmt", without },
  );
}

/** What a command line prints, and what it returns; undefined where there is no such command. */
export type SimulatedShell = (line: string) => { output: string; result?: number } | undefined;

const LINE_LIMIT = 256;
const NO_SUCH_COMMAND = -8;

export function shellService(shell: SimulatedShell, bufSize: number, without: ReadonlySet<string>): ServedGroup {
  return serveGroup(
    ShellGroup,
    {
      execute: ({ argv }) => {
        const line = argv.join(" ");
        if (line.trim() === "") throw refuse(ShellGroup, 3);
        if (line.length > LINE_LIMIT) throw refuse(ShellGroup, 2);
        const answer = shell(line);
        if (answer !== undefined) return { o: answer.output.slice(0, Math.max(0, bufSize - 32)), ret: answer.result ?? 0 };
        return { o: `\r\n\u001b[1;31m${line.split(" ")[0]}: command not found\r\n\u001b[m`, ret: NO_SUCH_COMMAND };
      },
    },
    { title: "shell mgmt", without },
  );
}

/** A shell of three commands, for devices that are given none. */
export const DEFAULT_SHELL: SimulatedShell = (line) => {
  const [name = "", ...rest] = line.trim().split(/ +/);
  if (name === "help") return { output: "\r\nAvailable commands:\r\n  echo  help  kernel\r\n" };
  if (name === "echo") return { output: `\r\n${rest.join(" ")}\r\n` };
  if (name === "kernel")
    return rest[0] === "version"
      ? { output: "\r\nZephyr version 4.4.0\r\n" }
      : { output: "\r\nkernel: wrong parameter count\r\n", result: -22 };
  return undefined;
};

/** @param groups all that the server has, itself included, in its own order */
export function enumerationService(groups: () => readonly ServedGroup[], without: ReadonlySet<string>): ServedGroup {
  return serveGroup(
    EnumerationGroup,
    {
      count: () => ({ count: groups().length }),
      list: () => ({ groups: groups().map(({ id }) => id) }),
      single: ({ index = 0 }) => {
        const found = groups()[index];
        if (found === undefined) throw refuse(EnumerationGroup, 4);
        return { group: found.id, end: index === groups().length - 1 || undefined };
      },
      details: ({ groups: wanted }) => ({
        groups: groups()
          .filter(({ id }) => wanted === undefined || wanted.includes(id))
          .map(({ id, title, handlers }) => ({ group: id, name: title, handlers })),
      }),
    },
    { title: "enum mgmt", without },
  );
}

/** Zephyr's own group. */
export function zephyrService(eraseStorage: () => Promise<void>, without: ReadonlySet<string>): ServedGroup {
  return serveGroup(ZephyrGroup, { eraseStorage }, { title: "zephyr basic mgmt", without });
}
