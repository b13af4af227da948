import type { Connection } from "jelling/device";
import type { CreditBasedChannel } from "jelling/l2cap";
import type { Context } from "../../context.ts";
import { spsmText } from "./options.ts";

/**
 * Says something of a channel that is no octet of it: as an object with `--json`; else on standard output, or on standard error where that is
 * for the octets alone.
 */
export function tell({ terminal }: Context, isPiped: boolean, event: string, fields: Record<string, unknown>, text: string): void {
  if (terminal.json) terminal.object({ event, ...fields });
  else if (isPiped) terminal.note(text);
  else terminal.line(text);
}

/** A channel is there. */
export function tellOpened(context: Context, channel: CreditBasedChannel<Connection>, isPiped: boolean): void {
  const { spsm, mode, localCid, remoteCid, mtu, peerMtu, mps, peerMps, connection } = channel;
  const peer = connection.peerIdentity.toString();
  tell(
    context,
    isPiped,
    "opened",
    { peer, spsm, mode, localCid, remoteCid, mtu, peerMtu, mps, peerMps },
    `channel      ${peer}  ${spsmText(spsm)}, ${mode}; SDUs of ${peerMtu} octets out and ${mtu} in, K-frames of ${peerMps} and ${mps}`,
  );
}

/** A channel is over, as one of its sides wished. */
export function tellClosed(context: Context, channel: CreditBasedChannel<Connection>, isPiped: boolean): void {
  const peer = channel.connection.peerIdentity.toString();
  tell(context, isPiped, "closed", { peer, localCid: channel.localCid }, `closed       ${peer}`);
}
