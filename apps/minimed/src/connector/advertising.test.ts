import { fromHex, toHex } from "jelling/bytes";
import { Address } from "jelling/core";
import { describe, expect, test } from "vitest";
import { readVectors } from "../../test/vectors.ts";
import { careLinkAdvertisement, careLinkHash, isMobileName, pairAdvertisement, reconnectAdvertisement } from "./advertising.ts";

interface Vectors {
  advertising: {
    mobile: { mode: "pair" | "reconnect"; layout?: string; name: string | null; advertised_name?: string; adv_data: string }[];
    mobile_names: { advertised_name: string; valid: boolean }[];
    carelink: { mac: string; confirmation_code: string; fnv1_64: string; adv_data: string; scan_response: string }[];
  };
}
const { advertising } = readVectors<Vectors>("minimed");

describe("advertising data", () => {
  test.each(advertising.mobile)("$mode $layout $advertised_name", ({ mode, layout, advertised_name = "Mobile 1", adv_data }) => {
    const form = layout === "manufacturer_data" ? "manufacturer" : "name";
    const data = mode === "pair" ? pairAdvertisement(advertised_name, form) : reconnectAdvertisement(advertised_name, form);
    expect(toHex(data)).toBe(adv_data);
    expect(data.length).toBeLessThanOrEqual(31);
  });
  test.each(advertising.mobile_names)('the name "$advertised_name" is valid: $valid', ({ advertised_name, valid }) => {
    expect(isMobileName(advertised_name)).toBe(valid);
    if (!valid)
      for (const build of [() => pairAdvertisement(advertised_name), () => pairAdvertisement(advertised_name, "manufacturer")])
        expect(build).toThrow("Mobile ");
  });
  test("a name of other characters is refused", () => {
    for (const name of ["Mobile ä", "Mobile \n", "Mobile 1\n", "Mobile 🩸"]) expect(isMobileName(name)).toBe(false);
    expect(pairAdvertisement("Mobile 1234567", "manufacturer").length).toBeLessThanOrEqual(31);
  });
  test.each(advertising.carelink)("CareLink $mac $confirmation_code", ({ mac, confirmation_code, fnv1_64, adv_data, scan_response }) => {
    const { data, scanResponse } = careLinkAdvertisement(Address.from(mac), Number(confirmation_code));
    expect([toHex(data), toHex(scanResponse)]).toEqual([adv_data, scan_response]);
    expect(toHex(careLinkHash(Address.from(mac), Number(confirmation_code)).reverse())).toBe(fnv1_64);
    expect(fromHex(scan_response)[0]).toBe(12);
  });
  test("CareLink refuses what the pump could not verify", () => {
    expect(() => careLinkAdvertisement(Address.from("C0:00:00:00:00:01/random"), 1)).toThrow("public");
    expect(() => careLinkAdvertisement(Address.from("00:00:00:00:00:01"), 1_000_000)).toThrow("six digits");
    expect(() => careLinkAdvertisement(Address.from("00:00:00:00:00:01"), 1, "Mobile 1")).toThrow("PC");
  });
});
