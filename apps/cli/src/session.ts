import { join } from "node:path";
import type { Clock } from "jelling/async";
import type { CaptureSink, CaptureWriter } from "jelling/capture";
import type { Address, Logger } from "jelling/core";
import type { Device, DeviceOptions } from "jelling/device";
import type { BondStore } from "jelling/smp";
import type { HciTransport } from "jelling/transport";
import { Closing } from "./closing.ts";
import type { Context } from "./context.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Population } from "./population.ts";
import type { TimedFault } from "./pump/fault-words.ts";
import { isSimulated, openCommandTransport, transportSpec } from "./transport.ts";

/** A device on the transport the user chose, for the time of one command. */
export interface Session extends AsyncDisposable {
  readonly device: Device;
  /** The devices of the simulated air, where the transport is `sim:`. */
  readonly population: Population | undefined;
}

export interface SessionOptions extends Pick<DeviceOptions, "agent" | "pairing" | "name" | "gattServer" | "appearance" | "policy"> {
  /** Name of the file for the bonds of this purpose. */
  readonly bondsFile?: string;
}

export const BONDS = "bonds.json";
/** A pump's bond is looked for by what it is, so that others must not be among them. */
export const PUMP_BONDS = "pump-bonds.json";
/** Where this computer posed as an uploader; what it is to a pump as a phone is kept apart. */
export const CARELINK_BONDS = "pump-carelink-bonds.json";

/** What a host of the library is opened with, on the transport the user chose; it is closed again by `closing`, in every case. */
export interface HostParts {
  /** Belongs to the host that is opened on it. */
  readonly transport: HciTransport;
  readonly irk: Uint8Array;
  /** The identity on a controller without a public address: the same in every run, as the bonds. */
  readonly staticAddress: Address;
  readonly logger: Logger;
  readonly bonds: BondStore;
  readonly capture: CaptureWriter | undefined;
  /** Of the simulated air, where the transport is `sim:`; the system's where it is left out. */
  readonly clock: Clock | undefined;
  readonly population: Population | undefined;
}

/** Of a simulated air. */
export interface AirOptions {
  /** The devices of `sim:` that names none. */
  readonly usual?: string;
  /** Its time; the system's by default. */
  readonly clock?: Clock | undefined;
  /** What goes wrong with the pump in it. */
  readonly faults?: readonly TimedFault[] | undefined;
  /** The pump in it expects an uploader that knows this code, and offers it everything. */
  readonly carelinkCode?: number | undefined;
}

/** Opens capture, air, transport and identity. What is opened on them is to be added to `closing`, which closes in reverse. */
export async function openHostParts(context: Context, closing: Closing, bondsFile: string, air: AirOptions = {}): Promise<HostParts> {
  const spec = transportSpec(context);
  const { FileBondStore, openIdentity, stateFolder } = await import("jelling/node");
  const folder = isSimulated(spec) ? join(stateFolder(context.io.env), "sim") : stateFolder(context.io.env);
  const capture = await openCapture(context);
  if (capture) closing.add(() => closeCapture(context, capture));
  const population = isSimulated(spec) ? await populate(context, spec, folder, air) : undefined;
  if (population) closing.add(() => population[Symbol.asyncDispose]());
  const transport: HciTransport = population ? population.addController(true).transport : await openCommandTransport(context, spec);
  const { irk, address: staticAddress } = await identityOf(transport, () => openIdentity(join(folder, "identity.json")));
  const bonds = new FileBondStore(join(folder, bondsFile));
  return {
    transport,
    irk,
    staticAddress,
    logger: await context.logger(),
    bonds,
    capture,
    clock: population?.clock ?? context.io.clock,
    population,
  };
}

/** Opens transport, capture, bonds and device; what was opened is closed again in every case. */
export async function openSession(context: Context, { bondsFile = BONDS, ...options }: SessionOptions = {}): Promise<Session> {
  const closing = new Closing();
  try {
    const { Device: DeviceClass } = await import("jelling/device");
    const { transport, capture, population, ...parts } = await openHostParts(context, closing, bondsFile);
    const device = await DeviceClass.open(transport, { ...options, ...parts, capture: capture?.write, signal: context.signal });
    closing.add(() => device.close());
    return { device, population, [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose]() };
  } catch (error) {
    await closing[Symbol.asyncDispose]();
    throw error;
  }
}

/** The transport is not the device's yet: it is closed here if the identity cannot be had. */
async function identityOf<T>(transport: HciTransport, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    await transport[Symbol.asyncDispose]();
    throw error;
  }
}

/** Fills an air with what `sim:` names, or with the usual devices. */
async function populate(
  context: Context,
  spec: string,
  folder: string,
  { usual, clock, faults, carelinkCode }: AirOptions,
): Promise<Population> {
  if (spec === "sim") throw new UsageError('transport "sim": expected sim: or sim:DEVICE,DEVICE');
  const { Population: PopulationClass } = await import("./population.ts");
  const { exampleDevicesOf } = await import("jelling/testing");
  const named = spec.slice(4);
  const words =
    named === "" && usual !== undefined ? [usual] : named === "" || named === "empty" ? exampleDevicesOf(named) : named.split(",");
  const carelink = carelinkCode === undefined ? undefined : { code: carelinkCode, offers: "all" as const };
  const population = new PopulationClass({
    clock: context.io.clock ?? clock,
    // In tests all is the same every time, and as little as will do.
    ...(context.io.clock ? { pump: { historyDays: 3, faults, carelink } } : { startsAt: new Date(), pump: { faults, carelink } }),
    logger: await context.logger(),
    folder,
    keeps: true,
    tell: (sentence) => context.terminal.note(sentence),
  });
  try {
    for (const word of words) await population.add(word.trim());
    if (faults?.length && !population.pump) throw new UsageError("--fault: there is no pump in this air; -t sim:pump has one");
  } catch (error) {
    await population[Symbol.asyncDispose]();
    throw error;
  }
  return population;
}

/**
 * The capture that `--capture` asks for.
 *
 * @param options.suffix is put behind the name where there are several
 * @param options.simulatedTime the packets' clock is not this process's
 * @param options.content what is captured, HCI packets where it is not said
 * @throws one sentence: it cannot be written
 */
export async function openCapture(
  context: Context,
  { suffix = "", simulatedTime = false, content }: { suffix?: string; simulatedTime?: boolean; content?: "hci" | "monitor" } = {},
): Promise<CaptureWriter | undefined> {
  const { capture: path, secrets, anonymous } = context.options;
  if (path === undefined) return undefined;
  const { captureFormatOf, isLiveCapture, openCaptureFile, openLiveCapture } = await import("jelling/node");
  const options = {
    // The clock of real time counts from the start of the process.
    epochMs: simulatedTime ? undefined : performance.timeOrigin,
    secrets,
    anonymous,
    content,
  };
  const { signal } = context;
  if (path === "-") {
    if (suffix !== "") throw new UsageError("--capture -: there are several controllers, and one standard output");
    const { CaptureWriter: Writer } = await import("jelling/capture");
    return new Writer(outputSink(context), { ...options, format: "pcapng" });
  }
  if (isLiveCapture(path)) {
    const place = /^pipe:./.test(path) ? path + suffix : path;
    return openLiveCapture(place, { ...options, signal, tell: (sentence) => context.terminal.note(sentence) });
  }
  return openCaptureFile(path + suffix, {
    ...options,
    signal,
    format: captureFormatOf(path), // the suffix hides the ending
  });
}

/** Octets that may wait for who reads standard output; packets beyond are dropped and counted. */
const OUTPUT_OCTETS = 64 << 20;

/** Standard output as the place of a capture. */
function outputSink(context: Context): CaptureSink {
  const output = context.captureOutput!;
  let waiting = 0;
  const write = (chunk: Uint8Array): boolean => {
    if (waiting + chunk.length > OUTPUT_OCTETS) return false;
    if (output.write(chunk)) return true;
    if (waiting === 0)
      void output.drained().then(() => {
        waiting = 0;
      });
    waiting += chunk.length;
    return true;
  };
  return {
    get isOver() {
      return context.isOutputClosed;
    },
    write,
    close: async (last) => {
      if (last) write(last);
      await output.finished();
    },
  };
}

/** Finishes the file, and says so where packets are missing. */
export async function closeCapture(context: Context, capture: CaptureWriter): Promise<void> {
  await capture.close();
  const { dropped, records, isOver } = capture;
  if (dropped > 0) throw new CommandError(`the capture lacks ${dropped} packets: the disk was too slow`);
  context.terminal.note(`${records} packets captured${isOver ? " until nobody looked on any more" : ""}`);
}
