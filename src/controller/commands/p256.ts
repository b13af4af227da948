import { DEBUG_PRIVATE_KEY, P256KeyPair, reversed } from "../../crypto/index.ts";
import {
  HciErrorCode,
  LeGenerateDhKey,
  LeGenerateDhKeyComplete,
  LeGenerateDhKeyV2,
  LeReadLocalP256PublicKey,
  LeReadLocalP256PublicKeyComplete,
} from "../../hci/index.ts";
import { begins, type CommandContext, type CommandHandler } from "./command-table.ts";

const USE_DEBUG_KEY = 1;

/** The controller's key pair for Secure Connections; HCI carries coordinates least significant octet first. */
export const p256Commands: readonly CommandHandler[] = [
  begins(LeReadLocalP256PublicKey, ({ linkLayer }) => {
    if (linkLayer.isMakingKey) return HciErrorCode.CommandDisallowed;
    return () =>
      linkLayer.makeKey(() => {
        const pair = P256KeyPair.generate(linkLayer.random);
        linkLayer.keyPair = pair;
        const { x, y } = pair.publicKey;
        linkLayer.host.event(LeReadLocalP256PublicKeyComplete, { status: 0, keyXCoordinate: reversed(x), keyYCoordinate: reversed(y) });
      });
  }),
  begins(LeGenerateDhKey, (context, { keyXCoordinate, keyYCoordinate }) =>
    generate(context, keyXCoordinate, keyYCoordinate, context.linkLayer.keyPair),
  ),
  begins(LeGenerateDhKeyV2, (context, { keyXCoordinate, keyYCoordinate, keyType }) => {
    if (keyType > USE_DEBUG_KEY) return HciErrorCode.InvalidHciCommandParameters;
    const debug = keyType === USE_DEBUG_KEY ? P256KeyPair.fromPrivateKey(Uint8Array.from(DEBUG_PRIVATE_KEY)) : undefined;
    return generate(context, keyXCoordinate, keyYCoordinate, debug ?? context.linkLayer.keyPair);
  }),
];

function generate({ linkLayer }: CommandContext, x: Uint8Array, y: Uint8Array, pair: P256KeyPair | undefined): number | (() => void) {
  if (!pair || linkLayer.isMakingKey) return HciErrorCode.CommandDisallowed;
  const answer = (): void => {
    const key = pair.dhKey({ x: reversed(x), y: reversed(y) });
    // All ones where the point is not on the curve (Vol 4 Part E 7.7.65.9).
    const dhKey = key ? reversed(key) : new Uint8Array(32).fill(0xff);
    linkLayer.host.event(LeGenerateDhKeyComplete, {
      status: key ? HciErrorCode.Success : HciErrorCode.InvalidHciCommandParameters,
      dhKey,
    });
  };
  return () => linkLayer.makeKey(answer);
}
