import { bitNames, Settings } from "../../mgmt-protocol/index.ts";

export type SettingName = keyof typeof Settings;

/** Names of the settings that are on; those without a name as "0x04000000". */
export function settingNames(settings: number): (SettingName | `0x${string}`)[] {
  return bitNames(Settings, settings) as (SettingName | `0x${string}`)[];
}
