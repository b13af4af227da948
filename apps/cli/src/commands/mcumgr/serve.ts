import { onAbort } from "jelling/async";
import type { SimulatedBootloaderMode, SimulatedMcumgrDeviceOptions } from "jelling/testing";
import { Closing } from "../../closing.ts";
import type { Context } from "../../context.ts";
import { UsageError } from "../../errors.ts";
import { FURNITURE, REAL_TIMES } from "./kept-device.ts";
import type { Invocation } from "./session.ts";

interface Options {
  host: string;
  runs: string;
  mode: SimulatedBootloaderMode;
  images: number;
  buffers: number;
  bufferSize: number;
  fast?: boolean;
}

/** A simulated device for any client, until Ctrl-C or `--timeout`. */
export async function serve({ context, target }: Invocation, options: Options): Promise<void> {
  const { terminal } = context;
  if (target.udp === undefined && target.serial === undefined) throw new UsageError("serve: where? --udp PORT, --serial pty, or both");
  if (target.serial !== undefined && target.serial !== "pty") throw new UsageError(`serve: --serial "${target.serial}": expected pty`);
  const port = target.udp === undefined ? undefined : portOf(target.udp);
  const { createImage, SimulatedMcumgrDevice } = await import("jelling/testing");
  const { serveOverUdp, serveOverTerminal } = await import("jelling/node");
  await using closing = new Closing();
  const images = Array.from({ length: options.images }, (_, i) => ({ primary: createImage({ version: options.runs, seed: i + 1 }) }));
  const device = new SimulatedMcumgrDevice({
    ...FURNITURE,
    ...(options.fast ? {} : REAL_TIMES),
    images,
    mode: options.mode,
    bufCount: options.buffers,
    bufSize: options.bufferSize,
    ...(context.io.clock && { clock: context.io.clock }),
  } satisfies SimulatedMcumgrDeviceOptions);
  closing.add(() => device[Symbol.asyncDispose]());
  device.on("running", (running) => {
    const version = device.runningImage()?.version;
    terminal.result(
      () => ({ type: "running", running, version }),
      () => `${running}${version === undefined ? "" : `, version ${version}`}`,
    );
  });
  if (port !== undefined) {
    const server = await serveOverUdp(device, { host: options.host, port });
    closing.add(() => server[Symbol.asyncDispose]());
    const where = `${server.host.includes(":") ? `[${server.host}]` : server.host}:${server.port}`;
    terminal.result(
      () => ({ type: "serving", transport: "udp", host: server.host, port: server.port }),
      () => `serving  jelling mcumgr image state --udp ${where}`,
    );
  }
  if (target.serial !== undefined) {
    const served = serveOverTerminal(device);
    closing.add(() => served[Symbol.asyncDispose]());
    terminal.result(
      () => ({ type: "serving", transport: "serial", path: served.path }),
      () => `serving  jelling mcumgr image state --serial ${served.path}`,
    );
  }
  await untilStopped(context);
}

function portOf(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65_535))
    throw new UsageError(`serve: --udp "${text}": expected a port, 0 for any that is free; --host says where`);
  return port;
}

async function untilStopped(context: Context): Promise<void> {
  using deadline = context.deadline(undefined, "serving");
  context.terminal.status("serving, Ctrl-C ends …");
  await new Promise<void>((resolve) => {
    if (deadline.signal.aborted) resolve();
    else onAbort(deadline.signal, resolve);
  });
  context.terminal.status("");
  if (!deadline.timedOut()) deadline.signal.throwIfAborted();
}
