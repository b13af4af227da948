import { callOut, Deadline } from "jelling/async";
import { checkBoolean, checkFunction, checkTimeout } from "jelling/core";
import type { PumpConnectorOptions } from "./options.ts";
import { PumpConnector, type ReadySession } from "./pump-connector.ts";
import { checkPollMs, type PumpSnapshot } from "./pump-session.ts";
import type { LatestGlucose } from "./reading.ts";

export interface RunPumpConnectorOptions extends PumpConnectorOptions {
  /** Stays and gives every new reading until `signal` aborts or the connector ends; otherwise one session's first reads are all. */
  readonly watch?: boolean | undefined;
  readonly pollMs?: number | undefined;
  readonly onReading?: ((latest: LatestGlucose) => void) | undefined;
  /** How long the (first) session may take, with its reading where it does not watch; without it as long as the mode waits. */
  readonly timeoutMs?: number | undefined;
}

/**
 * A connector from opening to closing, as a command runs it: waits for the pump, reads, and unless it watches says goodbye.
 *
 * @returns what the first session's reads brought
 * @throws what `PumpConnector.open` throws · why the connector ended · {TimeoutError} · `signal.reason`
 */
export async function runPumpConnector(given: RunPumpConnectorOptions): Promise<PumpSnapshot> {
  const { watch = false, pollMs, onReading, timeoutMs, ...options } = given ?? {};
  checkBoolean("runPumpConnector: watch", watch);
  checkPollMs("runPumpConnector", pollMs);
  checkFunction("runPumpConnector: onReading", onReading);
  checkTimeout("runPumpConnector: timeoutMs", timeoutMs);
  await using connector = await PumpConnector.open(options);
  const { signal } = options;
  const { clock } = connector;
  using deadline = new Deadline({ clock, operation: "the first reading", signal, timeoutMs });
  const first = await connector.session({ signal: deadline.signal });
  if (!watch) return await readOnce(connector, first, { pollMs, onReading, signal: deadline.signal });
  deadline[Symbol.dispose]();
  for (let { session } = first; ; { session } = await connector.session({ signal })) {
    try {
      for await (const latest of session.readings({ signal, pollMs })) callOut(onReading, latest);
    } catch (error) {
      signal?.throwIfAborted();
      if (error !== session.ended) throw error; // a session that ends is followed by the next
    }
  }
}

/** What was not to be had with the first reads is asked for until it is. */
async function readOnce(
  connector: PumpConnector,
  { session, snapshot }: ReadySession,
  { pollMs, onReading, signal }: Pick<RunPumpConnectorOptions, "pollMs" | "onReading" | "signal">,
): Promise<PumpSnapshot> {
  let { latest } = snapshot;
  try {
    if (!latest) for await (latest of session.readings({ signal, pollMs })) break;
  } catch (error) {
    signal?.throwIfAborted();
    if (error !== session.ended) throw error;
    return await readOnce(connector, await connector.session({ signal }), { pollMs, onReading, signal });
  }
  callOut(onReading, latest!);
  await session.disconnect();
  return { ...snapshot, latest };
}
