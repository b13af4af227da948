import { EventEmitter } from "node:events";
import type { Clock } from "../../src/async/index.ts";
import { type BleError, ClosedError } from "../../src/core/index.ts";
import type { OctetPort } from "../../src/mcumgr/links/octet-port.ts";
import type { DatagramSocket } from "../../src/node/mcumgr-udp-links.ts";

/** Where a packet goes. */
export type Towards = "device" | "client";
/** Asked of every packet before it leaves; true loses it. */
export type Loses = (to: Towards) => boolean;

const OCTETS_PER_SECOND = 11_520;
const DELAY_MS = 2;

/** Packets on their way one behind the other, each way for itself. */
class Way {
  readonly #clock: Clock;
  readonly #loses: () => boolean;
  readonly #arrive: (packet: Uint8Array) => void;
  #freeAtMs = 0;

  constructor(clock: Clock, loses: () => boolean, arrive: (packet: Uint8Array) => void) {
    this.#clock = clock;
    this.#loses = loses;
    this.#arrive = arrive;
  }

  /** @param isWanted asked when the packet leaves: who wrote it may be gone. @returns milliseconds until it has left */
  send(packet: Uint8Array, isWanted: () => boolean): number {
    const copy = packet.slice();
    const nowMs = this.#clock.now();
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (copy.length / OCTETS_PER_SECOND) * 1000;
    const leavesInMs = this.#freeAtMs - nowMs;
    this.#clock.setTimer(leavesInMs, "octets leave", () => {
      if (!isWanted() || this.#loses()) return;
      this.#clock.setTimer(DELAY_MS, "octets arrive", () => this.#arrive(copy));
    });
    return leavesInMs;
  }
}

class LinePort implements OctetPort {
  readonly info = { kind: "serial", target: "a line in memory" };
  onOctets: ((octets: Uint8Array) => void) | undefined;
  onClose: ((reason: BleError) => void) | undefined;
  readonly #write: (octets: Uint8Array, isOpen: () => boolean) => Promise<void>;
  #reason: BleError | undefined;

  constructor(write: (octets: Uint8Array, isOpen: () => boolean) => Promise<void>) {
    this.#write = write;
  }

  get isOpen(): boolean {
    return this.#reason === undefined;
  }
  async write(octets: Uint8Array): Promise<void> {
    if (this.#reason) throw this.#reason;
    await this.#write(octets, () => this.isOpen);
  }
  end(reason: BleError): void {
    if (this.#reason) return;
    this.#reason = reason;
    this.onClose?.(reason);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#reason ??= new ClosedError("the line was closed");
  }
}

/**
 * A line to a UART: its end at the device stays, whatever becomes of programs at the other. What a program has handed over leaves line by line,
 * or 64 octets at a time, and no more of it once the program is gone.
 */
export class SerialLine {
  readonly device: OctetPort;
  readonly #clock: Clock;
  readonly #toDevice: Way;
  #client: LinePort | undefined;

  constructor(clock: Clock, loses: Loses) {
    this.#clock = clock;
    const toClient = new Way(
      clock,
      () => loses("client"),
      (octets) => this.#client?.isOpen && this.#client.onOctets?.(octets),
    );
    this.device = new LinePort((octets, isOpen) => this.#send(toClient, octets, isOpen));
    this.#toDevice = new Way(
      clock,
      () => loses("device"),
      (octets) => this.device.onOctets?.(octets),
    );
  }

  /** A program opens the port. */
  open(): OctetPort {
    this.#client = new LinePort((octets, isOpen) => this.#send(this.#toDevice, octets, isOpen));
    return this.#client;
  }

  /** The cable is out: the program hears of it. */
  unplug(): void {
    this.#client?.end(new ClosedError("the port is gone"));
  }

  /** The program is gone, and has closed nothing. */
  abandon(): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) client.onOctets = undefined;
    void client?.[Symbol.asyncDispose]();
  }

  async #send(way: Way, octets: Uint8Array, isOpen: () => boolean): Promise<void> {
    let leavesInMs = 0;
    for (const piece of piecesOf(octets)) leavesInMs = way.send(piece, isOpen);
    await new Promise<void>((resolve) => this.#clock.setTimer(leavesInMs, "octets are taken", resolve));
  }
}

function* piecesOf(octets: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < octets.length; ) {
    const end = octets.indexOf(0x0a, at);
    const to = isConsole(octets) && end >= 0 ? end + 1 : at + 64;
    yield octets.subarray(at, to);
    at = to;
  }
}
const isConsole = (octets: Uint8Array): boolean => (octets[0] === 0x06 && octets[1] === 0x09) || (octets[0] === 0x04 && octets[1] === 0x14);

/** As much of a socket as the links use. */
class MemorySocket extends EventEmitter {
  readonly #send: (datagram: Uint8Array, port: number | undefined) => void;
  readonly port: number;
  isClosed = false;

  constructor(port: number, send: (datagram: Uint8Array, port: number | undefined) => void) {
    super();
    this.port = port;
    this.#send = send;
  }

  address(): { address: string; port: number; family: string } {
    return { address: "127.0.0.1", port: this.port, family: "IPv4" };
  }
  /** A connected socket is given no address. */
  send(datagram: Uint8Array, ...rest: [...to: unknown[], done: (error: Error | null) => void]): void {
    this.#send(datagram, typeof rest[0] === "number" ? rest[0] : undefined);
    const done = rest.at(-1) as (error: Error | null) => void;
    queueMicrotask(() => done(null));
  }
  close(done?: () => void): void {
    this.isClosed = true;
    if (done) queueMicrotask(done);
  }
}

const SERVER_PORT = 1337;

/** A net of datagrams with one server in it. */
export class DatagramNet {
  readonly server: DatagramSocket;
  readonly #sockets = new Map<number, MemorySocket>();
  readonly #toDevice: Way;
  #nextPort = 50_000;
  #client: MemorySocket | undefined;
  readonly #clock: Clock;
  readonly #loses: Loses;

  constructor(clock: Clock, loses: Loses) {
    this.#clock = clock;
    this.#loses = loses;
    const server = new MemorySocket(SERVER_PORT, (datagram, port) => this.#toClient(datagram, port));
    this.server = server;
    this.#toDevice = new Way(
      clock,
      () => loses("device"),
      (packet) => {
        const port = new DataView(packet.buffer).getUint16(0);
        server.emit("message", packet.subarray(2), { address: "127.0.0.1", port, family: "IPv4" });
      },
    );
  }

  /** A program's socket, connected to the server. */
  open(): DatagramSocket {
    const port = this.#nextPort++;
    const socket = new MemorySocket(port, (datagram) => {
      const packet = new Uint8Array(datagram.length + 2);
      new DataView(packet.buffer).setUint16(0, port);
      packet.set(datagram, 2);
      this.#toDevice.send(packet, () => !socket.isClosed);
    });
    this.#sockets.set(port, socket);
    this.#client = socket;
    return socket;
  }

  #toClient(datagram: Uint8Array, port: number | undefined): void {
    const socket = this.#sockets.get(port ?? 0);
    const way = new Way(
      this.#clock,
      () => this.#loses("client"),
      (packet) => !socket?.isClosed && socket?.emit("message", packet),
    );
    way.send(datagram, () => true);
  }

  /** The host says that nobody listens there. */
  refuse(): void {
    const socket = this.#client;
    if (socket && !socket.isClosed) socket.emit("error", Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" }));
  }

  /** The program is gone; a socket closes without a word. */
  abandon(): void {
    this.#client?.close();
  }
}
