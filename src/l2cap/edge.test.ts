import { expect, test } from "vitest";
import { openScriptedHci } from "../../test/support/scripted-hci.ts";
import { type ConnectionParameters, L2cap, type L2capLinkOptions } from "./index.ts";

const PARAMETERS: ConnectionParameters = { intervalMin: 24, intervalMax: 40, latency: 4, timeout: 500 };

test.each<[unknown, string]>([
  [undefined, "L2cap.open: handle: expected a whole number from 0 to 3839, got undefined"],
  [{ handle: -1, role: "central" }, "handle"],
  [{ handle: 0x0f00, role: "central" }, "handle"],
  [{ handle: 1, role: "master" }, 'role: expected "central", "peripheral", got a string'],
  [{ handle: 1, role: "central", mtu: 23 }, 'unknown option "mtu"'],
])("a link is not opened with %j", async (options, message) => {
  const { hci } = await openScriptedHci();
  expect(() => new L2cap(hci).open(options as L2capLinkOptions)).toThrow(message);
});

test("handles from 0x0000 to 0x0EFF are handles", async () => {
  const { hci } = await openScriptedHci();
  for (const handle of [0, 0x0eff]) expect(new L2cap(hci).open({ handle, role: "central" }).handle).toBe(handle);
});

test("a channel takes octets, as many as fit", async () => {
  const { hci, controller } = await openScriptedHci();
  const { att } = new L2cap(hci).open({ handle: 1, role: "central" });
  expect(() => att.send("0a0300" as never)).toThrow("PduChannel.send: expected a Uint8Array, got a string");
  expect(() => att.send([10, 3, 0] as never)).toThrow("got an array");
  for (const length of [-1, 0x1_0000, 1.5, Number.NaN]) expect(() => att.allocate(length)).toThrow(`PDU of ${length} octets`);
  expect(att.allocate(0)).toHaveLength(9);
  expect(controller.acl).toEqual([]);
});

test.each<[unknown, unknown, string]>([
  [undefined, {}, "intervalMin undefined"],
  [5, {}, "expected an object of options, got 5"],
  [{ ...PARAMETERS, interval: 24 }, {}, 'unknown option "interval"'],
  [{ ...PARAMETERS, latency: "4" }, {}, "latency 4: expected 0 to 499"],
  [PARAMETERS, { timeout: 5 }, 'unknown option "timeout", did you mean "timeoutMs"?'],
])("parameters %j with %j are not asked for", async (parameters, options, message) => {
  const { hci, controller } = await openScriptedHci();
  const { parameterUpdate } = new L2cap(hci).open({ handle: 1, role: "peripheral" });
  const outcome = parameterUpdate.request(parameters as ConnectionParameters, options as object);
  await expect(outcome).rejects.toMatchObject({ code: "ERR_ARGUMENT", message: expect.stringContaining(message) as string });
  expect(controller.acl).toEqual([]);
});
