import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AnyMgmtCommand, AnyMgmtEvent } from "./declare.ts";
import type { FieldDescription, Fields } from "./fields.ts";
import { encodeCommand, encodeCommandComplete, encodeCommandStatus, encodeEvent } from "./packet.ts";
import { present } from "./present.ts";
import { holdsSecrets, redactCommand, redactPacket } from "./redact.ts";
import { commands, events, eventsByCode } from "./registry.ts";
import { Status } from "./values.ts";

/** Fills secrets with a mark that stands nowhere else. */
const MARK = 0xab;

function sample({ type, count, of, fields, secret, fallback }: FieldDescription): unknown {
  if (secret && type === "u32") return 0xab_abab;
  if (type === "bytes" || type === "eir") return new Uint8Array(count ?? 5).fill(secret ? MARK : 1);
  if (type === "list") return [sample(of!.description), sample(of!.description)];
  if (type === "struct") return sampleOf(fields!);
  if (type === "bdaddr") return "C0:11:22:33:44:55";
  if (type === "uuid128") return "180d";
  if (type === "cstring") return "name";
  if (type === "tlv16") return { type: 1, value: Uint8Array.of(1, 2) };
  if (type === "u64") return 7n;
  return fallback ?? 1;
}

function sampleOf(fields: Fields): Record<string, unknown> {
  const given = Object.entries(fields).filter(
    ([, { description }]) => description.countOf === undefined && description.lengthOf === undefined,
  );
  return Object.fromEntries(given.map(([name, { description }]) => [name, sample(description)]));
}

const marks = (packet: Uint8Array): number => packet.filter((octet) => octet === MARK).length;

describe("keys, passkeys and what keys are made of become zeros", () => {
  test.each(Object.values<AnyMgmtCommand>(commands).map((command) => [command.name, command] as const))("in %s", (_, command) => {
    const packet = encodeCommand(command, 0, sampleOf(command.parameters.fields));
    const redacted = redactCommand(packet);
    expect(redacted).toHaveLength(packet.length);
    expect(marks(redacted)).toBe(0);
    if (!holdsSecrets(command.parameters)) expect(redacted).toBe(packet);
    else expect(redacted.filter((octet, i) => octet !== packet[i])).toEqual(new Uint8Array(marks(packet)));
    const reply = encodeCommandComplete(command, 0, Status.Success, sampleOf(command.returns.fields));
    expect(marks(redactPacket(reply))).toBe(0);
    if (!holdsSecrets(command.returns)) expect(redactPacket(reply)).toBe(reply);
  });

  test.each(Object.values<AnyMgmtEvent>(events).map((event) => [event.name, event] as const))("in %s", (_, event) => {
    const packet = encodeEvent(event, 0, sampleOf(event.parameters.fields));
    expect(marks(redactPacket(packet))).toBe(0);
    if (!holdsSecrets(event.parameters)) expect(redactPacket(packet)).toBe(packet);
  });

  test("which are there at all", () => {
    const secretive = [...Object.values<AnyMgmtCommand>(commands)].filter(
      ({ parameters, returns }) => holdsSecrets(parameters) || holdsSecrets(returns),
    );
    expect(secretive.map(({ name }) => name).sort()).toEqual(
      [
        "AddRemoteOutOfBandData",
        "LoadBlockedKeys",
        "LoadIdentityResolvingKeys",
        "LoadLinkKeys",
        "LoadLongTermKeys",
        "PINCodeReply",
        "ReadLocalOutOfBandData",
        "ReadLocalOutOfBandExtendedData",
        "SendHCICommandAndWaitForEvent",
        "SetPrivacy",
        "UserPasskeyReply",
      ].sort(),
    );
  });
});

test("a packet that should hold secrets and is cut short keeps nothing of its parameters", () => {
  const packet = encodeCommand(commands.setPrivacy, 0, { privacy: 1, identityResolvingKey: new Uint8Array(16).fill(MARK) });
  for (let length = 6; length < packet.length; length++) expect(marks(redactCommand(packet.subarray(0, length)))).toBe(0);
});

test("replies without return parameters, and what is not known, stay as they are", () => {
  const status = encodeCommandStatus(commands.setPrivacy.opcode, 0, Status.Busy);
  expect(redactPacket(status)).toBe(status);
  const unknown = Uint8Array.of(0xff, 0, 0, 0, 1, 0, MARK);
  expect(redactPacket(unknown)).toBe(unknown);
  expect(redactCommand(unknown)).toBe(unknown);
  expect(eventsByCode.has(0xff)).toBe(false);
});

test("whatever the octets, redaction does not fail, and does not change the length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(0x5c), (octets, code) => {
      const packet = Uint8Array.from([code, 0, 0, 0, octets.length, 0, ...octets]);
      expect(redactPacket(packet)).toHaveLength(packet.length);
      expect(redactCommand(packet)).toHaveLength(packet.length);
    }),
  );
});

test("presented values hide them too, unless they are asked for", () => {
  const values = { address: "C0:11:22:33:44:55", addressType: 2, passkey: 123_456 };
  const { fields } = commands.userPasskeyReply.parameters;
  expect(present(fields, values)).toMatchObject({ passkey: "(redacted)" });
  expect(present(fields, values, { secrets: true })).toMatchObject({ passkey: 123_456 });
});
