import { AddressType, BlockedKeyType, commands, LinkKeyType, LtkType } from "../../../mgmt-protocol/index.ts";
import { type Handler, on } from "../call.ts";
import { atMost, supports } from "../checks.ts";
import { deviceKey, isIdentity } from "../controller.ts";

const hex = (octets: Uint8Array): string => octets.join(",");

export const keyHandlers: readonly Handler[] = [
  on(commands.loadLinkKeys, [supports("BREDR"), atMost("debugKeys", 1)], (call) => {
    const { controller, core, parameters } = call;
    const changed = controller.put({ DebugKeys: parameters.debugKeys === 1 });
    if (changed) core.newSettings(controller); // the one who did it is told too
    for (const key of [...controller.keyed]) if (key.endsWith(` ${AddressType.BREDR}`)) controller.keyed.delete(key);
    for (const { address, addressType, keyType, value } of parameters.keys) {
      const isUsable =
        addressType === AddressType.BREDR && keyType <= LinkKeyType.AuthenticatedP256 && keyType !== LinkKeyType.DebugCombination;
      if (isUsable && !controller.blockedKeys.has(`${BlockedKeyType.LinkKey} ${hex(value)}`))
        controller.keyed.add(deviceKey(address, addressType));
    }
    call.complete({});
  }),
  on(commands.loadLongTermKeys, [supports("LowEnergy")], (call) => {
    const { controller, parameters } = call;
    for (const key of [...controller.keyed]) if (!key.endsWith(` ${AddressType.BREDR}`)) controller.keyed.delete(key);
    for (const { address, addressType, keyType, central, encryptionSize, value } of parameters.keys) {
      const isUsable = central <= 1 && encryptionSize <= 16 && keyType <= LtkType.AuthenticatedP256 && isIdentity(address, addressType);
      if (isUsable && !controller.blockedKeys.has(`${BlockedKeyType.LongTermKey} ${hex(value)}`))
        controller.keyed.add(deviceKey(address, addressType));
    }
    call.complete({});
  }),
  on(
    commands.loadIdentityResolvingKeys,
    [
      supports("LowEnergy"),
      ({ parameters: { keys } }) =>
        keys.every(({ address, addressType }) => isIdentity(address, addressType)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      call.controller.exchangesIdentity = true;
      call.complete({});
    },
  ),
  on(commands.loadBlockedKeys, [], (call) => {
    const { controller, parameters } = call;
    controller.blockedKeys.clear();
    for (const { keyType, value } of parameters.keys) controller.blockedKeys.add(`${keyType} ${hex(value)}`);
    call.complete({});
  }),
];
