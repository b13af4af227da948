import { expect, test } from "vitest";
import { NO_SECURITY } from "../att/security.ts";
import { concat, fromHex } from "../bytes/hex.ts";
import { Address } from "../core/address.ts";
import { Logger } from "../core/logger.ts";
import { signPdu } from "../crypto/index.ts";
import { BondBook, MemoryBondStore } from "../gap/index.ts";
import { signedWriteError } from "../gatt/server/access.ts";
import { createBond } from "../smp/index.ts";
import { LinkSignatures, type LinkSignaturesOptions } from "./link-signatures.ts";

const csrk = new Uint8Array(16).fill(5);
const identity = Address.from("C0:11:22:33:44:55/random");
const pdu = fromHex("d2030001");
const signed = concat(pdu, signPdu(csrk, pdu, 0));

async function made(more: Partial<LinkSignaturesOptions>): Promise<{ signatures: LinkSignatures; book: BondBook }> {
  const bond = createBond({
    identity,
    peerCsrk: csrk,
    localCsrk: csrk,
    localIrkDistributed: false,
    authenticated: true,
    secureConnections: false,
  });
  const book = await BondBook.open(new MemoryBondStore([bond]));
  const options = {
    bonds: book,
    logger: Logger.silent,
    bond: () => book.get(identity),
    security: () => NO_SECURITY,
    isOff: false,
    isPairing: () => false,
  };
  return { signatures: new LinkSignatures({ ...options, ...more }), book };
}

test("a signature is made and believed with the counter that is next, and the bond's protection is told", async () => {
  const { signatures, book } = await made({});
  expect(await signatures.sign(pdu)).toEqual(signPdu(csrk, pdu, 0));
  expect(await signatures.verify(signed)).toEqual({ authenticated: true });
  expect(await signatures.verify(signed)).toBeUndefined();
  expect(book.get(identity)).toMatchObject({ localSignCounter: 1, peerSignCounter: 1 });
});

test.each<[string, Partial<LinkSignaturesOptions>, boolean]>([
  ["while a pairing is under way", { isPairing: () => true }, false],
  ["in Secure Connections Only mode", { isOff: true }, false],
  ["on an encrypted link", { security: () => ({ ...NO_SECURITY, encrypted: true }) }, true],
])("%s no signature is believed, and no counter used by it", async (_, more, signs) => {
  const { signatures, book } = await made(more);
  expect(await signatures.verify(signed)).toBeUndefined();
  expect(book.get(identity)!.peerSignCounter).toBeUndefined();
  if (signs) return; // its caller knows what the link is
  await expect(signatures.sign(pdu)).rejects.toMatchObject({ code: "ERR_STATE" });
  expect(book.get(identity)!.localSignCounter).toBeUndefined();
});

test.each([
  [true, NO_SECURITY, {}, 0],
  [false, NO_SECURITY, {}, 0x03],
  [true, { ...NO_SECURITY, encrypted: true }, {}, 0x03],
  [true, NO_SECURITY, { authenticated: true }, 0],
  [true, NO_SECURITY, { encrypted: true }, 0x0f],
  [true, NO_SECURITY, { secureConnections: true }, 0x0f],
  [true, NO_SECURITY, { minKeySize: 7 }, 0x0f],
])("signable %s, link %o, required %o: error %i", (signable, security, writeRequirement, error) => {
  expect(signedWriteError({ signable, writeRequirement }, security)).toBe(error);
});
