import type { FoundTransport } from "jelling/transport";
import type { Context } from "../context.ts";

interface Options {
  watch?: boolean;
}

/** What is looked at; tests put others in their place. */
export interface AdapterSources {
  readonly transports: () => Promise<readonly FoundTransport[]>;
  readonly changes: (signal: AbortSignal) => AsyncIterable<{ readonly change: "added" | "removed"; readonly transport: FoundTransport }>;
  readonly ports: () => Promise<readonly { readonly path: string; readonly stablePath?: string; readonly manufacturer?: string }[]>;
}

const here: AdapterSources = {
  transports: async () => (await import("jelling/transport")).listTransports(),
  async *changes(signal) {
    yield* (await import("jelling/transport")).watchTransports({ signal });
  },
  ports: async () => (await import("jelling/node")).listSerialPorts(),
};

/** Lists what `--transport` opens on this machine: adapters of the kernel and on USB, serial ports. With --watch adapters as they come and go. */
export async function adapters(context: Context, options: Options, sources: AdapterSources = here): Promise<void> {
  const { terminal, signal } = context;
  if (options.watch) {
    using deadline = context.deadline(undefined, "watching");
    try {
      for await (const { change, transport } of sources.changes(deadline.signal)) {
        terminal.result(
          () => ({ change, ...transport }),
          () => `${change.padEnd(8)} ${describe(transport)}`,
        );
        await terminal.flush();
      }
    } catch (error) {
      if (!deadline.timedOut()) throw error;
    }
    return;
  }
  const found = await sources.transports();
  signal.throwIfAborted();
  const ports = await sources.ports().catch(() => []); // the packages may be missing
  for (const transport of found)
    terminal.result(
      () => ({ ...transport }),
      () => describe(transport),
    );
  for (const { path, stablePath, manufacturer } of ports) {
    const spec = `serial:${stablePath ?? path}`;
    terminal.result(
      () => ({ spec, kind: "serial", name: manufacturer }),
      () => describe({ spec, name: manufacturer }),
    );
  }
  if (found.length + ports.length === 0) terminal.note("no adapter and no serial port was found; jelling doctor says what is missing");
}

function describe({ spec, name, address, usbId }: Partial<FoundTransport>): string {
  const details = [address, name, usbId].filter((each) => each !== undefined).join(", ");
  return details === "" ? `${spec}` : `${spec}  ${details}`;
}
