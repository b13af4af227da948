import { VirtualClock } from "jelling/async";
import { Address, Logger } from "jelling/core";
import type { Connection } from "jelling/device";
import { expect, test } from "vitest";
import type { SakeSession } from "../sake/session.ts";
import { PumpChannel } from "./pump-channel.ts";
import type { WriteGate } from "./write-gate.ts";

test("a request for what the pump does not have is refused, and the session goes on", async () => {
  using clock = new VirtualClock();
  let hangUps = 0;
  const nothing = (): Disposable => ({ [Symbol.dispose]() {} });
  const channel = new PumpChannel({
    connection: {
      peerIdentity: Address.from("00:AA:BB:CC:DD:01"),
      handle: 1,
      att: {},
      gatt: { onValue: nothing, onServiceChanged: nothing },
      on: nothing,
    } as unknown as Connection,
    sake: { isClosed: false } as SakeSession,
    gate: {} as WriteGate,
    clock,
    logger: Logger.silent,
    hangUp: () => {
      hangUps++;
      return Promise.resolve();
    },
  });
  const asked = channel.exchange("cgmRecordAccess", { opcode: 1, operand: Uint8Array.of(6), e2eCrc: false }, () => true);
  await expect(asked).rejects.toMatchObject({ code: "ERR_PUMP_SERVICE_MISSING" });
  expect([channel.ended, hangUps]).toEqual([undefined, 0]);
});
