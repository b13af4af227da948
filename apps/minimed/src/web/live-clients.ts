import type { Clock } from "jelling/async";
import type { WebSocket } from "ws";

/** More pages than one person has open. */
export const MOST_CLIENTS = 16;
const PING_MS = 20_000;
/** Who takes nothing for that long is gone. */
const SILENT_MS = 60_000;

/** Makes what is told, when it can leave; undefined: there is nothing to tell after all. Never throws. */
export type MakeMessage = () => string | undefined;

interface Client {
  readonly socket: WebSocket;
  /** What waits: the newest of everything, never more than one. */
  waiting: MakeMessage | undefined;
  isSending: boolean;
  heardMs: number;
}

/** The pages that look on. A slow one gets the newest state when it can take one, and not those between. */
export class LiveClients implements Disposable {
  readonly #clients = new Set<Client>();
  readonly #clock: Clock;
  #timer: Disposable | undefined;

  /** @param clock real time, whatever the pump's is: sockets are real */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#clients.size;
  }

  /** @param greeting what a new page is told first */
  add(socket: WebSocket, greeting: MakeMessage): void {
    const client: Client = { socket, waiting: undefined, isSending: false, heardMs: this.#clock.now() };
    this.#clients.add(client);
    const heard = (): void => {
      client.heardMs = this.#clock.now();
    };
    socket.on("pong", heard);
    socket.on("message", heard); // a page has nothing to say
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#clients.delete(client);
      if (this.#clients.size === 0) this.#stopPinging();
    });
    this.#ping();
    this.#give(client, greeting);
  }

  /** Tells all of them. The message is made when it can leave: of what waits, only the newest is. */
  tell(message: MakeMessage): void {
    for (const client of this.#clients) this.#give(client, message);
  }

  /** Tells those that wait for nothing: what would be old news to the others. */
  tellIdle(message: string): void {
    for (const client of this.#clients) if (!client.isSending) this.#give(client, () => message);
  }

  [Symbol.dispose](): void {
    this.#stopPinging();
    for (const { socket } of this.#clients) socket.terminate();
    this.#clients.clear();
  }

  #give(client: Client, message: MakeMessage): void {
    client.waiting = message;
    if (client.isSending) return;
    const text = message();
    client.waiting = undefined;
    if (text === undefined || client.socket.readyState !== client.socket.OPEN) return;
    client.isSending = true;
    client.socket.send(text, (error) => {
      client.isSending = false;
      if (error) return client.socket.terminate();
      client.heardMs = this.#clock.now();
      if (client.waiting) this.#give(client, client.waiting);
    });
  }

  #ping(): void {
    this.#timer ??= this.#clock.setTimer(PING_MS, "page sockets", () => {
      this.#timer = undefined;
      for (const { socket, heardMs } of this.#clients) {
        if (this.#clock.now() - heardMs > SILENT_MS) socket.terminate();
        else if (socket.readyState === socket.OPEN) socket.ping();
      }
      if (this.#clients.size > 0) this.#ping();
    });
  }

  #stopPinging(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }
}
