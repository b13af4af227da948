import { BleError } from "../../core/error.ts";
import type { DecodedPacket } from "../decoded-packet.ts";
import { packetText } from "../format.ts";

/**
 * A host does not do what the captured one did. `mismatch`: it sent another packet than the capture has; `unexpected`: it sent one more;
 * `unfinished`: it has not sent what the capture has. Both packets are decoded, without keys.
 */
export class ReplayError extends BleError {
  readonly code = "ERR_REPLAY";
  readonly reason: "mismatch" | "unexpected" | "unfinished";
  /** What the capture has next from the host; its `number` is the place in the capture, from 1. */
  readonly expected: DecodedPacket | undefined;
  /** What the host sent. */
  readonly got: DecodedPacket | undefined;

  constructor(reason: ReplayError["reason"], packets: { expected?: DecodedPacket | undefined; got?: DecodedPacket | undefined }) {
    super(messageOf(reason, packets));
    this.reason = reason;
    this.expected = packets.expected;
    this.got = packets.got;
  }
}

function messageOf(
  reason: ReplayError["reason"],
  { expected, got }: { expected?: DecodedPacket | undefined; got?: DecodedPacket | undefined },
): string {
  const sent = got ? packetText(got) : "nothing";
  if (!expected) return `replay: ${reason}: after the last packet of the capture the host sent ${sent}`;
  const wanted = packetText(expected);
  const alike = wanted === sent ? " (they differ in octets that are not shown, such as keys)" : "";
  return `replay: ${reason}: packet ${expected.number} of the capture is ${wanted}; the host sent ${sent}${alike}`;
}
