import { HciError, type LinkPhy, type LinkSubrate, type RemoteVersion, TimeoutError, UnsupportedError } from "jelling";
import { companyName } from "jelling/assigned";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { withConnection } from "../link.ts";
import { untilAborted } from "../wait.ts";

/** How long each answer of the peer's controller is waited for that is only shown, in milliseconds. */
const PATIENCE_MS = 5000;

/** Connects, shows the link, keeps it. */
export async function connect(context: Context, address: string, options: { once?: boolean }): Promise<void> {
  const { terminal, signal } = context;
  await withConnection(context, address, {}, async (connection, device) => {
    const rssiDbm = await connection.rssi({ signal });
    const mtu = await connection.gatt.exchangeMtu({ signal });
    const terms = { signal, timeoutMs: PATIENCE_MS };
    const version = await ifKnown(connection.remoteVersion(terms));
    const power = await ifKnown(connection.transmitPower(terms));
    const remotePower = await ifKnown(connection.remoteTransmitPower(terms));
    const { parameters, security, phy, subrating } = connection;
    const { intervalMs, latency, supervisionTimeoutMs } = parameters;
    terminal.result(
      () => ({
        event: "connected",
        address: connection.peerAddress.toString(),
        identity: connection.peerIdentity.toString(),
        intervalMs,
        latency,
        supervisionTimeoutMs,
        phy,
        subrate: { factor: subrating.factor, continuation: subrating.continuation },
        mtu,
        ...(rssiDbm === undefined ? {} : { rssiDbm }),
        ...(power?.currentDbm === undefined ? {} : { powerDbm: power.currentDbm }),
        ...(remotePower?.powerDbm === undefined ? {} : { remotePowerDbm: remotePower.powerDbm }),
        ...(version && { version: version.name ?? `${version.version}`, companyIdentifier: version.companyIdentifier }),
        encrypted: security.encrypted,
        authenticated: security.authenticated,
        bonded: connection.bonded,
      }),
      () =>
        [
          `${terminal.paint("bold", "connected")}  ${connection.peerIdentity}`,
          `  controller ${version ? versionText(version) : "not known"}`,
          `  interval   ${intervalMs} ms, latency ${latency}, supervision timeout ${supervisionTimeoutMs} ms`,
          ...(subrating.factor === 1 ? [] : [`  subrating  ${subrateText(subrating)}`]),
          `  PHY        ${phyText(phy)}`,
          `  ATT MTU    ${mtu}`,
          `  signal     ${dbm(rssiDbm)}`,
          `  power      ${dbm(power?.currentDbm)}, the peer's ${dbm(remotePower?.powerDbm)}`,
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
    using _subrate = connection.on("subrate", (subrate) =>
      terminal.result(
        () => ({ event: "subrate", ...subrate }),
        () => `subrating   ${subrateText(subrate)}`,
      ),
    );
    using _phy = connection.on("phy", (changed) =>
      terminal.result(
        () => ({ event: "phy", ...changed }),
        () => `PHY         ${phyText(changed)}`,
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

/** What a controller cannot say, or its peer's, is no reason to fail. */
async function ifKnown<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof UnsupportedError || error instanceof HciError || error instanceof TimeoutError) return undefined;
    throw error;
  }
}

function versionText({ version, name, companyIdentifier }: RemoteVersion): string {
  const company = companyName(companyIdentifier) ?? `company 0x${companyIdentifier.toString(16).padStart(4, "0")}`;
  return `Bluetooth ${name ?? `version ${version}`}, ${company}`;
}

function phyText({ tx, rx }: LinkPhy): string {
  return tx === rx ? `LE ${tx}` : `LE ${tx} to the peer, LE ${rx} from it`;
}

function subrateText({ factor, continuation }: LinkSubrate): string {
  return `one of ${factor} events${continuation === 0 ? "" : `, ${continuation} more after data`}`;
}

function dbm(level: number | undefined): string {
  return level === undefined ? "not known" : `${level} dBm`;
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
