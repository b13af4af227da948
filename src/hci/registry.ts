import * as controllerBaseband from "./commands/controller-baseband.ts";
import * as informational from "./commands/informational.ts";
import * as leAdvertising from "./commands/le-advertising.ts";
import * as leConnection from "./commands/le-connection.ts";
import * as leController from "./commands/le-controller.ts";
import * as leDirectionFinding from "./commands/le-direction-finding.ts";
import * as leExtendedAdvertising from "./commands/le-extended-advertising.ts";
import * as leExtendedScanning from "./commands/le-extended-scanning.ts";
import * as lePeriodicAdvertising from "./commands/le-periodic-advertising.ts";
import * as lePeriodicSync from "./commands/le-periodic-sync.ts";
import * as lePower from "./commands/le-power.ts";
import * as lePrivacy from "./commands/le-privacy.ts";
import * as leScanning from "./commands/le-scanning.ts";
import * as leSubrating from "./commands/le-subrating.ts";
import * as leTest from "./commands/le-test.ts";
import * as linkControl from "./commands/link-control.ts";
import { type CommandDeclaration, type EventDeclaration, eventKey } from "./declare.ts";
import * as generic from "./events/generic.ts";
import * as leDirectionFindingEvents from "./events/le-direction-finding.ts";
import * as leExtendedAdvertisingEvents from "./events/le-extended-advertising.ts";
import * as leLinkEvents from "./events/le-links.ts";
import * as leMeta from "./events/le-meta.ts";
import * as lePeriodicAdvertisingEvents from "./events/le-periodic-advertising.ts";

/** Every declared command by its opcode. */
export const commands: ReadonlyMap<number, CommandDeclaration> = new Map(
  [
    linkControl,
    controllerBaseband,
    informational,
    leController,
    leAdvertising,
    leScanning,
    leConnection,
    lePrivacy,
    leDirectionFinding,
    leExtendedAdvertising,
    leExtendedScanning,
    lePeriodicAdvertising,
    lePeriodicSync,
    lePower,
    leSubrating,
    leTest,
  ]
    .flatMap((room): CommandDeclaration[] => Object.values(room))
    .map((declaration) => [declaration.opcode, declaration]),
);

/** Every declared event by `eventKey`: its event code, an LE Meta event by 0x3E00 plus its subevent code. */
export const events: ReadonlyMap<number, EventDeclaration> = new Map(
  [generic, leMeta, leDirectionFindingEvents, leExtendedAdvertisingEvents, leLinkEvents, lePeriodicAdvertisingEvents]
    .flatMap((room): EventDeclaration[] => Object.values(room))
    .map((declaration) => [eventKey(declaration.eventCode, declaration.subeventCode), declaration]),
);
