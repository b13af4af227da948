import type { Clock } from "../../async/clock.ts";
import { McumgrReturnCode } from "../../mcumgr/protocol/codes.ts";
import { command, group } from "../../mcumgr/protocol/declare.ts";
import { int, optional, otherwise, text, uint } from "../../mcumgr/protocol/fields.ts";
import { BootloaderMode, OsGroup } from "../../mcumgr/protocol/groups/os.ts";
import { refuse, refuseProtocol, type ServedGroup, serveGroup } from "./service.ts";
import type { SimulatedBootloaderMode } from "./swap.ts";

const { echo, taskStatistics, memoryPools, dateTime, setDateTime, reset, parameters, applicationInfo, bootloaderInfo } = OsGroup.commands;
const ServerOsGroup = group("os", {
  id: OsGroup.id,
  commands: {
    echo: command("echo", { id: echo.id, write: { anyOp: true, request: { d: otherwise(text(), "") }, response: echo.response } }),
    taskStatistics,
    memoryPools,
    dateTime,
    setDateTime,
    reset: command("reset", { id: reset.id, write: { request: { force: optional(int()), bootMode: optional(uint("boot_mode")) } } }),
    parameters,
    applicationInfo,
    bootloaderInfo,
  },
});

const MODES: Readonly<Record<SimulatedBootloaderMode, number>> = {
  "single-application": BootloaderMode.SingleApplication,
  "swap-scratch": BootloaderMode.SwapUsingScratch,
  "overwrite-only": BootloaderMode.OverwriteOnly,
  "swap-move": BootloaderMode.SwapWithoutScratch,
  "swap-offset": BootloaderMode.SwapWithoutScratch,
  "direct-xip": BootloaderMode.DirectXip,
  "direct-xip-revert": BootloaderMode.DirectXipWithRevert,
  "ram-load": BootloaderMode.RamLoad,
};

export interface OsServiceOptions {
  readonly clock: Clock;
  readonly bufSize: number;
  readonly bufCount: number;
  readonly mode: SimulatedBootloaderMode;
  readonly noDowngrade: boolean;
  /** What the letters of an application info stand for. */
  readonly application: Readonly<Record<string, string>>;
  readonly without: ReadonlySet<string>;
  /** False: the application does not want it now. */
  mayReset(bootMode: number): boolean;
  reset(bootMode: number): void;
}

export const DEFAULT_APPLICATION: Readonly<Record<string, string>> = {
  s: "Zephyr",
  n: "simulated",
  r: "4.4.0",
  v: "v4.4.0",
  b: "2026-01-01T00:00:00",
  m: "arm",
  p: "cortex-m33",
  i: "simulated/mcumgr",
  o: "Zephyr",
};

// A name of a thread, and words of its stack, as a small application has them.
const TASKS = [
  ["mcumgr smp", 3, 512, 201],
  ["sysworkq", -1, 256, 94],
  ["idle", 15, 64, 20],
  ["main", 0, 512, 170],
] as const;

/** The operating system's group of an application. */
export function osService(options: OsServiceOptions): ServedGroup {
  const { clock, application } = options;
  let setAt: { dateMs: number; clockMs: number } | undefined;
  return serveGroup(
    ServerOsGroup,
    {
      echo: ({ d }) => ({ r: d }),
      taskStatistics: () => ({
        tasks: Object.fromEntries(TASKS.map(([name, prio, stksiz, stkuse], tid) => [name, { prio, tid, state: 2, stksiz, stkuse }])),
      }),
      memoryPools: () => ({
        pools: { smp_buffers: { blksiz: options.bufSize, nblks: options.bufCount, nfree: Math.max(0, options.bufCount - 2), min: 0 } },
      }),
      dateTime: () => {
        if (setAt === undefined) throw refuse(OsGroup, 4);
        // Without the zone, and without the sign and the zero that come before years of five digits.
        return { datetime: new Date(setAt.dateMs + clock.now() - setAt.clockMs).toISOString().replace(/^\+0|Z$/g, "") };
      },
      setDateTime: ({ datetime }) => {
        const dateMs = readDate(datetime);
        if (dateMs === undefined) throw refuseProtocol(McumgrReturnCode.Invalid);
        setAt = { dateMs, clockMs: clock.now() };
      },
      reset: ({ force = 0, bootMode = 0 }) => {
        if (force === 0 && !options.mayReset(bootMode)) throw refuseProtocol(McumgrReturnCode.Busy);
        options.reset(bootMode);
      },
      parameters: () => ({ bufSize: options.bufSize, bufCount: options.bufCount }),
      applicationInfo: ({ format = "s" }) => {
        const asked = Array.from(format);
        if (asked.some((letter) => letter !== "a" && !Object.hasOwn(application, letter))) throw refuse(OsGroup, 2);
        const letters = asked.includes("a") ? Object.keys(application) : asked;
        return { output: letters.map((letter) => application[letter]).join(" ") };
      },
      bootloaderInfo: ({ query }) => {
        if (query === undefined) return { bootloader: "MCUboot" };
        if (query !== "mode") throw refuse(OsGroup, 3);
        return { mode: MODES[options.mode], noDowngrade: options.noDowngrade || undefined };
      },
    },
    { title: "os mgmt", without: options.without },
  );
}

/** `yyyy-MM-ddTHH:mm:ss[.SSSSSS][zone]` in 19 to 26 characters, years 1900 to 11899, read as universal time whatever zone it has. */
function readDate(text: string): number | undefined {
  if (text.length < 19 || text.length > 26) return undefined;
  const parts = /^(\d{4,5})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  if (parts === null || Number(parts[1]) < 1900 || Number(parts[1]) > 11_899) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(Number);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, Math.floor(Number(parts[7] ?? 0) * 1000));
}
