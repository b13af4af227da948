import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { withConnection } from "../link.ts";
import { untilAborted } from "../wait.ts";

/** Connects, shows the link, keeps it. */
export async function connect(context: Context, address: string, options: { once?: boolean }): Promise<void> {
  const { terminal } = context;
  await withConnection(context, address, {}, async (connection, device) => {
    const rssiDbm = await connection.rssi({ signal: context.signal });
    const mtu = await connection.gatt.exchangeMtu({ signal: context.signal });
    const { intervalMs, latency, supervisionTimeoutMs } = connection.parameters;
    const { security } = connection;
    terminal.result(
      () => ({
        event: "connected",
        address: connection.peerAddress.toString(),
        identity: connection.peerIdentity.toString(),
        intervalMs,
        latency,
        supervisionTimeoutMs,
        mtu,
        ...(rssiDbm === undefined ? {} : { rssiDbm }),
        encrypted: security.encrypted,
        authenticated: security.authenticated,
        bonded: connection.bonded,
      }),
      () =>
        [
          `${terminal.paint("bold", "connected")}  ${connection.peerIdentity}`,
          `  interval   ${intervalMs} ms, latency ${latency}, supervision timeout ${supervisionTimeoutMs} ms`,
          `  ATT MTU    ${mtu}`,
          `  signal     ${rssiDbm === undefined ? "not known" : `${rssiDbm} dBm`}`,
          `  security   ${securityText(security, connection.bonded)}`,
        ].join("\n"),
    );
    if (options.once) return;
    using _parameters = connection.on("parameters", (changed) =>
      terminal.result(
        () => ({ event: "parameters", ...changed }),
        () => `parameters  interval ${changed.intervalMs} ms, latency ${changed.latency}, timeout ${changed.supervisionTimeoutMs} ms`,
      ),
    );
    using deadline = context.deadline(undefined, "the connection");
    terminal.status("connected, Ctrl-C ends …");
    const lost = await Promise.race([untilAborted(deadline.signal, device), connection.closed]);
    terminal.status("");
    if (lost) throw new CommandError(`the link to ${connection.peerIdentity} ended: ${lost.message}`, { cause: lost });
    if (!deadline.timedOut()) deadline.signal.throwIfAborted();
  });
}

function securityText(
  security: { encrypted: boolean; authenticated: boolean; secureConnections: boolean; keySize: number },
  bonded: boolean,
): string {
  if (!security.encrypted) return bonded ? "bonded, not encrypted" : "none";
  const words = [
    "encrypted",
    security.authenticated ? "authenticated" : "not authenticated",
    security.secureConnections ? "Secure Connections" : "legacy",
  ];
  return `${words.join(", ")}, key of ${security.keySize} octets${bonded ? ", bonded" : ""}`;
}
