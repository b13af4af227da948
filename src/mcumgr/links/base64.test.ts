import { expect, test } from "vitest";
import { base64Length, decodeBase64, encodeBase64 } from "./base64.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
function encode(octets: Uint8Array, at = 0): string {
  const into = new Uint8Array(at + base64Length(octets.length) + 2).fill(0x2e);
  const end = encodeBase64(octets, into, at);
  expect([...into.subarray(0, at), ...into.subarray(end)]).toEqual([...new Uint8Array(at + 2).fill(0x2e)]);
  return new TextDecoder().decode(into.subarray(at, end));
}

test.each([
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
])("RFC 4648 section 10: %j is %j, both ways", (text, characters) => {
  expect([encode(utf8(text)), encode(utf8(text), 3)]).toEqual([characters, characters]);
  expect(decodeBase64(utf8(characters))).toEqual(utf8(text));
  expect(base64Length(text.length)).toBe(characters.length);
});

test("every octet and every character goes both ways", () => {
  const octets = Uint8Array.from({ length: 768 }, (_, i) => (i * 7) & 0xff);
  expect(encode(octets)).toBe(Buffer.from(octets).toString("base64"));
  expect(decodeBase64(utf8(encode(octets)))).toEqual(octets);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  expect(encode(decodeBase64(utf8(alphabet))!)).toBe(alphabet);
});

test.each(["Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zg==Zg==", "Z=g=", "=g==", "Zm9!", "Zm9v\n", "Zm-v", "Zm_v", "Zm9\u0000"])(
  "%j is none",
  (characters) => expect(decodeBase64(utf8(characters))).toBeUndefined(),
);

test("bits behind the last octet may have any value", () => {
  expect(decodeBase64(utf8("Zh=="))).toEqual(utf8("f"));
  expect(decodeBase64(utf8("Zm9="))).toEqual(utf8("fo"));
});
