import { firmwareFiles, platformKinds } from "#transport-kinds";
import { whileTimeStands } from "../async/clock.ts";
import { onAbort } from "../async/on-abort.ts";
import { checkFunction, checkOptions, checkSignal, kindOf, optionNames } from "../core/arguments.ts";
import { ArgumentError } from "../core/error.ts";
import { type HciTransport, TransportError } from "../hci/transport.ts";
import { checkOrigins } from "./origins.ts";
import type { OpenTransportKind, TransportOptions } from "./types.ts";

/** The kinds of transport, and how each is written. */
const FORMS: Readonly<Record<string, string>> = {
  sim: "sim:",
  tcp: "tcp:HOST:PORT",
  "tcp-server": "tcp-server:PORT",
  unix: "unix:/PATH",
  serial: "serial:PORT[@BAUD][,h5]",
  usb: "usb:[N|VID:PID|BUS-PORT]",
  pty: "pty:[/LINK]",
  ws: "ws://HOST:PORT",
  wss: "wss://HOST",
  "ws-server": "ws-server:PORT",
  hci: "hci:N",
  vhci: "vhci:",
};

const OPTIONS = optionNames<TransportOptions>({
  clock: true,
  logger: true,
  random: true,
  signal: true,
  onListening: true,
  onPath: true,
  origins: true,
  firmware: true,
  kinds: true,
});

/** Makers of USB adapters that want firmware: Intel, Realtek, TP-Link with Realtek's chips, Broadcom. Without a folder they say which file. */
const FIRMWARE_VENDORS = ["8087", "0bda", "2357", "0a5c"];
const noFiles = async (): Promise<undefined> => undefined;

const openSim: OpenTransportKind = async (rest, options) => {
  const { openSim } = await whileTimeStands(options.clock, () => import("./sim.ts"));
  return await openSim(rest, options);
};

/**
 * Opens the way to a controller:
 *
 * - `sim:` or `sim:NAME`: a new virtual controller in the air of this process
 * - `tcp:HOST:PORT`, `unix:/PATH`: a controller that is served there as H4
 * - `tcp-server:[HOST:]PORT`: waits for a controller to connect
 * - `serial:PORT[@BAUD][,h4|,h5][,flow=none|hardware|software][,parity=none|even|odd]`: a controller at a serial port, by H4 with hardware
 *   flow control unless it is told otherwise, or by three-wire H5
 * - `usb:`, `usb:N`, `usb:VID:PID[#SERIAL]`, `usb:BUS-PORT`: the first or the Nth Bluetooth adapter on USB, counted from 0, or that device; in
 *   a page among those that the user let it use
 * - `pty:[/LINK][,h5]`: a new pseudo-terminal, at which a program is the controller (Linux)
 * - `ws://HOST:PORT/PATH`, `wss://…`: a controller that is served there over a WebSocket, an HCI packet a message; in a page too
 * - `ws-server:[HOST:]PORT`: waits for a controller to connect by WebSocket; of pages only those of `options.origins`
 * - `hci:N`: adapter hciN of a Linux machine, exclusively
 * - `vhci:`: the other side of a virtual adapter of the Linux kernel; for virtual controllers
 * - whatever `options.kinds` has
 *
 * @throws {ArgumentError} no text, an unknown option, or a kind that is no function
 * @throws {TransportError} one sentence: unknown or malformed, not there, in use, no permission, not on this platform; what
 *   `startUpController` throws, with the option `firmware`
 * @throws `options.signal.reason` once it aborts
 */
export async function openTransport(spec: string, options: TransportOptions = {}): Promise<HciTransport> {
  if (typeof spec !== "string") throw new ArgumentError(`openTransport: expected a text such as "hci:0", got ${kindOf(spec)}`);
  checkOptions("openTransport", options ?? null, OPTIONS);
  checkSignal("openTransport: signal", options.signal);
  checkFunction("openTransport: onListening", options.onListening);
  checkFunction("openTransport: onPath", options.onPath);
  checkOrigins("openTransport: origins", options.origins);
  const { kinds = {}, firmware, ...rest } = options;
  if (firmware !== undefined && typeof firmware !== "function" && (typeof firmware !== "string" || firmware === ""))
    throw new ArgumentError(`openTransport: firmware: expected a folder or a function, got ${kindOf(firmware)}`);
  if (typeof kinds !== "object" || kinds === null)
    throw new ArgumentError(`openTransport: kinds: expected an object of functions, got ${kindOf(kinds)}`);
  for (const [kind, open] of Object.entries(kinds)) {
    checkFunction(`openTransport: kinds.${kind}`, open);
    if (!/^[^:]+$/.test(kind)) throw new ArgumentError(`openTransport: kinds: "${kind}" is no word before a colon`);
  }
  options.signal?.throwIfAborted();
  const colon = spec.indexOf(":");
  const kind = colon < 0 ? spec : spec.slice(0, colon);
  const own = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  const form = own ? `${kind}:…` : Object.hasOwn(FORMS, kind) ? FORMS[kind] : undefined;
  if (form === undefined) {
    const added = Object.keys(kinds).filter((name) => !Object.hasOwn(FORMS, name));
    const forms = [...Object.values(FORMS), ...added.map((name) => `${name}:…`)];
    throw new TransportError("unknown-spec", `transport "${spec}" is not known: expected one of ${forms.join(", ")}`);
  }
  if (colon < 0) throw new TransportError("unknown-spec", `transport "${spec}": expected ${form}`);
  const open = own ?? (kind === "sim" ? openSim : platformKinds[kind]);
  if (!open) throw new TransportError("unsupported", `transport "${spec}" needs Node: a page has none of that kind`);
  const opened = open(spec.slice(colon + 1), rest);
  const transport = await (own ? unlessAborted(opened, options.signal) : opened);
  const { usbId } = transport?.info ?? {};
  const isAsked = firmware !== undefined || (usbId !== undefined && FIRMWARE_VENDORS.includes(usbId.slice(0, 4)));
  if (!isAsked) return transport;
  try {
    const { clock, logger, signal } = options;
    const { startUpController } = await whileTimeStands(clock, () => import("./firmware/start-up.ts"));
    await startUpController(transport, { firmware: await firmwareFiles(firmware ?? noFiles), clock, logger, signal });
    return transport;
  } catch (error) {
    await transport[Symbol.asyncDispose]().then(undefined, () => undefined);
    throw error;
  }
}

/** A program's own kind need not know of the signal. What it opens too late is closed. */
async function unlessAborted(opening: HciTransport | PromiseLike<HciTransport>, signal: AbortSignal | undefined): Promise<HciTransport> {
  if (!signal) return await opening;
  return await new Promise<HciTransport>((resolve, reject) => {
    let isOver = signal.aborted;
    if (isOver) reject(signal.reason as Error);
    const listener = onAbort(signal, () => {
      isOver = true;
      reject(signal.reason as Error);
    });
    const end = (act: () => void): void => {
      listener[Symbol.dispose]();
      if (!isOver) act();
    };
    Promise.resolve(opening).then(
      (transport) => {
        end(() => resolve(transport));
        // Nobody is left to hear of it.
        if (isOver) transport?.[Symbol.asyncDispose]?.().then(undefined, () => undefined);
      },
      (error: unknown) => end(() => reject(error as Error)),
    );
  });
}
