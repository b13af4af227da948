import type { MqttConnect, MqttConnection, MqttConnectOptions, MqttPublication } from "../src/mqtt/index.ts";
import { MqttError } from "../src/mqtt/index.ts";

interface Client {
  readonly options: MqttConnectOptions;
  readonly topics: Set<string>;
  isUp: boolean;
}

/** A broker in this process: what it keeps, who listens, wills, and faults on command. */
export class StubBroker {
  readonly retained = new Map<string, string>();
  /** What came from publishers, in order; wills too. */
  readonly log: MqttPublication[] = [];
  /** "away": nobody listens; "mute": it takes everything and answers nothing; otherwise how it refuses. */
  fault: "none" | "away" | "mute" | "unauthorized" = "none";
  attempts: number[] = [];
  readonly #now: () => number;
  readonly #clients = new Set<Client>();
  readonly #watchers = new Set<(topic: string, payload: string) => void>();

  constructor(now: () => number) {
    this.#now = now;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Whoever is connected, as it said it is. */
  get credentials(): MqttConnectOptions[] {
    return [...this.#clients].map(({ options }) => options);
  }

  readonly connect: MqttConnect = async (options) => {
    this.attempts.push(this.#now());
    await Promise.resolve();
    if (this.fault === "away") throw new MqttError("unreachable", "The broker cannot be reached (ECONNREFUSED).");
    if (this.fault === "unauthorized") throw new MqttError("unauthorized", "The broker does not take this user.");
    if (this.fault === "mute") return await new Promise<never>(() => {});
    for (const other of [...this.#clients]) if (other.options.clientId === options.clientId) this.#cut(other);
    const client: Client = { options, topics: new Set(), isUp: true };
    this.#clients.add(client);
    return this.#connectionOf(client);
  };

  /** A subscriber of everything: what is kept comes first. */
  watch(listener: (topic: string, payload: string) => void): void {
    this.#watchers.add(listener);
    for (const [topic, payload] of this.retained) listener(topic, payload);
  }

  unwatch(listener: (topic: string, payload: string) => void): void {
    this.#watchers.delete(listener);
  }

  publish(message: MqttPublication): void {
    this.log.push(message);
    if (message.retain && message.payload === "") this.retained.delete(message.topic);
    else if (message.retain) this.retained.set(message.topic, message.payload);
    for (const watcher of this.#watchers) watcher(message.topic, message.payload);
    for (const { options, topics } of this.#clients)
      if (topics.has(message.topic)) options.onMessage({ topic: message.topic, payload: message.payload, retain: false });
  }

  /** Every connection breaks, and wills are published. */
  cutAll(): void {
    for (const client of [...this.#clients]) this.#cut(client);
  }

  #cut(client: Client): void {
    client.isUp = false;
    this.#clients.delete(client);
    const { will } = client.options;
    if (will) this.publish(will);
    client.options.onClosed(new MqttError("closed", "The connection with the broker is gone."));
  }

  #connectionOf(client: Client): MqttConnection {
    const answered = async (act: () => void): Promise<void> => {
      await Promise.resolve();
      if (!client.isUp) throw new MqttError("closed", "The connection with the broker is gone.");
      if (this.fault === "mute") return await new Promise<never>(() => {});
      act();
    };
    return {
      publish: (message) => answered(() => this.publish(message)),
      subscribe: (topic) =>
        answered(() => {
          client.topics.add(topic);
          const kept = this.retained.get(topic);
          if (kept !== undefined) client.options.onMessage({ topic, payload: kept, retain: true });
        }),
      close: () =>
        answered(() => {
          client.isUp = false;
          this.#clients.delete(client);
        }),
      drop: () => {
        if (client.isUp) this.#cut(client);
      },
    };
  }
}
