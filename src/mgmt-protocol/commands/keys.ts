import { command } from "../declare.ts";
import { about, countOf, list, onOff, orElse, struct, u16 } from "../fields.ts";
import { blockedKey, identityResolvingKey, linkKey, longTermKey } from "../structures.ts";
import { OnOff } from "../values.ts";

/**
 * Load Link Keys, 0x0012, since 1.0. Replaces the whole list. Keys with an LE address type, a type above 8, a debug type or on the blocked
 * list are skipped silently. Changes of debugKeys send New Settings to all sockets including this one.
 */
export const LoadLinkKeys = command("Load Link Keys", {
  opcode: 0x0012,
  since: "1.0",
  parameters: struct({
    debugKeys: orElse(about(onOff(OnOff), { note: "deprecated: use SetDebugKeys" }), 0),
    keyCount: countOf(u16, "keys"),
    keys: list(linkKey, "keyCount"),
  }),
  causes: { NotSupported: "not BR/EDR capable", InvalidParameters: "length not 3 + 25 per key, or debugKeys above 1" },
});

/**
 * Load Long Term Keys, 0x0013, since 1.0. Replaces the whole list. Keys with central above 1, size above 16, a BR/EDR type or a non-static
 * random address are skipped silently (older kernels rejected the whole command with InvalidParameters). Key type 4 and above skipped.
 */
export const LoadLongTermKeys = command("Load Long Term Keys", {
  opcode: 0x0013,
  since: "1.0",
  parameters: struct({ keyCount: countOf(u16, "keys"), keys: list(longTermKey, "keyCount") }),
  causes: { NotSupported: "not LE capable", InvalidParameters: "length not 2 + 36 per key" },
});

/**
 * Load Identity Resolving Keys, 0x0030, since 1.5. Any entry that is BR/EDR or a non-static random address: InvalidParameters for the
 * whole command. Replaces the whole list. The first successful call, even with an empty list, makes the controller take part in identity
 * key exchange (Set Privacy does too); without it no New Identity Resolving Key ever comes and keys of devices with private addresses get
 * store hint 0.
 */
export const LoadIdentityResolvingKeys = command("Load Identity Resolving Keys", {
  opcode: 0x0030,
  since: "1.5",
  parameters: struct({ keyCount: countOf(u16, "keys"), keys: list(identityResolvingKey, "keyCount") }),
  causes: { NotSupported: "not LE capable", InvalidParameters: "length not 2 + 23 per key" },
});

/** Load Blocked Keys, 0x0046, since 1.15. Replaces the whole list. */
export const LoadBlockedKeys = command("Load Blocked Keys", {
  opcode: 0x0046,
  since: "1.15",
  aliases: ["SetBlockedKeys"],
  parameters: struct({ keyCount: countOf(u16, "keys"), keys: list(blockedKey, "keyCount") }),
  causes: { InvalidParameters: "length not 2 + 17 per key" },
});
