import fc from "fast-check";
import { fromHex, toHex } from "jelling/bytes";
import { SeededRandom } from "jelling/core";
import { aes128Decrypt, aes128Encrypt, aesCmac, aesCtr } from "jelling/crypto";
import { describe, expect, test } from "vitest";
import { readVectors } from "../../test/vectors.ts";
import { clientStart, SakeClient, stepClient } from "./client.ts";
import { crc32 } from "./crc32.ts";
import type { FrameKeys } from "./frame.ts";
import { openFrame, sealFrame } from "./frame.ts";
import type { ClientRandoms, ServerRandoms } from "./handshake.ts";
import { fail, type Step } from "./handshake.ts";
import { buildKeyDatabase, KeyDatabaseError, parseKeyDatabase, SakeKeyDatabase, SakeKeyEntry } from "./key-database.ts";
import { parseKeyDatabaseFile } from "./key-database-file.ts";
import { SakeParty } from "./party.ts";
import { createPermit, verifyPermit } from "./permit.ts";
import { SakeServer, serverStart, stepServer } from "./server.ts";
import { SakeSession } from "./session.ts";

type Hex = string;
interface Vectors {
  primitives: {
    aes128_ecb: { key: Hex; plaintext: Hex; ciphertext: Hex }[];
    aes128_cmac: { key: Hex; message: Hex; mac16: Hex }[];
    aes128_ctr: { key: Hex; initial_counter_16: Hex; plaintext: Hex; ciphertext: Hex }[];
    crc32: { data: Hex; crc32_be: Hex }[];
  };
  key_databases: {
    valid: {
      name: string;
      bytes: Hex;
      decoded: {
        local_device_type: number;
        remote_devices: ({ device_type: number } & Record<
          "derivation_key" | "handshake_auth_key" | "permit_decrypt_key" | "permit_auth_key" | "handshake_payload",
          Hex
        >)[];
      };
      reversed_bytes?: Hex;
    }[];
    invalid: { name: string; bytes: Hex }[];
  };
  permits: {
    name: string;
    permit_decrypt_key: Hex;
    permit_auth_key: Hex;
    prover_device_type: number;
    block: Hex;
    plain: Hex;
    expected: "accept" | "reject";
  }[];
  handshakes: Handshake[];
  handshake_cases: {
    name: string;
    role: "server" | "client";
    base_handshake: string;
    peer_stage_before: number;
    input: Hex;
    expected: "accept" | "reject";
  }[];
  seqcrypt: {
    key: Hex;
    nonce: Hex;
    encrypt: { seq: number; counter: number; iv_16: Hex; plaintext: Hex; cmac4: Hex; frame: Hex }[];
    receive: {
      name: string;
      start_rx_seq: number;
      steps: { frame: Hex; expected: "accept" | "reject"; plaintext?: Hex; next_rx_seq: number }[];
    }[];
  };
}
interface Handshake {
  name: string;
  server: { device_type: number; key_database: Hex };
  client: { device_type: number; key_database: Hex };
  randoms: Record<
    | "server_msg0_filler_18"
    | "server_key_material_8"
    | "server_nonce_4"
    | "server_msg4_pad_1"
    | "client_key_material_8"
    | "client_nonce_4"
    | "client_msg1_filler_7"
    | "client_msg3_filler_12"
    | "client_msg5_pad_1",
    Hex
  >;
  messages: Record<"msg0_server" | "msg1_client" | "msg2_server" | "msg3_client" | "msg4_server" | "msg5_client", Hex>;
  derived: { session_key: Hex; session_nonce: Hex };
  after_handshake: Record<"server_next_tx_seq" | "server_next_rx_seq" | "client_next_tx_seq" | "client_next_rx_seq", number>;
  traffic: { direction: "client_to_server" | "server_to_client"; seq: number; plaintext: Hex; frame: Hex }[];
}

const vectors = readVectors<Vectors>("sake");
const ZEROS = "00".repeat(20);

const serverRandoms = ({ randoms }: Handshake): ServerRandoms => ({
  filler: fromHex(randoms.server_msg0_filler_18),
  keyMaterial: fromHex(randoms.server_key_material_8),
  nonce: fromHex(randoms.server_nonce_4),
  pad: fromHex(randoms.server_msg4_pad_1),
});
const clientRandoms = ({ randoms }: Handshake): ClientRandoms => ({
  keyMaterial: fromHex(randoms.client_key_material_8),
  nonce: fromHex(randoms.client_nonce_4),
  challengeFiller: fromHex(randoms.client_msg1_filler_7),
  responseFiller: fromHex(randoms.client_msg3_filler_12),
  pad: fromHex(randoms.client_msg5_pad_1),
});
const serverOf = (handshake: Handshake): SakeServer =>
  new SakeServer({
    keyDatabase: parseKeyDatabase(fromHex(handshake.server.key_database)),
    peerType: handshake.client.device_type,
    randoms: serverRandoms(handshake),
  });
const clientOf = (handshake: Handshake): SakeClient =>
  new SakeClient({
    keyDatabase: parseKeyDatabase(fromHex(handshake.client.key_database)),
    peerType: handshake.server.device_type,
    randoms: clientRandoms(handshake),
  });
const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && toHex(bytes);
const base = vectors.handshakes[0]!;

/** A server or client that has accepted everything up to `stage` of the vectors' handshake. */
function serverAt(stage: number, handshake = base): SakeServer {
  const server = serverOf(handshake);
  const { msg1_client, msg3_client, msg5_client } = handshake.messages;
  for (const [reached, message] of [
    [1, ZEROS],
    [3, msg1_client],
    [5, msg3_client],
    [6, msg5_client],
  ] as const)
    if (stage >= reached) server.receive(fromHex(message));
  expect(server.stage).toBe(stage);
  return server;
}
function clientAt(stage: number, handshake = base): SakeClient {
  const client = clientOf(handshake);
  client.receive(fromHex(ZEROS));
  const { msg0_server, msg2_server, msg4_server } = handshake.messages;
  for (const [reached, message] of [
    [2, msg0_server],
    [4, msg2_server],
    [6, msg4_server],
  ] as const)
    if (stage >= reached) client.receive(fromHex(message));
  expect(client.stage).toBe(stage);
  return client;
}

describe("primitives", () => {
  test.each(vectors.primitives.aes128_ecb)("AES-ECB of %o", ({ key, plaintext, ciphertext }) => {
    expect(toHex(aes128Encrypt(fromHex(key), fromHex(plaintext)))).toBe(ciphertext);
    expect(toHex(aes128Decrypt(fromHex(key), fromHex(ciphertext)))).toBe(plaintext);
  });
  test.each(vectors.primitives.aes128_cmac)("AES-CMAC of $message", ({ key, message, mac16 }) => {
    expect(toHex(aesCmac(fromHex(key), fromHex(message)))).toBe(mac16);
  });
  test.each(vectors.primitives.aes128_ctr)("AES-CTR of $plaintext", ({ key, initial_counter_16, plaintext, ciphertext }) => {
    expect(toHex(aesCtr(fromHex(key), fromHex(initial_counter_16), fromHex(plaintext)))).toBe(ciphertext);
  });
  test.each(vectors.primitives.crc32)("CRC-32 of $data", ({ data, crc32_be }) => {
    expect(crc32(fromHex(data)).toString(16).padStart(8, "0")).toBe(crc32_be);
  });
});

describe("key database", () => {
  test.each(vectors.key_databases.valid)("$name is read and built", ({ bytes, decoded, reversed_bytes }) => {
    const database = parseKeyDatabase(fromHex(bytes));
    expect({
      local_device_type: database.localDeviceType,
      remote_devices: database.entries.map((entry) => ({
        device_type: entry.deviceType,
        derivation_key: toHex(entry.derivationKey),
        handshake_auth_key: toHex(entry.handshakeAuthKey),
        permit_decrypt_key: toHex(entry.permitDecryptKey),
        permit_auth_key: toHex(entry.permitAuthKey),
        handshake_payload: toHex(entry.handshakePayload),
      })),
    }).toEqual(decoded);
    expect(toHex(buildKeyDatabase(database))).toBe(bytes);
    expect(buildKeyDatabase(parseKeyDatabaseFile(new TextEncoder().encode(`${bytes.toUpperCase()}\n`)))).toEqual(fromHex(bytes));
    if (reversed_bytes) {
      const entry = database.entries[0]!;
      const reversed = new SakeKeyDatabase(entry.deviceType, [new SakeKeyEntry(database.localDeviceType, entry)]);
      expect(toHex(buildKeyDatabase(reversed))).toBe(reversed_bytes);
    }
  });

  const codes: Record<string, string> = {
    bad_crc_field: "CRC",
    bad_payload_bit: "CRC",
    crc_little_endian: "CRC",
    truncated_valid_crc: "TRUNCATED",
    trailing_byte_valid_crc: "LENGTH",
    count_too_high_valid_crc: "TRUNCATED",
    count_zero_with_entry_valid_crc: "LENGTH",
    unknown_local_type_valid_crc: "DEVICE_TYPE",
    unknown_remote_type_valid_crc: "DEVICE_TYPE",
    empty: "MISSING",
    short_header: "TRUNCATED",
    crc_only: "TRUNCATED",
    duplicate_remote_valid_crc: "DUPLICATE",
  };
  test.each(vectors.key_databases.invalid)("$name is refused in one sentence", ({ name, bytes }) => {
    const refusal = catching(() => parseKeyDatabase(fromHex(bytes)));
    expect(refusal).toBeInstanceOf(KeyDatabaseError);
    expect(refusal).toMatchObject({ code: `ERR_KEY_DATABASE_${codes[name]}`, message: expect.stringMatching(/^[A-Z][^.]*\.$/) });
  });

  test("every truncation is told from a damaged file, and nothing of it is printed", () => {
    const whole = fromHex(vectors.key_databases.valid[0]!.bytes);
    expect(() => parseKeyDatabase(undefined)).toThrow("The key database is missing");
    for (let length = 1; length < whole.length; length++)
      expect(catching(() => parseKeyDatabase(whole.subarray(0, length)))).toMatchObject({ code: "ERR_KEY_DATABASE_TRUNCATED" });
    for (let at = 0; at < whole.length; at++) {
      const damaged = whole.slice();
      damaged[at]! ^= 0x10;
      expect(catching(() => parseKeyDatabase(damaged))).toBeInstanceOf(KeyDatabaseError);
    }
    expect(JSON.stringify(parseKeyDatabase(whole))).toBe('{"localDeviceType":4,"remoteDeviceTypes":[1]}');
  });

  test("a file of anything gives a database or a typed refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (content) => {
        const outcome = catching(() => parseKeyDatabaseFile(content));
        expect(outcome === undefined || outcome instanceof KeyDatabaseError).toBe(true);
      }),
    );
  });

  test("as many entries as there are types survive the way through a file", () => {
    const random = new SeededRandom(1);
    const key = (): Uint8Array => {
      const bytes = new Uint8Array(16);
      random.fill(bytes);
      return bytes;
    };
    const keys = () => ({
      derivationKey: key(),
      handshakeAuthKey: key(),
      permitDecryptKey: key(),
      permitAuthKey: key(),
      handshakePayload: key(),
    });
    const entries = [8, 1, 5, 3].map((type) => new SakeKeyEntry(type, keys()));
    const bytes = buildKeyDatabase(new SakeKeyDatabase(4, entries));
    expect(buildKeyDatabase(parseKeyDatabase(bytes))).toEqual(bytes);
    expect(() => new SakeKeyDatabase(4, [entries[0]!, entries[0]!])).toThrow(KeyDatabaseError);
    expect(() => new SakeKeyEntry(1, { ...keys(), permitAuthKey: new Uint8Array(15) })).toThrow(KeyDatabaseError);
    expect(() => new SakeKeyEntry(9, keys())).toThrow("unknown type 0x09");
  });
});

describe("permits", () => {
  test.each(vectors.permits)("$name: $expected", (vector) => {
    const keys = { permitDecryptKey: fromHex(vector.permit_decrypt_key), permitAuthKey: fromHex(vector.permit_auth_key) };
    expect(toHex(aes128Decrypt(keys.permitDecryptKey, fromHex(vector.block)))).toBe(vector.plain);
    expect(verifyPermit(keys, fromHex(vector.block), vector.prover_device_type) === "valid").toBe(vector.expected === "accept");
    expect(verifyPermit(keys, fromHex(vector.block).subarray(0, 15), vector.prover_device_type)).toBe("permit-invalid");
    if (vector.expected === "accept") {
      const plain = fromHex(vector.plain);
      expect(toHex(createPermit(keys, vector.prover_device_type, plain.subarray(2, 12)))).toBe(vector.block);
    }
  });

  test("a genuine permit of another type is told from a forged one", () => {
    const [valid] = vectors.permits;
    const keys = { permitDecryptKey: fromHex(valid!.permit_decrypt_key), permitAuthKey: fromHex(valid!.permit_auth_key) };
    expect(verifyPermit(keys, fromHex(valid!.block), 2)).toBe("permit-issued-to-different-device");
    expect(verifyPermit(keys, new Uint8Array(16), 1)).toBe("permit-invalid");
  });
});

describe("handshake", () => {
  test.each(vectors.handshakes)("$name, both roles byte for byte", (handshake) => {
    const server = serverOf(handshake);
    const client = clientOf(handshake);
    const { messages, after_handshake: after } = handshake;
    expect(toHex(server.wakeUp)).toBe(ZEROS);
    expect([server.stage, client.stage]).toEqual([0, 0]);
    expect(hex(client.receive(server.wakeUp))).toBe(ZEROS);
    expect(hex(server.receive(fromHex(ZEROS)))).toBe(messages.msg0_server);
    expect(hex(client.receive(fromHex(messages.msg0_server)))).toBe(messages.msg1_client);
    expect([server.stage, client.stage]).toEqual([1, 2]);
    expect(hex(server.receive(fromHex(messages.msg1_client)))).toBe(messages.msg2_server);
    expect(hex(client.receive(fromHex(messages.msg2_server)))).toBe(messages.msg3_client);
    expect([server.stage, client.stage]).toEqual([3, 4]);
    expect(hex(server.receive(fromHex(messages.msg3_client)))).toBe(messages.msg4_server);
    expect(hex(client.receive(fromHex(messages.msg4_server)))).toBe(messages.msg5_client);
    expect([server.stage, client.stage]).toEqual([5, 6]);
    expect(server.receive(fromHex(messages.msg5_client))).toBeUndefined();
    expect([server.done, client.done]).toEqual([true, true]);

    const [us, them] = [server.session!, client.session!];
    expect(us).toMatchObject({ nextSendSequence: after.server_next_tx_seq, nextReceiveSequence: after.server_next_rx_seq });
    expect(them).toMatchObject({ nextSendSequence: after.client_next_tx_seq, nextReceiveSequence: after.client_next_rx_seq });
    for (const { direction, seq, plaintext, frame } of handshake.traffic) {
      const [sender, receiver] = direction === "client_to_server" ? [them, us] : [us, them];
      expect(sender.nextSendSequence).toBe(seq);
      expect(toHex(sender.encrypt(fromHex(plaintext)))).toBe(frame);
      expect(toHex(receiver.decrypt(fromHex(frame)))).toBe(plaintext);
    }
  });

  test.each(vectors.handshake_cases)("$name: $expected", ({ role, base_handshake, peer_stage_before, input, expected }) => {
    const handshake = vectors.handshakes.find(({ name }) => name === base_handshake)!;
    const side = role === "server" ? serverAt(peer_stage_before, handshake) : clientAt(peer_stage_before, handshake);
    const refusal = catching(() => side.receive(fromHex(input)));
    if (expected === "accept") {
      expect(refusal).toBeUndefined();
      expect(side.stage).toBe(peer_stage_before + 2);
    } else {
      expect(refusal).toMatchObject({ code: "ERR_SAKE_HANDSHAKE", stage: peer_stage_before });
      expect(side).toMatchObject({ failed: true, done: false, session: undefined });
    }
  });

  test("a changed server nonce, accepted in message 2, shows in message 4", () => {
    const client = clientAt(2);
    client.receive(fromHex("0e10d5c92ca4b25f9c356bda73246e6254c4a272"));
    expect(() => client.receive(fromHex(base.messages.msg4_server))).toThrow("session key invalid");
  });

  test("a failure is final: the right message is too late afterwards", () => {
    for (const stage of [0, 1, 3, 5]) {
      const server = serverAt(stage);
      expect(() => server.receive(new Uint8Array(20).fill(0xff))).toThrow();
      for (const message of [ZEROS, base.messages.msg1_client, base.messages.msg3_client, base.messages.msg5_client])
        expect(() => server.receive(fromHex(message))).toThrow(`failed at stage ${stage}`);
    }
    for (const stage of [0, 2, 4]) {
      const client = clientAt(stage);
      expect(() => client.receive(new Uint8Array(20).fill(0xff))).toThrow();
      for (const message of [ZEROS, base.messages.msg0_server, base.messages.msg2_server, base.messages.msg4_server])
        expect(() => client.receive(fromHex(message))).toThrow(`failed at stage ${stage}`);
    }
  });

  test("every message of the wrong length, and every message out of turn, is refused", () => {
    const messages = [ZEROS, ...Object.values(base.messages)].map(fromHex);
    for (const stage of [0, 1, 3, 5]) {
      const turn = { 0: ZEROS, 1: base.messages.msg1_client, 3: base.messages.msg3_client, 5: base.messages.msg5_client }[stage]!;
      for (let length = 0; length <= 40; length++)
        if (length !== 20) expect(() => serverAt(stage).receive(new Uint8Array(length))).toThrow("message length invalid");
      for (const message of messages) if (toHex(message) !== turn) expect(() => serverAt(stage).receive(message)).toThrow();
    }
    for (const stage of [0, 2, 4]) {
      const turn = { 0: base.messages.msg0_server, 2: base.messages.msg2_server, 4: base.messages.msg4_server }[stage]!;
      for (let length = 0; length <= 40; length++)
        if (length !== 20) expect(() => clientAt(stage).receive(new Uint8Array(length))).toThrow("message length invalid");
      for (const message of messages) if (toHex(message) !== turn) expect(() => clientAt(stage).receive(message)).toThrow();
    }
  });

  test("every single bit of the messages that are covered matters", () => {
    const covered: [number, string, [number, number]][] = [
      [3, base.messages.msg3_client, [0, 8]],
      [5, base.messages.msg5_client, [0, 20]],
    ];
    for (const [stage, message, [from, to]] of covered)
      for (let bit = from * 8; bit < to * 8; bit++) expect(() => serverAt(stage).receive(flipped(message, bit))).toThrow();
    for (let bit = 0; bit < 16 * 8; bit++) expect(() => clientAt(2).receive(flipped(base.messages.msg2_server, bit))).toThrow();
    for (let bit = 0; bit < 20 * 8; bit++) expect(() => clientAt(4).receive(flipped(base.messages.msg4_server, bit))).toThrow();
    for (let bit = 16; bit < 20 * 8; bit++) expect(clientAt(0).receive(flipped(base.messages.msg0_server, bit))).toHaveLength(20);
  });

  test("a client that hands our own values back is refused before any cryptography", () => {
    const { server_key_material_8: material, server_nonce_4: nonce, client_nonce_4, client_key_material_8 } = base.randoms;
    for (const message of [`${material}01${client_nonce_4}${"00".repeat(7)}`, `${client_key_material_8}01${nonce}${"00".repeat(7)}`])
      expect(() => serverAt(1).receive(fromHex(message))).toThrow("challenge invalid");
    const echoed = `${"00".repeat(8)}${client_key_material_8}${base.randoms.server_nonce_4}`;
    expect(() => clientAt(2).receive(fromHex(echoed))).toThrow("challenge invalid");
  });

  test("a type that is in the database but not the one of the mode is refused", () => {
    const keyDatabase = parseKeyDatabase(fromHex(vectors.key_databases.valid.find(({ name }) => name === "mobile_two_remotes")!.bytes));
    const meter = `${base.randoms.client_key_material_8}03${base.randoms.client_nonce_4}${"00".repeat(7)}`;
    const anyone = new SakeServer({ keyDatabase, randoms: serverRandoms(base) });
    anyone.receive(fromHex(ZEROS));
    expect(anyone.receive(fromHex(meter))).toHaveLength(20);
    const pumpOnly = new SakeServer({ keyDatabase, peerType: 1, randoms: serverRandoms(base) });
    pumpOnly.receive(fromHex(ZEROS));
    expect(() => pumpOnly.receive(fromHex(meter))).toThrow("device type not supported");
  });

  test("a message after the end changes nothing and gets no reply", () => {
    const server = serverAt(6);
    const session = server.session!;
    expect(server.receive(fromHex(ZEROS))).toBeUndefined();
    expect(server.receive(new Uint8Array(3))).toBeUndefined();
    expect(server).toMatchObject({ done: true, failed: false });
    expect(server.session).toBe(session);
    expect(session.isClosed).toBe(false);
  });

  test("keys that a handshake holds are wiped when it fails, when it is done and when it is given up", () => {
    const keysOf = () => ({ key: new Uint8Array(16).fill(1), nonce: new Uint8Array(8).fill(2) });
    const wiped = ({ key, nonce }: FrameKeys): boolean => [...key, ...nonce].every((octet) => octet === 0);
    type State = { readonly at: string; readonly stage: number; readonly keys?: FrameKeys };
    class Probe extends SakeParty<State> {
      constructor(start: State, next: State) {
        super(start, () => ({ state: next }) as Step<State>);
      }
    }
    const failing = keysOf();
    const failed = new Probe({ at: "permitted", stage: 5, keys: failing }, fail(5, "permit-invalid").state);
    expect(() => failed.receive(new Uint8Array(20))).toThrow("permit invalid");
    expect(wiped(failing)).toBe(true);
    const finishing = keysOf();
    const done = new Probe({ at: "permitted", stage: 5 }, {
      at: "done",
      stage: 6,
      keys: finishing,
      nextSendSequence: 3,
      nextReceiveSequence: 2,
    } as State);
    done.receive(new Uint8Array(20));
    expect(wiped(finishing)).toBe(true);
    expect(done.session!.encrypt(Uint8Array.of(1))).toHaveLength(4); // it has its own copy
    const held = keysOf();
    const given = new Probe({ at: "permitted", stage: 5, keys: held }, { at: "permitted", stage: 5 });
    given[Symbol.dispose]();
    expect([wiped(held), given.failed]).toEqual([true, true]);
  });

  test("steps are pure: the same state and message give the same result again", () => {
    const setup = { keyDatabase: parseKeyDatabase(fromHex(base.server.key_database)), randoms: serverRandoms(base) };
    const first = stepServer(setup, serverStart, fromHex(ZEROS));
    expect(stepServer(setup, serverStart, fromHex(ZEROS))).toEqual(first);
    const second = stepServer(setup, first.state, fromHex(base.messages.msg1_client));
    expect(stepServer(setup, first.state, fromHex(base.messages.msg1_client))).toEqual(second);
    const clientSetup = { keyDatabase: parseKeyDatabase(fromHex(base.client.key_database)), randoms: clientRandoms(base) };
    const message0 = fromHex(base.messages.msg0_server);
    expect(stepClient(clientSetup, clientStart, message0)).toEqual(stepClient(clientSetup, clientStart, message0));
  });

  test("each handshake draws fresh random octets, and two devices with invented keys agree", () => {
    const seen = new Set<string>();
    const random = new SeededRandom(5);
    for (let i = 0; i < 50; i++) {
      const server = new SakeServer({ keyDatabase: parseKeyDatabase(fromHex(base.server.key_database)), peerType: 1, random });
      const client = new SakeClient({ keyDatabase: parseKeyDatabase(fromHex(base.client.key_database)), peerType: 4, random });
      let message = client.receive(server.wakeUp);
      for (let turns = 0; message; turns++) {
        const reply = server.receive(message);
        if (turns === 1) seen.add(toHex(reply!.subarray(8)));
        message = reply && client.receive(reply);
      }
      expect([server.done, client.done]).toEqual([true, true]);
      const frame = client.session!.encrypt(Uint8Array.of(1, 2, 3));
      expect(server.session!.decrypt(frame)).toEqual(Uint8Array.of(1, 2, 3));
    }
    expect(seen.size).toBe(50);
  });

  test("an abandoned handshake accepts nothing more", () => {
    const server = serverAt(5);
    server[Symbol.dispose]();
    expect(() => server.receive(fromHex(base.messages.msg5_client))).toThrow();
    const client = clientAt(4);
    client[Symbol.dispose]();
    expect(() => client.receive(fromHex(base.messages.msg4_server))).toThrow();
  });

  test("octets of any kind give a reply or a typed refusal", () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 3, 5), fc.uint8Array({ minLength: 18, maxLength: 22 }), (stage, message) => {
        const refusal = catching(() => serverAt(stage).receive(message));
        if (refusal) expect(refusal).toMatchObject({ code: "ERR_SAKE_HANDSHAKE" });
      }),
      { numRuns: 60 },
    );
  });
});

describe("frames", () => {
  const keys = { key: fromHex(vectors.seqcrypt.key), nonce: fromHex(vectors.seqcrypt.nonce) };

  test.each(vectors.seqcrypt.encrypt)("sequence $seq, counter $counter: $frame", ({ seq, plaintext, frame }) => {
    expect(hex(sealFrame(keys, seq, fromHex(plaintext)))).toBe(frame);
    expect(openFrame(keys, seq, fromHex(frame))).toEqual({ ok: true, plaintext: fromHex(plaintext), nextSequence: seq + 2, skipped: 0 });
  });

  test.each(vectors.seqcrypt.receive)("$name", ({ start_rx_seq, steps }) => {
    const session = new SakeSession(keys, { nextSendSequence: 1, nextReceiveSequence: start_rx_seq });
    for (const { frame, expected, plaintext, next_rx_seq } of steps) {
      if (expected === "accept") expect(toHex(session.decrypt(fromHex(frame)))).toBe(plaintext);
      else expect(() => session.decrypt(fromHex(frame))).toThrow("SAKE frame refused");
      expect(session.nextReceiveSequence).toBe(next_rx_seq);
    }
  });

  test("a frame is refused past 2^40, in both directions", () => {
    const session = new SakeSession(keys, { nextSendSequence: 2 ** 40 - 1, nextReceiveSequence: 2 ** 40 - 2 });
    const last = session.encrypt(Uint8Array.of(7));
    expect(catching(() => session.encrypt(Uint8Array.of(8)))).toMatchObject({ problem: "sequence-exhausted", final: true });
    expect(openFrame(keys, 2 ** 40 - 1, last)).toMatchObject({ ok: true, nextSequence: 2 ** 40 + 1 });
    expect(openFrame(keys, 2 ** 40 + 1, last, 255)).toEqual({ ok: false, problem: "sequence-exhausted" });
    expect(sealFrame(keys, 2 ** 40, new Uint8Array())).toBeUndefined();
  });

  test("eight refusals in a row end the session; a good frame in between starts the count again", () => {
    const session = new SakeSession(keys, { nextSendSequence: 1, nextReceiveSequence: 0 });
    const bad = Uint8Array.of(0, 0, 0, 0);
    for (let i = 0; i < 7; i++) expect(catching(() => session.decrypt(bad))).toMatchObject({ final: false });
    session.decrypt(sealFrame(keys, 0, Uint8Array.of(1))!);
    expect(session.failuresInARow).toBe(0);
    for (let i = 0; i < 7; i++) expect(catching(() => session.decrypt(bad))).toMatchObject({ final: false });
    expect(catching(() => session.decrypt(bad))).toMatchObject({ final: true });
    expect(session.isClosed).toBe(true);
    expect(() => session.decrypt(sealFrame(keys, 2, Uint8Array.of(1))!)).toThrow("session closed");
    expect(catching(() => session.encrypt(Uint8Array.of(1)))).toMatchObject({ problem: "session-closed", final: true });
    expect(catching(() => session.decrypt(Uint8Array.of(1, 2, 3)))).toMatchObject({ problem: "session-closed", final: true });
  });

  test("a frame without room for counter and tag is too short, whatever is in it", () => {
    for (let length = 0; length < 3; length++)
      expect(openFrame(keys, 0, new Uint8Array(length))).toEqual({ ok: false, problem: "too-short" });
    expect(openFrame(keys, 0, sealFrame(keys, 0, new Uint8Array())!)).toMatchObject({ ok: true });
  });

  test("a session keeps its own copy of the key, wipes it, and tells how many frames were lost", () => {
    const own = { key: keys.key.slice(), nonce: keys.nonce.slice() };
    const session = new SakeSession(own, { nextSendSequence: 1, nextReceiveSequence: 0 });
    own.key.fill(0);
    const lost: number[] = [];
    session.onFramesLost = (count) => lost.push(count);
    session.decrypt(sealFrame(keys, 0, Uint8Array.of(1))!);
    session.decrypt(sealFrame(keys, 8, Uint8Array.of(1))!);
    expect(lost).toEqual([3]);
    session[Symbol.dispose]();
    expect(() => session.encrypt(Uint8Array.of(1))).toThrow("session closed");
    expect(JSON.stringify(session)).not.toContain(vectors.seqcrypt.key);
  });

  test("what is sealed opens, over any plaintext, position and jump within the window", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 0, max: 2 ** 39 }),
        fc.integer({ min: 0, max: 300 }),
        (plaintext, position, jump) => {
          const frame = sealFrame(keys, position + 2 * jump, plaintext)!;
          const opened = openFrame(keys, position, frame);
          if (jump <= 128) expect(opened).toEqual({ ok: true, plaintext, nextSequence: position + 2 * jump + 2, skipped: jump });
          else expect(opened.ok).toBe(false);
        },
      ),
    );
  });
});

function flipped(message: Hex, bit: number): Uint8Array {
  const bytes = fromHex(message);
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes;
}
function catching(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}
