import type { OperationOptions } from "../../async/pending.ts";
import type { McumgrClient } from "../client/client.ts";
import { McumgrReturnCode } from "../protocol/codes.ts";
import type { ResponseOf } from "../protocol/declare.ts";
import { McumgrError, McumgrResponseError } from "../protocol/error.ts";
import type { SlotInfo, State } from "../protocol/groups/image.ts";
import { troubleOf } from "../transfer/trouble.ts";

/** One slot that holds an image, as the server lists it. */
export type ImageSlotState = ResponseOf<typeof State>["images"][number];
/** Sizes of an image's slots, and the numbers that reach them by an upload. */
export type ImageSlotSizes = ResponseOf<typeof SlotInfo>["images"][number];

/** What is known of a device before, during and after an upgrade. */
export interface UpgradeFacts {
  readonly slots: readonly ImageSlotState[];
  /** See `BootloaderMode`; undefined where the server does not tell. */
  readonly mode: number | undefined;
  /** The bootloader takes no older version. */
  readonly noDowngrade: boolean;
  /** Undefined where the server does not tell. */
  readonly sizes: readonly ImageSlotSizes[] | undefined;
  /** The bootloader itself answers (MCUboot's serial recovery), no application. */
  readonly isRecovery: boolean;
}

export interface ReadUpgradeFactsOptions extends OperationOptions {
  /** The bootloader itself answers: for recoveries that list a running image as applications do. Found out by default. */
  readonly isRecovery?: boolean | undefined;
}

/** So often is a question asked whose answer may be done without. */
const QUESTIONS = 3;

/**
 * Asks a device for what an upgrade depends on.
 *
 * @throws {McumgrError} it does not tell its images · {TimeoutError} · the link's reason · `signal.reason`
 */
export async function readUpgradeFacts(
  client: Pick<McumgrClient, "image" | "os" | "isConnected">,
  options: ReadUpgradeFactsOptions = {},
): Promise<UpgradeFacts> {
  const { isRecovery, ...operation } = options;
  const look = async (): Promise<readonly ImageSlotState[]> => (await client.image.state({}, operation)).images;
  await look(); // somebody answers
  const mode = await answerOf(client, () => client.os.bootloaderInfo({ query: "mode" }, operation), look);
  const sizes = await answerOf(client, () => client.image.slotInfo({}, operation), look);
  // Last of all: the device may have started anew meanwhile, and another reset would send back what is on trial.
  const slots = await look();
  return {
    slots,
    mode: mode?.mode,
    noDowngrade: mode?.noDowngrade ?? false,
    sizes: sizes?.images,
    isRecovery: isRecovery ?? (await looksLikeRecovery(client, slots, mode?.mode, operation)),
  };
}

/**
 * Undefined where the server does not know the question. What could not be answered just then, or was damaged on the way, is no such answer, and
 * neither is the silence of one that is off: how the bootloader works is not to be guessed from it.
 *
 * @param look asks what every server answers
 */
async function answerOf<T>(
  client: Pick<McumgrClient, "isConnected">,
  ask: () => Promise<T>,
  look: () => Promise<unknown>,
): Promise<T | undefined> {
  for (let count = 1; ; count++) {
    try {
      return await ask();
    } catch (error) {
      const trouble = troubleOf(error, !client.isConnected);
      if (trouble === undefined && (error instanceof McumgrError || error instanceof McumgrResponseError)) return undefined;
      if (trouble === undefined || trouble.kind === "lost") throw error;
      // A server may be silent about what it does not know, while it answers other questions.
      if (trouble.kind === "silence") await look();
      if (count < QUESTIONS) continue;
      if (trouble.kind === "silence") return undefined;
      throw error;
    }
  }
}

/** An application lists itself as active, and can say what it is; the bootloader's recovery does neither. */
async function looksLikeRecovery(
  client: Pick<McumgrClient, "os">,
  slots: readonly ImageSlotState[],
  mode: number | undefined,
  operation: OperationOptions,
): Promise<boolean> {
  if (mode !== undefined || slots.some(({ active }) => active)) return false;
  try {
    await client.os.applicationInfo({}, operation);
    return false;
  } catch (error) {
    if (error instanceof McumgrError) return error.rc === McumgrReturnCode.NotSupported;
    if (error instanceof McumgrResponseError) return false;
    throw error;
  }
}
