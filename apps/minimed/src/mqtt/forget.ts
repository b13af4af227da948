import { type Clock, type OperationOptions, SystemClock } from "jelling/async";
import { checkOperation } from "jelling/core";
import type { MqttConnect, MqttConnectOptions } from "./connection.ts";
import { MqttError } from "./error.ts";
import { loadMqttLibrary } from "./mqtt-library.ts";
import { type CheckedHomeAssistantOptions, checkHomeAssistantOptions, type HomeAssistantOptions } from "./options.ts";
import { within } from "./within.ts";

const FORGET_MS = 15_000;

export type Credentials = Pick<MqttConnectOptions, "url" | "username" | "password" | "tls">;

export function credentialsOf({ url, username, password, tls }: HomeAssistantOptions): Credentials {
  return { url, username, password, tls };
}

/**
 * Removes a pump from Home Assistant, and everything that the broker keeps of it. A publisher that still runs would announce it again: end it first.
 *
 * @param timeoutMs 15 s by default
 * @throws {ArgumentError} · {MqttError} what the broker keeps is still there, or not known not to be · `signal.reason`
 */
export async function forgetHomeAssistant(options: HomeAssistantOptions, operation: OperationOptions = {}): Promise<void> {
  const checked = checkHomeAssistantOptions("forgetHomeAssistant", options);
  checkOperation("forgetHomeAssistant", operation);
  const connect = options.connect ?? (await loadMqttLibrary());
  await forgetTopics(checked, credentialsOf(options), connect, options.clock ?? new SystemClock(), operation);
}

/** By a connection of its own: one with a will would leave it behind if it broke now. */
export async function forgetTopics(
  { deviceId, topics }: CheckedHomeAssistantOptions,
  credentials: Credentials,
  connect: MqttConnect,
  clock: Clock,
  { signal, timeoutMs = FORGET_MS }: OperationOptions,
): Promise<void> {
  const lost = new AbortController();
  const ends = signal ? AbortSignal.any([signal, lost.signal]) : lost.signal;
  const limit = { clock, timeoutMs, signal: ends };
  const connection = await within(
    { ...limit, operation: "connecting with the broker" },
    (giveUp) =>
      connect({
        ...credentials,
        clientId: deviceId,
        onMessage: () => undefined,
        onClosed: (reason) => lost.abort(reason),
        signal: giveUp,
      }),
    (late) => late.drop(),
  );
  try {
    await within({ ...limit, operation: "removing the device" }, async () => {
      // The announcement first: with it the entities go, and an empty state is none of theirs any more.
      for (const topic of [topics.config, topics.state, topics.reach, topics.status])
        await connection.publish({ topic, payload: "", retain: true });
      await connection.close();
    });
  } catch (error) {
    connection.drop();
    throw error instanceof MqttError && error.problem === "unauthorized"
      ? new MqttError("unauthorized", "The broker does not let this user remove the device.", { cause: error })
      : error;
  }
}
