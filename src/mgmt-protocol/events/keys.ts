import { event } from "../declare.ts";
import { bdaddr, enumerated, octets, onOff, secret, struct, u8 } from "../fields.ts";
import { device, identityResolvingKey, linkKey, longTermKey } from "../structures.ts";
import { CsrkType, OnOff } from "../values.ts";

/** New Link Key, 0x0009, since 1.0. */
export const NewLinkKey = event("New Link Key", {
  code: 0x0009,
  since: "1.0",
  delivery: "all",
  parameters: struct({ storeHint: onOff(OnOff), key: linkKey }),
});

/** New Long Term Key, 0x000a, since 1.0. */
export const NewLongTermKey = event("New Long Term Key", {
  code: 0x000a,
  since: "1.0",
  delivery: "all",
  parameters: struct({ storeHint: onOff(OnOff), key: longTermKey }),
});

/** New Identity Resolving Key, 0x0018, since 1.5. */
export const NewIdentityResolvingKey = event("New Identity Resolving Key", {
  code: 0x0018,
  since: "1.5",
  delivery: "all",
  parameters: struct({ storeHint: onOff(OnOff), randomAddress: bdaddr, key: identityResolvingKey }),
});

/** New Signature Resolving Key, 0x0019, since 1.5. */
export const NewSignatureResolvingKey = event("New Signature Resolving Key", {
  code: 0x0019,
  since: "1.5",
  delivery: "all",
  parameters: struct({ storeHint: onOff(OnOff), ...device, keyType: enumerated(u8, CsrkType), value: secret(octets(16)) }),
});
