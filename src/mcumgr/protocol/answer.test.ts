import { describe, expect, test } from "vitest";
import { EXCHANGES, payloadOf } from "../../../test/support/mcumgr-vectors.ts";
import { fromHex, toHex } from "../../bytes/index.ts";
import { encodeAnswer, failurePayload, readAnswer } from "./answer.ts";
import { command, group } from "./declare.ts";
import { errorOf } from "./error.ts";
import { int, text, uint } from "./fields.ts";
import { decodeMessage } from "./message.ts";
import { McumgrRegistry } from "./registry.ts";

describe("a server's answers", () => {
  test("to the requests of the vectors are those of the servers, octet for octet", () => {
    for (const { name, request, response } of EXCHANGES) {
      const failure = errorOf(payloadOf(response));
      const asked = decodeMessage(fromHex(request.hex)).header;
      expect(toHex(encodeAnswer(asked, payloadOf(response))), name).toBe(response.hex);
      if (failure !== undefined && Object.keys(payloadOf(response)).length === 1)
        expect(toHex(encodeAnswer(asked, failurePayload(failure))), name).toBe(response.hex);
    }
  });

  test("are in a version that there is, with the op of the answer", () => {
    const header = { op: 0, version: 3, reserved: 2, flags: 1, length: 0, group: 5, sequence: 9, command: 7 };
    expect(decodeMessage(encodeAnswer(header, {})).header).toEqual({ ...header, op: 1, version: 1, reserved: 0, flags: 0, length: 2 });
    expect(decodeMessage(encodeAnswer({ ...header, op: 6, version: 0 }, {}, "definite")).header).toMatchObject({
      op: 3,
      version: 0,
      length: 1,
    });
  });

  test("say a group's code in the form of the version", () => {
    expect(failurePayload({ group: 1, rc: 27, reason: "downgrade" })).toEqual({ err: { group: 1, rc: 27 }, rsn: "downgrade" });
    expect(failurePayload({ group: 1, rc: 27, reason: "downgrade" }, 0)).toEqual({ rc: 6, rsn: "downgrade" });
    expect(failurePayload({ rc: 8 }, 0)).toEqual({ rc: 8 });
    expect(failurePayload({ rc: 8 })).toEqual({ rc: 8 });
  });
});

test("a group of one's own is served and asked by the same declaration", () => {
  const Acme = group("acme", {
    id: 70,
    errors: { 2: ["TooHot", "above 100 degrees"] },
    commands: {
      measure: command("measure", { id: 3, read: { request: { channel: uint("ch") }, response: { degrees: int("t"), unit: text() } } }),
    },
  });
  const { measure } = Acme.commands;
  const names = new McumgrRegistry().with(Acme);
  const header = { op: 0, version: 1, reserved: 0, flags: 0, length: 5, group: 70, sequence: 1, command: 3 };
  expect(names.find(header)?.title).toBe("acme.measure");
  expect(measure.decodeRequest(measure.encodeRequest({ channel: 4 }))).toEqual({ channel: 4 });
  const answer = decodeMessage(encodeAnswer(header, measure.encodeResponse({ degrees: -3, unit: "C" })));
  expect(answer.payload).toEqual({ t: -3, unit: "C" });
  expect(readAnswer(Acme, measure, answer.payload, names)).toEqual({ degrees: -3, unit: "C" });
  expect(() => readAnswer(Acme, measure, failurePayload({ group: 70, rc: 2 }), names)).toThrow(
    "acme.measure: acme TooHot (rc 2): above 100 degrees",
  );
  expect(() => readAnswer(Acme, measure, { t: 1 }, names)).toThrow("answer to acme.measure: unit: missing; expected text");
});
