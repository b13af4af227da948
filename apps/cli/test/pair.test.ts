import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex } from "jelling/bytes";
import { Address } from "jelling/core";
import { DisconnectedError, HciErrorCode } from "jelling/hci";
import { BondLostError, PairingError, PairingFailedReason } from "jelling/smp";
import { expect, test } from "vitest";
import { prove } from "../src/commands/pair.ts";
import { UsageError } from "../src/errors.ts";
import { readOutOfBand } from "../src/out-of-band.ts";

const peerIdentity = Address.from("C0:11:22:33:44:01/random");
const otherIdentity = Address.from("C0:11:22:33:44:02/random");

async function proving(error?: Error, bonded = true): Promise<{ notes: string[]; failure: unknown; asked: number }> {
  const notes: string[] = [];
  let asked = 0;
  const encrypt = (): Promise<void> => {
    asked++;
    return error ? Promise.reject(error) : Promise.resolve();
  };
  const terminal = { note: (text: string) => void notes.push(text) };
  const proved = prove({ signal: new AbortController().signal, terminal }, { bonded, peerIdentity, encrypt });
  return { failure: await proved.catch((reason: unknown) => reason), notes, asked };
}

test("a device without a bond has nothing to show; one that shows its key is paired with at once", async () => {
  expect(await proving(undefined, false)).toEqual({ failure: undefined, notes: [], asked: 0 });
  expect(await proving()).toEqual({ failure: undefined, notes: [], asked: 1 });
});

test("what is lost or weaker than what is asked for now is no reason not to pair", async () => {
  const weak = new PairingError({ reason: PairingFailedReason.AuthenticationRequirements, side: "local" });
  for (const error of [new BondLostError("peer"), weak]) expect(await proving(error)).toEqual({ failure: undefined, notes: [], asked: 1 });
  const { failure, notes } = await proving(new BondLostError("peer", { otherIdentity }));
  expect([failure, notes]).toEqual([undefined, [expect.stringContaining(otherIdentity.toString())]]);
});

test("a link that is lost by it says what helps, and any other failure is one", async () => {
  const lost = new DisconnectedError(HciErrorCode.ConnectionTerminatedDueToMicFailure);
  const { failure } = await proving(lost);
  expect(failure).toMatchObject({ message: expect.stringContaining(`jelling bonds remove ${peerIdentity}`), cause: lost });
  const other = new Error("interrupted");
  expect((await proving(other)).failure).toBe(other);
});

const CONFIRM = `1122${"11".repeat(16)}`;
const RANDOM = `1123${"22".repeat(16)}`;

test("--oob takes hexadecimal digits, and a file of them or of the octets", async () => {
  const { signal } = new AbortController();
  const folder = await mkdtemp(join(tmpdir(), "jelling-"));
  try {
    const file = join(folder, "tag");
    const wanted = { confirm: new Uint8Array(16).fill(0x11), random: new Uint8Array(16).fill(0x22) };
    expect({ ...(await readOutOfBand(`${CONFIRM}:${RANDOM}`, signal)) }).toEqual(wanted);
    for (const content of [`${CONFIRM} ${RANDOM}\n`, fromHex(CONFIRM + RANDOM)]) {
      await writeFile(file, content);
      expect({ ...(await readOutOfBand(`@${file}`, signal)) }).toEqual(wanted);
    }
    for (const wrong of ["", "xyz", "123", CONFIRM, `@${folder}/none`, `@${folder}`]) {
      const failure: unknown = await readOutOfBand(wrong, signal).catch((error: unknown) => error);
      expect(failure, wrong).toBeInstanceOf(UsageError);
      expect((failure as Error).message).toMatch(/^--oob: /);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
