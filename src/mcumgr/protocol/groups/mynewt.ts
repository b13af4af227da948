import { command, group } from "../declare.ts";
import { list, optional, text } from "../fields.ts";

// Groups whose commands only Mynewt has. Zephyr has the same names for their numbers, and no commands.

/** Crash 0. Makes the server crash in the way named: "div0", "jump0", "ref0", "assert", "wdog". */
export const Trigger = command("trigger", { id: 0, write: { request: { t: text() } } });
export const CrashGroup = group("crash", { id: 5, commands: { trigger: Trigger } });

/** Split images: a number with a name. */
export const SplitGroup = group("split", { id: 6, commands: {} });

/** Run 0. Runs a test of the server. */
export const Test = command("test", { id: 0, write: { request: { testname: text(), token: optional(text()) } } });
/** Run 1. The names of the tests. */
export const List = command("list", { id: 1, read: { response: { runList: list(text(), "run_list") } } });
export const RunGroup = group("run", { id: 7, commands: { test: Test, list: List } });
