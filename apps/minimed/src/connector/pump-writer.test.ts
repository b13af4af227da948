import { type AttBearer, AttError, AttErrorCode, type ResponseParser } from "jelling/att";
import { fromHex, toHex } from "jelling/bytes";
import { Logger } from "jelling/core";
import type { HciTransport } from "jelling/hci";
import { PDU_OFFSET } from "jelling/l2cap";
import { describe, expect, test } from "vitest";
import { PumpError } from "../error.ts";
import { SakeSession } from "../sake/session.ts";
import { CharacteristicUuid, ServiceUuid } from "../uuids.ts";
import type { PumpPlace } from "./pump-handles.ts";
import { PumpWriter } from "./pump-writer.ts";
import { type PumpWrite, RequestEncoder } from "./requests.ts";
import { WriteGate } from "./write-gate.ts";

const session = new SakeSession(
  { key: new Uint8Array(16).fill(3), nonce: new Uint8Array(8).fill(4) },
  { nextSendSequence: 3, nextReceiveSequence: 2 },
);
const encoder = new RequestEncoder(session, Logger.silent);
const report = (): PumpWrite => encoder.encode("cgmRecordAccess", 1, Uint8Array.of(6), { e2eCrc: false });
const subscription = (): PumpWrite => encoder.subscription("cgmRecordAccess");

/** CGM at 0x1b to 0x2a, record access declared at 0x25, its configuration at 0x27. */
const PLACE: PumpPlace = {
  service: { uuid: ServiceUuid.ContinuousGlucoseMonitoring, handle: 0x1b, endHandle: 0x2a },
  uuid: CharacteristicUuid.RecordAccessControlPoint,
  declaration: 0x25,
  value: 0x26,
  endHandle: 0x27,
  sends: true,
};
const SERVICE_READ = "101b001b000028";
const SERVICE = "061b002a001f18";
const TO_VALUE = ["0425002600", "0125000328" + "2600522a"] as const;
const TO_END = ["0425002700", "0125000328" + "2600522a" + "27000229"] as const;

/** A pump that has these answers, by request; no answer is Attribute Not Found. */
function pumpWith(answers: Readonly<Record<string, string>>): {
  writer: PumpWriter;
  asked: string[];
  is: { over: boolean; onAnswer: () => void };
} {
  const asked: string[] = [];
  const is = { over: false, onAnswer: (): void => {} };
  const att = {
    allocate: (length: number) => new Uint8Array(PDU_OFFSET + length),
    request: <T>(frame: Uint8Array, parse: ResponseParser<T>): Promise<T> => {
      const text = toHex(frame.subarray(PDU_OFFSET));
      asked.push(text);
      const answer = text.startsWith("12") ? "" : answers[text];
      if (answer === undefined)
        return Promise.reject(
          new AttError({ requestOpcode: frame[PDU_OFFSET]!, attributeHandle: 0, errorCode: AttErrorCode.AttributeNotFound }),
        );
      const bytes = fromHex(answer);
      const result = Promise.resolve(parse(bytes, 0, bytes.length));
      is.onAnswer(); // what comes behind it in the same packet
      return result;
    },
  } as unknown as AttBearer;
  const transport = { send: () => {} } as unknown as HciTransport;
  const gate = new WriteGate(transport, Logger.silent);
  const refusal = () => (is.over ? new PumpError("ERR_PUMP_SESSION_ENDED", "over") : undefined);
  return { writer: new PumpWriter({ att, connectionHandle: 0x40, gate, refusal }), asked, is };
}
const written = (asked: readonly string[]): string[] => asked.filter((text) => text.startsWith("12"));
const GOOD = { [SERVICE_READ]: SERVICE, [TO_VALUE[0]]: TO_VALUE[1], [TO_END[0]]: TO_END[1] };

describe("before each write", () => {
  test("the service and the characteristic are asked for, and nothing else", async () => {
    const { writer, asked } = pumpWith(GOOD);
    await writer.write(report(), PLACE);
    expect(asked).toEqual([SERVICE_READ, TO_VALUE[0], "1226000106"]);
    asked.length = 0;
    expect(await writer.subscribe(subscription(), PLACE)).toBe(true);
    expect(asked).toEqual([SERVICE_READ, TO_END[0], "1227000200"]);
  });

  test("a characteristic without a configuration is not subscribed to", async () => {
    const { writer, asked } = pumpWith({ ...GOOD, [TO_END[0]]: "0125000328" + "2600522a" + "27000129" });
    expect(await writer.subscribe(subscription(), PLACE)).toBe(false);
    expect(written(asked)).toEqual([]);
  });

  test("the configuration is looked for behind other descriptors, as far as the characteristic and the service go", async () => {
    const place = { ...PLACE, endHandle: 0xffff };
    const { writer, asked } = pumpWith({
      [SERVICE_READ]: SERVICE,
      "0425002a00": "0125000328" + "2600522a" + "27000129" + "28000429",
      "0429002a00": "0129000229",
    });
    expect(await writer.subscribe(subscription(), place)).toBe(true);
    expect(written(asked)).toEqual(["1229000200"]);
  });

  test.each([
    ["no service begins there", { [SERVICE_READ]: undefined }],
    ["another service begins there", { [SERVICE_READ]: "061b002a003a18" }],
    ["the service ends before the value", { [SERVICE_READ]: "061b0025001f18" }],
    [
      "another characteristic has the value",
      { [TO_VALUE[0]]: "0125000328" + "2600252b", [TO_END[0]]: "0125000328" + "2600252b" + "27000229" },
    ],
    ["the declaration is none", { [TO_VALUE[0]]: "0125000229" + "2600522a", [TO_END[0]]: "0125000229" + "2600522a" + "27000229" }],
    ["the value is gone", { [TO_VALUE[0]]: "0125000328", [TO_END[0]]: "0125000328" + "27000229" }],
    ["nothing is there", { [TO_VALUE[0]]: undefined, [TO_END[0]]: undefined }],
  ])("%s: nothing is written", async (_name, wrong) => {
    const { writer, asked } = pumpWith({ ...GOOD, ...wrong } as Record<string, string>);
    await expect(writer.write(report(), PLACE)).rejects.toMatchObject({ code: "ERR_PUMP_MOVED" });
    await expect(writer.subscribe(subscription(), PLACE)).rejects.toMatchObject({ code: "ERR_PUMP_MOVED" });
    expect(written(asked)).toEqual([]);
  });

  test.each(["0028", "0128", "0228", "0328"])("a declaration of type %s before the configuration: that is another's", async (type) => {
    const { writer, asked } = pumpWith({ ...GOOD, "0425002800": `01250003282600522a2700${type}28000229` });
    await expect(writer.subscribe(subscription(), { ...PLACE, endHandle: 0x28 })).rejects.toMatchObject({ code: "ERR_PUMP_MOVED" });
    expect(written(asked)).toEqual([]);
  });

  test.each([0, 1])(
    "the session that is over with answer %d, or with what comes in the same packet, writes nothing any more",
    async (last) => {
      for (const act of ["write", "subscribe"] as const) {
        const { writer, asked, is } = pumpWith(GOOD);
        let answers = 0;
        is.onAnswer = () => {
          is.over ||= answers++ === last;
        };
        await expect(writer[act](act === "write" ? report() : subscription(), PLACE)).rejects.toMatchObject({
          code: "ERR_PUMP_SESSION_ENDED",
        });
        expect(written(asked)).toEqual([]);
      }
    },
  );

  test("a subscription is no request, a request no subscription, and what the table did not make is neither", async () => {
    const { writer, asked } = pumpWith(GOOD);
    const made = (opcode?: number): PumpWrite =>
      ({ name: "cgmRecordAccess", opcode, text: "delete", take: () => Uint8Array.of(2, 1) }) as unknown as PumpWrite;
    for (const wrong of [subscription(), made(2), undefined as never])
      await expect(writer.write(wrong, PLACE)).rejects.toMatchObject({ code: "ERR_PUMP_FORBIDDEN" });
    for (const wrong of [report(), made()])
      await expect(writer.subscribe(wrong, PLACE)).rejects.toMatchObject({ code: "ERR_PUMP_FORBIDDEN" });
    expect(asked).toEqual([]);
  });
});

test("attributes outside of those asked about are not believed: a configuration named beyond the characteristic is not written", async () => {
  for (const stray of ["2800", "0300"]) {
    const { writer, asked } = pumpWith({ ...GOOD, [TO_END[0]]: `01250003282600522a${stray}0229` });
    await writer.subscribe(subscription(), PLACE).catch(() => undefined);
    expect(written(asked)).toEqual([]);
  }
});
