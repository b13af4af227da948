import { isCborMap } from "../cbor.ts";
import { command, group } from "../declare.ts";
import { alias, bool, flag, int, map, optional, others, otherwise, struct, text, uint, uint64 } from "../fields.ts";

/** OS 0. The server sends the text back; what is longer than its buffers both ways is an error, or is not answered. */
export const Echo = command("echo", { id: 0, write: { anyOp: true, request: { d: otherwise(text(), "") }, response: { r: text() } } });

/** OS 1. Whether the console of the server repeats what is typed. Mynewt and MCUboot have it, Zephyr does not. */
export const SetConsoleEcho = command("setConsoleEcho", { id: 1, write: { request: { echo: flag() } } });

/** OS 2. The tasks (threads) by name. Sizes of stacks are words of 4 octets; what is not there was not built in. */
export const TaskStatistics = command("taskStatistics", {
  id: 2,
  read: {
    response: {
      tasks: map(
        struct({
          prio: optional(int()), // negative: cooperative
          tid: optional(uint64()),
          state: optional(uint()),
          stkuse: optional(uint64()),
          stksiz: alias(optional(uint64()), "stksize"),
          cswcnt: optional(uint64()),
          runtime: optional(uint64()),
          lastCheckin: optional(uint64("last_checkin")),
          nextCheckin: optional(uint64("next_checkin")),
        }),
      ),
    },
  },
});

/** OS 3. The memory pools by name: size of a block in octets, blocks, free ones, and the fewest that were ever free. */
export const MemoryPools = command("memoryPools", {
  id: 3,
  read: {
    response: {
      pools: others(
        struct({
          blksiz: alias(optional(uint()), "blksize"),
          nblks: optional(uint()),
          nfree: optional(uint()),
          min: optional(uint()),
        }),
      ),
    },
    // Mynewt has the pools one map deeper.
    adapt: (payload) => {
      const { mpools, ...rest } = payload;
      return isCborMap(mpools) ? { ...rest, ...mpools } : payload;
    },
  },
});

/** OS 4, read. The server's clock, as `yyyy-MM-ddTHH:mm:ss[.SSSSSS][zone]`. */
export const DateTime = command("dateTime", { id: 4, read: { response: { datetime: text() } } });
/** OS 4, write. 19 to 26 characters; Zephyr needs no zone. */
export const SetDateTime = command("setDateTime", { id: 4, write: { request: { datetime: text() } } });

/**
 * OS 5. The answer comes before the reset, which follows about 250 ms later. `force`: although the application refuses. `bootMode`: 0 starts the
 * application, 1 stays in the bootloader where the server can do that. Leave out what is not needed: old servers read `force` differently.
 */
export const Reset = command("reset", { id: 5, write: { request: { force: optional(flag()), bootMode: optional(uint("boot_mode")) } } });

/** OS 6. The server's packet buffers, which transports and directions share. */
export const Parameters = command("parameters", { id: 6, read: { response: { bufSize: uint("buf_size"), bufCount: uint("buf_count") } } });

/**
 * OS 7. One text of what the letters of `format` ask for: `s` kernel, `n` node, `r` release, `v` version, `b` build time, `m` machine, `p` processor,
 * `i` platform, `o` operating system, `a` all; without it `s`. Applications can add letters.
 */
export const ApplicationInfo = command("applicationInfo", {
  id: 7,
  read: { request: { format: optional(text()) }, response: { output: text() } },
});

/** OS 8. Without `query` the bootloader's name; "mode" asks for `mode` (see BootloaderMode) and `noDowngrade`; vendors have queries of their own. */
export const BootloaderInfo = command("bootloaderInfo", {
  id: 8,
  read: {
    request: { query: optional(text()) },
    response: {
      bootloader: optional(text()),
      mode: optional(int()),
      noDowngrade: optional(bool("no-downgrade")),
      active: optional(uint()), // nRF Connect SDK's "active_b0_slot"
    },
  },
});

/** How MCUboot brings an uploaded image to life. Later ones may come; keep the number. */
export const BootloaderMode = Object.freeze({
  Unknown: -1,
  SingleApplication: 0,
  SwapUsingScratch: 1,
  OverwriteOnly: 2,
  SwapWithoutScratch: 3,
  DirectXip: 4,
  DirectXipWithRevert: 5,
  RamLoad: 6,
  FirmwareLoader: 7,
});

export const OsGroup = group("os", {
  id: 0,
  errors: {
    2: ["InvalidFormat", "the format has a letter that the server does not know"],
    3: ["NoAnswerToQuery", "the bootloader has no answer to this query"],
    4: ["ClockNotSet", "the clock was not set yet"],
    5: ["ClockFailed", "the clock did not take the command"],
    6: ["InvalidQueryValue", "the answer to the query is not valid"],
    7: ["HeapStatisticsFailed", "the heap's figures could not be read"],
  },
  commands: {
    echo: Echo,
    setConsoleEcho: SetConsoleEcho,
    taskStatistics: TaskStatistics,
    memoryPools: MemoryPools,
    dateTime: DateTime,
    setDateTime: SetDateTime,
    reset: Reset,
    parameters: Parameters,
    applicationInfo: ApplicationInfo,
    bootloaderInfo: BootloaderInfo,
  },
});
