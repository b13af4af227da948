import { expect, test } from "vitest";
import { AttError, AttTimeoutError } from "../att/index.ts";
import { ArgumentError, BleError, ClosedError, StateError, TimeoutError, UnsupportedError } from "../core/error.ts";
import { ControllerError, DisconnectedError, HciError } from "../hci/index.ts";
import { PairingError } from "../smp/index.ts";
import { Errno, type ErrnoName } from "./constants.ts";
import { BleArgumentError, BleOsError, OsErrors } from "./errors.ts";

const fixed = new OsErrors(false);
const strict = new OsErrors(true);
const attError = new AttError({ errorCode: 5, requestOpcode: 0x0a, attributeHandle: 3 });

test("an error has the name and the number of Linux, and says what it is in MicroPython", () => {
  for (const [name, errno] of Object.entries(Errno)) {
    const error = fixed.create(name as ErrnoName, "why");
    expect(error).toBeInstanceOf(BleError);
    expect(error).toMatchObject({ code: name, errno, pythonName: "OSError", message: `${name}: why`, name: "BleOsError" });
  }
});

test.each<[unknown, ErrnoName, object, number]>([
  [new HciError({ status: 0x12, command: "X" }), "EINVAL", { hciStatus: 0x12 }, -530],
  [new HciError({ status: 0x01, command: "X" }), "EOPNOTSUPP", { hciStatus: 0x01 }, -513],
  [new HciError({ status: 0x02, command: "X" }), "ENOTCONN", { hciStatus: 0x02 }, -514],
  [new HciError({ status: 0x07, command: "X" }), "ENOMEM", { hciStatus: 0x07 }, -519],
  [new HciError({ status: 0x08, command: "X" }), "ETIMEDOUT", { hciStatus: 0x08 }, -520],
  [new HciError({ status: 0x09, command: "X" }), "ENOMEM", { hciStatus: 0x09 }, -521],
  [new HciError({ status: 0x0b, command: "X" }), "EALREADY", { hciStatus: 0x0b }, -523],
  [new HciError({ status: 0x0c, command: "X" }), "EBUSY", { hciStatus: 0x0c }, -524],
  [new HciError({ status: 0x0d, command: "X" }), "ENOMEM", { hciStatus: 0x0d }, -525],
  [new HciError({ status: 0x11, command: "X" }), "EINVAL", { hciStatus: 0x11 }, -529],
  [new HciError({ status: 0x1a, command: "X" }), "EOPNOTSUPP", { hciStatus: 0x1a }, -538],
  [new HciError({ status: 0x1e, command: "X" }), "EINVAL", { hciStatus: 0x1e }, -542],
  [new HciError({ status: 0x20, command: "X" }), "EINVAL", { hciStatus: 0x20 }, -544],
  [new HciError({ status: 0x22, command: "X" }), "ETIMEDOUT", { hciStatus: 0x22 }, -546],
  [new HciError({ status: 0x30, command: "X" }), "EINVAL", { hciStatus: 0x30 }, -560],
  [new HciError({ status: 0x3a, command: "X" }), "EBUSY", { hciStatus: 0x3a }, -570],
  [new HciError({ status: 0x1f, command: "X" }), "EIO", { hciStatus: 0x1f }, -543],
  [attError, "EIO", { attError: 5 }, -261],
  [new PairingError({ reason: 0x0c, side: "local" }), "EIO", { smpReason: 0x0c }, -1036],
  [new PairingError({ reason: 0x04, side: "peer" }), "EIO", { smpReason: 0x04 }, -1284],
  [new DisconnectedError(0x13), "ENOTCONN", { hciStatus: 0x13 }, 107],
  [new TimeoutError("x", 1), "ETIMEDOUT", {}, 110],
  [new ArgumentError("x"), "EINVAL", {}, 22],
  [new UnsupportedError("x"), "EOPNOTSUPP", {}, 95],
  [new StateError("x"), "EBUSY", {}, 16],
  [new ClosedError("x"), "ENODEV", {}, 19],
  [new ControllerError("x"), "EIO", {}, 5],
  ["a text", "EIO", {}, 5],
])("%s is %s", (error, code, details, strictErrno) => {
  const made = fixed.of("method", error) as BleOsError;
  expect(made).toMatchObject({ code, errno: Errno[code], cause: error, ...details });
  expect(made.message).toBe(`${code}: method: ${error instanceof Error ? error.message : "a text"}`);
  expect(strict.of("method", error)).toMatchObject({ code, errno: strictErrno, ...details });
});

test("an unanswered request of ATT is a timeout", () => {
  expect(fixed.of("read", new AttTimeoutError(0x0a))).toMatchObject({ code: "ETIMEDOUT" });
});

test("an error that has a better name than its status has that one's number, with strict compatibility too", () => {
  expect(strict.ofStatus(0x0c, "why", { code: "ENOMEM" })).toMatchObject({ code: "ENOMEM", errno: 12, hciStatus: 0x0c });
  expect(strict.ofStatus(0x0c, "why")).toMatchObject({ code: "EBUSY", errno: -524 });
  expect(strict.create("EINVAL", "why", { hostCode: 18 })).toMatchObject({ errno: -18 });
  expect(strict.create("EINVAL", "why")).toMatchObject({ errno: 22 });
  expect(fixed.create("EINVAL", "why", { hostCode: 18 })).toMatchObject({ errno: 22 });
});

test("errors of this API stay what they are", () => {
  const own = new BleOsError("ENOENT", "x");
  const argument = new BleArgumentError("ValueError", "x");
  expect([fixed.of("y", own), fixed.of("y", argument)]).toEqual([own, argument]);
  expect(fixed.of("y", own)).toBe(own);
});
