import { expect, test } from "vitest";
import { type Clock, VirtualClock } from "../../async/index.ts";
import { concat } from "../../bytes/hex.ts";
import { BleError } from "../../core/error.ts";
import { SeededRandom } from "../../core/random.ts";
import { BleLink, type BleMcumgrPort } from "../links/ble.ts";
import { encodeConsoleFrame } from "../links/console-framing.ts";
import { ConsoleLink } from "../links/console-link.ts";
import { MessageAssembler } from "../links/fragments.ts";
import type { McumgrLink } from "../links/link.ts";
import { createMemoryPorts } from "../links/memory-port.ts";
import { RawLink } from "../links/raw-link.ts";
import type { CborValue } from "../protocol/cbor.ts";
import { decodeHeader } from "../protocol/header.ts";
import { encodeMessage } from "../protocol/message.ts";
import { McumgrClient } from "./client.ts";

/** A link, and the other end of what carries it. */
interface Wire {
  readonly link: McumgrLink;
  /** What the server got: whole messages. */
  onRequest: ((message: Uint8Array) => void) | undefined;
  /** Octets as they are. */
  say(octets: Uint8Array): void;
  frame(message: Uint8Array): Uint8Array;
}

function lineWire(clock: Clock, framing: "console" | "raw"): Wire {
  const ports = createMemoryPorts({ clock });
  const served = framing === "console" ? new ConsoleLink(ports.server, { clock, layout: "server" }) : new RawLink(ports.server, { clock });
  const wire: Wire = {
    link: framing === "console" ? new ConsoleLink(ports.client, { clock }) : new RawLink(ports.client, { clock }),
    onRequest: undefined,
    say: (octets) => void ports.server.write(octets).catch(() => undefined),
    frame: (message) => (framing === "console" ? concat(...encodeConsoleFrame(message, { layout: "server" })) : message),
  };
  served.onMessage = (message) => wire.onRequest?.(message);
  return wire;
}

function bleWire(clock: Clock): Wire {
  const assembler = new MessageAssembler({ clock, onMessage: (message) => wire.onRequest?.(message) });
  const port: BleMcumgrPort = {
    target: "a peer",
    maxWriteLength: 60,
    onValue: undefined,
    onClose: undefined,
    write: async (value) => assembler.push(value),
    [Symbol.asyncDispose]: async () => {},
  };
  const wire: Wire = {
    link: new BleLink(port, { clock }),
    onRequest: undefined,
    say: (octets) => {
      for (let at = 0; at < octets.length; at += 60) port.onValue?.(octets.slice(at, at + 60));
    },
    frame: (message) => message,
  };
  return wire;
}

const WIRES: Record<string, (clock: Clock) => Wire> = {
  console: (clock) => lineWire(clock, "console"),
  raw: (clock) => lineWire(clock, "raw"),
  ble: bleWire,
};

test.each(Object.keys(WIRES))(
  "%s: whatever octets come, every operation ends by name, in bounded time, and the client goes on",
  async (kind) => {
    const data = new Uint8Array(700).fill(7);
    for (let seed = 0; seed < 2; seed++) {
      const random = new SeededRandom(seed, "hostile line");
      const word = new Uint32Array(1);
      const below = (n: number): number => {
        random.fill(new Uint8Array(word.buffer));
        return word[0]! % n;
      };
      const drawn = (length: number): Uint8Array => {
        const octets = new Uint8Array(length);
        random.fill(octets);
        return octets;
      };
      const clock = new VirtualClock();
      const wire = WIRES[kind]!(clock);
      let isHostile = true;
      let asked = 0;
      wire.onRequest = (request) => {
        asked++;
        const header = { ...decodeHeader(request), op: (request[0]! & 7) + 1 };
        const offsets: CborValue[] = [0, 1, 100, 300, 700, 701, -1, 2n ** 60n, 0.5];
        const answer = encodeMessage(
          header,
          header.group === 0 && header.command === 0
            ? { r: "x" }
            : {
                off: offsets[below(offsets.length)],
                len: 700,
                data: drawn(below(90)),
                buf_size: [0, 9, 300, 2 ** 40][below(4)],
                buf_count: below(9),
              },
          "indefinite",
        );
        const framed = wire.frame(answer);
        const said = isHostile
          ? [
              framed,
              framed,
              framed.subarray(0, below(framed.length)),
              framed.with(below(framed.length), below(256)),
              concat(framed, framed),
              wire.frame(answer.with(2, below(256))),
              drawn(below(200)),
              wire.frame(drawn(below(50))),
              new Uint8Array(0),
            ][below(9)]!
          : framed;
        if (said.length > 0) wire.say(said);
      };
      await using client = await McumgrClient.open(async () => wire.link, { clock, timeoutMs: 500 });
      const outcomes = await Promise.allSettled([
        client.os.echo({ d: "hello" }),
        client.image.state(),
        client.uploadImage(data),
        client.uploadFile("/a", data),
        client.downloadFile("/b", { maxLength: 5000 }),
        client.request({ op: 0, group: 77, command: 1 }),
      ]);
      for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason, `seed ${seed}`).toBeInstanceOf(BleError);
      expect(asked, `seed ${seed}`).toBeLessThan(600);
      expect(clock.now(), `seed ${seed}`).toBeLessThan(3_600_000);
      isHostile = false;
      await clock.advance(10_000); // what was begun is given up
      await client.os.echo({ d: "still there" }).catch(() => undefined); // its answer may end what was begun
      expect(await client.os.echo({ d: "still there" }), `seed ${seed}`).toEqual({ r: "x" });
    }
  },
);
