import { show, showRows } from "./output.ts";
import { type Invocation, withClient } from "./session.ts";

export function echo(at: Invocation, text: string): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { r } = await client.os.echo({ d: text }, { signal });
    at.context.terminal.result(
      () => ({ text: r }),
      () => r,
    );
  });
}

export function reset(at: Invocation, options: { force?: boolean; bootloader?: boolean; wait: boolean }): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    at.context.terminal.status(options.wait ? "waiting until the device answers again …" : "resetting …");
    await client.reset({ signal, force: options.force, ...(options.bootloader && { bootMode: 1 }), reconnect: options.wait });
    show(at.context, { reset: options.wait ? "done, and the device answers" : "done" });
  });
}

export function params(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { buffers: _, ...limits } = client.limits;
    show(at.context, { ...(await client.os.parameters({}, { signal })), ...limits });
  });
}

export function info(at: Invocation, format: string | undefined): Promise<void> {
  return withClient(at, async ({ client, signal }) =>
    show(at.context, await client.os.applicationInfo({ format: format ?? "a" }, { signal })),
  );
}

const MODES: Readonly<Record<number, string>> = {
  [-1]: "unknown",
  0: "single application",
  1: "swap using scratch",
  2: "overwrite only",
  3: "swap without scratch",
  4: "direct XIP",
  5: "direct XIP with revert",
  6: "RAM load",
  7: "firmware loader",
};

export function bootloader(at: Invocation, query: string | undefined): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    if (query !== undefined) return show(at.context, await client.os.bootloaderInfo({ query }, { signal }));
    const name = await client.os.bootloaderInfo({}, { signal });
    const { mode, noDowngrade } = await client.os.bootloaderInfo({ query: "mode" }, { signal });
    show(at.context, { ...name, mode, meaning: mode === undefined ? undefined : (MODES[mode] ?? "not known here"), noDowngrade });
  });
}

export function datetime(at: Invocation, text: string | undefined): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    if (text !== undefined) await client.os.setDateTime({ datetime: text === "now" ? now() : text }, { signal });
    show(at.context, await client.os.dateTime({}, { signal }));
  });
}

/** Local time without a zone, which every server takes. */
function now(): string {
  const date = new Date();
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function tasks(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { tasks: all } = await client.os.taskStatistics({}, { signal });
    showRows(
      at.context,
      Object.entries(all).map(([name, task]) => ({ name, ...task })),
    );
  });
}

export function memory(at: Invocation): Promise<void> {
  return withClient(at, async ({ client, signal }) => {
    const { pools } = await client.os.memoryPools({}, { signal });
    showRows(
      at.context,
      Object.entries(pools).map(([name, pool]) => ({ name, ...pool })),
    );
  });
}
