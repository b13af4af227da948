import { checkBoolean, checkMilliseconds, checkOptions, checkText, optionNames } from "../../core/arguments.ts";
import type { Advertising, Device } from "../../device/index.ts";
import type { AttributePermissions } from "../../gatt/index.ts";
import { HciErrorCode } from "../../hci/index.ts";
import { MCUMGR_SERVICE } from "../../mcumgr/links/ble.ts";
import { serveMcumgrOverGatt } from "../../mcumgr/links/gatt-server.ts";
import type { SimulatedMcumgrDevice } from "./device.ts";

export interface ServeOverGattOptions {
  /** The server joins the writes of a message, as it is built to do or not; true by default. */
  readonly reassembly?: boolean;
  /** What a peer must prove; nothing by default. */
  readonly permissions?: AttributePermissions;
  /** What is advertised, in the scan response; "mcumgr" by default. */
  readonly name?: string;
  /** Whether the service's UUID is advertised, true by default. */
  readonly advertisesService?: boolean;
  /** Milliseconds between advertisements, 100 by default. */
  readonly intervalMs?: number;
}
const OPTIONS = optionNames<ServeOverGattOptions>({
  reassembly: true,
  permissions: true,
  name: true,
  advertisesService: true,
  intervalMs: true,
});

/**
 * A simulated device behind the GATT server of one of our hosts, on the simulated air or a real radio. It advertises while its application runs
 * and nobody is connected; a reset ends all connections, and the recovery is not on the air.
 *
 * @returns disposing it ends the connections and takes the service out
 * @throws {ArgumentError} · what `Device.advertise` throws
 */
export async function serveOverGatt(
  device: SimulatedMcumgrDevice,
  host: Device,
  options: ServeOverGattOptions = {},
): Promise<AsyncDisposable> {
  checkOptions("serveOverGatt", options, OPTIONS);
  const { reassembly = true, permissions, name = "mcumgr", advertisesService = true, intervalMs = 100 } = options;
  checkBoolean("serveOverGatt: reassembly", reassembly);
  checkBoolean("serveOverGatt: advertisesService", advertisesService);
  checkText("serveOverGatt: name", name);
  checkMilliseconds("serveOverGatt: intervalMs", intervalMs, 20, 10_240);
  const service = serveMcumgrOverGatt(host, {
    joining: reassembly ? "server" : "whole",
    limit: device.bufSize,
    permissions,
    onLink: (link) => void device.attach(link),
  });
  let advertising: Advertising | undefined;
  const start = async (): Promise<void> => {
    advertising ??= await host.advertise({
      data: { flags: 0x06, serviceUuids: advertisesService ? [MCUMGR_SERVICE] : [] },
      scanResponse: { name },
      intervalMs,
      restart: "disconnected",
    });
  };
  const stop = async (): Promise<void> => {
    const stopped = advertising;
    advertising = undefined;
    await stopped?.[Symbol.asyncDispose]();
    await Promise.allSettled(host.links.map((link) => link.disconnect(HciErrorCode.RemoteUserTerminatedConnection)));
  };
  // One after the other: what has begun is ended before anything else begins.
  let work = device.running === "application" ? start() : Promise.resolve();
  await work;
  const listener = device.on("running", (running) => {
    if (running !== "application" && running !== "off") return;
    work = work.then(running === "application" ? start : stop).catch(() => undefined); // the host is gone
  });
  return {
    [Symbol.asyncDispose]: async () => {
      listener[Symbol.dispose]();
      await work;
      await stop();
      service[Symbol.dispose]();
    },
  };
}
