import { SeededRandom } from "jelling/core";
import { describe, expect, test } from "vitest";
import { inventKeys } from "../simulator/keys.ts";
import { SakeClient } from "./client.ts";
import { SakeDeviceType } from "./device-type.ts";
import { SakeServer } from "./server.ts";
import { SakeFrameError } from "./session.ts";

const keys = inventKeys(new SeededRandom(7));
const clientFor = (peerType?: number): SakeClient =>
  new SakeClient({ keyDatabase: keys.pump, random: new SeededRandom(8), ...(peerType !== undefined && { peerType }) });
const wakeUp = new Uint8Array(20);
/** Message 0 of a server of this type. */
const greeting = (type: number): Uint8Array => Uint8Array.of(type, 1, ...new Uint8Array(18));
const { MobileApplication, InsulinPump } = SakeDeviceType;

describe("whom a client answers", () => {
  test("any type it has keys for, or the one that was asked for", () => {
    for (const peerType of [undefined, MobileApplication]) {
      const client = clientFor(peerType);
      client.receive(wakeUp);
      expect(client.receive(greeting(MobileApplication))).toHaveLength(20);
      expect(client.stage).toBe(2);
    }
  });

  test.each([
    ["a type it has keys for, where another was asked for", InsulinPump, MobileApplication],
    ["a type it has no keys for", undefined, InsulinPump],
    ["no type at all", undefined, 0xee],
  ])("not %s", (_name, peerType, type) => {
    const client = clientFor(peerType);
    client.receive(wakeUp);
    expect(() => client.receive(greeting(type))).toThrow(expect.objectContaining({ failure: "device-type-not-supported", stage: 0 }));
    expect([client.failed, client.session]).toEqual([true, undefined]);
  });

  test("a wake-up once; a server that begins with its greeting is answered as well", () => {
    const client = clientFor();
    expect(client.receive(wakeUp)).toEqual(wakeUp);
    expect(() => client.receive(wakeUp)).toThrow(expect.objectContaining({ failure: "device-type-not-supported" }));
    const eager = clientFor();
    expect(eager.receive(greeting(MobileApplication))).not.toEqual(wakeUp);
    expect(eager.stage).toBe(2);
  });

  test("nobody any more once it is done: a second handshake on it changes nothing", () => {
    const server = new SakeServer({ keyDatabase: keys.phone, peerType: InsulinPump, random: new SeededRandom(9) });
    const client = clientFor(MobileApplication);
    for (let message: Uint8Array | undefined = server.wakeUp; message; ) {
      const reply: Uint8Array | undefined = client.receive(message);
      message = reply && server.receive(reply);
    }
    expect([client.done, server.done]).toEqual([true, true]);
    const { session } = client;
    for (const message of [wakeUp, greeting(MobileApplication), new Uint8Array(3)]) expect(client.receive(message)).toBeUndefined();
    expect([client.done, client.stage, client.session]).toEqual([true, 6, session]);
    expect(server.session!.decrypt(session!.encrypt(Uint8Array.of(1)))).toEqual(Uint8Array.of(1));
  });
});

test("a refused frame says why in words, and whether that was the end", () => {
  expect(new SakeFrameError("session-closed", true).message).toBe("SAKE frame refused: session closed");
  expect(new SakeFrameError("tag-mismatch", true).message).toBe("SAKE frame refused: tag mismatch; the session is over");
  expect(new SakeFrameError("tag-mismatch", false).message).toBe("SAKE frame refused: tag mismatch");
});
