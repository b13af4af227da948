import { expect, test } from "vitest";
import { type L2capPeer, openL2capPeer, signal } from "../../../test/support/l2cap-peer.ts";
import { NO_SECURITY, type SecurityRequirement } from "../../core/link-security.ts";
import type { SecurityDemand } from "../index.ts";

const SETTINGS = { mtu: 100, mps: 50, receiveWindow: 200 };
/** The request for SPSM 0x80 with SETTINGS. */
const request = (identifier: number, cid = 0x40): string => `5 ${signal(0x14, identifier, 0x80, cid, 100, 50, 4)}`;

interface Secured extends L2capPeer {
  demands: SecurityDemand[];
}

async function secured(raise: (demand: SecurityDemand) => void = () => undefined, demand: SecurityRequirement = {}): Promise<Secured> {
  let security = NO_SECURITY;
  const demands: SecurityDemand[] = [];
  const peer = await openL2capPeer({
    owner: {
      security: () => security,
      demand: () => demand,
      elevate: async (wanted) => {
        demands.push(wanted);
        raise(wanted);
        security = { ...security, encrypted: true, keySize: 16, authenticated: wanted.requirement.authenticated ?? false };
        await Promise.resolve();
      },
    },
  });
  return { ...peer, demands };
}

test.each<[string, number, SecurityRequirement]>([
  ["L2CAP/LE/CFC/BV-10-C: insufficient authentication", 0x0005, { encrypted: true }],
  ["L2CAP/LE/CFC/BV-14-C: the key is too short", 0x0007, { encrypted: true, minKeySize: 16 }],
  ["L2CAP/LE/CFC/BV-24-C: insufficient encryption", 0x0008, { encrypted: true }],
])("%s: the link's security is raised, and the channel asked for once more", async (_name, result, requirement) => {
  const { channels, receive, sent, demands } = await secured();
  const opening = channels.connect(0x80, SETTINGS);
  expect(sent()).toEqual([request(1)]);
  receive(5, signal(0x15, 1, 0, 0, 0, 0, result));
  await expect.poll(() => sent()).toEqual([request(2)]);
  expect(demands).toMatchObject([{ requirement, refusal: { result } }]);
  receive(5, signal(0x15, 2, 0x55, 64, 64, 1, 0));
  expect(await opening).toMatchObject({ remoteCid: 0x55 });
});

test("a second refusal is told; of an encrypted link it asks for authentication", async () => {
  const { channels, receive, sent, demands } = await secured();
  const opening = expect(channels.connect(0x80, SETTINGS)).rejects.toMatchObject({ result: 5 });
  receive(5, signal(0x15, 1, 0, 0, 0, 0, 8));
  sent();
  await expect.poll(() => sent()).toEqual([request(2)]);
  receive(5, signal(0x15, 2, 0, 0, 0, 0, 5));
  await opening;
  expect(demands).toHaveLength(1);
  const again = channels.connect(0x80, SETTINGS);
  receive(5, signal(0x15, 3, 0, 0, 0, 0, 5));
  await expect.poll(() => demands.length).toBe(2);
  expect(demands[1]!.requirement).toEqual({ encrypted: true, authenticated: true });
  await expect.poll(() => sent()).toEqual([request(3), request(4)]);
  receive(5, signal(0x15, 4, 0x55, 64, 64, 1, 0));
  await again;
});

test("what the link cannot have is told, and nothing is asked again", async () => {
  const { channels, receive, sent } = await secured((demand) => {
    throw demand.refusal;
  });
  const opening = channels.connect(0x80, SETTINGS);
  receive(5, signal(0x15, 1, 0, 0, 0, 0, 8));
  await expect(opening).rejects.toMatchObject({ code: "ERR_L2CAP_REFUSED", result: 8 });
  expect(sent()).toEqual([request(1)]);
});

test("what the policy or the call demands is had before the request leaves", async () => {
  for (const [demand, security] of [
    [{ encrypted: true }, undefined],
    [{}, { encrypted: true }],
  ] as const) {
    const { channels, sent, demands } = await secured(undefined, demand);
    void channels.connect(0x80, { ...SETTINGS, security }).catch(() => undefined);
    expect(sent()).toEqual([]);
    await expect.poll(() => sent()).toEqual([request(1)]);
    expect(demands).toMatchObject([{ requirement: { encrypted: true }, refusal: undefined }]);
  }
});
