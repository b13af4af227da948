import { VirtualClock } from "../../async/virtual-clock.ts";
import { SimulatedMcumgrDevice } from "../../testing/mcumgr/device.ts";
import type { SimulatedMcumgrDeviceOptions } from "../../testing/mcumgr/options.ts";
import { McumgrClient } from "../client/client.ts";
import { type Firmware, readFirmware } from "../image/package.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryLinks, type MemoryLinks, type MemoryLinksOptions } from "../links/memory.ts";
import { type UpgradeEvent, type UpgradeOptions, type UpgradeResult, upgradeFirmware } from "./run.ts";
import { describeUpgradeStep } from "./words.ts";

/** A simulated device with a link to it that can be cut, in virtual time. */
export class UpgradeSetup implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly device: SimulatedMcumgrDevice;
  /** Steps as they were taken, in words. */
  readonly steps: string[] = [];
  readonly events: UpgradeEvent[] = [];
  /** Called when a client is open, and before it upgrades. */
  onReady: (() => void) | undefined;
  readonly #link: MemoryLinksOptions;
  links: MemoryLinks | undefined;

  constructor(device: SimulatedMcumgrDeviceOptions = {}, link: MemoryLinksOptions = {}) {
    this.device = new SimulatedMcumgrDevice({ clock: this.clock, bufSize: 512, ...device });
    this.#link = link;
  }

  open = async (): Promise<McumgrLink> => {
    this.links = createMemoryLinks({ clock: this.clock, delayMs: 1, provenLimit: 256, ...this.#link });
    this.device.attach(this.links.server);
    return this.links.client;
  };

  /** One run of a program that upgrades. */
  async upgrade(firmware: Firmware | Uint8Array, options: UpgradeOptions = {}): Promise<UpgradeResult> {
    const given = firmware instanceof Uint8Array ? readFirmware(firmware) : firmware;
    return await this.run(async (client) => {
      this.onReady?.();
      this.onReady = undefined;
      return await upgradeFirmware(client, given, {
        clock: this.clock,
        startTimeoutMs: 60_000,
        ...options,
        onEvent: (event) => {
          this.events.push(event);
          if (event.type === "done") this.steps.push(describeUpgradeStep(event.step));
          options.onEvent?.(event);
        },
      });
    });
  }

  /** A program with a client of its own, and time that goes on while it runs. */
  async run<T>(act: (client: McumgrClient) => Promise<T>): Promise<T> {
    const work = (async () => {
      await using client = await McumgrClient.open(this.open, { clock: this.clock });
      return await act(client);
    })();
    return await this.elapse(work);
  }

  async elapse<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const settled = work.finally(() => {
      over = true;
    });
    settled.catch(() => undefined);
    for (let ms = 0; !over && ms < 3_600_000; ms += 100) await this.clock.advance(100);
    return await settled;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device[Symbol.asyncDispose]();
  }
}
