import { type AnyMgmtCommand, commands, events } from "../../../mgmt-protocol/index.ts";
import { type Call, type Handler, on } from "../call.ts";
import { atMost, notDuring, supports } from "../checks.ts";

/** All UUIDs may come back at once, so that Linux leaves the class as it is for a while. */
const SERVICE_CACHE_MS = 2000;
/** Removes every UUID. */
const ANY_UUID = "00000000-0000-0000-0000-000000000000";
const CLASS_COMMANDS = [commands.addUuid, commands.removeUuid, commands.setDeviceClass, commands.setPowered] as const;
const notDuringClass = notDuring(...CLASS_COMMANDS);
const notDuringName = notDuring(...CLASS_COMMANDS, commands.setLocalName);

/** The class that follows from class and UUIDs is told to the controller, while there is power; then the answer. */
function updateClass<C extends AnyMgmtCommand>(call: Call<C>): void {
  const { controller, core } = call;
  const answer = (): void => {
    const returns = { classOfDevice: controller.classOfDevice };
    (call as unknown as Call<typeof commands.addUuid>).complete(returns);
  };
  const isTold = controller.isPowered && controller.has("BREDR") && controller.classOfDevice !== controller.effectiveClass;
  if (!isTold) answer();
  else
    call.after(core.roundTripMs, () => {
      core.setClass(controller, controller.effectiveClass);
      answer();
    });
}

/** Answers with the class as it is. */
function updateClassLater(call: Call<typeof commands.removeUuid>): void {
  const { controller, core } = call;
  call.complete({ classOfDevice: controller.classOfDevice });
  core.clock.setTimer(SERVICE_CACHE_MS, "service cache", () => {
    if (controller.isPowered && controller.has("BREDR")) core.setClass(controller, controller.effectiveClass);
  });
}

export const identityHandlers: readonly Handler[] = [
  on(
    commands.setDeviceClass,
    [
      supports("BREDR"),
      notDuringClass,
      ({ parameters }) => ((parameters.minorClass & 3) !== 0 || parameters.majorClass > 0x1f ? "InvalidParameters" : undefined),
    ],
    (call) => {
      call.controller.wantedClass = call.parameters.minorClass | (call.parameters.majorClass << 8);
      updateClass(call);
    },
  ),
  on(commands.setLocalName, [(call) => (call.controller.isPowered ? notDuringName(call as unknown as Call) : undefined)], (call) => {
    const { controller, core, parameters, socket } = call;
    const { name, shortName } = parameters;
    if (controller.name === name && controller.shortName === shortName) return call.complete(parameters);
    const apply = (): void => {
      controller.name = name;
      controller.shortName = shortName;
      call.complete(parameters);
      core.send(events.localNameChanged, controller.index, parameters, socket);
      core.informationChanged(controller, socket);
    };
    if (controller.isPowered) call.after(core.roundTripMs, apply);
    else apply();
  }),
  on(commands.addUuid, [notDuringClass], (call) => {
    const { uuid, svcHint } = call.parameters;
    call.controller.uuids.push({ uuid, serviceHint: svcHint });
    updateClass(call);
  }),
  on(
    commands.removeUuid,
    [
      notDuringClass,
      ({ controller, parameters: { uuid } }) =>
        uuid.equals(ANY_UUID) || controller.uuids.some((entry) => entry.uuid.equals(uuid)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      const { uuid } = call.parameters;
      const { uuids } = call.controller;
      const left = uuid.equals(ANY_UUID) ? [] : uuids.filter((entry) => !entry.uuid.equals(uuid));
      uuids.splice(0, uuids.length, ...left);
      if (uuid.equals(ANY_UUID) && call.controller.isPowered) updateClassLater(call);
      else updateClass(call);
    },
  ),
  on(commands.setDeviceId, [atMost("source", 2)], (call) => call.complete({})),
  on(commands.setAppearance, [supports("LowEnergy")], (call) => {
    const { controller, core, parameters, socket } = call;
    const changed = controller.appearance !== parameters.appearance;
    controller.appearance = parameters.appearance;
    call.complete({});
    if (changed) core.informationChanged(controller, socket);
  }),
];
