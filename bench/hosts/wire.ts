import { Air } from "../../src/air/index.ts";
import { SystemClock } from "../../src/async/index.ts";
import { Controller } from "../../src/controller/index.ts";
import { Address, SeededRandom } from "../../src/core/index.ts";
import { Device } from "../../src/device/index.ts";
import { Answers } from "./answers.ts";
import type { ControllerEnd } from "./host.ts";
import { CHARACTERISTIC, SERVICE, VALUE } from "./workloads.ts";

/** As a controller before version 5: every host then takes the same legacy reports, and no link is encrypted or changed behind its back. */
const LEGACY = { extendedAdvertising: false, llPrivacy: false, le2M: false, leCoded: false, connectionParametersRequest: false };
const LE_META = 0x3e;
const PEER_ADDRESS = "C0:00:00:00:00:01";

/**
 * A controller whose host is measured: a virtual one with a peer on its air until everything is set up; from `take` on the host's writes
 * are answered here, and packets come from the measurement.
 */
export class Wire implements ControllerEnd {
  readonly peerAddress = PEER_ADDRESS;
  readonly valueHandle: number;
  connectionHandle = 0;
  toHost: ((packet: Uint8Array) => void) | undefined;
  readonly #controller: Controller;
  readonly #commands: Uint8Array[] = [];
  #answers: Answers | undefined;

  private constructor(controller: Controller, valueHandle: number) {
    this.#controller = controller;
    this.valueHandle = valueHandle;
    controller.transport.onPacket = (packet) => {
      if (packet[1] === LE_META && (packet[3] === 0x01 || packet[3] === 0x0a)) this.connectionHandle = packet[5]! | (packet[6]! << 8);
      this.toHost?.(packet);
      if (packet[1] === 0x0e || packet[1] === 0x0f) this.#next();
    };
  }

  static async open(): Promise<Wire> {
    const clock = new SystemClock();
    const air = new Air({ clock, seed: 1, mode: "instant", traceCapacity: 0 });
    const peer = await Device.open(new Controller({ air, name: "peer", features: LEGACY }).transport, {
      clock,
      random: new SeededRandom(1, "peer"),
      name: "peer",
      address: Address.from(`${PEER_ADDRESS}/random`),
    });
    peer.gattServer.addService({
      uuid: SERVICE,
      characteristics: [{ uuid: CHARACTERISTIC, properties: ["read", "write", "write-without-response", "notify"], value: VALUE }],
    });
    await peer.advertise({ data: { name: "bench" }, intervalMs: 20 });
    const { valueHandle } = peer.gattServer.characteristic(SERVICE, CHARACTERISTIC)!;
    return new Wire(new Controller({ air, name: "measured", features: LEGACY }), valueHandle);
  }

  fromHost(packet: Uint8Array): void {
    if (this.#answers) this.#answers.take(packet);
    else if (packet[0] !== 0x01) this.#controller.transport.send(packet);
    else {
      this.#commands.push(packet);
      if (this.#commands.length === 1) this.#controller.transport.send(packet);
    }
  }

  /** One command at a time, as the kernel's sockets do it: not every host waits for its turn. */
  #next(): void {
    this.#commands.shift();
    const next = this.#commands[0];
    if (next) this.#controller.transport.send(next);
  }

  take(): void {
    this.#answers = new Answers(this.connectionHandle, (packet) => this.toHost!(packet));
  }
}
