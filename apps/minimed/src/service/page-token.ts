import { join } from "node:path";
import { type Logger, type RandomSource, randomBytes } from "jelling/core";
import { readPrivateFile, writePrivateFile } from "jelling/node";
import { sentence } from "../error-words.ts";

const TOKEN = /^[A-Za-z0-9_-]{22,128}$/;
const TOKEN_OCTETS = 16;

/** The page's token of an earlier run, so that a bookmark stays right; drawn where there is none, or it cannot be read. Never throws. */
export async function pageToken(stateFolder: string, random: RandomSource, logger: Logger): Promise<string> {
  const path = join(stateFolder, "pump-page-token");
  const token = Buffer.from(randomBytes(random, TOKEN_OCTETS)).toString("base64url");
  try {
    const known = (await readPrivateFile(path))?.trim();
    if (known !== undefined && TOKEN.test(known)) return known;
    await writePrivateFile(path, `${token}\n`);
  } catch (error) {
    logger.warn(() => `page: its token is another one in every run: ${sentence(error)}`);
  }
  return token;
}

/** For who may read it: the page's address with its token, which no log has. @throws {FileError} */
export async function writePageUrl(stateFolder: string, url: string): Promise<void> {
  await writePrivateFile(pageUrlPath(stateFolder), `${url}\n`);
}

export function pageUrlPath(stateFolder: string): string {
  return join(stateFolder, "pump-page-url");
}
