import { type AnyMgmtCommand, commands, events } from "../../../mgmt-protocol/index.ts";
import { updateListening } from "../air/listening.ts";
import { type Call, type Check, type Handler, on } from "../call.ts";
import { isPowered, notDuring } from "../checks.ts";

const MAX_MONITORS = 32;
const MAX_PATTERNS = 16;
const PATTERN_OCTETS = 31;

type Adding = typeof commands.addAdvertisementPatternsMonitor | typeof commands.addAdvertisementPatternsMonitorWithRssiThreshold;
interface Pattern {
  readonly offset: number;
  readonly value: Uint8Array;
}

const validPatterns: Check<AnyMgmtCommand> = ({ parameters }) => {
  const patterns = parameters.patterns as readonly Pattern[];
  const fits = ({ offset, value }: Pattern): boolean => offset + value.length <= PATTERN_OCTETS;
  return patterns.length > 0 && patterns.length <= MAX_PATTERNS && patterns.every(fits) ? undefined : "InvalidParameters";
};

const notDuringAdding = notDuring(
  commands.setLowEnergy,
  commands.addAdvertisementPatternsMonitor,
  commands.addAdvertisementPatternsMonitorWithRssiThreshold,
);

/** Without the vendor's help nothing is compared: all that is heard is reported, with handle 0. */
function add<C extends Adding>(command: C): Handler {
  return on(command, [validPatterns, notDuringAdding, isPowered("Failed")], (call) => {
    const { controller, core, socket } = call;
    const answered = call as unknown as Call<typeof commands.addAdvertisementPatternsMonitor>;
    if (controller.monitors.size >= MAX_MONITORS) return answered.complete({ monitorHandle: 0 }, "NoResources");
    const monitorHandle = controller.nextMonitor++;
    controller.monitors.set(monitorHandle, answered.parameters.patterns);
    core.send(events.advertisementMonitorAdded, controller.index, { monitorHandle }, socket);
    answered.complete({ monitorHandle });
    return updateListening(core, controller);
  });
}

export const advertisementMonitorHandlers: readonly Handler[] = [
  on(commands.readAdvertisementMonitorFeatures, [], (call) => {
    const none = { supportedFeatures: 0, enabledFeatures: 0 };
    call.complete({ ...none, maxNumHandles: MAX_MONITORS, maxNumPatterns: MAX_PATTERNS, handles: [...call.controller.monitors.keys()] });
  }),
  add(commands.addAdvertisementPatternsMonitor),
  on(commands.removeAdvertisementMonitor, [notDuringAdding], (call) => {
    const { controller, core, parameters, socket } = call;
    const { monitorHandle } = parameters;
    if (monitorHandle === 0) controller.monitors.clear();
    else if (!controller.monitors.delete(monitorHandle)) return call.completeWithEcho("InvalidParameters");
    core.send(events.advertisementMonitorRemoved, controller.index, { monitorHandle }, socket);
    call.complete({ monitorHandle });
    return updateListening(core, controller);
  }),
  add(commands.addAdvertisementPatternsMonitorWithRssiThreshold),
];
