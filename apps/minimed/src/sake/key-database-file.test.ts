import { toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { describe, expect, test } from "vitest";
import { inventKeys } from "../simulator/keys.ts";
import { buildKeyDatabase } from "./key-database.ts";
import { parseKeyDatabaseFile } from "./key-database-file.ts";

const octets = buildKeyDatabase(inventKeys(new SeededRandom(7)).phone);
const hex = toHex(octets);
const pairs = hex.match(/../g)!;
const base64 = Buffer.from(octets).toString("base64");
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const utf16 = (text: string): Uint8Array =>
  Uint8Array.from([0xff, 0xfe, ...Array.from(text, (character) => [character.charCodeAt(0), 0]).flat()]);
const refusal = (content: Uint8Array): { code: string; message: string } => {
  try {
    parseKeyDatabaseFile(content);
  } catch (error) {
    return error as Error & { code: string };
  }
  throw new Error("it was taken");
};

describe("a key database is read from", () => {
  test.each<[string, string]>([
    ["hexadecimal", hex],
    ["hexadecimal in capitals, in lines", `${hex.toUpperCase().replace(/.{32}/g, "$&\r\n")}\r\n`],
    ["octets with blanks", pairs.join(" ")],
    ["octets with colons", pairs.join(":")],
    ["octets with commas", pairs.join(", ")],
    ["octets with hyphens", pairs.join("-")],
    ["0x before all", `0x${hex}`],
    ["0x before each octet", pairs.map((pair) => `0x${pair}`).join(", ")],
    ["0X and short octets", pairs.map((pair) => `0X${Number.parseInt(pair, 16).toString(16)}`).join(" ")],
    ["\\x before each octet", pairs.map((pair) => `\\x${pair}`).join("")],
    ["the array of a C program", `{ ${pairs.map((pair) => `0x${pair}`).join(", ")} };`],
    ["words of four octets", hex.match(/.{1,8}/g)!.join(" ")],
    ["base64", base64],
    ["base64 in lines", `${base64.replace(/.{64}/g, "$&\n")}\n`],
    ["base64url without padding", base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")],
    ["a JSON string of hexadecimal", JSON.stringify(hex)],
    ["a JSON string of base64", JSON.stringify(base64)],
    ["a JSON array of octets", JSON.stringify([...octets])],
    ["a JSON array of hexadecimal", JSON.stringify(pairs.map((pair) => `0x${pair}`))],
    ["a Buffer as JSON", JSON.stringify(Buffer.from(octets))],
    ["text with a byte order mark", `\ufeff${hex}\n`],
  ])("%s", (_name, text) => {
    expect(buildKeyDatabase(parseKeyDatabaseFile(encode(text)))).toEqual(octets);
  });
  test("octets, and text in UTF-16 as a Windows shell writes it", () => {
    expect(buildKeyDatabase(parseKeyDatabaseFile(octets))).toEqual(octets);
    expect(buildKeyDatabase(parseKeyDatabaseFile(utf16(`${hex}\r\n`)))).toEqual(octets);
  });
});

describe("what is not a key database is refused with the form that was seen and the one that is wanted", () => {
  test.each<[string, string, string]>([
    ["a sentence", "These are not the keys, I fear.", "text of an unknown form"],
    ["one word", "password", "looks like base64, but its 6 octets are none"],
    ["base64 of something else", Buffer.from("x".repeat(60)).toString("base64"), "looks like base64, but its 60 octets are none"],
    ["base64 that was cut", base64.slice(0, 80), "looks like base64, but its 60 octets are none"],
    ["an equals sign in the middle", `${base64.slice(0, 58)}=${base64.slice(58)}`, "text of an unknown form"],
    ["two equals signs in the middle", "AAAA==AAAA", "text of an unknown form"],
    ["a negative number in JSON", "[1,-1]", "JSON of an unknown form"],
    ["a fraction in JSON", "[1,1.5]", "JSON of an unknown form"],
    ["text among the numbers", '["00",1]', "JSON of an unknown form"],
    ["an empty string in JSON", '" "', "JSON of an unknown form"],
    ["a JSON object", '{"derivationKey":"00"}', "JSON of an unknown form"],
    ["JSON numbers that are no octets", "[1,2,256]", "JSON of an unknown form"],
    ["PEM", `-----BEGIN KEY-----\n${base64}\n-----END KEY-----`, "looks like PEM"],
    ["half an octet", hex.slice(0, -1), "hexadecimal text with an odd number of digits (173), so that one is missing or too many"],
  ])("%s", (_name, text, seen) => {
    const { code, message } = refusal(encode(text));
    expect(code).toBe("ERR_KEY_DATABASE_FORM");
    expect(message).toMatch(/^The key database .*: wanted are its octets, as a binary file or as hexadecimal text\.$/);
    expect(message).toContain(seen);
    expect(message).not.toContain("truncated");
  });
  test("hexadecimal that was cut between octets is truncated, blank text is missing", () => {
    expect(refusal(encode(hex.slice(0, 80)))).toMatchObject({ code: "ERR_KEY_DATABASE_TRUNCATED" });
    expect(refusal(encode("12345678"))).toMatchObject({ code: "ERR_KEY_DATABASE_TRUNCATED" }); // no JSON number
    expect(refusal(encode("deadbeef"))).toMatchObject({ code: "ERR_KEY_DATABASE_TRUNCATED" });
    expect(refusal(encode("[0,255]"))).toMatchObject({ code: "ERR_KEY_DATABASE_TRUNCATED" });
    expect(refusal(encode(" \n\t"))).toMatchObject({ code: "ERR_KEY_DATABASE_MISSING" });
  });
  test("nothing of the content is in the message", () => {
    for (const text of [hex.slice(1), `${base64.slice(0, 60)}`, JSON.stringify({ key: hex }), `key=${hex}!`]) {
      const { message } = refusal(encode(text));
      for (let at = 0; at + 6 <= text.length; at += 6) expect(message).not.toContain(text.slice(at, at + 6));
    }
  });
});
