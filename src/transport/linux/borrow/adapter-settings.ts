import { commands, encodeCommand, hasBit, Settings } from "../../../mgmt-protocol/index.ts";

/**
 * The settings of an adapter that can be set back from what Read Controller Information told: a bit is all there is to know of them. Not
 * among them: Privacy and StaticAddress, which need a key and an address that the kernel does not tell.
 */
export type RestorableSetting =
  | "Powered"
  | "Connectable"
  | "FastConnectable"
  | "Discoverable"
  | "Bondable"
  | "LinkSecurity"
  | "SecureSimplePairing"
  | "BREDR"
  | "HighSpeed"
  | "LowEnergy"
  | "Advertising"
  | "SecureConnections"
  | "DebugKeys"
  | "WidebandSpeech";

/** One command. */
export interface SettingStep {
  readonly setting: RestorableSetting;
  readonly on: boolean;
  /** After which the kernel switches it off again; Discoverable only. */
  readonly seconds?: number;
}

/** Settings words of an adapter, as the management API has them. */
export interface AdapterSettings {
  readonly supported: number;
  readonly current: number;
}

/**
 * Powering off ends a Discoverable that has a time limit, and only that one; how much of it was left nobody tells. It comes back for as
 * long as BlueZ makes an adapter discoverable, and not for good.
 */
export const DISCOVERABLE_SECONDS = 180;

const encoders: Readonly<Record<RestorableSetting, (index: number, on: 0 | 1, seconds: number) => Uint8Array>> = {
  Powered: (index, on) => encodeCommand(commands.setPowered, index, { powered: on }),
  Connectable: (index, on) => encodeCommand(commands.setConnectable, index, { connectable: on }),
  FastConnectable: (index, on) => encodeCommand(commands.setFastConnectable, index, { enable: on }),
  Discoverable: (index, on, timeout) => encodeCommand(commands.setDiscoverable, index, { discoverable: on, timeout }),
  Bondable: (index, on) => encodeCommand(commands.setBondable, index, { bondable: on }),
  LinkSecurity: (index, on) => encodeCommand(commands.setLinkSecurity, index, { linkSecurity: on }),
  SecureSimplePairing: (index, on) => encodeCommand(commands.setSecureSimplePairing, index, { secureSimplePairing: on }),
  BREDR: (index, on) => encodeCommand(commands.setBredr, index, { bredr: on }),
  HighSpeed: (index, on) => encodeCommand(commands.setHighSpeed, index, { highSpeed: on }),
  LowEnergy: (index, on) => encodeCommand(commands.setLowEnergy, index, { lowEnergy: on }),
  Advertising: (index, on) => encodeCommand(commands.setAdvertising, index, { advertising: on }),
  SecureConnections: (index, on) => encodeCommand(commands.setSecureConnections, index, { secureConnections: on }),
  DebugKeys: (index, on) => encodeCommand(commands.setDebugKeys, index, { debugKeys: on }),
  WidebandSpeech: (index, on) => encodeCommand(commands.setWidebandSpeech, index, { widebandSpeech: on }),
};

const restorable = Object.keys(encoders) as RestorableSetting[];

/** The management command of a step, for adapter `index`. */
export function encodeStep({ setting, on, seconds = 0 }: SettingStep, index: number): Uint8Array {
  return encoders[setting](index, on ? 1 : 0, seconds);
}

/** The restorable settings in which two words differ. */
export function differingSettings(a: number, b: number): RestorableSetting[] {
  return restorable.filter((name) => hasBit(Settings, a ^ b, name));
}

/** What goes when a setting goes, whether anybody asked for it or not. */
const losses: Partial<Record<RestorableSetting, readonly RestorableSetting[]>> = {
  BREDR: ["Discoverable", "SecureSimplePairing", "LinkSecurity", "FastConnectable", "HighSpeed"],
  LowEnergy: ["Advertising"],
  Connectable: ["Discoverable"],
  SecureSimplePairing: ["HighSpeed"],
};

/**
 * What leads from the settings found to the settings wanted, in an order in which the kernel accepts each step: BR/EDR and wideband speech
 * change only while powered off, and BR/EDR only with LE on; the settings of BR/EDR need it; Secure Connections need SSP; Discoverable needs
 * Connectable; power comes last, but for what needs power.
 */
export function planRestoration({ supported, current }: AdapterSettings, wanted: number): SettingStep[] {
  const steps: SettingStep[] = [];
  let now = current;
  const has = (name: RestorableSetting): boolean => hasBit(Settings, now, name);
  const wants = (name: RestorableSetting): boolean => hasBit(Settings, wanted, name);
  const set = (setting: RestorableSetting, on: boolean, seconds?: number): void => {
    if (has(setting) === on || (on && !hasBit(Settings, supported, setting))) return;
    steps.push(seconds === undefined ? { setting, on } : { setting, on, seconds });
    now ^= 1 << Settings[setting];
    if (!on) for (const lost of losses[setting] ?? []) now &= ~(1 << Settings[lost]);
  };
  const give = (...names: RestorableSetting[]): void => {
    for (const name of names) set(name, wants(name));
  };

  const needsPowerOff = has("BREDR") !== wants("BREDR") || has("WidebandSpeech") !== wants("WidebandSpeech");
  if (!wants("Powered") || needsPowerOff) set("Powered", false);
  if (wants("LowEnergy")) set("LowEnergy", true);
  if (has("LowEnergy")) give("BREDR");
  if (has("BREDR")) {
    if (wants("SecureSimplePairing") || has("SecureConnections") !== wants("SecureConnections")) set("SecureSimplePairing", true);
    if (has("SecureSimplePairing") || !hasBit(Settings, supported, "SecureSimplePairing")) give("SecureConnections");
    if (has("SecureSimplePairing")) give("HighSpeed");
    give("SecureSimplePairing", "LinkSecurity", "FastConnectable");
  } else if (has("LowEnergy")) give("SecureConnections");
  give("DebugKeys", "Bondable", "WidebandSpeech", "Connectable");
  if (has("BREDR")) give("LowEnergy");
  if (has("LowEnergy")) give("Advertising");
  if (has("Connectable") && !(wants("Discoverable") && wants("Powered"))) give("Discoverable");
  give("Powered");
  if (has("Connectable") && has("Powered") && wants("Discoverable")) set("Discoverable", true, DISCOVERABLE_SECONDS);
  return steps;
}
