import { expect, test } from "vitest";
import { fileError, PumpStoreError } from "./error.ts";

test.each([
  ["EACCES", "ERR_PUMP_STORE_PERMISSION"],
  ["EPERM", "ERR_PUMP_STORE_PERMISSION"],
  ["EROFS", "ERR_PUMP_STORE_PERMISSION"],
  ["ENOSPC", "ERR_PUMP_STORE_FULL"],
  ["EDQUOT", "ERR_PUMP_STORE_FULL"],
  ["EFBIG", "ERR_PUMP_STORE_FULL"],
  ["ENOENT", "ERR_PUMP_STORE_MISSING"],
  ["EISDIR", "ERR_PUMP_STORE_FORMAT"],
  ["ENOTDIR", "ERR_PUMP_STORE_FORMAT"],
  ["EIO", "ERR_PUMP_STORE_IO"],
  [undefined, "ERR_PUMP_STORE_IO"],
])("%s of the system is %s, with the path, and the system's words as its cause", (code, expected) => {
  const cause = Object.assign(new Error("words"), code && { code });
  const error = fileError("/data/pump.sqlite", "write it", cause);
  expect(error).toMatchObject({ code: expected, path: "/data/pump.sqlite", cause });
  expect(error.message).toMatch(/^\/data\/pump\.sqlite: /);
});

test("an error of ours stays as it is, and what is no error is told too", () => {
  const ours = new PumpStoreError("ERR_PUMP_STORE_NEWER", "/p", "/p: newer");
  expect(fileError("/q", "open it", ours)).toBe(ours);
  expect(fileError("/q", "open it", null)).toMatchObject({ code: "ERR_PUMP_STORE_IO" });
});
