import { command, group } from "../declare.ts";
import { cbor, list, map, octets, optional, struct, text, uint, uint64 } from "../fields.ts";

/** Severities of log entries. */
export const LogLevel = Object.freeze({ Debug: 0, Info: 1, Warn: 2, Error: 3, Critical: 4 });
/** Where a log is kept. */
export const LogType = Object.freeze({ Stream: 0, Memory: 1, Storage: 2 });

/** Log 0. Entries of one log or of all, from the index or the time given. As many as fit come; ask on from `nextIndex`. */
export const Show = command("show", {
  id: 0,
  read: {
    request: { logName: optional(text("log_name")), ts: optional(uint64()), index: optional(uint64()) },
    response: {
      nextIndex: optional(uint64("next_index")),
      logs: list(
        struct({
          name: text(),
          type: uint(), // see LogType
          entries: list(
            struct({
              index: uint64(),
              ts: uint64(), // microseconds, since the start or by the clock
              module: uint(),
              level: uint(), // see LogLevel
              type: optional(text()), // of `msg`: "str", "cbor", "bin"
              imghash: optional(octets()),
              msg: cbor(),
            }),
          ),
        }),
      ),
    },
  },
});

/** Log 1. Empties the logs. */
export const Clear = command("clear", { id: 1, write: {} });
/** Log 3. Numbers of modules by name. */
export const Modules = command("modules", { id: 3, read: { response: { moduleMap: map(uint(), "module_map") } } });
/** Log 4. Numbers of severities by name. */
export const Levels = command("levels", { id: 4, read: { response: { levelMap: map(uint(), "level_map") } } });
/** Log 5. The names of the logs. */
export const Logs = command("logs", { id: 5, read: { response: { logList: list(text(), "log_list") } } });

/** Mynewt only; Zephyr reserves the number. */
export const LogGroup = group("log", { id: 4, commands: { show: Show, clear: Clear, modules: Modules, levels: Levels, logs: Logs } });
