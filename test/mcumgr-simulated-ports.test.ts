import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { McumgrClient } from "../src/mcumgr/index.ts";
import { createUdpOpener, openSerialLink, serveOverTerminal, serveOverUdp } from "../src/node/index.ts";
import { SimulatedMcumgrDevice } from "../src/testing/index.ts";
import { leaveOut } from "./support/left-out.ts";
import { upgradeByHand as upgrade } from "./support/mcumgr-upgrade.ts";

// The simulated device at real ports of this machine, each with a whole upgrade by hand.

test("a pseudo-terminal that other programs open", async () => {
  if (!existsSync("/dev/ptmx")) return leaveOut("the simulated device at a pseudo-terminal: there is no /dev/ptmx here");
  await using device = new SimulatedMcumgrDevice({ bootMs: 10, resetDelayMs: 20 });
  await using served = serveOverTerminal(device);
  await using client = await McumgrClient.open(async (options) => await openSerialLink({ path: served.path, ...options }));
  expect(await client.os.echo({ d: "hello" })).toEqual({ r: "hello" });
  await upgrade(client, device);
});

test("on a socket, over IPv4", async () => {
  await using device = new SimulatedMcumgrDevice({ bootMs: 10, resetDelayMs: 20 });
  await using served = await serveOverUdp(device, { host: "127.0.0.1", port: 0 });
  await using client = await McumgrClient.open(createUdpOpener({ host: "127.0.0.1", port: served.port }));
  await upgrade(client, device);
});
