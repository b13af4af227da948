import type { Uuid } from "../../../core/index.ts";
import {
  answeredAs,
  bitsOf,
  commands,
  type DecodedBy,
  ExperimentalFeature,
  ExperimentalFeatureFlags,
  encodeCommandStatus,
  events,
  NO_CONTROLLER,
  Status,
  type StatusName,
  SystemConfiguration,
} from "../../../mgmt-protocol/index.ts";
import { type Call, type Handler, on } from "../call.ts";
import { ALWAYS_SELECTED_PHYS, type Controller } from "../controller.ts";
import type { KernelCore } from "../core.ts";

const ACTIVE = bitsOf(ExperimentalFeatureFlags, ["Active"]);
const SETTINGS_CHANGE = bitsOf(ExperimentalFeatureFlags, ["SettingsChange"]);

type FeatureName = keyof typeof ExperimentalFeature;
/** Those that a controller lists, in this order; the last but one belongs to none. */
const LISTED: readonly FeatureName[] = ["LeSimultaneousRoles", "LLPrivacy", "OffloadCodecs", "IsoSocket", "MgmtMesh"];

const featureNamed = (uuid: Uuid): FeatureName | undefined =>
  (Object.keys(ExperimentalFeature) as FeatureName[]).find((name) => uuid.equals(ExperimentalFeature[name].uuid));

function stateOf(core: KernelCore, controller: Controller | undefined, name: FeatureName): number {
  const isOn = (name === "IsoSocket" ? core.globalFeatures : controller?.features)?.has(name) ?? false;
  return (isOn ? ACTIVE : 0) | (name === "LLPrivacy" ? SETTINGS_CHANGE : 0);
}

type FeatureCall = Call<typeof commands.setExperimentalFeature>;

function featureRefusal({ core, index, parameters }: FeatureCall): StatusName | undefined {
  const name = featureNamed(parameters.uuid);
  if (name === undefined || name === "Debug") return "NotSupported"; // not built into this kernel
  if (name === "Zero") return undefined;
  if ((ExperimentalFeature[name].index === "none") !== (index === NO_CONTROLLER)) return "InvalidIndex";
  if (parameters.action > 1) return "InvalidParameters";
  if (name === "QualityReport") return "NotSupported"; // not without the driver's help
  return name === "LLPrivacy" && core.controllers.get(index)?.isPowered ? "Rejected" : undefined;
}

function setFeature(call: FeatureCall): void {
  const { core, index, parameters, socket } = call;
  const { uuid, action } = parameters;
  const name = featureNamed(uuid)!;
  const controller = index === NO_CONTROLLER ? undefined : call.controller;
  const features = name === "IsoSocket" ? core.globalFeatures : controller!.features;
  const changed = features.has(name) !== (action === 1);
  if (action === 1) features.add(name);
  else features.delete(name);
  const flags = stateOf(core, controller, name);
  call.complete({ uuid, flags });
  if (changed) core.send(events.experimentalFeatureChanged, index, { uuid, flags }, socket);
}

/** Switches off what may be switched off. */
function switchOffFeatures(call: FeatureCall): void {
  const { core, index, socket } = call;
  const controller = core.controllers.get(index);
  if (controller && !controller.isPowered && controller.features.delete("LLPrivacy")) {
    const uuid = ExperimentalFeature.LLPrivacy.uuid;
    core.send(events.experimentalFeatureChanged, index, { uuid, flags: SETTINGS_CHANGE }, socket);
  }
  call.complete({ uuid: ExperimentalFeature.Zero.uuid, flags: 0 });
}

/** What is in force at the beginning, by type: as Linux 6.1 has it. */
const SYSTEM_DEFAULTS: readonly (readonly [type: number, value: number])[] = [
  ...[0, 3, 4, 5, 6, 7, 0x19].map((type) => [type, 0] as const),
  ...([0x01, 0x0a, 0x0b] as const).map((type) => [type, 0x0800] as const),
  ...([0x02, 0x10, 0x11, 0x12] as const).map((type) => [type, 0x0012] as const),
  ...([0x0d, 0x13, 0x15, 0x16] as const).map((type) => [type, 0x0060] as const),
  ...([0x0e, 0x14] as const).map((type) => [type, 0x0030] as const),
  ...([
    [0x08, 0x0050],
    [0x09, 0x0320],
    [0x0c, 0x0002],
    [0x0f, 0x0400],
    [0x17, 0x0018],
    [0x18, 0x0028],
    [0x1a, 0x002a],
    [0x1b, 0x0fa0],
    [0x1d, 0x012c],
    [0x1e, 0x01f4],
    [0x1f, 0],
  ] as const),
];
const widths = new Map<number, number | undefined>(Object.values(SystemConfiguration).map(({ type, octets }) => [type, octets]));

function systemConfiguration(controller: Controller): { type: number; value: Uint8Array }[] {
  return [...SYSTEM_DEFAULTS]
    .sort(([a], [b]) => a - b)
    .map(([type, value]) => {
      const usual = Uint8Array.of(value & 0xff, value >> 8).slice(0, widths.get(type));
      return { type, value: controller.systemConfiguration.get(type) ?? usual };
    });
}

type SystemParameters = DecodedBy<(typeof commands.setDefaultSystemConfiguration)["parameters"]>["parameters"];
const areValid = (entries: SystemParameters): boolean =>
  entries.length > 0 && entries.every(({ type, value }) => (widths.get(type) ?? value.length) === value.length);

export const configurationHandlers: readonly Handler[] = [
  on(commands.getPhyConfiguration, [], (call) => {
    const { supportedPhys, configurablePhys, selectedPhys } = call.controller;
    call.complete({ supportedPhys, configurablePhys, selectedPhys });
  }),
  on(
    commands.setPhyConfiguration,
    [
      ({ controller, parameters: { selectedPhys } }) => {
        const isSupported = (selectedPhys & ~controller.supportedPhys) === 0;
        return isSupported && (selectedPhys & ALWAYS_SELECTED_PHYS) === ALWAYS_SELECTED_PHYS ? undefined : "InvalidParameters";
      },
    ],
    (call) => {
      const { controller, core, parameters, socket } = call;
      const { selectedPhys } = parameters;
      if (selectedPhys === controller.selectedPhys) return call.complete({});
      if (!controller.isPowered) return call.fail("Rejected");
      if (controller.isPending(commands.setPhyConfiguration.opcode)) return call.fail("Busy");
      return call.after(core.roundTripMs, () => {
        controller.selectedPhys = selectedPhys;
        call.complete({});
        core.send(events.phyConfigurationChanged, controller.index, { selectedPhys }, socket);
      });
    },
  ),
  on(commands.readExperimentalFeaturesInformation, [], (call) => {
    call.socket.switches.add("experimental");
    const controller = call.index === NO_CONTROLLER ? undefined : call.controller;
    const names = controller ? LISTED : (["IsoSocket"] as const);
    const features = names.map((name) => ({ uuid: ExperimentalFeature[name].uuid, flags: stateOf(call.core, controller, name) }));
    call.complete({ features });
  }),
  on(commands.setExperimentalFeature, [featureRefusal], (call) => {
    call.socket.switches.add("experimental");
    if (featureNamed(call.parameters.uuid) === "Zero") switchOffFeatures(call);
    else setFeature(call);
  }),
  on(commands.readDefaultSystemConfiguration, [], (call) => call.complete({ parameters: systemConfiguration(call.controller) })),
  on(
    commands.setDefaultSystemConfiguration,
    [({ parameters }) => (areValid(parameters.parameters) ? undefined : "InvalidParameters")],
    (call) => {
      for (const { type, value } of call.parameters.parameters)
        if (widths.get(type) !== undefined) call.controller.systemConfiguration.set(type, value);
      call.complete({});
    },
  ),
  on(commands.readDefaultRuntimeConfiguration, [], (call) => call.complete({ parameters: [] })),
  on(commands.setDefaultRuntimeConfiguration, [], (call) => {
    const opcode = answeredAs(call.opcode);
    call.core.deliver(call.socket, encodeCommandStatus(opcode, call.index, Status.InvalidParameters));
  }),
];
