import { Answers } from "./answers.ts";
import type { ControllerEnd } from "./host.ts";

/** What a controller said while a host set up its link. */
export interface Recording {
  readonly peerAddress: string;
  readonly connectionHandle: number;
  readonly valueHandle: number;
  /** Packets for the host in hexadecimal: before it had sent anything, after its first packet, after its second. */
  readonly toHost: readonly (readonly string[])[];
}

/** A controller of whose talk a record is kept until the measurement has it. */
export class Recorder implements ControllerEnd {
  readonly #end: ControllerEnd;
  readonly #toHost: string[][] = [[]];
  #isOver = false;
  toHost: ((packet: Uint8Array) => void) | undefined;

  constructor(end: ControllerEnd) {
    this.#end = end;
    end.toHost = (packet) => {
      if (!this.#isOver) this.#toHost.at(-1)!.push(Buffer.from(packet).toString("hex"));
      this.toHost?.(packet);
    };
  }

  get peerAddress(): string {
    return this.#end.peerAddress;
  }
  get connectionHandle(): number {
    return this.#end.connectionHandle;
  }
  get valueHandle(): number {
    return this.#end.valueHandle;
  }
  get recording(): Recording {
    const { peerAddress, connectionHandle, valueHandle } = this;
    return { peerAddress, connectionHandle, valueHandle, toHost: this.#toHost };
  }

  fromHost(packet: Uint8Array): void {
    if (!this.#isOver) this.#toHost.push([]);
    this.#end.fromHost(packet);
  }

  take(): void {
    this.#isOver = true;
    this.#end.take();
  }
}

/** Says again what was recorded, packet for packet of the host, in turns of the event loop: nothing of a library is in it. */
export class Replayer implements ControllerEnd {
  readonly peerAddress: string;
  readonly connectionHandle: number;
  readonly valueHandle: number;
  toHost: ((packet: Uint8Array) => void) | undefined;
  readonly #packets: readonly Uint8Array[][];
  #heard = 0;
  readonly #waiting: Uint8Array[] = [];
  #isSaying = false;
  #answers: Answers | undefined;

  constructor({ peerAddress, connectionHandle, valueHandle, toHost }: Recording) {
    this.peerAddress = peerAddress;
    this.connectionHandle = connectionHandle;
    this.valueHandle = valueHandle;
    this.#packets = toHost.map((packets) => packets.map((hex) => Uint8Array.from(Buffer.from(hex, "hex"))));
  }

  fromHost(packet: Uint8Array): void {
    if (this.#answers) {
      this.#answers.take(packet);
      return;
    }
    this.#waiting.push(...(this.#packets[++this.#heard] ?? []));
    this.#sayLater();
  }

  /** One packet a turn, as a socket is read: whoever awaits what one of them brings is there for the next. */
  #sayLater(): void {
    if (this.#isSaying || this.#waiting.length === 0) return;
    this.#isSaying = true;
    setImmediate(() => {
      this.#isSaying = false;
      this.toHost?.(this.#waiting.shift()!);
      this.#sayLater();
    });
  }

  take(): void {
    this.#answers = new Answers(this.connectionHandle, (packet) => this.toHost!(packet));
  }
}
