import { encodeAdStructures } from "../../../gap/index.ts";
import {
  type AnyMgmtCommand,
  type AnyMgmtEvent,
  bitsOf,
  CapabilityType,
  ConfigurationOptions,
  commands,
  commandsByOpcode,
  events,
  eventsByCode,
} from "../../../mgmt-protocol/index.ts";
import { type Call, type Handler, on } from "../call.ts";
import { atMost, isPoweredOff, need } from "../checks.ts";
import { ANY_ADDRESS, type Controller } from "../controller.ts";
import { informationOf, type KernelCore } from "../core.ts";

/** Not in Linux 6.1. */
export const NEWER_COMMANDS: ReadonlySet<AnyMgmtCommand> = new Set<AnyMgmtCommand>([
  commands.sendHciCommandAndWaitForEvent,
  commands.loadConnectionSubrate,
]);
/** Version and commands, and the two replies, are not listed; nor are the events of mesh, which come all the same. */
const FIRST_LISTED_COMMAND = 0x0003;
const FIRST_LISTED_EVENT = 0x0003;
const LAST_LISTED_EVENT = 0x0030;
/** In the description, never sent. */
const NEVER_SENT = new Set([0x0028, 0x0029]);

const listedCommands = [...commandsByOpcode.values()].filter(
  (command) => command.opcode >= FIRST_LISTED_COMMAND && !NEWER_COMMANDS.has(command),
);
const listedEvents = [...eventsByCode.values()].filter(
  ({ code }) => code >= FIRST_LISTED_EVENT && code <= LAST_LISTED_EVENT && !NEVER_SENT.has(code),
);
const opcodes = (of: readonly AnyMgmtCommand[]): number[] => of.map(({ opcode }) => opcode).sort((a, b) => a - b);
const codes = (of: readonly AnyMgmtEvent[]): number[] => of.map(({ code }) => code).sort((a, b) => a - b);

/** Newest first, as the kernel has them. */
function listed(core: KernelCore, which: (controller: Controller) => boolean): Controller[] {
  return [...core.controllers.values()].filter((controller) => controller.isListed && which(controller)).reverse();
}

const EXTERNAL = bitsOf(ConfigurationOptions, ["ExternalConfiguration"]);
const PUBLIC_ADDRESS = bitsOf(ConfigurationOptions, ["PublicAddress"]);

/** The options that are missing now; the controller changes lists when nothing is, or something is again. */
function configure<C extends AnyMgmtCommand>(call: Call<C>, missingOptions: number, isReplugged: boolean): void {
  const { controller, core, index, socket } = call;
  const moves = isReplugged || (missingOptions === 0) !== controller.isConfigured;
  const changed = missingOptions !== controller.missingOptions;
  (call as unknown as Call<typeof commands.setPublicAddress>).complete({ missingOptions });
  if (changed) core.send(events.newConfigurationOptions, index, { missingOptions }, socket);
  if (moves) core.indexRemoved(controller);
  controller.missingOptions = missingOptions;
  if (moves) core.indexAdded(controller);
  if (moves) controller.letGo();
}

export const controllerHandlers: readonly Handler[] = [
  on(commands.readManagementVersionInformation, [], (call) => call.complete({ version: 1, revision: 22 })),
  on(commands.readManagementSupportedCommands, [], (call) => {
    const open = ({ privileged }: { privileged: boolean }): boolean => call.socket.isPrivileged || !privileged;
    call.complete({ commands: opcodes(listedCommands.filter(open)), events: codes(listedEvents.filter(open)) });
  }),
  on(commands.readControllerIndexList, [], (call) =>
    call.complete({ controllerIndexes: listed(call.core, ({ isConfigured }) => isConfigured).map(({ index }) => index) }),
  ),
  on(commands.readControllerInformation, [], (call) => {
    const { publicAddress: address, bluetoothVersion, manufacturer, supported, settings, classOfDevice, name, shortName } = call.controller;
    const both = { supportedSettings: supported, currentSettings: settings };
    call.complete({ address, bluetoothVersion, manufacturer, ...both, classOfDevice, name, shortName });
  }),
  on(commands.readUnconfiguredControllerIndexList, [], (call) =>
    call.complete({ controllerIndexes: listed(call.core, ({ isConfigured }) => !isConfigured).map(({ index }) => index) }),
  ),
  on(commands.readControllerConfigurationInformation, [], (call) => {
    const { manufacturer, supportedOptions, missingOptions } = call.controller;
    call.complete({ manufacturer, supportedOptions, missingOptions });
  }),
  on(
    commands.setExternalConfiguration,
    [isPoweredOff, atMost("configuration", 1), need(({ supportedOptions }) => (supportedOptions & EXTERNAL) !== 0, "NotSupported")],
    (call) => {
      const { missingOptions } = call.controller;
      const isDone = call.parameters.configuration === 1;
      configure(call, isDone ? missingOptions & ~EXTERNAL : missingOptions | EXTERNAL, false);
    },
  ),
  on(
    commands.setPublicAddress,
    [
      isPoweredOff,
      ({ parameters }) => (parameters.address === ANY_ADDRESS ? "InvalidParameters" : undefined),
      need(({ supportedOptions }) => (supportedOptions & PUBLIC_ADDRESS) !== 0, "NotSupported"),
    ],
    (call) => {
      const { controller, parameters } = call;
      const isChanged = controller.publicAddress !== parameters.address;
      controller.publicAddress = parameters.address;
      configure(call, controller.missingOptions & ~PUBLIC_ADDRESS, isChanged);
    },
  ),
  on(commands.readExtendedControllerIndexList, [], (call) => {
    call.socket.switches.add("extendedIndex");
    const controllers = listed(call.core, () => true).map(({ index, bus, isConfigured }) => ({
      controllerIndex: index,
      controllerType: isConfigured ? 0 : 1,
      controllerBus: bus,
    }));
    call.complete({ controllers });
  }),
  on(commands.readExtendedControllerInformation, [], (call) => {
    call.socket.switches.add("extendedInformation");
    const { publicAddress: address, bluetoothVersion, manufacturer, supported, settings } = call.controller;
    const eirData = informationOf(call.controller);
    call.complete({ address, bluetoothVersion, manufacturer, supportedSettings: supported, currentSettings: settings, eirData });
  }),
  on(commands.readControllerCapabilities, [], (call) => {
    const structures = [
      { type: CapabilityType.Flags, data: Uint8Array.of(0x0e) },
      { type: CapabilityType.MaxEncryptionKeySizeLE, data: Uint8Array.of(16, 0) },
      { type: CapabilityType.LeTxPowerRange, data: Uint8Array.of(0xde, 0x07) },
    ];
    call.complete({ capabilities: encodeAdStructures(structures) });
  }),
];
