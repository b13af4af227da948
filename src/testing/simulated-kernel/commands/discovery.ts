import type { Uuid } from "../../../core/index.ts";
import { type AnyMgmtCommand, commands, DiscoveryTypes, type StatusName } from "../../../mgmt-protocol/index.ts";
import { beginDiscovery, endDiscovery } from "../air/discovering.ts";
import { type Call, type Check, type Handler, on } from "../call.ts";
import { isPowered } from "../checks.ts";
import { deviceKey, type RunningDiscovery } from "../controller.ts";

/** Start Limited Discovery is declared as Start Discovery is. */
type StartCommand = typeof commands.startDiscovery | typeof commands.startServiceDiscovery;

const NO_THRESHOLD = 127;
const UUIDS_AT_MOST = (0xffff - 4) / 16;

const notDiscovering: Check<AnyMgmtCommand> = ({ controller, command: { opcode } }) =>
  controller.discovery || controller.isSuspended || controller.isPending(opcode, ...STARTS) ? "Busy" : undefined;

const knownTypes: Check<AnyMgmtCommand> = ({ controller, parameters }): StatusName | undefined => {
  const types = Number(parameters.addressTypes);
  if (!([DiscoveryTypes.BREDR, DiscoveryTypes.LE, DiscoveryTypes.Interleaved] as number[]).includes(types)) return "InvalidParameters";
  const needed = [...((types & 1) !== 0 ? (["BREDR"] as const) : []), ...((types & 6) !== 0 ? (["LowEnergy"] as const) : [])];
  if (needed.some((name) => !controller.supports(name))) return "NotSupported";
  return needed.some((name) => !controller.has(name)) ? "Rejected" : undefined;
};

function start<C extends StartCommand>(command: C, filterOf: (call: Call<C>) => Pick<RunningDiscovery, "limited" | "filter">): Handler {
  return on(command, [isPowered(), notDiscovering, knownTypes], (call) => {
    const { addressTypes } = call.parameters as { addressTypes: number };
    call.after(call.core.roundTripMs, () => {
      (call as unknown as Call<typeof commands.startDiscovery>).complete({ addressTypes });
      beginDiscovery(call.core, call.controller, { addressTypes, ...filterOf(call) });
    });
  });
}

const STARTS = [commands.startDiscovery, commands.startLimitedDiscovery, commands.startServiceDiscovery].map(({ opcode }) => opcode);

export const discoveryHandlers: readonly Handler[] = [
  start(commands.startDiscovery, () => ({ limited: false, filter: undefined })),
  on(
    commands.stopDiscovery,
    [
      ({ controller }) => (controller.discovery ? undefined : "Rejected"),
      ({ controller, parameters }) => (controller.discovery?.addressTypes === parameters.addressTypes ? undefined : "InvalidParameters"),
    ],
    (call) => {
      const { addressTypes } = call.parameters;
      const { discovery } = call.controller;
      call.after(call.core.roundTripMs, () => {
        call.complete({ addressTypes });
        if (discovery) endDiscovery(call.core, call.controller, discovery);
      });
    },
  ),
  on(
    commands.confirmName,
    [
      ({ controller }) => (controller.discovery ? undefined : "Failed"),
      ({ controller, parameters: { address, addressType } }) =>
        controller.discovery?.unconfirmed.has(deviceKey(address, addressType)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      const { address, addressType, nameKnown } = call.parameters;
      const key = deviceKey(address, addressType);
      call.controller.discovery?.unconfirmed.delete(key);
      if (nameKnown === 0) call.controller.discovery?.names.add(key);
      call.complete({ address, addressType });
    },
  ),
  start(commands.startServiceDiscovery, ({ parameters: { uuids, rssiThreshold } }) => ({
    limited: false,
    filter: { uuids: uuids.slice(0, UUIDS_AT_MOST) as Uuid[], rssi: rssiThreshold === NO_THRESHOLD ? -128 : rssiThreshold },
  })),
  start(commands.startLimitedDiscovery, () => ({ limited: true, filter: undefined })),
];
