import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { type FakeIo, type FakeIoOptions, fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

// `jelling pump sim`, and faults by the command, as a user runs them but for the clock of the simulated air.

const clock = new FastClock();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
});
afterAll(async () => {
  clock[Symbol.dispose]();
  await rm(folder, { recursive: true });
});
const env = () => ({ XDG_STATE_HOME: join(folder, "state"), XDG_DATA_HOME: join(folder, "data") });
const objects = (out: string): Record<string, unknown>[] =>
  out
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

interface Started {
  readonly io: FakeIo;
  readonly done: Promise<number>;
  /** Types a line. */
  type(line: string): void;
  endInput(): void;
}

/** A pump with a day behind it, on a free port, and somebody who types. */
function started(words: string[] = [], options: FakeIoOptions = {}): Started {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const io = fakeIo({ clock, env: env(), stdin: readable as unknown as AsyncIterable<Uint8Array>, ...options });
  return {
    io,
    done: main(["pump", "sim", "--tcp", "0", "--days", "1", ...words], io),
    type: (line) => void writer.write(new TextEncoder().encode(`${line}\n`)),
    endInput: () => void writer.close(),
  };
}

describe("a simulated pump of its own process", () => {
  test("says what to type next; that pairs with it, and what is typed at the pump strikes the link", async () => {
    const { io, done, type } = started();
    await io.saw("Type help");
    const [, pair] = /^pair it {5}jelling (pump pair -t tcp:127\.0\.0\.1:\d+ --keys \S+)$/m.exec(io.out.text)!;
    expect(io.out.text).toMatch(/^pump {8}00:23:F7:4A:65:6C\/public {2}Pump 3894555H, 1 day of history, seed 1\n/);
    const phone = fakeIo({ env: env() });
    const reading = main([...pair!.split(" "), "--watch", "1h"], phone);
    await phone.saw("glucose");
    type("state");
    await io.saw("connected to its phone, handshakes so far: 1, records: ");
    type("lose-link");
    await phone.saw("disconnected");
    await io.saw("looks for its phone: FE81");
    phone.stop();
    expect(await reading).toBe(130);
    type("quit");
    expect(await done).toBe(0);
    expect(io.err.text).toBe("");
    expect(io.listeners).toBe(0);
    // What it says bears the time that the pump shows.
    expect(io.out.text).toMatch(/^2031-03-02 09:\d\d:\d\d {2}the link ends$/m);
    expect(io.out.text).toMatch(/the pump is switched off\n$/);
  });

  test("answers each line, in text", async () => {
    const { io, done, type } = started();
    type("");
    type("wrong-crc 3");
    type("wrong-crk 3");
    type("no-push on");
    type("lose-bond phone");
    type("state");
    await io.saw("records: ");
    const { text } = io.out;
    for (const said of [
      "values with a wrong checksum: the next 3",
      "what has changed is not pushed",
      "lose-bond phone: the pump has no bond to lose",
    ])
      expect(text).toMatch(new RegExp(`^2031-03-02 09:00:\\d\\d {2}${said}$`, "m"));
    expect(text).toContain("has no phone, handshakes so far: 0, records: ");
    expect(text).toMatch(/, to come: wrong-crc 3, to come: no-push on\n$/);
    expect(io.err.text).toMatch(/^"wrong-crk" is no fault: expected one of silent, .*\n$/);
    type("help");
    await io.saw("quit  ");
    for (const word of ["silent [TIME]", "unknown-event [TYPE [HEX]]", "state"]) expect(io.out.text).toContain(`\n${word}  `);
    type("QUIT");
    expect(await done).toBe(0);
  });

  test("answers each line with an object where they are asked for; a wrong one changes nothing", async () => {
    const { io, done, type } = started(["--json", "--fault", "hole 7"]);
    for (const line of ["busy 2", "busy -2", "busy", "hole 3", "lose-bond phone", "set-clock 2031-07-01T12:00", "state", "help", "quit"])
      type(line);
    expect(await done).toBe(0);
    expect(io.err.text).toBe("");
    const told = objects(io.out.text);
    expect(told[0]).toMatchObject({
      type: "pump",
      name: "Pump 3894555H",
      seed: 1,
      days: 1,
      speed: 1,
      keys: join(folder, "state/jelling/sim/pump-keys.hex"),
    });
    expect(told[1]).toMatchObject({ type: "controller", transport: expect.stringMatching(/^tcp:127\.0\.0\.1:\d+$/) as string });
    const answers = told.slice(2).filter(({ type: kind }) => kind !== "event");
    expect(answers).toMatchObject([
      { type: "fault", fault: "busyWrites", line: "busy 2", count: 2 },
      { type: "error", line: "busy -2", message: expect.stringContaining('"busy -2": expected busy N|always') as string },
      { type: "error", line: "busy" },
      { type: "fault", fault: "leaveHole", count: 3 },
      { type: "error", fault: "loseBond", message: "the pump has no bond to lose" },
      { type: "fault", fault: "setClock", local: "2031-07-01T12:00:00", pumpTime: expect.stringMatching(/^2031-07-01T12:00:0/) as string },
      { type: "state", connected: false, hasPhone: false, handshakes: 0, forbiddenWrites: 0, faults: { busy: 2 } },
      { type: "help", words: expect.arrayContaining([{ usage: "speak", help: expect.any(String) as string }]) as unknown[] },
      { type: "quit" },
    ]);
    expect(told).toContainEqual(expect.objectContaining({ type: "event", text: "fault: 7 sequence numbers are left out" }));
  });

  test("lives on when its input ends, breaks or is another job's; Ctrl-C ends it with 130, --timeout with 0", async () => {
    const { io, done, type, endInput } = started();
    type("silent 5m");
    endInput();
    await io.saw("nothing is heard of the pump for 5 min");
    await clock.advance(1000);
    io.stop();
    expect(await done).toBe(130);

    async function* broken(): AsyncGenerator<Uint8Array, void> {
      yield new TextEncoder().encode("speak\n");
      throw Object.assign(new Error("read EIO"), { code: "EIO" });
    }
    const second = started(["--timeout", "2s"], { stdin: broken() });
    expect(await second.done).toBe(0);
    expect(second.io.err.text).toBe("nothing more is read from standard input: read EIO\n");

    const third = started(["--timeout", "1s"], { stdinIsOthers: true });
    third.type("lose-clock");
    expect(await third.done).toBe(0);
    expect(third.io.out.text).toContain("In the background nothing is read from the terminal.\n");
    expect(third.io.out.text).not.toContain("the clock is lost");
  });

  test("faults strike at their times by its clock, and one that cannot happen does not stop the next", async () => {
    const words = ["at 15s: lose-bond pump", "at 10s: lose-bond phone", "at 20s: no-push on"].flatMap((fault) => ["--fault", fault]);
    const { io, done } = started(["--json", ...words]);
    await io.saw("is not pushed");
    io.stop();
    await done;
    const faults = objects(io.out.text).filter(({ text }) => String(text).startsWith("fault"));
    expect(faults.map(({ pumpTime, text }) => [pumpTime, text])).toEqual([
      ["2031-03-02T09:00:10", 'fault "lose-bond phone": the pump has no bond to lose'],
      ["2031-03-02T09:00:15", "fault: the pump has lost the bond"],
      ["2031-03-02T09:00:20", "fault: what has changed is not pushed"],
    ]);
  });

  test("its seed is its name, address and keys; they go where they are wanted, and never over another file", async () => {
    const first = async (...words: string[]): Promise<Record<string, unknown>> => {
      const { io, done } = started(["--json", ...words]);
      await io.saw('"controller"');
      io.stop();
      expect(await done).toBe(130);
      return objects(io.out.text)[0]!;
    };
    const [usual, other, again] = [await first(), await first("--seed", "2"), await first("--seed", "2")];
    expect(other).toEqual(again);
    for (const name of ["name", "address", "keys"]) expect(other[name]).not.toBe(usual[name]);
    expect(other.address).toMatch(/^00:23:F7:/);
    const file = join(folder, "keys of the pump");
    for (let i = 0; i < 2; i++) expect(await first("--write-keys", file)).toMatchObject({ keys: file });
    expect(await readFile(file, "utf8")).toBe(await readFile(String(usual.keys), "utf8"));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const real = join(folder, "real keys");
    await writeFile(real, "keys of a phone");
    const refused = await jelling(["pump", "sim", "--tcp", "0", "--write-keys", real], { clock, env: env() });
    expect([refused.status, refused.out]).toEqual([2, ""]);
    expect(refused.err).toBe(`jelling: ${real} is there and does not hold this pump's keys: name another file for them\n`);
    expect(await readFile(real, "utf8")).toBe("keys of a phone");
  });

  test("a path with blanks can be pasted", async () => {
    const { io, done } = started(["--write-keys", join(folder, "a b's.hex")]);
    await io.saw("then  ");
    io.stop();
    await done;
    expect(io.out.text).toContain(`--keys '${folder}/a b'\\''s.hex'\n`);
  });
});

describe("an uploader", () => {
  test.each([
    ["nothing", "not offered by the pump", "the pump has 0 services"],
    ["all", "mg/dL", "the pump has 6 services"],
  ])("of a pump that offers %s is told what to type, and reads what there is", async (offers, glucose, services) => {
    const { io, done } = started(["--carelink", offers]);
    await io.saw("connect  ");
    const [, command, code] = /^connect {5}jelling (pump pair --mode carelink --code (\d{6}) -t \S+ --keys \S+)$/m.exec(io.out.text)!;
    expect(io.out.text).toContain(`shows the code ${code}; scanning for FE82 with its hash`);
    const { status, out } = await jelling(command!, { env: env() });
    expect(status, out).toBe(0);
    expect(out).toContain(services);
    expect(out).toMatch(new RegExp(`glucose .*${glucose}`));
    expect(out).not.toContain("NG3894555H");
    io.stop();
    expect(await done).toBe(130);
  });

  test.each([
    [["pump", "pair", "--keys", "none", "--mode", "carelink"], "--code is missing: the six digits that the pump shows"],
    [["pump", "pair", "--keys", "none", "--code", "123456"], "--code is for --mode carelink: a pump shows no code to a phone"],
    [
      ["pump", "pair", "--keys", "none", "--mode", "carelink", "--code", "12"],
      'code "12": expected the six digits that the pump shows, zeros in front included',
    ],
  ])("%j is wrong usage", async (words, sentence) => {
    const { status, out, err } = await jelling(words, { clock, env: env() });
    expect([status, out, err]).toEqual([2, "", `jelling: ${sentence}\n`]);
  });
});

describe("faults of a pump in an air of the command", () => {
  test("watch shows what a user would see of a lost link", async () => {
    const io = fakeIo({ clock, env: env() });
    const done = main(["pump", "watch", "-t", "sim:", "--json", "--fault", "at 50s: lose-link"], io);
    await io.saw("fault: the link ends", "err");
    await io.saw('"advertising"');
    io.stop();
    expect(await done).toBe(130);
    const kinds = objects(io.out.text).map(({ link }) => (link as { kind: string }).kind);
    expect(kinds.lastIndexOf("ready")).toBeGreaterThan(-1);
    expect(kinds.slice(kinds.lastIndexOf("ready"))).toContain("advertising");
  });

  test.each([
    [
      ["pump", "status", "-t", "hci:0", "--keys", "none", "--fault", "lose-link"],
      "--fault is for simulated pumps, with -t sim: here or with jelling pump sim: nothing can be done to a real one",
    ],
    [
      ["pump", "pair", "-t", "hci:0", "--keys", "none", "--fault", "lose-link"],
      "--fault is for simulated pumps, with -t sim: here or with jelling pump sim: nothing can be done to a real one",
    ],
    [["pump", "watch", "-t", "sim:battery", "--fault", "lose-link"], "--fault: there is no pump in this air; -t sim:pump has one"],
    [["pump", "watch", "-t", "sim:", "--fault", "at 1m: dance"], '"dance" is no fault: expected one of silent, '],
    [["pump", "sim", "--fault", "at 1m lose-link"], '"at 1m lose-link": expected a time and a fault, like "at 10m: silent 5m"'],
    [["pump", "sim", "--speed", "301"], 'speed "301": expected a whole number from 1 to 300'],
    [["pump", "sim", "--days", "-1"], 'days "-1": expected a whole number from 0 to 3650'],
    [["pump", "sim", "--loss", "2"], 'loss "2": expected a share from 0 to 1'],
    [["pump", "sim", "-t", "sim:"], "--transport is nothing for jelling pump sim: it serves controllers and opens none"],
  ])("%j is wrong usage", async (words, sentence) => {
    const { status, out, err } = await jelling(words, { clock, env: env() });
    expect([status, out]).toEqual([2, ""]);
    expect(err).toContain(`jelling: ${sentence}`);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});
