import { VirtualClock } from "../../async/virtual-clock.ts";
import type { BleError } from "../../core/error.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks, type MemoryLinks, type MemoryLinksOptions } from "../links/memory.ts";
import { McumgrClient } from "./client.ts";
import type { McumgrClientOptions } from "./options.ts";
import { TestServer, type TestServerOptions } from "./test-server.ts";

export interface TestSetup extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly server: TestServer;
  readonly client: McumgrClient;
  /** Of the link that stands, or stood last. */
  readonly links: () => MemoryLinks;
  readonly opened: () => number;
  cut(reason?: BleError): void;
}

/** A client and a small server, on links inside the process that can be cut. */
export async function setUp(
  server: TestServerOptions = {},
  { link = {}, client = {}, onOpen }: { link?: MemoryLinksOptions; client?: McumgrClientOptions; onOpen?: (count: number) => void } = {},
): Promise<TestSetup> {
  const clock = new VirtualClock();
  const device = new TestServer(clock, server);
  let links: MemoryLinks | undefined;
  let opened = 0;
  const open = async (): Promise<McumgrLink> => {
    onOpen?.(opened);
    opened++;
    links = createMemoryLinks({ clock, delayMs: 5, ...link });
    device.attach(links.server);
    return links.client;
  };
  const made = await McumgrClient.open(open, { clock, ...client });
  return {
    clock,
    server: device,
    client: made,
    links: () => links!,
    opened: () => opened,
    cut: (reason) => links!.cut(reason),
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}

/** Octets that differ everywhere. */
export function pattern(length: number, seed = 1): Uint8Array {
  const octets = new Uint8Array(length);
  let value = seed;
  for (let i = 0; i < length; i++) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    octets[i] = value >>> 24;
  }
  return octets;
}
