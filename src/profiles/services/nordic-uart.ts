import { type OperationOptions, Subscription } from "../../async/index.ts";
import { rest } from "../../bytes/index.ts";
import { checkInteger, checkOperation, checkOptions, optionNames, StateError } from "../../core/index.ts";
import type { Device } from "../../device/index.ts";
import type { GattOperationOptions, GattPeer, GattRequest } from "../../gatt/index.ts";
import { bounded } from "../bounded.ts";
import type { ServicePeer } from "../client.ts";
import { defineService } from "../define.ts";
import type { ServedService } from "../served.ts";
import { type Simulation, simulate } from "../simulate.ts";
import { UART_CAPACITY, UartPort } from "./uart-port.ts";

/** Nordic UART Service. */
export const nordicUart = defineService({
  uuid: "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
  name: "Nordic UART",
  summary: "A serial line: octets both ways, in order.",
  characteristics: {
    rx: {
      uuid: "6e400002-b5a3-f393-e0a9-e50e24dcca9e",
      name: "RX",
      summary: "To the peripheral.",
      properties: ["write", "write-without-response"],
      value: rest,
    },
    tx: { uuid: "6e400003-b5a3-f393-e0a9-e50e24dcca9e", name: "TX", summary: "From the peripheral.", properties: ["notify"], value: rest },
  },
});
type Characteristics = typeof nordicUart.characteristics;

export interface UartOptions {
  /** Octets kept for a reader that is behind, 65,536 by default. A port that would have to keep more is closed with a StateError. */
  readonly capacity?: number | undefined;
}
export type OpenUartOptions = UartOptions & GattOperationOptions;

const SERVE = optionNames<UartOptions>({ capacity: true });
const OPEN = optionNames<OpenUartOptions>({ capacity: true, signal: true, timeoutMs: true, security: true });
const capacityOf = ({ capacity = UART_CAPACITY }: UartOptions): number => checkInteger("capacity", capacity, 1024, 2 ** 30);

/** Of so many pieces the last one is written with a response, for which the other end waits until its reader has room. */
const PIECES_PER_RESPONSE = 16;

/**
 * The central's end of a serial line to a peer.
 *
 * Of `write`, one piece in 16 asks for a response, where the peer takes both kinds of writes; `serveUart` answers it when its reader has room.
 * The other way nothing holds a peripheral back but the link: a reader that is `capacity` octets behind loses the port.
 *
 * @throws {GattNotFoundError} the peer has no such service
 */
export async function openUart(peer: ServicePeer, options: OpenUartOptions = {}): Promise<UartPort> {
  checkOptions("openUart", options, OPEN);
  const { capacity: _, ...operation } = options;
  const capacity = capacityOf(options);
  const { gatt } = peer;
  const { clock } = gatt.bearer;
  return await bounded(clock, "opening a serial line", operation, async (bound) => {
    const { rx, tx } = await nordicUart.of(peer, bound);
    const { remote } = rx;
    let pieces = 0;
    let subscription: AsyncDisposable | undefined;
    const port: UartPort = new UartPort({
      clock,
      capacity,
      pieceLength: () => gatt.maxValueLength,
      send: async (piece, terms) => {
        const isAnswered = !remote.has("write-without-response") || (remote.has("write") && ++pieces % PIECES_PER_RESPONSE === 0);
        await remote.write(piece, { ...terms, response: isAnswered });
      },
      onEnd: () => void subscription?.[Symbol.asyncDispose](),
    });
    try {
      subscription = await tx.remote.subscribe((octets) => port.receive(octets.slice()), {
        ...bound,
        kind: "notify",
        onEnd: (reason) => port.end(reason),
      });
    } catch (error) {
      port.end(error);
      throw error;
    }
    if (!port.isOpen) void subscription[Symbol.asyncDispose](); // more came than is kept, before the peer's answer did
    return port;
  });
}

/** Lines that wait to be taken by a program; of more the oldest are closed. */
const WAITING_PORTS = 16;

/** The peripheral's side: a port for each central that uses the service. */
export class UartServer implements AsyncIterable<UartPort, void>, AsyncDisposable {
  readonly #device: Device;
  readonly #capacity: number;
  readonly #served: ServedService<Characteristics>;
  readonly #ports = new Map<string, UartPort>();
  readonly #arrivals = new Subscription<UartPort>({ capacity: WAITING_PORTS, leave: () => undefined });
  readonly #untaken = new Set<UartPort>();
  readonly #closing: Disposable;
  #isOver = false;

  /** Made by `serveUart`. @internal */
  constructor(device: Device, options: UartOptions) {
    this.#device = device;
    this.#capacity = capacityOf(options);
    this.#served = nordicUart.serve(device.gattServer, {
      rx: { write: (octets, request) => this.#onWrite(octets, request) },
      tx: {
        subscribed: (peer, { notify }) => {
          if (notify) this.#portOf(peer);
          else this.#ports.get(peer.id)?.end();
        },
      },
    });
    this.#closing = device.on("closed", (reason) => {
      for (const port of [...this.#ports.values()]) port.end(reason);
      this.#arrivals.end(reason);
    });
  }

  /** The next central's port. @throws {TimeoutError} none in `timeoutMs` · {StateError} the server was disposed of · why the device is closed */
  async take(options: OperationOptions = {}): Promise<UartPort> {
    checkOperation("take", options);
    const next = await this.#arrivals.take({ clock: this.#device.clock, operation: "waiting for a serial line", ...options });
    if (next.done) throw new StateError("no more serial lines come: their service was removed");
    this.#untaken.delete(next.value);
    return next.value;
  }

  /** Leaving the loop leaves the service in place. */
  [Symbol.asyncIterator](): AsyncIterator<UartPort, void> {
    return {
      next: async () => {
        const next = await this.#arrivals.next();
        if (!next.done) this.#untaken.delete(next.value);
        return next;
      },
    };
  }

  // Octets are taken in the order in which they came, whatever answer is waited for: a request would overtake commands that wait.
  #onWrite(octets: Uint8Array, { peer, operation, signal }: GattRequest): void | Promise<void> {
    const port = this.#portOf(peer);
    port.receive(octets);
    if (operation === "command") return;
    return port.whenRoom(signal);
  }

  #portOf(peer: GattPeer): UartPort {
    const known = this.#ports.get(peer.id);
    if (known) return known;
    const connection = this.#device.linkTo(peer);
    const port: UartPort = new UartPort({
      clock: this.#device.clock,
      capacity: this.#capacity,
      pieceLength: () => connection?.gatt.maxValueLength ?? 20,
      send: (piece, terms) => this.#served.tx.notify(piece, { ...terms, to: peer }),
      onEnd: () => {
        if (this.#ports.get(peer.id) === port) this.#ports.delete(peer.id);
      },
    });
    this.#ports.set(peer.id, port);
    void connection?.closed.then((reason) => port.end(reason));
    this.#offer(port);
    return port;
  }

  #offer(port: UartPort): void {
    this.#untaken.add(port);
    if (this.#untaken.size > WAITING_PORTS)
      for (const oldest of this.#untaken) {
        this.#untaken.delete(oldest);
        oldest.end(new StateError("nobody took this serial line"));
        break;
      }
    this.#arrivals.push(port);
  }

  /** Removes the service, and closes every port. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#closing[Symbol.dispose]();
    this.#arrivals.end();
    for (const port of [...this.#ports.values()]) port.end();
    const { gattServer } = this.#device;
    if (gattServer.services.includes(this.#served.service)) gattServer.removeService(this.#served.service);
  }
}

/** Serves serial lines on a device. Advertise the service, and take a port for each central that opens one. */
export function serveUart(device: Device, options: UartOptions = {}): UartServer {
  checkOptions("serveUart", options, SERVE);
  return new UartServer(device, options);
}

/** A serial line for tests that takes what is written, remembers it, and says these lines, one a second. */
export function simulateUart(lines: readonly string[] = []): Simulation<Characteristics> {
  return simulate(nordicUart, {
    serve: {},
    steps: lines.map((line) => ({ afterMs: 1000, values: { tx: new TextEncoder().encode(`${line}\n`) } })),
  });
}
