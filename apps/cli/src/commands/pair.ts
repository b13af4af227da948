import type { AgentOptions } from "../agent.ts";
import type { Context } from "../context.ts";
import { withConnection } from "../link.ts";

/** Connects and pairs, also where there is a bond: it is replaced. */
export async function pair(context: Context, address: string, options: AgentOptions): Promise<void> {
  const { terminal } = context;
  await withConnection(context, address, options, async (connection) => {
    terminal.status(`pairing with ${connection.peerIdentity} …`);
    using deadline = context.deadline(60_000, "pairing");
    const report = await connection.pair({ signal: deadline.signal });
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
