import { Deadline, delay, type OperationOptions } from "../../async/index.ts";
import { hasBit, Settings, Status } from "../../mgmt-protocol/index.ts";
import type { Mgmt } from "../client.ts";
import { MgmtError } from "../error.ts";
import { type DeviceId, deviceId } from "./device-id.ts";
import { checkSequence, operationOptions } from "./edge.ts";
import { isLacking } from "./lacking.ts";
import { putAwaySoon } from "./put-away.ts";
import { type SettingName, settingNames } from "./settings.ts";

/** How long a power change may take in all, waiting for other programs' included. */
const POWER_TIMEOUT_MS = 40_000;
/** Between two attempts while another program's Set Powered is under way: no event tells when that is over. */
const BUSY_RETRY_MS = 250;

/** How an adapter was powered on. */
export interface PowerReport {
  /** Whether it had been on before. */
  readonly wasPowered: boolean;
  /** The settings that are on now. */
  readonly settings: readonly (SettingName | `0x${string}`)[];
}

/** What a power cycle did. */
export interface PowerCycleReport extends PowerReport {
  /**
   * What ended with the power: links, and advertising instances, whoever had added them. The kernel does not say what an instance
   * advertised, so only its owner can add it again.
   */
  readonly lost: { readonly connections: readonly DeviceId[]; readonly advertisingInstances: readonly number[] };
}

/**
 * Powers an adapter on. Already on is a success. Another program's Set Powered that is under way is waited for.
 *
 * @param options.timeoutMs in all, default 40 s: some chips load firmware first
 * @throws {MgmtError} Failed or RFKilled when rfkill blocks the radio: the message names the command that unblocks it
 */
export async function powerOn(mgmt: Mgmt, index: number, options: OperationOptions = {}): Promise<PowerReport> {
  checkSequence("powerOn", mgmt, index, options, operationOptions);
  return await power(mgmt, index, true, options);
}

/** Powers an adapter off: links and advertising instances end with it. @throws as `powerOn` */
export async function powerOff(mgmt: Mgmt, index: number, options: OperationOptions = {}): Promise<PowerReport> {
  checkSequence("powerOff", mgmt, index, options, operationOptions);
  return await power(mgmt, index, false, options);
}

async function power(mgmt: Mgmt, index: number, powered: boolean, options: OperationOptions): Promise<PowerReport> {
  const limits = { signal: options.signal, timeoutMs: options.timeoutMs ?? POWER_TIMEOUT_MS };
  using scope = new Deadline({ clock: mgmt.clock, operation: `powering hci${index} ${powered ? "on" : "off"}`, ...limits });
  const { signal } = scope;
  const before = await mgmt.readControllerInformation(index, { signal });
  const currentSettings = await setPowered(mgmt, index, powered, signal);
  return { wasPowered: hasBit(Settings, before.currentSettings, "Powered"), settings: settingNames(currentSettings) };
}

/** For the report only: a kernel that has no instances has none to lose. */
async function instancesOf(mgmt: Mgmt, index: number, { signal }: OperationOptions): Promise<readonly number[]> {
  try {
    return (await mgmt.readAdvertisingFeatures(index, { signal })).instances;
  } catch (error) {
    if (isLacking(error)) return [];
    throw error;
  }
}

/** Set Powered, again while the kernel says Busy. */
async function setPowered(mgmt: Mgmt, index: number, powered: boolean, signal: AbortSignal): Promise<number> {
  for (;;) {
    try {
      const { currentSettings } = await mgmt.setPowered(index, powered, { signal, timeoutMs: Number.POSITIVE_INFINITY });
      return currentSettings;
    } catch (error) {
      if (!(error instanceof MgmtError && error.status === Status.Busy)) throw error;
      await delay(mgmt.clock, BUSY_RETRY_MS, { signal, name: "another Set Powered" });
    }
  }
}

/**
 * Switches an adapter off and on again, and tells what ended with the power. One that was off is only switched on. Its other settings
 * survive. If it fails or is aborted in between, the adapter is switched on again all the same; a promise that rejects waits half a second
 * for it and no longer.
 *
 * @param options.timeoutMs of each of the two changes, default 40 s
 * @throws as `powerOn`
 */
export async function powerCycle(mgmt: Mgmt, index: number, options: OperationOptions = {}): Promise<PowerCycleReport> {
  checkSequence("powerCycle", mgmt, index, options, operationOptions);
  const { currentSettings } = await mgmt.readControllerInformation(index, { signal: options.signal });
  if (!hasBit(Settings, currentSettings, "Powered"))
    return { ...(await powerOn(mgmt, index, options)), wasPowered: false, lost: { connections: [], advertisingInstances: [] } };
  const { connections } = await mgmt.getConnections(index, { signal: options.signal });
  const advertisingInstances = hasBit(Settings, currentSettings, "LowEnergy") ? await instancesOf(mgmt, index, options) : [];
  let on: PowerReport;
  try {
    await powerOff(mgmt, index, options);
    on = await powerOn(mgmt, index, options);
  } catch (error) {
    await putAwaySoon(mgmt.clock, powerOn(mgmt, index)); // off or on its way there: an adapter that was on is not left off
    throw error;
  }
  return { ...on, wasPowered: true, lost: { connections: connections.map(deviceId), advertisingInstances } };
}
