import { expect, test } from "vitest";
import { FakeChannel } from "../../test/support/pdu-channel-pair.ts";
import { VirtualClock } from "../async/virtual-clock.ts";
import { fromHex as hex, toHex } from "../bytes/hex.ts";
import { PDU_OFFSET } from "../l2cap/channel.ts";
import { setClientDemand, setLinkSecurity } from "./bearer.ts";
import * as exported from "./index.ts";
import { AttBearer, type LinkSecurity, NO_SECURITY, type SecurityRequirement } from "./index.ts";
import { bothRequirements, checkSecurityRequirement, meets } from "./security.ts";

const ENCRYPTED: LinkSecurity = { encrypted: true, authenticated: false, secureConnections: false, keySize: 16, bonded: true };
const STRONG: LinkSecurity = { ...ENCRYPTED, authenticated: true, secureConnections: true };
const none = (): void => {};

function create(demand: SecurityRequirement = { encrypted: true }) {
  const clock = new VirtualClock();
  const channel = new FakeChannel();
  const bearer = new AttBearer(channel, { clock });
  const received: string[] = [];
  bearer.client = {
    onHandleValue: (handle, bytes, offset, end, indication) =>
      received.push(`${indication ? "ind" : "ntf"} ${handle} ${toHex(bytes.subarray(offset, end))}`),
  };
  setClientDemand(bearer, demand);
  const frame = (text: string): Uint8Array => {
    const pdu = hex(text);
    const whole = bearer.allocate(pdu.length);
    whole.set(pdu, PDU_OFFSET);
    return whole;
  };
  return { clock, channel, bearer, received, frame, sent: () => channel.sent.map(toHex) };
}

test("below the demand no request and no command leaves; answers, confirmations and own notifications do", async () => {
  const { bearer, channel, frame, sent } = create();
  const refused = { code: "ERR_INSUFFICIENT_SECURITY", required: { encrypted: true }, security: NO_SECURITY };
  await expect(bearer.request(frame("0a0300"), none)).rejects.toMatchObject(refused);
  await expect(bearer.exchangeMtu()).rejects.toMatchObject(refused);
  await expect(bearer.sendFlow(frame("52030001"))).rejects.toMatchObject(refused);
  expect(() => bearer.sendNow(frame("52030001"))).toThrow(/must be encrypted, and is not encrypted/);
  expect(sent()).toEqual([]);
  await bearer.sendFlow(frame("1b030001"));
  bearer.sendNow(frame("1b030002"));
  channel.receive(hex("1d030001"));
  channel.receive(hex("0a0300"));
  channel.receive(hex("026400"));
  expect(sent()).toEqual(["1b030001", "1b030002", "1e", "010a000006", "03f700"]);
  setLinkSecurity(bearer, ENCRYPTED);
  const read = bearer.request(frame("0a0300"), () => "read");
  bearer.sendNow(frame("52030003"));
  await bearer.sendFlow(frame("52030004"));
  channel.receive(hex("0b"));
  expect(await read).toBe("read");
  expect(sent().slice(5)).toEqual(["0a0300", "52030003", "52030004"]);
});

test("the error says what is missing", () => {
  const { bearer } = create({ authenticated: true, minKeySize: 16 });
  setLinkSecurity(bearer, { ...ENCRYPTED, keySize: 7, secureConnections: true });
  expect(bearer.securityRefusal()?.message).toBe(
    "not sent: the link must be authenticated, a key of 16 octets, and is encrypted, Secure Connections, a key of 7 octets",
  );
  setLinkSecurity(bearer, NO_SECURITY);
  expect(bearer.securityRefusal({ secureConnections: true })?.message).toBe(
    "not sent: the link must be authenticated, Secure Connections, a key of 16 octets, and is not encrypted",
  );
});

test("an MTU exchange that may not leave is no exchange: the next one is", async () => {
  const { bearer, channel, sent } = create();
  await expect(bearer.exchangeMtu()).rejects.toMatchObject({ code: "ERR_INSUFFICIENT_SECURITY" });
  expect(bearer.writable).toBe(true); // notifications do not wait for it
  setLinkSecurity(bearer, ENCRYPTED);
  const exchange = bearer.exchangeMtu();
  channel.receive(hex("036400"));
  expect(await exchange).toBe(100);
  expect(sent()).toEqual(["02f700"]);
});

test("what was allowed when it was queued is judged again when it leaves", async () => {
  const { bearer, channel, frame, sent } = create();
  setLinkSecurity(bearer, ENCRYPTED);
  const first = bearer.request(frame("0a0300"), none);
  const second = bearer.request(frame("0a0400"), none);
  channel.writable = false;
  const command = bearer.sendFlow(frame("52030001"));
  const notification = bearer.sendFlow(frame("1b030002"));
  setLinkSecurity(bearer, NO_SECURITY);
  channel.receive(hex("0b11"));
  channel.writable = true;
  await first;
  await expect(second).rejects.toMatchObject({ code: "ERR_INSUFFICIENT_SECURITY" });
  await expect(command).rejects.toMatchObject({ code: "ERR_INSUFFICIENT_SECURITY" });
  await notification;
  expect(sent()).toEqual(["0a0300", "1b030002"]);
  expect(bearer.pending).toBe(0);
});

test.each<[SecurityRequirement, LinkSecurity, boolean]>([
  [{ authenticated: true }, ENCRYPTED, false],
  [{ authenticated: true }, STRONG, true],
  [{ secureConnections: true }, ENCRYPTED, false],
  [{ secureConnections: true }, STRONG, true],
  [{ minKeySize: 16 }, { ...STRONG, keySize: 15 }, false],
  [{ minKeySize: 16 }, STRONG, true],
  [{ minKeySize: 7 }, NO_SECURITY, false],
  [{ encrypted: true }, { ...NO_SECURITY, authenticated: true, secureConnections: true, keySize: 16 }, false],
  [{}, NO_SECURITY, true],
])("a request that asks for %o on a link of %o leaves: %s", async (security, link, leaves) => {
  const { bearer, channel, frame, sent } = create({});
  setLinkSecurity(bearer, link);
  const outcome = bearer.request(frame("0a0300"), none, { security }).then(
    () => "answered",
    ({ code }) => code,
  );
  const command = bearer.sendFlow(frame("52030001"), { security }).then(
    () => "sent",
    ({ code }) => code,
  );
  channel.receive(hex("0b"));
  expect([await outcome, await command]).toEqual(
    leaves ? ["answered", "sent"] : ["ERR_INSUFFICIENT_SECURITY", "ERR_INSUFFICIENT_SECURITY"],
  );
  expect(sent()).toEqual(leaves ? ["0a0300", "52030001"] : []);
});

test("no value is handed up below the demand, by whatever PDU it comes", () => {
  const { bearer, channel, received, sent } = create({ authenticated: true });
  for (const pdu of ["1b030001", "1d030002", "23 0300 0100 03 0400 0100 04"]) channel.receive(hex(pdu));
  setLinkSecurity(bearer, ENCRYPTED);
  channel.receive(hex("1b030005"));
  setLinkSecurity(bearer, STRONG);
  expect(received).toEqual([]);
  expect(sent()).toEqual(["1e"]); // 3.4.7.2 knows no indication without one
  channel.receive(hex("1b030006"));
  expect(received).toEqual(["ntf 3 06"]);
  setLinkSecurity(bearer, NO_SECURITY);
  channel.receive(hex("1b030007"));
  expect(received).toEqual(["ntf 3 06"]);
});

test("a demand that comes or goes while the link is there is judged at once", () => {
  const { bearer, channel, received } = create({});
  channel.receive(hex("1b030001"));
  setClientDemand(bearer, { encrypted: true });
  expect(bearer.demand).toEqual({ encrypted: true });
  channel.receive(hex("1b030002"));
  setClientDemand(bearer, {});
  expect(received).toEqual(["ntf 3 01"]);
  channel.receive(hex("1b030003"));
  expect(received).toEqual(["ntf 3 01", "ntf 3 03"]);
});

test("what the link is worth is said by its owner alone", () => {
  const { bearer } = create();
  expect(() => {
    (bearer as { security: LinkSecurity }).security = STRONG;
  }).toThrow(TypeError);
  expect(() => {
    (bearer as { demand: SecurityRequirement }).demand = {};
  }).toThrow(TypeError);
  setLinkSecurity(bearer, ENCRYPTED);
  expect(() => {
    (bearer.security as { authenticated: boolean }).authenticated = true;
  }).toThrow(TypeError);
  expect(bearer.security).toEqual(ENCRYPTED);
  const changes: LinkSecurity[] = [];
  bearer.on("security", (security) => changes.push(security));
  const mine = { ...STRONG };
  setLinkSecurity(bearer, mine);
  (mine as { encrypted: boolean }).encrypted = false;
  expect([bearer.security, changes]).toEqual([STRONG, [STRONG]]);
  expect(Object.keys(exported).filter((name) => name.startsWith("set"))).toEqual([]);
});

test("two requirements together ask for what either asks for", () => {
  expect(bothRequirements({ encrypted: true }, undefined)).toEqual({ encrypted: true });
  expect(bothRequirements({ encrypted: true }, {}).encrypted).toBe(true);
  expect(bothRequirements({}, { encrypted: true }).encrypted).toBe(true);
  const both = bothRequirements({ authenticated: true, minKeySize: 7 }, { secureConnections: true, minKeySize: 16 });
  expect(both).toMatchObject({ authenticated: true, secureConnections: true, minKeySize: 16 });
  expect(meets(STRONG, both)).toBe(true);
  expect(meets(ENCRYPTED, both)).toBe(false);
  expect("minKeySize" in bothRequirements({}, {})).toBe(false);
  expect(meets({ ...STRONG, keySize: 8 }, bothRequirements({ minKeySize: 16 }, {}))).toBe(false);
});

test.each<[unknown, RegExp]>([
  [true, /expected an object/],
  [{ encryptd: true }, /did you mean "encrypted"/],
  [{ encrypted: "yes" }, /encrypted: expected true or false/],
  [{ minKeySize: 6 }, /from 7 to 16/],
  [{ minKeySize: 17 }, /from 7 to 16/],
  [{ minKeySize: "16" }, /minKeySize/],
])("a requirement of %o is refused", (value, message) => {
  expect(() => checkSecurityRequirement("security", value)).toThrow(message);
});

test("a requirement that asks for nothing is none", () => {
  checkSecurityRequirement("security", undefined);
  checkSecurityRequirement("security", {});
  checkSecurityRequirement("security", { encrypted: false, authenticated: undefined, minKeySize: 7 });
});
