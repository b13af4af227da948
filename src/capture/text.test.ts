import { expect, test } from "vitest";
import { toHex } from "../bytes/index.ts";
import { hexText } from "./text.ts";

test("octets of any number are told as hexadecimal digits", () => {
  for (const length of [0, 1, 2, 63, 64, 65, 127, 128, 129, 256, 1000]) {
    const octets = Uint8Array.from({ length }, (_, i) => (i * 7) & 0xff);
    expect(hexText(octets)).toBe(toHex(octets));
  }
});
