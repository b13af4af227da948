import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex } from "jelling/bytes";
import { CaptureWriter, MemorySink } from "jelling/capture";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jelling } from "../apps/cli/test/fake-io.ts";

// tshark is a judge nobody here wrote. Without it the tests are left out, and say so; with JELLING_TSHARK=required they fail.
const tshark = process.env.TSHARK ?? "tshark";
const found = spawnSync(tshark, ["--version"]).status === 0;
const isRequired = process.env.JELLING_TSHARK === "required";
if (!found && !isRequired) console.warn("tshark is not installed: captures are not checked by it (apt-get install tshark)");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** One line for each packet that tshark finds fault with. */
function faults(file: string): string {
  const filter = "_ws.malformed || _ws.expert.severity >= warning";
  return execFileSync(
    tshark,
    ["-r", file, "-Y", filter, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message"],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
}

function malformed(file: string): string {
  return execFileSync(tshark, ["-r", file, "-Y", "_ws.malformed"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

function fields(file: string, ...names: string[]): string[] {
  const text = execFileSync(tshark, ["-r", file, "-T", "fields", ...names.flatMap((name) => ["-e", name])], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, TZ: "UTC" },
  });
  return text.trimEnd().split("\n");
}

const KEY = "f0e1d2c3b4a5968778695a4b3c2d1e0f";
/** A pairing in short, as the host sees it: commands with keys, key distribution, a key cut into two ACL packets. */
const PACKETS: readonly (readonly ["sent" | "received", string])[] = [
  ["sent", "01030c00"],
  ["received", "040e0401030c00"],
  ["sent", "01182000"],
  ["received", "040e0c01182000a1a2a3a4a5a6a7a8"],
  ["sent", `01172020${KEY}${KEY}`],
  ["received", `040e1401172000${KEY}`],
  ["received", "043e1301004000010106050403 02c1180000004800 00".replaceAll(" ", "")],
  ["sent", `0119201c4000000000000000000000 00${KEY}`.replaceAll(" ", "")],
  ["received", "040f0400011920"],
  ["received", "04080400400001"],
  ["received", `024020150011000600 06${KEY}`.replaceAll(" ", "")],
  ["received", "0240200f000b000600073412a1a2a3a4a5a6a7a8"],
  ["received", "024020080011000600 08f0e1d2".replaceAll(" ", "")],
  ["received", `0240100d00${KEY.slice(6)}`],
  ["received", "0240200c000800060009010605040302c1"],
  ["sent", `0127202700060504030201${KEY}${KEY}`],
  ["received", "040e0401272000"],
  ["sent", `024000150011000600 0a${KEY}`.replaceAll(" ", "")],
  ["received", "0413050140000100"],
];

test("a capture with its keys taken out is as well-formed as before", { skip: !found && !isRequired }, async () => {
  for (const secrets of [true, false]) {
    const sink = new MemorySink();
    const writer = new CaptureWriter(sink, { secrets, epochMs: 1_709_210_096_000 });
    PACKETS.forEach(([direction, hex], i) => {
      writer.write(direction, fromHex(hex), i * 10 + 0.25);
    });
    const file = join(folder, `pairing-${secrets}.btsnoop`);
    await writeFile(file, sink.bytes());
    expect(faults(file)).toBe("");
    expect(fields(file, "frame.number")).toHaveLength(PACKETS.length);
    expect(fields(file, "btsmp.long_term_key").join("").replaceAll(":", "")).toBe(secrets ? KEY : "00".repeat(16));
    expect(fields(file, "frame.time_epoch")[0]).toBe("1709210096.000250000");
  }
});

test("captures of whole commands hold nothing that tshark calls malformed", { skip: !found && !isRequired, timeout: 60_000 }, async () => {
  const address = "C0:4A:65:6C:6C:04/random";
  const commands: string[][] = [
    ["scan", "--timeout", "1s"],
    ["pair", address, "--legacy"],
    ["gatt", "list", address, "--read"],
    ["pair", address],
    ["gatt", "write", address, "7d1a0003-6563-4f68-8c05-6a656c6c7921", "--hex", "ab".repeat(300)],
    ["gatt", "subscribe", "C0:4A:65:6C:6C:01/random", "2a37", "--count", "2"],
  ];
  for (const [i, command] of commands.entries()) {
    const file = join(folder, `${i}.btsnoop`);
    const { status, err } = await jelling([...command, "-t", "sim:", "--capture", file], { env: { XDG_STATE_HOME: folder } });
    expect([status, err], command.join(" ")).toEqual([0, expect.stringContaining("packets captured")]);
    expect(malformed(file), command.join(" ")).toBe("");
  }
});
