import { hasBit, Settings } from "../../mgmt-protocol/index.ts";
import type { Mgmt, MgmtClient } from "../client.ts";
import { putAway } from "./put-away.ts";

/** One controller's Bondable, held on by any number of pairings. */
interface Hold {
  count: number;
  /** Whether it was off before. */
  readonly wasOff: Promise<boolean>;
}

const holds = new WeakMap<MgmtClient, Map<number, Hold>>();

/**
 * Switches Bondable on until the result is disposed of, and off again then if it was off before. The kernel clears it at the first command
 * that any program sends to a controller; without it no key is kept.
 */
export async function holdBondable(mgmt: Mgmt, index: number): Promise<AsyncDisposable> {
  const ofClient = holds.get(mgmt) ?? new Map<number, Hold>();
  holds.set(mgmt, ofClient);
  const hold = ofClient.get(index) ?? { count: 0, wasOff: switchOn(mgmt, index) };
  ofClient.set(index, hold);
  hold.count++;
  const release = (): boolean => {
    const isLast = --hold.count === 0;
    if (isLast && ofClient.get(index) === hold) ofClient.delete(index);
    return isLast;
  };
  let wasOff: boolean;
  try {
    wasOff = await hold.wasOff;
  } catch (error) {
    release();
    throw error;
  }
  let released = false;
  return {
    [Symbol.asyncDispose]: async () => {
      if (released) return;
      released = true;
      if (release() && wasOff) await putAway(mgmt.setBondable(index, false));
    },
  };
}

async function switchOn(mgmt: Mgmt, index: number): Promise<boolean> {
  const { currentSettings } = await mgmt.readControllerInformation(index);
  if (hasBit(Settings, currentSettings, "Bondable")) return false;
  await mgmt.setBondable(index, true);
  return true;
}
