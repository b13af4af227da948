import { equalBytes } from "../../bytes/hex.ts";
import { type ImageDigest, parseImage } from "../image/mcuboot.ts";
import { readAnswer } from "../protocol/answer.ts";
import { ImageFileError, McumgrError } from "../protocol/error.ts";
import { ImageGroup } from "../protocol/groups/image.ts";
import { requestOf } from "../transfer/host.ts";
import type { McumgrSession } from "./session.ts";

const { state } = ImageGroup.commands;
const STATE_TIMEOUT_MS = 10_000;

/** Asks whether the server has this image in a slot that does not run; undefined for what is no MCUboot image, or has no digest. */
export function hasImage(session: McumgrSession, image: Uint8Array): ((signal: AbortSignal | undefined) => Promise<boolean>) | undefined {
  const digest = digestOf(image);
  if (digest === undefined) return undefined;
  return async (signal) => {
    try {
      const payload = await session.ask(requestOf(ImageGroup, state, {}), { signal, timeoutMs: STATE_TIMEOUT_MS });
      const { images } = readAnswer(ImageGroup, state, payload, session.names);
      return images.some(({ hash, active }) => !active && hash !== undefined && equalBytes(hash, digest.value));
    } catch (error) {
      if (error instanceof McumgrError) return false; // it does not tell
      throw error;
    }
  };
}

function digestOf(image: Uint8Array): ImageDigest | undefined {
  try {
    return parseImage(image).digest;
  } catch (error) {
    if (error instanceof ImageFileError) return undefined;
    throw error;
  }
}
