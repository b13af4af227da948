import { delay, VirtualClock } from "jelling/async";
import { fromHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeStatusReaderResponse, StatusReaderOpcode } from "../idd/status-reader.ts";
import { SakeSession } from "../sake/session.ts";
import { ControlPoint } from "./control-point.ts";
import { RequestEncoder } from "./requests.ts";

const INSULIN_ON_BOARD = "fc0300709914fa";
const TIME_IN_RANGE = "02040018034961";
const REFUSED_OTHER = "0303fd0370";
/** What the pump is asked before each write takes so long. */
const CHECK_MS = 1000;

let clock: VirtualClock;
let controlPoint: ControlPoint;
beforeEach(() => {
  clock = new VirtualClock();
  controlPoint = new ControlPoint("status reader", {
    clock,
    logger: Logger.silent,
    write: async (request) => {
      await delay(clock, CHECK_MS);
      request.take();
      await delay(clock, 250);
    },
  });
});
afterEach(() => clock[Symbol.dispose]());

const encoder = new RequestEncoder(
  new SakeSession({ key: new Uint8Array(16), nonce: new Uint8Array(8) }, { nextSendSequence: 3, nextReceiveSequence: 2 }),
  Logger.silent,
);
function askForInsulin(): Promise<unknown> {
  const opcode = StatusReaderOpcode.GetInsulinOnBoard;
  return controlPoint.exchange({
    request: encoder.encode("iddStatusReader", opcode, new Uint8Array(), { e2eCrc: false }),
    onResponse: (plaintext) => {
      const answer = decodeStatusReaderResponse(plaintext, { e2e: false, request: opcode });
      return answer.kind === "response_code" && answer.requestOpcode !== opcode ? undefined : answer;
    },
  });
}
const receive = (hex: string): void => controlPoint.receive(fromHex(hex));

describe("an indication", () => {
  test("that comes before the request was sent answers an earlier one, whatever it says", async () => {
    const asked = askForInsulin();
    await delay(clock, CHECK_MS - 1);
    receive("fc03000f000000"); // 15 IU, as of an earlier request
    await delay(clock, 2);
    receive(INSULIN_ON_BOARD); // also before the write is answered
    expect(await asked).toMatchObject({ kind: "insulin_on_board", insulinOnBoardIu: 1.35 });
  });

  test("that answers another request, late or twice, is waited past; the next exchange does not get the answer of this one", async () => {
    for (let round = 0; round < 3; round++) {
      const asked = askForInsulin();
      await delay(clock, CHECK_MS + 250);
      for (const stray of [TIME_IN_RANGE, TIME_IN_RANGE, REFUSED_OTHER, "0999"]) receive(stray);
      await delay(clock, 500);
      receive(INSULIN_ON_BOARD);
      expect(await asked).toMatchObject({ insulinOnBoardIu: 1.35 });
    }
  });

  test("of another kind, with none behind it, is an error of its data in the end", async () => {
    const asked = askForInsulin();
    const outcome = expect(asked).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "opcode" });
    await delay(clock, CHECK_MS);
    receive(TIME_IN_RANGE);
    await delay(clock, 9000);
    await outcome;
    const silent = askForInsulin();
    await expect(silent).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  });

  test("of the right kind that is malformed ends the exchange at once", async () => {
    const asked = askForInsulin();
    const outcome = expect(asked).rejects.toMatchObject({ code: "ERR_PUMP_DATA", problem: "length" });
    await delay(clock, CHECK_MS);
    receive("fc0300");
    await delay(clock, 250);
    await outcome;
  });
});
