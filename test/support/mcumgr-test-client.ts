import type { VirtualClock } from "../../src/async/virtual-clock.ts";
import { ArgumentError } from "../../src/core/error.ts";
import { createMemoryLinks, type MemoryLinksOptions } from "../../src/mcumgr/links/memory.ts";
import type { CborMap } from "../../src/mcumgr/protocol/cbor.ts";
import { decodeMessage, encodeMessage, type McumgrMessage } from "../../src/mcumgr/protocol/message.ts";
import type { SimulatedMcumgrDevice } from "../../src/testing/mcumgr/device.ts";

/** For tests of the device itself: a client without any cleverness, which sends what it is told and keeps what comes. */
export class TestClient {
  readonly answers: McumgrMessage[] = [];
  readonly #device: SimulatedMcumgrDevice;
  readonly #clock: VirtualClock;
  readonly #send: (message: Uint8Array) => Promise<void>;
  #sequence = 0;

  constructor(device: SimulatedMcumgrDevice, clock: VirtualClock, options: MemoryLinksOptions & { survivesReset?: boolean } = {}) {
    const { survivesReset = true, ...links } = options;
    const { client, server } = createMemoryLinks({ clock, ...links });
    this.#device = device;
    this.#clock = clock;
    device.attach(server, { survivesReset });
    client.onMessage = (message) => this.answers.push(decodeMessage(message));
    this.#send = async (message) => await client.send(message);
  }

  /** Sends without waiting. @returns the sequence */
  post(group: number, command: number, op: number, payload: CborMap, version = 1): number {
    const sequence = this.#sequence++ & 0xff;
    void this.#send(encodeMessage({ op, version, group, command, sequence }, payload)).catch(() => undefined);
    return sequence;
  }

  /** The answer, or undefined where none comes within a minute, or the power is gone. */
  async ask(group: number, command: number, op: number, payload: CborMap = {}, version = 1): Promise<CborMap | undefined> {
    const sequence = this.post(group, command, op, payload, version);
    for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 50) {
      const at = this.answers.findIndex(({ header }) => header.sequence === sequence);
      if (at >= 0) return this.answers.splice(at, 1)[0]!.payload;
      if (this.#device.running === "off") return undefined;
      await this.#clock.advance(waitedMs === 0 ? 0.001 : 50);
    }
    return undefined;
  }

  async upload(image: Uint8Array, first: CborMap = {}, chunk = 1000): Promise<CborMap | undefined> {
    let answer: CborMap | undefined;
    for (let off = 0, rounds = 0; off < image.length; off = answer?.off as number) {
      const data = image.subarray(off, off + chunk);
      answer = await this.ask(1, 1, 2, off === 0 ? { len: image.length, off, data, ...first } : { off, data });
      if (typeof answer?.off !== "number") return answer;
      if (rounds++ > image.length) throw new ArgumentError("the upload makes no progress");
    }
    return answer;
  }
}
