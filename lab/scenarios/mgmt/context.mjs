// @ts-check
/**
 * What the parts of the scenario mgmt-commands work with: two clients of ours and BlueZ's, all three on both adapters.
 *
 * @typedef {object} Context
 * @property {import("../../guest/scenario.mjs").Scenario["step"]} step
 * @property {import("jelling/mgmt").Mgmt} mgmt
 * @property {import("jelling/mgmt").Mgmt} other switched to the extended events
 * @property {import("../../guest/btmgmt.mjs").Btmgmt} btmgmt of hci0
 */

/** Addresses of the emulator's controllers, hci0 and hci1. */
export const addresses = /** @type {const} */ (["00:AA:01:00:00:00", "00:AA:01:01:00:01"]);

/** Of nobody. */
export const absent = Object.freeze({ address: "C0:11:22:33:44:55", addressType: /** @type {const} */ ("LERandom") });
export const absentClassic = Object.freeze({ address: "00:11:22:33:44:55", addressType: /** @type {const} */ ("BREDR") });

/** A key; it opens nothing. */
export const key = (/** @type {number} */ first) => Uint8Array.from({ length: 16 }, (_, i) => first + i);
