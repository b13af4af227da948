import { commands, events } from "../../../mgmt-protocol/index.ts";
import { beginDiscovery } from "../air/discovering.ts";
import { updateListening } from "../air/listening.ts";
import type { Handler } from "../call.ts";
import { on } from "../call.ts";
import { atMost, isOn, need, supports } from "../checks.ts";

const MAX_PACKETS = 3;
const MAX_AD_TYPES = 16;
const MAX_DATA_OCTETS = 31;
/** Between two repetitions of a packet. */
const REPEAT_MS = 20;

const isMeshOn = need((controller) => controller.features.has("MgmtMesh"), "NotSupported");

export const meshHandlers: readonly Handler[] = [
  on(
    commands.setMeshReceiver,
    [
      isMeshOn,
      supports("LowEnergy"),
      atMost("enable", 1),
      ({ parameters: { window, period } }) => {
        const inRange = [window, period].every((value) => value >= 0x0004 && value <= 0x4000);
        return inRange && window <= period ? undefined : "InvalidParameters";
      },
    ],
    (call) => {
      const { controller, core, parameters } = call;
      const { enable, adTypes } = parameters;
      const isNew = enable === 1 && controller.mesh.receiver === undefined;
      controller.mesh.receiver = enable === 1 ? { adTypes: adTypes.length > MAX_AD_TYPES ? [] : adTypes } : undefined;
      call.complete({});
      // The kernel takes it for a discovery, and goes on to do so when the receiver is off again.
      if (isNew && !controller.discovery) beginDiscovery(core, controller, { addressTypes: 0, limited: false, filter: undefined });
      updateListening(core, controller);
    },
  ),
  on(commands.readMeshFeatures, [isMeshOn], (call) => {
    const { controller, index, socket } = call;
    const handles = [...controller.mesh.packets].filter(([, { owner }]) => owner === socket).map(([handle]) => handle);
    call.complete({ index, maxHandles: controller.has("LowEnergy") ? MAX_PACKETS : 0, handles });
  }),
  on(
    commands.transmitMeshPacket,
    [
      isMeshOn,
      isOn("LowEnergy"),
      ({ parameters: { data } }) => (data.length > 0 && data.length <= MAX_DATA_OCTETS ? undefined : "Rejected"),
      ({ controller, socket }) =>
        [...controller.mesh.packets.values()].filter(({ owner }) => owner === socket).length < MAX_PACKETS ? undefined : "Busy",
    ],
    (call) => {
      const { controller, core, parameters, socket } = call;
      const { mesh } = controller;
      const handle = mesh.nextHandle;
      mesh.nextHandle = (handle % 0xff) + 1;
      const timer = core.clock.setTimer(parameters.delay + REPEAT_MS * Math.max(1, parameters.count), "mesh packet", () => {
        mesh.packets.delete(handle);
        core.send(events.meshPacketTransmitComplete, controller.index, { handle });
      });
      mesh.packets.set(handle, { owner: socket, timer });
      call.complete({ handle });
    },
  ),
  on(commands.cancelTransmitMeshPacket, [isMeshOn, isOn("LowEnergy")], (call) => {
    const { controller, core, parameters, socket } = call;
    for (const [handle, { owner, timer }] of [...controller.mesh.packets]) {
      if (owner !== socket || (parameters.handle !== 0 && parameters.handle !== handle)) continue;
      timer[Symbol.dispose]();
      controller.mesh.packets.delete(handle);
      core.send(events.meshPacketTransmitComplete, controller.index, { handle });
    }
    call.complete({});
  }),
];
