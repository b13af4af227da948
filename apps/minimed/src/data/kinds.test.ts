import { ArgumentError } from "jelling/core";
import { expect, test } from "vitest";
import * as minimed from "../index.ts";
import * as sake from "../sake/index.ts";

const none = { e2e: false };
const { phone, pump } = minimed.inventKeys({ fill: (into) => into.fill(7) });
const entry = phone.entries[0]!;
const session = () =>
  new sake.SakeSession({ key: new Uint8Array(16), nonce: new Uint8Array(8) }, { nextSendSequence: 3, nextReceiveSequence: 2 });
/** What takes octets, and what they are given with. */
const TAKERS: readonly (readonly [name: string, take: (octets: Uint8Array) => unknown])[] = [
  ["decodeAnnunciationStatus", (octets) => minimed.decodeAnnunciationStatus(octets, none)],
  ["decodeCommandRead", (octets) => minimed.decodeCommandRead(octets, none)],
  ["decodeHistoryAccessResponse", (octets) => minimed.decodeHistoryAccessResponse(octets)],
  ["decodeHistoryRecord", (octets) => minimed.decodeHistoryRecord(octets, none)],
  ["decodeHistoryRecord, protected", (octets) => minimed.decodeHistoryRecord(octets, { e2e: true })],
  ["decodeIddFeatures", (octets) => minimed.decodeIddFeatures(octets)],
  ["decodeIddStatus", (octets) => minimed.decodeIddStatus(octets, none)],
  ["decodeIddStatusChanged", (octets) => minimed.decodeIddStatusChanged(octets, none)],
  ["decodeStatusReaderResponse", (octets) => minimed.decodeStatusReaderResponse(octets, none)],
  ["SakeServer.receive", (octets) => new sake.SakeServer({ keyDatabase: phone }).receive(octets)],
  ["SakeClient.receive", (octets) => new sake.SakeClient({ keyDatabase: pump }).receive(octets)],
  ["SakeSession.decrypt", (octets) => session().decrypt(octets)],
  ["SakeSession.encrypt", (octets) => session().encrypt(octets)],
  ["SakeKeyEntry", (octets) => new sake.SakeKeyEntry(1, { ...keysOf(), permitAuthKey: octets })],
];
const keysOf = () => ({
  derivationKey: entry.derivationKey,
  handshakeAuthKey: entry.handshakeAuthKey,
  permitDecryptKey: entry.permitDecryptKey,
  permitAuthKey: entry.permitAuthKey,
  handshakePayload: entry.handshakePayload,
});

test.each(TAKERS)("%s takes octets and nothing else", (_name, take) => {
  for (const value of [undefined, null, 5, "0102", [1, 2], {}, new ArrayBuffer(20), new Uint16Array(9)] as unknown[]) {
    expect(() => take(value as Uint8Array)).toThrow(ArgumentError);
    expect(() => take(value as Uint8Array)).toThrow("expected a Uint8Array");
  }
});

test("either side of SAKE wants a key database", () => {
  for (const keyDatabase of [undefined, null, "file.bin", new Uint8Array(87), {}] as unknown[])
    for (const Side of [sake.SakeServer, sake.SakeClient])
      expect(() => new Side({ keyDatabase: keyDatabase as sake.SakeKeyDatabase })).toThrow("expected a SakeKeyDatabase");
});

test("a key database is octets, or none", () => {
  for (const value of [null, "file.bin", 5, {}, [1]] as unknown[])
    expect(() => sake.parseKeyDatabase(value as Uint8Array)).toThrow(ArgumentError);
  expect(() => sake.parseKeyDatabase(undefined)).toThrow("missing");
});

test("numbers of a range are whole, of 32 bits, and in order", () => {
  for (const [first, last] of [["1"], [-1], [1.5], [2 ** 32], [Number.NaN], [5, 4], [0, 2 ** 32], [0, "9"], [undefined]] as unknown[][])
    expect(() => minimed.rangeOperand(first as number, last as number)).toThrow(ArgumentError);
  expect(() => minimed.recordsOperand("Range" as "All")).toThrow(ArgumentError);
  expect(() => minimed.recordsOperand("All", 256)).toThrow(ArgumentError);
  expect(minimed.rangeOperand(0, 0xffff_ffff)).toHaveLength(10);
});
