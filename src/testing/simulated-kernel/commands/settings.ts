import { Address } from "../../../core/index.ts";
import { type AnyMgmtCommand, commands } from "../../../mgmt-protocol/index.ts";
import { updateEveryListener } from "../air/listening.ts";
import { type Action, type Call, type Handler, on } from "../call.ts";
import { atMost, hasTransport, isOn, isPoweredOff, need, notDuring, notPaused, supports } from "../checks.ts";
import { ANY_ADDRESS } from "../controller.ts";
import type { SettingName } from "../options.ts";
import { powerOff, stopEverything } from "../power.ts";
import { removeEveryInstance } from "./advertising.ts";

type Changes = Partial<Record<SettingName, boolean>>;
/** The change, then the answer, then the others are told. */
function changeAtOnce<C extends AnyMgmtCommand>(changesOf: (call: Call<C>) => Changes): Action<C> {
  return (call) => {
    const { controller, core } = call;
    const changed = controller.put(changesOf(call));
    answerSettings(call);
    if (changed) core.newSettings(controller, call.socket);
    updateEveryListener(core);
  };
}

/** As `changeAtOnce` while powered off; while powered, the controller hears of it first. */
function changeSettings<C extends AnyMgmtCommand>(changesOf: (call: Call<C>) => Changes): Action<C> {
  const change = changeAtOnce(changesOf);
  return (call) => {
    if (call.controller.isPowered) call.after(call.core.roundTripMs, () => change(call));
    else change(call);
  };
}

/** The answer of every command about a setting. */
export function answerSettings<C extends AnyMgmtCommand>(call: Call<C>): void {
  const returns = { currentSettings: call.controller.settings };
  (call as unknown as Call<typeof commands.setPowered>).complete(returns);
}

const SSP_OFF: Changes = { SecureSimplePairing: false, HighSpeed: false };

function setDiscoverable(call: Call<typeof commands.setDiscoverable>): void {
  const { controller, core, parameters } = call;
  const apply = (): void => {
    const changed = controller.put({ Discoverable: parameters.discoverable > 0 });
    controller.discoverableTimer?.[Symbol.dispose]();
    controller.discoverableTimer = undefined;
    if (parameters.timeout > 0) {
      controller.discoverableTimer = core.clock.setTimer(parameters.timeout * 1000, "discoverable timeout", () => {
        controller.discoverableTimer = undefined;
        if (controller.put({ Discoverable: false })) core.newSettings(controller); // whoever set it is told too
      });
    }
    answerSettings(call);
    if (changed) core.newSettings(controller, call.socket);
  };
  if (controller.isPowered) call.after(core.roundTripMs, apply);
  else apply();
}

const both = notDuring(commands.setDiscoverable, commands.setConnectable);
const notDuringLe = notDuring(commands.setLowEnergy, commands.setAdvertising);

/** HCI commands that powering takes. */
const POWERING_ROUND_TRIPS = 5;

export const settingsHandlers: readonly Handler[] = [
  on(commands.setPowered, [atMost("powered", 1), notDuring(commands.setPowered)], (call) => {
    const { controller, core } = call;
    const on = call.parameters.powered === 1;
    if (on === controller.isPowered) return answerSettings(call);
    if (!on) stopEverything(core, controller);
    call.after(core.roundTripMs * POWERING_ROUND_TRIPS, () => {
      if (!on) return powerOff(core, controller, call.socket, () => answerSettings(call));
      if (controller.isRadioBlocked) return call.fail("Failed");
      controller.put({ Powered: true });
      if (controller.has("BREDR")) core.setClass(controller, controller.effectiveClass);
      answerSettings(call);
      core.newSettings(controller, call.socket);
      core.monitors.powered(controller.index, true);
      updateEveryListener(core);
    });
  }),
  on(
    commands.setDiscoverable,
    [
      hasTransport,
      atMost("discoverable", 2),
      ({ parameters: { discoverable, timeout } }) =>
        (discoverable === 0 && timeout > 0) || (discoverable === 2 && timeout === 0) ? "InvalidParameters" : undefined,
      ({ controller, parameters }) => (parameters.timeout > 0 && !controller.isPowered ? "NotPowered" : undefined),
      both,
      isOn("Connectable"),
      notPaused,
    ],
    setDiscoverable,
  ),
  on(
    commands.setConnectable,
    [hasTransport, atMost("connectable", 1), both],
    changeSettings(({ parameters }) => (parameters.connectable ? { Connectable: true } : { Connectable: false, Discoverable: false })),
  ),
  on(
    commands.setFastConnectable,
    [isOn("BREDR", "NotSupported"), atMost("enable", 1)],
    changeSettings(({ parameters }) => ({ FastConnectable: parameters.enable === 1 })),
  ),
  on(
    commands.setBondable,
    [atMost("bondable", 1)],
    changeAtOnce(({ parameters }) => ({ Bondable: parameters.bondable === 1 })),
  ),
  on(
    commands.setLinkSecurity,
    [supports("BREDR"), isOn("BREDR"), atMost("linkSecurity", 1), notDuring(commands.setLinkSecurity)],
    changeSettings(({ parameters }) => ({ LinkSecurity: parameters.linkSecurity === 1 })),
  ),
  on(
    commands.setSecureSimplePairing,
    [
      supports("BREDR"),
      supports("SecureSimplePairing"),
      isOn("BREDR"),
      atMost("secureSimplePairing", 1),
      notDuring(commands.setSecureSimplePairing),
    ],
    changeSettings(({ parameters }) => (parameters.secureSimplePairing === 1 ? { SecureSimplePairing: true } : SSP_OFF)),
  ),
  on(commands.setHighSpeed, [() => "NotSupported"], () => undefined),
  on(
    commands.setLowEnergy,
    [
      supports("LowEnergy"),
      atMost("lowEnergy", 1),
      ({ controller, parameters }) => (!controller.has("BREDR") && parameters.lowEnergy === 0 ? "Rejected" : undefined),
      notDuringLe,
    ],
    changeSettings((call) => {
      if (call.parameters.lowEnergy === 1) return { LowEnergy: true };
      removeEveryInstance(call.core, call.controller, call.socket);
      return { LowEnergy: false, Advertising: false };
    }),
  ),
  on(
    commands.setAdvertising,
    [supports("LowEnergy"), isOn("LowEnergy"), atMost("advertising", 2), notPaused, notDuringLe],
    changeSettings(({ parameters }) => ({ Advertising: parameters.advertising > 0 })),
  ),
  on(
    commands.setBredr,
    [
      need((controller) => controller.supports("BREDR") && controller.supports("LowEnergy"), "NotSupported"),
      isOn("LowEnergy"),
      atMost("bredr", 1),
      ({ controller, parameters: { bredr } }) => {
        if (!controller.isPowered || (bredr === 1) === controller.has("BREDR")) return undefined;
        const inTheWay = bredr === 0 || controller.staticAddress !== ANY_ADDRESS || controller.has("SecureConnections");
        return inTheWay ? "Rejected" : undefined;
      },
    ],
    changeSettings(({ parameters }) =>
      parameters.bredr === 1
        ? { BREDR: true }
        : { BREDR: false, Discoverable: false, LinkSecurity: false, FastConnectable: false, ...SSP_OFF },
    ),
  ),
  on(
    commands.setStaticAddress,
    [
      supports("LowEnergy"),
      isPoweredOff,
      ({ parameters: { address } }) => {
        if (address === ANY_ADDRESS) return undefined;
        const isStatic = Address.from(address, "random").isStaticRandom;
        return isStatic && address !== "FF:FF:FF:FF:FF:FF" ? undefined : "InvalidParameters";
      },
    ],
    (call) => {
      call.controller.staticAddress = call.parameters.address;
      answerSettings(call);
      call.core.newSettings(call.controller, call.socket);
    },
  ),
  on(
    commands.setScanParameters,
    [
      supports("LowEnergy"),
      ({ parameters: { interval, window } }) => {
        const inRange = [interval, window].every((value) => value >= 0x0004 && value <= 0x4000);
        return inRange && window <= interval ? undefined : "InvalidParameters";
      },
    ],
    (call) => call.complete({}),
  ),
  on(
    commands.setSecureConnections,
    [
      need((controller) => controller.supports("SecureConnections") || controller.has("LowEnergy"), "NotSupported"),
      ({ controller }) => {
        const needsSsp = controller.has("BREDR") && controller.supports("SecureConnections");
        return needsSsp && !controller.has("SecureSimplePairing") ? "Rejected" : undefined;
      },
      atMost("secureConnections", 2),
    ],
    changeSettings(({ parameters }) => ({ SecureConnections: parameters.secureConnections > 0 })),
  ),
  on(
    commands.setDebugKeys,
    [atMost("debugKeys", 2)],
    changeSettings(({ parameters }) => ({ DebugKeys: parameters.debugKeys > 0 })),
  ),
  on(
    commands.setPrivacy,
    [supports("LowEnergy"), atMost("privacy", 2), isPoweredOff],
    changeSettings(({ controller, parameters }) => {
      controller.exchangesIdentity = true;
      return { Privacy: parameters.privacy > 0 };
    }),
  ),
  on(
    commands.setWidebandSpeech,
    [
      supports("WidebandSpeech"),
      atMost("widebandSpeech", 1),
      ({ controller, parameters }) =>
        controller.isPowered && (parameters.widebandSpeech === 1) !== controller.has("WidebandSpeech") ? "Rejected" : undefined,
    ],
    changeSettings(({ parameters }) => ({ WidebandSpeech: parameters.widebandSpeech === 1 })),
  ),
];
