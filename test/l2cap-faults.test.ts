import { expect, test } from "vitest";
import { turn } from "../src/async/index.ts";
import { BleError } from "../src/core/index.ts";
import { DisconnectedError } from "../src/hci/index.ts";
import { type CreditBasedChannel, L2capRefusedError } from "../src/l2cap/index.ts";
import { openWire, type WireEnd, type WireFault } from "./support/l2cap-wire.ts";
import { samples } from "./support/samples.ts";

// The life of channels between two hosts, in which one ACL data packet after the other is struck: both modes, data both ways, a reconfiguration, a
// refusal, channels closed by one side, by the other and by both. Below L2CAP nothing is lost on a real link, so data may be lost here; but every
// promise settles, every error is one of ours, the link goes on, and nothing is left.

const LONGEST_LIFE_MS = 400_000;
const PATIENCE = { timeoutMs: 2000 };
const octets = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 13) & 0xff);

/** Sends back what comes. */
function echo(channel: CreditBasedChannel): void {
  channel.onSdu = (sdu) => void channel.trySend(sdu.toReversed());
}

async function exchange(channel: CreditBasedChannel, length: number): Promise<Uint8Array> {
  await channel.send(octets(length), PATIENCE);
  const sdu = await channel.receive(PATIENCE);
  if (!sdu) throw channel.ended!;
  return sdu;
}

interface Life {
  readonly packets: number;
  readonly steps: string[];
  readonly errors: unknown[];
}

async function live(fault?: WireFault): Promise<Life> {
  const { clock, ends, count } = await openWire(fault);
  const [near, far] = ends;
  const steps: string[] = [];
  const errors: unknown[] = [];
  const step = async (name: string, work: Promise<unknown>): Promise<void> => {
    try {
      await work;
      steps.push(name);
    } catch (error) {
      errors.push(error);
    }
  };
  const accepted: CreditBasedChannel[] = [];
  for (const { listeners } of ends)
    listeners.listen(0x80).onChannel = (channel) => {
      accepted.push(channel);
      echo(channel);
    };
  far.listeners.listen(0x81, { accept: () => Promise.resolve(false) });
  const use = async ({ link }: WireEnd, mode: "credit" | "enhanced"): Promise<void> => {
    const channel = await link.channels.connect(0x80, { mode, ...PATIENCE });
    for (const length of [0, 10, 2221]) await exchange(channel, length);
    await channel.close();
  };
  await step("credit", use(near, "credit"));
  await step("both at once", Promise.all([use(near, "enhanced"), use(far, "credit")]));
  let several: CreditBasedChannel[] = [];
  await step(
    "several",
    (async () => {
      several = await near.link.channels.connectSeveral(0x80, { count: 3, ...PATIENCE });
      await near.link.channels.reconfigure(several, { mtu: 3000 }, PATIENCE);
      await Promise.all(several.map((channel) => exchange(channel, 700)));
    })(),
  );
  const refusal = await near.link.channels.connect(0x81, PATIENCE).catch((error: unknown) => error);
  if (refusal instanceof L2capRefusedError && refusal.resultName === "NoResources") steps.push("refused");
  else errors.push(refusal);
  const others = accepted.filter((channel) => !channel.ended);
  await step("closed by the peer", Promise.all(others.slice(0, 2).map((channel) => channel.close())));
  await step("closed by both", Promise.all([...others, ...several].map((channel) => channel.close())));
  await clock.advance(31_000); // whoever was not answered
  for (const { link } of ends) for (const channel of link.channels.channels) await step("left over", channel.close());
  const packets = count();
  // Whatever it was: the link goes on, where it was not lost.
  if (fault?.kind !== "end") {
    const again = await near.link.channels.connect(0x80, PATIENCE);
    expect(await exchange(again, 300)).toEqual(octets(300).toReversed());
    const waiting = expect(again.receive()).rejects.toMatchObject({ code: "ERR_DISCONNECTED" });
    for (const { link } of ends) link.close(new DisconnectedError(0x13));
    await waiting;
  }
  await turn();
  expect(clock.now()).toBeLessThan(LONGEST_LIFE_MS);
  for (const error of errors) if (!(error instanceof BleError)) throw error;
  for (const { link } of ends) expect(link.channels.channels).toEqual([]);
  expect(new Set(clock.pending)).toEqual(new Set(clock.pending.filter((name) => name === "a packet on the wire")));
  clock[Symbol.dispose]();
  return { packets, steps, errors };
}

const undisturbed = await live();

test("undisturbed, everything is done", () => {
  expect(undisturbed.errors).toEqual([]);
  expect(undisturbed.steps).toEqual(["credit", "both at once", "several", "refused", "closed by the peer", "closed by both"]);
});

test.each(["lose", "double", "cut", "swap", "falsify", "end"] as const)(
  "a packet is struck (%s), one after the other: everything settles, nothing leaks",
  async (kind) => {
    let felt = 0;
    for (const index of samples({ of: "packets of channels' life, each to be struck", at: kind }, undisturbed.packets, 4)) {
      const { errors } = await live({ index, kind }).catch((error: unknown) => {
        throw new Error(`packet ${index}: ${error}`, { cause: error });
      });
      if (errors.length > 0) felt++;
    }
    if (kind === "lose" || kind === "end") expect(felt).toBeGreaterThan(0);
  },
);
