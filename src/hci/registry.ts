import * as controllerBaseband from "./commands/controller-baseband.ts";
import * as informational from "./commands/informational.ts";
import * as leAdvertising from "./commands/le-advertising.ts";
import * as leConnection from "./commands/le-connection.ts";
import * as leController from "./commands/le-controller.ts";
import * as lePrivacy from "./commands/le-privacy.ts";
import * as leScanning from "./commands/le-scanning.ts";
import * as linkControl from "./commands/link-control.ts";
import { type CommandDeclaration, type EventDeclaration, eventKey } from "./declare.ts";
import * as generic from "./events/generic.ts";
import * as leMeta from "./events/le-meta.ts";

/** Every declared command by its opcode. */
export const commands: ReadonlyMap<number, CommandDeclaration> = new Map(
  [linkControl, controllerBaseband, informational, leController, leAdvertising, leScanning, leConnection, lePrivacy]
    .flatMap((room): CommandDeclaration[] => Object.values(room))
    .map((declaration) => [declaration.opcode, declaration]),
);

/** Every declared event by `eventKey`: its event code, an LE Meta event by 0x3E00 plus its subevent code. */
export const events: ReadonlyMap<number, EventDeclaration> = new Map(
  [generic, leMeta]
    .flatMap((room): EventDeclaration[] => Object.values(room))
    .map((declaration) => [eventKey(declaration.eventCode, declaration.subeventCode), declaration]),
);
