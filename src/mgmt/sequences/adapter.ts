import { AdType, AdvertisingData } from "../../gap/index.ts";
import { bitNames, ConfigurationOptions, type commands, type DecodedBy, hasBit, Settings } from "../../mgmt-protocol/index.ts";
import { type SettingName, settingNames } from "./settings.ts";

type Shown<N extends string> = readonly (N | `0x${string}`)[];

/** An adapter as it was when it was told of; the next change makes a new object. */
export interface Adapter {
  /** N of hciN. Another adapter may get it when this one has gone. */
  readonly index: number;
  /** False for one that lacks its public address or an external configuration, and does nothing before it is given. */
  readonly configured: boolean;
  /** What identifies it. Not known before it is configured. */
  readonly address: string | undefined;
  readonly name: string;
  readonly shortName: string;
  readonly powered: boolean;
  /** Settings that are on. */
  readonly settings: Shown<SettingName>;
  /** Settings that can be on. */
  readonly supportedSettings: Shown<SettingName>;
  readonly classOfDevice: number;
  /** A value of BluetoothVersion. */
  readonly bluetoothVersion: number | undefined;
  /** Company identifier, Assigned Numbers 7. */
  readonly manufacturer: number;
  /** What an unconfigured one still has to be told. */
  readonly missingOptions: Shown<keyof typeof ConfigurationOptions>;
}

export function adapterOf(index: number, information: DecodedBy<(typeof commands)["readControllerInformation"]["returns"]>): Adapter {
  const { address, name, shortName, currentSettings, supportedSettings, classOfDevice, bluetoothVersion, manufacturer } = information;
  return {
    index,
    configured: true,
    address,
    name,
    shortName,
    powered: hasBit(Settings, currentSettings, "Powered"),
    settings: settingNames(currentSettings),
    supportedSettings: settingNames(supportedSettings),
    classOfDevice,
    bluetoothVersion,
    manufacturer,
    missingOptions: [],
  };
}

export function unconfiguredAdapterOf(
  index: number,
  { manufacturer, missingOptions }: DecodedBy<(typeof commands)["readControllerConfigurationInformation"]["returns"]>,
): Adapter {
  return {
    index,
    configured: false,
    address: undefined,
    name: "",
    shortName: "",
    powered: false,
    settings: [],
    supportedSettings: [],
    classOfDevice: 0,
    bluetoothVersion: undefined,
    manufacturer,
    missingOptions: optionNames(missingOptions),
  };
}

/** What the return parameters of a command, or the parameters of an event, say of an adapter; in whichever of them it is. */
export function newsOf(values: Readonly<Record<string, unknown>>): Partial<Adapter> {
  const { currentSettings, name, shortName, classOfDevice, missingOptions, eirData } = values;
  return {
    ...(typeof currentSettings === "number" ? settingsNews(currentSettings) : {}),
    ...(typeof name === "string" ? { name } : {}),
    ...(typeof shortName === "string" ? { shortName } : {}),
    ...(typeof classOfDevice === "number" ? { classOfDevice } : {}),
    ...(typeof missingOptions === "number" ? { missingOptions: optionNames(missingOptions) } : {}),
    ...(eirData instanceof Uint8Array ? extendedNewsOf(eirData) : {}),
  };
}

/** Whether return parameters are about the adapter itself: others name a device, or the kinds of addresses that they are for. */
export function areAboutAdapter(returns: Readonly<Record<string, unknown>>): boolean {
  return returns.addressType === undefined && returns.addressTypes === undefined;
}

/** The class goes with the power. Linux says so in Class Of Device Changed, but its extended event still has the class that was. */
function settingsNews(currentSettings: number): Partial<Adapter> {
  const powered = hasBit(Settings, currentSettings, "Powered");
  return { settings: settingNames(currentSettings), powered, ...(powered ? {} : { classOfDevice: 0 }) };
}

/** Extended controller information says everything each time; what is switched off is left out. */
function extendedNewsOf(eirData: Uint8Array): Partial<Adapter> {
  const data = new AdvertisingData(eirData);
  const { name, shortenedName } = data.fields;
  const [low, middle, high] = data.first(AdType.ClassOfDevice) ?? [];
  return {
    ...(name === undefined ? {} : { name }),
    ...(shortenedName === undefined ? {} : { shortName: shortenedName }),
    ...(low === undefined || middle === undefined || high === undefined ? {} : { classOfDevice: low | (middle << 8) | (high << 16) }),
  };
}

function optionNames(options: number): Shown<keyof typeof ConfigurationOptions> {
  return bitNames(ConfigurationOptions, options) as (keyof typeof ConfigurationOptions)[];
}

/** The fields in which two states of an adapter differ. */
export function differences(before: Adapter, after: Adapter): (keyof Adapter)[] {
  return (Object.keys(after) as (keyof Adapter)[]).filter((field) => String(before[field]) !== String(after[field]));
}
