import { expect, test } from "vitest";
import { scriptedMgmt } from "../../test/support/scripted-kernel-socket.ts";
import { ArgumentError } from "../core/index.ts";
import { commands, NO_CONTROLLER, Status } from "../mgmt-protocol/index.ts";
import { MgmtError } from "./error.ts";
import { valuesByPosition } from "./response.ts";

test("a command by its name in the description, its values by position: the answer has header, event and return parameters by name", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reply = mgmt.send("SetPowered", 0, true);
  expect(socket.written).toEqual([Uint8Array.of(5, 0, 0, 0, 1, 0, 1)]);
  socket.complete(commands.setPowered, 0, { currentSettings: 0x201 });
  expect(await reply).toEqual({
    header: { eventCode: "CommandCompleteEvent", controllerIndex: 0 },
    eventFrame: { commandOpcode: "SetPowered", status: "Success" },
    commandResponseFrame: { currentSettings: ["Powered", "LowEnergy"] },
  });
});

test("no controller is null or undefined, and a command without return parameters has no frame", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const list = mgmt.send("ReadControllerIndexList", null);
  socket.complete(commands.readControllerIndexList, NO_CONTROLLER, { controllerIndexes: [1] });
  expect(await list).toMatchObject({ header: { controllerIndex: undefined }, commandResponseFrame: { controllerIndexes: [1] } });
  const appearance = mgmt.send("SetAppearance", 0, 0x03c1);
  socket.complete(commands.setAppearance, 0);
  expect(await appearance).toMatchObject({ eventFrame: { status: "Success" }, commandResponseFrame: undefined });
});

test.each([
  ["the title", "Add Advertising"],
  ["without blanks", "AddAdvertising"],
  ["in any case", "addadvertising"],
  ["with what other libraries append", "AddAdvertisingCommand"],
])("the command may be named by %s; counts and lengths are computed", async (_, name) => {
  const { mgmt, socket } = await scriptedMgmt();
  const reply = mgmt.send(name, 0, 1, ["Connectable"], 0, 0, Uint8Array.of(2, 10, 0), new Uint8Array(0));
  expect(socket.written[0]!.slice(6)).toEqual(Uint8Array.of(1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2, 10, 0));
  socket.complete(commands.addAdvertising, 0, { instance: 1 });
  expect(await reply).toMatchObject({ commandResponseFrame: { instance: 1 } });
});

test("values may be given by name, in one object", () => {
  const parameters = { address: "C0:11:22:33:44:55", addressType: "LERandom" };
  expect(valuesByPosition("Disconnect", [parameters])).toEqual({ command: commands.disconnect, parameters });
  expect(valuesByPosition("Disconnect", Object.values(parameters))).toEqual({ command: commands.disconnect, parameters });
  expect(valuesByPosition("ReadControllerInformation", [])).toEqual({ command: commands.readControllerInformation, parameters: {} });
});

test.each<[string, string, unknown[], RegExp]>([
  ["an unknown command", "SetPowerful", [true], /management command "SetPowerful": there is none of that name; did you mean "SetPowered"/],
  ["too many values", "SetPowered", [true, 1], /SetPowered: 2 values: expected powered/],
  ["values where there are none", "ReadControllerInformation", [1], /1 values: expected none/],
  ["too few values", "Disconnect", ["C0:11:22:33:44:55"], /Disconnect: addressType: expected a value/],
  ["an unknown name", "Disconnect", [{ address: "C0:11:22:33:44:55", kind: 1 }], /unknown parameter "kind"/],
])("%s is an error, and nothing is sent", async (_, name, values, message) => {
  const { mgmt, socket } = await scriptedMgmt();
  const error = await mgmt.send(name, 0, ...values).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as Error).message).toMatch(message);
  expect(socket.written).toEqual([]);
});

test("a failure is an error with the status by name, where other libraries hang", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reply = mgmt.send("SetPowered", 0, true);
  socket.refuse(commands.setPowered, 0, Status.PermissionDenied);
  const error = await reply.catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(MgmtError);
  expect(error).toMatchObject({ command: "SetPowered", statusName: "PermissionDenied" });
});

test("whoever asks for keys by name gets them", async () => {
  const { mgmt, socket } = await scriptedMgmt();
  const reply = mgmt.send("ReadLocalOutOfBandData", 0);
  socket.complete(commands.readLocalOutOfBandData, 0, { hash192: new Uint8Array(16).fill(0xab), randomizer192: new Uint8Array(16) });
  expect(await reply).toMatchObject({ commandResponseFrame: { hash192: "ab".repeat(16), randomizer192: "00".repeat(16) } });
});
