import { SakeDeviceType } from "@jelling/minimed";
import type { Context } from "../../context.ts";
import { readKeys } from "../../pump/keys.ts";

/** Says what a key database is for, or what is wrong with it. No key is shown. */
export async function keys(context: Context, path: string): Promise<void> {
  const { terminal } = context;
  const { localDeviceType, remoteDeviceTypes } = (await readKeys(context, path)).toJSON();
  const name = (type: number): string => {
    const word = Object.entries(SakeDeviceType).find(([, value]) => value === type)?.[0];
    return word ? `${word.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase()} (${type})` : `type ${type}`;
  };
  terminal.result(
    () => ({ localDeviceType, remoteDeviceTypes }),
    () => `key database of a ${name(localDeviceType)}, with keys for ${remoteDeviceTypes.map(name).join(", ") || "nobody"}`,
  );
}
