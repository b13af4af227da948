import type { Address } from "jelling/core";
import type { Connection } from "jelling/device";
import type { AgentOptions } from "../agent.ts";
import type { Context } from "../context.ts";
import { CommandError, codeOf } from "../errors.ts";
import { withConnection } from "../link.ts";
import { readOutOfBand } from "../out-of-band.ts";

/** A bond's key that is lost, weaker than what is asked for now, or not there at all. */
const NOT_PROVED: readonly unknown[] = ["ERR_BOND_LOST", "ERR_PAIRING", "ERR_STATE"];

/** A device that still has the key of its bond shows it, so that nobody has to be asked whether it may be replaced. */
export async function prove(
  { signal, terminal }: Pick<Context, "signal"> & { terminal: Pick<Context["terminal"], "note"> },
  connection: Pick<Connection, "bonded" | "peerIdentity" | "encrypt">,
): Promise<void> {
  if (!connection.bonded) return;
  try {
    await connection.encrypt({ signal });
  } catch (error) {
    if (codeOf(error) === "ERR_DISCONNECTED") {
      const { peerIdentity } = connection;
      const advice = `if it has another key by now, jelling bonds remove ${peerIdentity} and pair again`;
      throw new CommandError(`the link was lost when ${peerIdentity} was to show that it has the key of its bond: ${advice}`, {
        cause: error,
      });
    }
    if (!NOT_PROVED.includes(codeOf(error))) throw error;
    const { otherIdentity } = error as { otherIdentity?: Address };
    if (otherIdentity) terminal.note(`the bond was paired with another identity of this side, ${otherIdentity}`);
  }
}

/** Connects and pairs, also where there is a bond: it is replaced, with the user's word where the device does not show its key. */
export async function pair(context: Context, address: string, options: AgentOptions): Promise<void> {
  const { terminal } = context;
  const outOfBand = options.oob === undefined ? undefined : await readOutOfBand(options.oob, context.signal);
  await withConnection(context, address, { ...options, anew: true }, async (connection) => {
    await prove(context, connection);
    terminal.status(`pairing with ${connection.peerIdentity} …`);
    using deadline = context.deadline(60_000, "pairing");
    const report = await connection.pair({ signal: deadline.signal, outOfBand });
    terminal.status("");
    terminal.result(
      () => ({ event: "paired", ...report, peerIdentity: report.peerIdentity.toString() }),
      () =>
        [
          `${terminal.paint("green", "paired")}  ${report.peerIdentity}`,
          `  method     ${report.method}, ${report.secureConnections ? "LE Secure Connections" : "legacy pairing"}`,
          `  protected  ${report.authenticated ? "against somebody in the middle" : "not against somebody in the middle"}, key of ${report.keySize} octets`,
          `  keys       from it ${report.peerKeys.join(", ") || "none"}; from us ${report.localKeys.join(", ") || "none"}`,
          `  bond       ${report.bonded ? "kept" : "not kept"}`,
          ...report.refused.map((sentence) => `  note       ${sentence}`),
        ].join("\n"),
    );
  });
}
