import { describe, expect, test } from "vitest";
import { type AnyMgmtCommand, commands, NO_CONTROLLER, Status } from "../mgmt-protocol/index.ts";
import { commandText, MgmtError, MgmtWriteError } from "./error.ts";

const REMEDY = 'run "sudo setcap cap_net_admin+ep program"';
const refused = (command: AnyMgmtCommand, status: number): MgmtError => new MgmtError({ command, index: 0, status, remedy: REMEDY });

test("a command is told with its controller, if it has one", () => {
  expect(commandText(commands.setPowered, 3)).toBe("Set Powered on hci3");
  expect(commandText(commands.readControllerIndexList, NO_CONTROLLER)).toBe("Read Controller Index List");
});

describe("a status the kernel answered", () => {
  test("every one of every command has a sentence with the name, the number and a cause", () => {
    for (const command of Object.values<AnyMgmtCommand>(commands)) {
      for (const [name, status] of Object.entries(Status)) {
        if (status === Status.Success) continue;
        const error = refused(command, status);
        expect(error.message).toContain(`${command.title} on hci0: ${name} (0x${status.toString(16).padStart(2, "0")}); `);
        expect(error.usualCause.length).toBeGreaterThan(4);
        expect(error.message).not.toMatch(/undefined|\bnull\b/);
        expect(error).toMatchObject({
          code: "ERR_MGMT",
          name: "MgmtError",
          command: command.name,
          opcode: command.opcode,
          statusName: name,
        });
      }
    }
  });

  test("is explained by what the command says of it, or by what it means everywhere", () => {
    expect(refused(commands.setDiscoverable, Status.Rejected).usualCause).toContain("Connectable off");
    expect(refused(commands.setBondable, Status.Rejected).usualCause).toContain("not in this state");
  });

  test("names the remedy where a right is missing, and only there", () => {
    expect(refused(commands.setPowered, Status.PermissionDenied).message).toContain(REMEDY);
    expect(refused(commands.setPowered, Status.Busy).message).not.toContain(REMEDY);
  });

  test("without a name it is told by number", () => {
    expect(refused(commands.setPowered, 0x2a)).toMatchObject({
      status: 0x2a,
      statusName: "0x2a",
      usualCause: expect.stringContaining("newer"),
    });
  });
});

test("a write that failed says which, with what, and what helps where that is known", () => {
  const down = new MgmtWriteError(commands.addDevice, 1, { errno: 100, code: "ENETDOWN" });
  expect(down.message).toBe("Add Device on hci1 could not be sent (ENETDOWN); the controller is off: power it on first");
  const long = new MgmtWriteError(commands.loadLongTermKeys, 1, { errno: 90, code: "EMSGSIZE" });
  expect(long).toMatchObject({ code: "ERR_MGMT_WRITE", command: "LoadLongTermKeys", index: 1, errno: 90, errnoName: "EMSGSIZE" });
});
