import type { MqttError } from "./error.ts";

/** A message that we publish; always QoS 1. */
export interface MqttPublication {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
}

export interface MqttMessage {
  readonly topic: string;
  readonly payload: string;
  /** It is what the broker had kept, sent because we subscribed. */
  readonly retain: boolean;
}

export interface MqttTls {
  /** Certificates of authorities in PEM, in place of the system's. */
  readonly ca?: string | undefined;
  /** Our certificate and its key in PEM, where the broker asks for them. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface MqttConnectOptions {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: MqttTls | undefined;
  /** What the broker publishes for us when the connection breaks. */
  readonly will?: MqttPublication | undefined;
  readonly onMessage: (message: MqttMessage) => void;
  /** Called once, unless `close` was. */
  readonly onClosed: (reason: MqttError) => void;
  /** Gives the attempt up; a connection that is there it does not touch. */
  readonly signal: AbortSignal;
}

/** One connection with a broker. It does not come back by itself. */
export interface MqttConnection {
  /** Resolves when the broker has it. @throws {MqttError} */
  publish(message: MqttPublication): Promise<void>;
  /** Resolves when the broker has said yes; what it keeps comes then. @throws {MqttError} */
  subscribe(topic: string): Promise<void>;
  /** Says goodbye, so that there is no will, and ends. Never throws. */
  close(): Promise<void>;
  /** Ends at once, without a goodbye. */
  drop(): void;
}

/** @throws {MqttError} · `signal.reason` */
export type MqttConnect = (options: MqttConnectOptions) => Promise<MqttConnection>;
