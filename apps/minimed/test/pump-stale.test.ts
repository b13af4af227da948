import { delay } from "jelling/async";
import { gattService } from "jelling/gatt";
import { expect, test } from "vitest";
import { between } from "../../../test/support/between.ts";
import { Scenario } from "./scenario.ts";

// What a pump declared is stale between the look at it and the write: Service Changed is in the same packet, or the write waits behind a full link.

const NUMBER_OF_COMPLETED_PACKETS = 0x13;
const isAtt = (packet: Uint8Array, opcode: number): boolean => packet[0] === 2 && packet[9] === opcode;

/** The pump indicates Service Changed for all handles, in a packet like `packet`. */
function serviceChanged(packet: Uint8Array, handle: number): Uint8Array {
  const pdu = [0x1d, handle & 0xff, handle >> 8, 0x01, 0x00, 0xff, 0xff];
  return Uint8Array.of(2, packet[1]!, packet[2]!, pdu.length + 4, 0, pdu.length, 0, 4, 0, ...pdu);
}

async function withService(): Promise<{ scenario: Scenario; handle: number }> {
  const scenario = await Scenario.open();
  const service = scenario.pump.device.gattServer.addService(gattService());
  return { scenario, handle: service.characteristic(0x2a05)!.valueHandle };
}

test("Service Changed in the same packet as the last answer of the look: nothing is written, and the next session reads", async () => {
  const opened = await withService();
  await using scenario = opened.scenario;
  let armed = false;
  const controller = between(scenario.phoneController.transport, {
    received: (packet, deliver) => {
      deliver(packet);
      if (!armed || !isAtt(packet, 0x05)) return;
      armed = false;
      deliver(serviceChanged(packet, opened.handle));
    },
  });
  await using connector = await scenario.connector({ controller });
  const { session } = await scenario.pair(connector);
  const { writes } = scenario.watch;
  armed = true;
  await expect(session.readLatest()).rejects.toMatchObject({
    code: "ERR_PUMP_SESSION_ENDED",
    message: "The session with the pump is over: the pump says that its services changed.",
  });
  expect([armed, scenario.watch.writes]).toEqual([false, writes]);
  const again = await connector.session({ timeoutMs: 300_000 });
  expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
});

test.each([true, false])(
  "a write that waits behind a full link is not sent when it has been given up (Service Changed: %s)",
  async (changes) => {
    const opened = await withService();
    await using scenario = opened.scenario;
    let isFull = false;
    const held: Uint8Array[] = [];
    const { transport } = scenario.phoneController;
    const controller = between(transport, {
      received: (packet, deliver) => {
        const isCredit = packet[0] === 4 && packet[1] === NUMBER_OF_COMPLETED_PACKETS;
        if (isFull && isCredit) {
          held.push(packet.slice());
          return;
        }
        // The controller says that it has room for one packet (LE Read Buffer Size [v1] and [v2]).
        const copy = packet.slice();
        const isCommandComplete = packet[0] === 4 && packet[1] === 0x0e;
        if (isCommandComplete && [0x2002, 0x2060].includes(packet[4]! | (packet[5]! << 8))) copy[9] = 1;
        deliver(copy);
        if (!isFull || !isAtt(packet, 0x05)) return;
        // The look's last answer is here, and the write waits for the credit of its request.
        if (changes) deliver(serviceChanged(packet, opened.handle));
      },
    });
    await using connector = await scenario.connector({ controller });
    const { session } = await scenario.pair(connector);
    const { writes } = scenario.watch;
    let isArmed = true;
    scenario.phoneController.onHciPacket(({ direction, packet }) => {
      // The second request of the look takes the only credit.
      if (direction === "to-controller" && isAtt(packet, 0x04) && isArmed) {
        isArmed = false;
        isFull = true;
      }
      return undefined;
    });
    await expect(session.readLatest()).rejects.toMatchObject({ code: "ERR_PUMP_SESSION_ENDED" });
    expect(isFull).toBe(true);
    isFull = false;
    for (const packet of held.splice(0)) controller.onPacket!(packet);
    await delay(scenario.clock, 1000);
    expect(scenario.watch.writes).toBe(writes);
    expect(connector.ended).toBeUndefined();
    const again = await connector.session({ timeoutMs: 300_000 });
    expect(await again.session.readLatest()).toMatchObject({ kind: "reading" });
  },
);
