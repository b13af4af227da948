import { expect, test } from "vitest";
import { ClosedError } from "../../core/error.ts";
import { createImage } from "../../testing/mcumgr/create-image.ts";
import { parseImage } from "../image/mcuboot.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { McumgrRegistry } from "../protocol/registry.ts";
import type { TransferAskOptions, TransferRequest } from "../transfer/host.ts";
import { hasImage } from "./has-image.ts";
import type { McumgrSession } from "./session.ts";

const image = createImage({ version: "2.0.0" });
const hash = parseImage(image).digest!.value;
const other = hash.map((octet) => octet ^ 1);

async function ask(answer: CborMap | Error) {
  const asked: string[] = [];
  const session = {
    names: new McumgrRegistry(),
    ask: async ({ title }: TransferRequest, { timeoutMs }: TransferAskOptions) => {
      asked.push(`${title} ${timeoutMs}`);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as McumgrSession;
  const has = await hasImage(session, image)!(undefined);
  expect(asked).toEqual(["image.state 10000"]);
  return has;
}
const slot = (number: number, rest: CborMap): CborMap => ({ slot: number, version: "1.0.0", ...rest });

test("an image is there where a slot that does not run has its digest", async () => {
  expect(await ask({ images: [slot(0, { hash: other, active: true }), slot(1, { hash })] })).toBe(true);
  expect(await ask({ images: [slot(0, { hash: other, active: true }), slot(1, { hash: other })] })).toBe(false);
});

test("the running one is not what was uploaded, and a slot without a digest is none", async () => {
  expect(await ask({ images: [slot(0, { hash, active: true }), slot(1, {})] })).toBe(false);
  expect(await ask({ images: [] })).toBe(false);
});

test("a server that does not tell is taken to lack it; what else goes wrong is told", async () => {
  expect(await ask({ rc: 8 })).toBe(false);
  const closed = new ClosedError("gone");
  await expect(ask(closed)).rejects.toBe(closed);
  await expect(ask({})).rejects.toMatchObject({ code: "ERR_MCUMGR_RESPONSE", path: "images" });
});

test("nothing can be asked of a file that is no image, or has no digest", () => {
  expect(hasImage({} as McumgrSession, new Uint8Array(100))).toBeUndefined();
  expect(hasImage({} as McumgrSession, createImage({ digest: "none" }))).toBeUndefined();
  expect(() => hasImage({} as McumgrSession, "x" as never)).toThrow("expected a Uint8Array");
});
