import { type AdStructure, parseAdStructures } from "../../../gap/index.ts";
import { AdType, AdvertisingFlags, type AnyMgmtCommand, bitsOf, commands, events } from "../../../mgmt-protocol/index.ts";
import { updateEveryListener } from "../air/listening.ts";
import { type Call, type Check, type Handler, on } from "../call.ts";
import { isOn, isPowered, notDuring, supports } from "../checks.ts";
import type { Controller, Instance } from "../controller.ts";
import type { KernelCore, ManagementSocket } from "../core.ts";
import { ENETDOWN } from "../faults.ts";
import { nameStructure } from "../structures.ts";

/** What a controller with extended advertising can; without it there are neither secondary channels nor a power to choose. */
const EXTENDED_FLAGS = 0x0001_ffff;
const LEGACY_FLAGS = 0x0001_f07f;
const SECONDARY = bitsOf(AdvertisingFlags, ["Secondary1M", "Secondary2M", "SecondaryCoded"]);
const FLAGS_FIELD = bitsOf(AdvertisingFlags, ["Discoverable", "LimitedDiscoverable", "ManagedFlags"]);
const TX_POWER = bitsOf(AdvertisingFlags, ["TxPower"]);
const APPEARANCE = bitsOf(AdvertisingFlags, ["Appearance"]);
const LOCAL_NAME = bitsOf(AdvertisingFlags, ["LocalName"]);
const PARAM_TIMEOUT = bitsOf(AdvertisingFlags, ["ParamTimeout"]);
const PARAM_INTERVALS = bitsOf(AdvertisingFlags, ["ParamIntervals"]);
const PARAM_TX_POWER = bitsOf(AdvertisingFlags, ["ParamTxPower"]);
/** Nobody knows it; in a command: the controller may choose (Vol 4 Part E 7.8.53). */
const UNKNOWN_TX_POWER = 127;
/** What the controller chooses. */
const USUAL_TX_POWER_DBM = 0;
const [SHORTEST_INTERVAL, LONGEST_INTERVAL] = [0x20, 0xff_ffff];
const [LEAST_TX_POWER_DBM, MOST_TX_POWER_DBM] = [-127, 20];
const LEGACY_OCTETS = 31;

const notDuringLe = notDuring(commands.setLowEnergy);

/** Octets that a program's own data may have beside what the flags ask the kernel to add. */
function room(controller: Controller, flags: number): { maxAdvDataLen: number; maxScanRspLen: number } {
  const { maxAdvertisingOctets } = controller;
  const name = (flags & LOCAL_NAME) !== 0 ? nameStructure(controller).data.length + 2 : 0;
  return {
    maxAdvDataLen: maxAdvertisingOctets - ((flags & FLAGS_FIELD) !== 0 ? 3 : 0) - ((flags & TX_POWER) !== 0 ? 3 : 0),
    maxScanRspLen: maxAdvertisingOctets - ((flags & APPEARANCE) !== 0 ? 4 : 0) - name,
  };
}

/** Whether data are well formed, short enough, and without what the flags have the kernel add. */
function isAcceptable(data: Uint8Array, most: number, flags: number, isScanResponse: boolean): boolean {
  if (data.length > most) return false;
  const { structures, problem } = parseAdStructures(data);
  return problem === undefined && !structures.some((structure) => isManaged(structure, flags, isScanResponse));
}

function isManaged({ type }: AdStructure, flags: number, isScanResponse: boolean): boolean {
  if (type === AdType.Flags) return isScanResponse || (flags & FLAGS_FIELD) !== 0;
  if (type === AdType.TxPowerLevel) return (flags & TX_POWER) !== 0;
  if (type === AdType.Appearance) return (flags & APPEARANCE) !== 0;
  return (type === AdType.CompleteLocalName || type === AdType.ShortenedLocalName) && (flags & LOCAL_NAME) !== 0;
}

function areAcceptable(controller: Controller, flags: number, { advData, scanRsp }: { advData: Uint8Array; scanRsp: Uint8Array }): boolean {
  const { maxAdvDataLen, maxScanRspLen } = room(controller, flags);
  return isAcceptable(advData, maxAdvDataLen, flags, false) && isAcceptable(scanRsp, maxScanRspLen, flags, true);
}

const knownInstance: Check<AnyMgmtCommand> = ({ controller, parameters }) => {
  const instance = Number(parameters.instance);
  return instance >= 1 && instance <= controller.maxInstances ? undefined : "InvalidParameters";
};

const isExtended = ({ maxAdvertisingOctets }: Controller): boolean => maxAdvertisingOctets > LEGACY_OCTETS;
const supportedFlags = (controller: Controller): number => (isExtended(controller) ? EXTENDED_FLAGS : LEGACY_FLAGS);

const knownFlags: Check<AnyMgmtCommand> = ({ controller, parameters }) => {
  const flags = Number(parameters.flags);
  const secondary = flags & SECONDARY;
  return (flags & ~supportedFlags(controller)) === 0 && (secondary & (secondary - 1)) === 0 ? undefined : "InvalidParameters";
};

const NOTHING = new Uint8Array(0);

function createInstance(instance: number, more: Partial<Instance>): Instance {
  const usual = { flags: 0, duration: 0, timeout: 0, advData: NOTHING, scanRsp: NOTHING, txPower: UNKNOWN_TX_POWER, timer: undefined };
  return { instance, isComplete: true, ...usual, ...more };
}

/** Begins to advertise it, until its time is over. */
function begin(core: KernelCore, controller: Controller, instance: Instance): void {
  controller.instances.get(instance.instance)?.timer?.[Symbol.dispose]();
  controller.instances.set(instance.instance, instance);
  if (instance.timeout > 0) {
    instance.timer = core.clock.setTimer(instance.timeout * 1000, "advertising timeout", () => {
      removeInstance(core, controller, instance.instance);
      updateEveryListener(core);
    });
  }
  updateEveryListener(core);
}

/** The answer, after a word with the controller while there is power. */
function answer(call: Call, finish: () => void): void {
  if (call.controller.isPowered) call.after(call.core.roundTripMs, finish);
  else finish();
}

/** Why the second of two steps fails, if it does. */
function refusal(
  controller: Controller,
  flags: number,
  data: { advData: Uint8Array; scanRsp: Uint8Array },
): "Rejected" | "Busy" | "InvalidParameters" | undefined {
  if (!controller.isPowered) return "Rejected";
  if (controller.isPending(commands.setLowEnergy.opcode)) return "Busy";
  return areAcceptable(controller, flags, data) ? undefined : "InvalidParameters";
}

/** Takes an instance away. @param except whose command did it; everybody is told when nobody's did */
export function removeInstance(core: KernelCore, controller: Controller, instance: number, except?: ManagementSocket): void {
  const removed = controller.instances.get(instance);
  if (!removed) return;
  removed.timer?.[Symbol.dispose]();
  controller.instances.delete(instance);
  if (removed.isComplete) core.send(events.advertisingRemoved, controller.index, { instance }, except);
}

export function removeEveryInstance(core: KernelCore, controller: Controller, except?: ManagementSocket): void {
  for (const instance of [...controller.instances.keys()]) removeInstance(core, controller, instance, except);
}

export const advertisingHandlers: readonly Handler[] = [
  on(commands.readAdvertisingFeatures, [supports("LowEnergy", "Rejected")], (call) => {
    const { maxAdvertisingOctets, maxInstances, instances } = call.controller;
    // The kernel shows no number above how many there are: one alone is seen only as number 1.
    const newestFirst = [...instances.keys()].reverse().filter((instance) => instance <= instances.size);
    const lengths = { maxAdvDataLen: maxAdvertisingOctets, maxScanRspLen: maxAdvertisingOctets };
    call.complete({ supportedFlags: supportedFlags(call.controller), ...lengths, maxInstances, instances: newestFirst });
  }),
  on(
    commands.addAdvertising,
    [
      supports("LowEnergy"),
      isOn("LowEnergy"),
      knownInstance,
      knownFlags,
      ({ controller, parameters }) => (parameters.timeout > 0 && !controller.isPowered ? "Rejected" : undefined),
      notDuringLe,
      ({ controller, parameters }) => (areAcceptable(controller, parameters.flags, parameters) ? undefined : "InvalidParameters"),
    ],
    (call) => {
      const { controller, core, parameters, socket } = call;
      const { instance } = parameters;
      const isNew = !controller.instances.has(instance);
      begin(core, controller, createInstance(instance, parameters));
      if (isNew) core.send(events.advertisingAdded, controller.index, { instance }, socket);
      answer(call as unknown as Call, () => call.complete({ instance }));
    },
  ),
  on(
    commands.removeAdvertising,
    [
      ({ controller: { instances }, parameters: { instance } }) =>
        (instance === 0 ? instances.size > 0 : instances.has(instance)) ? undefined : "InvalidParameters",
      notDuringLe,
    ],
    (call) => {
      const { controller, core, parameters, socket } = call;
      if (controller.isClosed) return call.failWrite(ENETDOWN);
      if (parameters.instance === 0) removeEveryInstance(core, controller, socket);
      else removeInstance(core, controller, parameters.instance, socket);
      updateEveryListener(core);
      answer(call as unknown as Call, () => call.complete(parameters));
    },
  ),
  on(commands.getAdvertisingSizeInformation, [supports("LowEnergy", "Rejected"), knownInstance, knownFlags], (call) =>
    call.complete({ ...call.parameters, ...room(call.controller, call.parameters.flags) }),
  ),
  on(
    commands.addExtendedAdvertisingParameters,
    [
      supports("LowEnergy"),
      isOn("LowEnergy"),
      knownInstance,
      knownFlags,
      isPowered("Rejected"),
      notDuringLe,
      ({ parameters: { flags, minInterval, maxInterval, txPower } }) => {
        const isInRange = minInterval >= SHORTEST_INTERVAL && maxInterval <= LONGEST_INTERVAL && minInterval <= maxInterval;
        if ((flags & PARAM_INTERVALS) !== 0 && !isInRange) return "Failed";
        const isPower = txPower === UNKNOWN_TX_POWER || (txPower >= LEAST_TX_POWER_DBM && txPower <= MOST_TX_POWER_DBM);
        return (flags & PARAM_TX_POWER) !== 0 && !isPower ? "Failed" : undefined;
      },
    ],
    (call) => {
      const { controller, parameters } = call;
      const { instance, flags, timeout, duration } = parameters;
      const isChosen = (flags & PARAM_TX_POWER) !== 0 && parameters.txPower !== UNKNOWN_TX_POWER;
      const txPower = !isExtended(controller) ? UNKNOWN_TX_POWER : isChosen ? parameters.txPower : USUAL_TX_POWER_DBM;
      const known = controller.instances.get(instance);
      const data = known ? { advData: known.advData, scanRsp: known.scanRsp, isComplete: known.isComplete } : { isComplete: false };
      known?.timer?.[Symbol.dispose]();
      const lasts = (flags & PARAM_TIMEOUT) !== 0 ? timeout : 0;
      controller.instances.set(instance, createInstance(instance, { flags, duration, timeout: lasts, txPower, ...data }));
      call.complete({ instance, txPower, ...room(controller, flags) });
    },
  ),
  on(commands.addExtendedAdvertisingData, [], (call) => {
    const { controller, core, parameters, socket } = call;
    const { instance, advData, scanRsp } = parameters;
    const known = controller.instances.get(instance);
    if (!known) return call.fail("InvalidParameters");
    const status = refusal(controller, known.flags, parameters);
    if (status !== undefined) {
      removeInstance(core, controller, instance, socket);
      updateEveryListener(core);
      return call.fail(status);
    }
    const isNew = !known.isComplete;
    begin(core, controller, { ...known, advData, scanRsp, isComplete: true });
    if (isNew) core.send(events.advertisingAdded, controller.index, { instance }, socket);
    return answer(call as unknown as Call, () => call.complete({ instance }));
  }),
];
