import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { main } from "../src/run.ts";
import { type FakeIo, fakeIo, jelling } from "./fake-io.ts";
import { FastClock } from "./fast-clock.ts";

let folder: string;
let port: number;
let image: string;
const serverClock = new FastClock();
const server = fakeIo({ clock: serverClock });
let serving: Promise<number>;

const objects = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const run = (line: string | string[], env: Record<string, string> = {}) =>
  jelling(["mcumgr", ...(typeof line === "string" ? line.split(" ") : line)], {
    clock: serverClock,
    env: { XDG_STATE_HOME: folder, ...env },
  });
const manage = (line: string | string[]) => run([...(typeof line === "string" ? line.split(" ") : line), "--udp", `127.0.0.1:${port}`]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-"));
  image = join(folder, "app.bin");
  expect((await run(["image", "create", image, "2.0.0", "--size", "40000"])).status).toBe(0);
  serving = main(["mcumgr", "serve", "--udp", "0", "--json"], server);
  await server.saw('"serving"');
  port = objects(server.out.text)[0]!.port as number;
});
afterAll(async () => {
  server.stop();
  expect(await serving).toBe(130);
  serverClock[Symbol.dispose]();
  await rm(folder, { recursive: true });
});

test("what a file holds is shown without a device, and what is no image is refused with one sentence", async () => {
  const { status, out } = await run(["image", "info", image, "--json"]);
  expect(status).toBe(0);
  expect(objects(out)[0]).toMatchObject({ kind: "mcuboot", version: "2.0.0", imageSize: 40_000, digest: { check: "valid" } });
  const wrong = join(folder, "wrong.bin");
  await writeFile(wrong, "no image at all, only text that is long enough for a header");
  const refused = await manage(["upgrade", wrong]);
  expect(refused.status).toBe(1);
  expect(refused.err).toMatch(/^jelling: .*wrong\.bin: no MCUboot image.*\n$/);
});

test("a dry run says what would be done and why, and does nothing", async () => {
  const { status, out } = await manage(["upgrade", image, "--dry-run"]);
  expect(status).toBe(0);
  expect(out.split("\n").filter((line) => /^\d\./.test(line))).toEqual([
    "1. upload version 2.0.0 (40072 octets)",
    "2. mark it for a test",
    "3. reset, and wait until the device answers",
    "4. confirm that it stays",
  ]);
  const plan = objects((await manage(["upgrade", image, "--dry-run", "--json"])).out)[0] as { status: string; steps: { step: string }[] };
  expect(plan.status).toBe("ready");
  expect(plan.steps.map(({ step }) => step)).toEqual(["upload", "test", "reset", "confirm"]);
});

test("an upgrade that is interrupted says how to go on; the same line goes on, and once more finds it done", async () => {
  const io = fakeIo({ clock: serverClock, isTTY: true, env: { XDG_STATE_HOME: folder } });
  const done = main(["mcumgr", "upgrade", image, "--udp", `127.0.0.1:${port}`], io);
  await io.saw("█░", "err").then(() => io.stop());
  expect(await done).toBe(130);
  expect(io.err.text).toMatch(
    /stopped at \d+ %: the device runs what it ran before; type the same command again, and it goes on from there\n/,
  );
  expect(io.err.text).toMatch(/█+░+ +\d+ % {2}[\d.]+ kB of 40\.1 kB/);

  const again = await manage(["upgrade", image, "--json"]);
  expect(again.status).toBe(0);
  const lines = objects(again.out);
  expect(lines.find(({ type }) => type === "progress")!.resumedFrom).toBeGreaterThan(0);
  expect(lines.filter(({ type }) => type === "done").map(({ step }) => step)).toEqual(["upload", "test", "reset", "confirm"]);
  expect(lines.at(-1)).toMatchObject({ type: "result", outcome: "complete", wasThere: false });
  expect(server.out.text).toContain('"running":"application","version":"2.0.0"');

  const third = await manage(["upgrade", image]);
  expect(third).toMatchObject({ status: 0, err: "" });
  expect(third.out).toBe("Version 2.0.0 runs and is confirmed: the same image is there already.\n");
});

test("what is in the way is told with the way out, and nothing is changed", async () => {
  const older = join(folder, "older.bin");
  await run(["image", "create", older, "0.9.0", "--size", "2000"]);
  const { status, err } = await manage(["upgrade", older]);
  expect(status).toBe(1);
  expect(err).toMatch(
    /^jelling: nothing was changed: Version \d\.0\.0 runs, which is newer than 0\.9\.0\. Take a newer file; forced, .*\. \(--force\)\n$/,
  );
});

test.each([
  ["image state", "active confirmed"],
  ["image slots", "524288"],
  ["os echo hello", "hello"],
  ["os params", "bufCount"],
  ["os info", "Zephyr"],
  ["os bootloader", "swap without scratch"],
  ["os datetime 2026-01-31T12:00:00", "2026-01-31T12:00:0"],
  ["os tasks", "mcumgr smp"],
  ["os memory", "smp_buffers"],
  ["statistics list", "smp_svr_stats"],
  ["statistics get smp_svr_stats", "requests"],
  ["statistics fetch-all", "ticks"],
  ["settings set device/name other", "written"],
  ["settings get device/name", "other"],
  ["settings save", "saved"],
  ["settings load", "loaded"],
  ["settings commit", "committed"],
  ["settings delete device/name", "deleted"],
  ["file size /lfs1/hello.txt", "31"],
  ["file hash /lfs1/hello.txt", "dce7a673"],
  ["file hash-types", "sha256"],
  ["shell kernel version", "Zephyr version"],
  ["enum groups", "63"],
  ["enum details 1", "img mgmt"],
  ["zephyr erase-storage", "erased"],
  ['raw 0 0 {"d":"hi"} --write', '{"r":"hi"}'],
  ["raw 0 0 --hex a1616463616263 --write", "616263"],
  ["image confirm", "confirmed"],
  ["image erase", "erased"],
  ["os reset", "answers"],
])("%s", async (line, expected) => {
  const { status, out, err } = await manage(line);
  expect(err).toBe("");
  expect(status).toBe(0);
  expect(out).toContain(expected);
  const json = await manage(`${line} --json`);
  if (json.status === 0) for (const object of objects(json.out)) expect(object).toBeTypeOf("object");
});

test("files go there and back", async () => {
  const [to, back] = [join(folder, "to.txt"), join(folder, "back.txt")];
  await writeFile(to, "0123456789".repeat(500));
  expect((await manage(["file", "upload", to, "/lfs1/to.txt"])).status).toBe(0);
  expect((await manage(["file", "download", "/lfs1/to.txt", back])).status).toBe(0);
  expect(await readFile(back, "utf8")).toBe("0123456789".repeat(500));
});

test.each([
  ["image state", 2, "which device? --ble"],
  ["image state --udp 127.0.0.1:1 --serial x", 2, "exclude each other"],
  ["image state --udp 127.0.0.1:99999", 2, '--udp "127.0.0.1:99999": expected HOST'],
  ["image state --udp 127.0.0.1:9", 1, "nobody listens there"],
  ["image state --udp no-such-host.invalid", 1, "jelling: the name no-such-host.invalid "],
  ["image state --udp 127.0.0.1:9 --framing raw", 2, "--framing is for --serial"],
  ["image state --serial /dev/nothing", 1, "there is no /dev/nothing"],
  ["image state --serial /dev/nothing@0", 2, "expected PORT or PORT@BAUD"],
  ["image state --ble Attic -t sim:mcumgr --timeout 500ms", 1, "no connection to Attic within 500 ms"],
  ["image state -t sim:nothing --ble x", 2, '"nothing" is no simulated device'],
  ["upgrade nowhere.bin -t sim:", 1, "nowhere.bin: no such file"],
  ["upgrade . -t sim:", 1, ".: it is a folder"],
  ["upgrade /dev/null -t sim:", 1, "/dev/null is empty"],
  ["upgrade package.json -t sim:", 1, "package.json: no MCUboot image"],
  ["upgrade package.json -t sim: --force", 1, '"image upload FILE --force" sends any file as it is'],
  ["image upload package.json -t sim: --force", 1, "InvalidImageMagic"],
  ["image create /nowhere/x.bin", 1, "/nowhere/x.bin: no such file or folder"],
  ["image create /dev/full", 1, "/dev/full: no space left on the device"],
  ["image state-write -t sim:", 2, "the digest of which image?"],
  ["file download /lfs1/hello.txt /dev/full -t sim:", 1, "/dev/full: no space left on the device"],
  ["file download /lfs1/hello.txt /nowhere/x -t sim:", 1, "/nowhere/x.part: no such file or folder"],
  ["file download /lfs1/.. -t sim:", 2, "says no name for the file here"],
  ["file download /lfs1/none /dev/null -t sim:", 1, "there is no such file"],
  ["file upload nowhere.txt /lfs1/x -t sim:", 1, "nowhere.txt: no such file"],
  ["image test xyz --udp 127.0.0.1:9", 2, '"xyz" is no digest'],
  ["shell --udp 127.0.0.1:9", 2, "a prompt needs a terminal"],
  ["serve", 2, "serve: where?"],
])("%s: exit status %i and one sentence", async (line, status, sentence) => {
  const { status: got, out, err } = await run(line);
  expect(err).toContain(sentence);
  expect(err.trim().split("\n")).toHaveLength(1);
  expect(out).toBe("");
  expect(got).toBe(status);
});

test("with --json a failure is one object, with the code of the library and the device's own", async () => {
  const failures = async (line: string) => {
    const { status, out, err } = await manage(`${line} --json`);
    expect(err.trim().split("\n")).toHaveLength(1);
    const [object, ...more] = objects(out);
    expect(more).toEqual([]);
    expect(err).toBe(`jelling: ${object!.message}\n`);
    expect(object).toMatchObject({ type: "error", status });
    return object;
  };
  expect(await failures("file size /lfs1/none")).toMatchObject({ code: "ERR_MCUMGR", rc: 3, rcName: "NotFound", group: "files" });
  expect(await failures("raw 77 1")).toMatchObject({ code: "ERR_MCUMGR", rcName: "NotSupported" });
  expect(await failures("upgrade nowhere.bin")).toMatchObject({ code: "ENOENT", message: "nowhere.bin: no such file or folder" });
  expect(await failures("upgrade package.json")).toMatchObject({ code: "ERR_IMAGE_FILE" });
  expect(await failures("image test xyz")).toMatchObject({ status: 2 });
});

test("the serial ports of this machine are listed, or one sentence says that there are none", async () => {
  const { status, out, err } = await run("ports");
  expect(status).toBe(0);
  expect(out === "" ? err : out).toMatch(out === "" ? /^no serial port was found: [^\n]*\n$/ : /^path/);
});

test.each([
  ["shell nonsense", "the command returned -8: the device's shell does not know it"],
  ["file size /lfs1/none", "there is no such file"],
  ["ic upload FILE", "the device was built without this command"],
])("%s: what the device refuses is one sentence and exit status 1", async (line, sentence) => {
  const { status, err } = await manage(line.replace("FILE", image));
  expect(err).toContain(sentence);
  expect(status).toBe(1);
});

describe("the simulated device of -t sim:", () => {
  let clock: FastClock;
  beforeEach(async () => {
    clock = new FastClock();
    await run("renew");
  });
  afterEach(() => clock[Symbol.dispose]());
  const sim = (line: string, options: object = {}) =>
    jelling(["mcumgr", ...line.split(" "), "-t", "sim:"], { clock, env: { XDG_STATE_HOME: folder }, ...options });
  /** Presses Ctrl-C once `text` stands on the terminal. */
  async function interruptedAt(text: string, line: string[]): Promise<{ status: number; err: string; out: string }> {
    const io = fakeIo({ isTTY: true, clock, env: { XDG_STATE_HOME: folder } });
    const done = main(["mcumgr", ...line], io);
    void io.saw(text, "err").then(() => io.stop());
    return { status: await done, err: io.err.text, out: io.out.text };
  }

  test.each([
    ["in this process", ["-t", "sim:"]],
    ["on the simulated air", ["--ble", "mcumgr", "-t", "sim:mcumgr"]],
  ])("%s: an upgrade that is stopped goes on with the same line, in the same slot, and is done", async (_where, target) => {
    const line = ["upgrade", image, ...target];
    const { status, err } = await interruptedAt("███████░", line);
    expect(status).toBe(130);
    expect(err).toMatch(/stopped at 4\d %: [^\n]*type the same command again, and it goes on from there\n$/);
    expect(err.split("\n")).toHaveLength(2);
    const again = await jelling(["mcumgr", ...line, "--json"], { clock, env: { XDG_STATE_HOME: folder } });
    expect(again.err).toBe("");
    const lines = objects(again.out);
    expect(lines.find(({ type }) => type === "progress")!.resumedFrom).toBeGreaterThan(12_000);
    expect(lines.at(-1)).toMatchObject({ type: "result", outcome: "complete", wasThere: false });
    // One device, whichever way leads to it.
    expect(objects((await sim("image state --json")).out)[0]).toMatchObject({ version: "2.0.0", active: true, confirmed: true });
  });

  test.each([["test …"], ["reset …"], ["confirm …"]])("stopped at %s the same line ends right", async (step) => {
    const { status, err } = await interruptedAt(step, ["upgrade", image, "-t", "sim:"]);
    expect(status).toBe(130);
    expect(err).toMatch(/stopped[ :][^\n]*type the same command again[^\n]*\n$/);
    expect((await sim(`upgrade ${image}`)).status).toBe(0);
    expect(objects((await sim("image state --json")).out)[0]).toMatchObject({ version: "2.0.0", active: true, confirmed: true });
  });

  test("its time stands still between commands: what is on trial is there for the next", async () => {
    expect((await sim(`upgrade ${image} --no-confirm`)).out).toContain("on trial\nConfirm it");
    expect(objects((await sim("image state --json")).out)[0]).toMatchObject({ version: "2.0.0", active: true, confirmed: false });
    expect((await sim("image confirm")).out).toContain("2.0.0    active confirmed");
  });

  test("files and settings stay too; renew makes it new; a state that is damaged is told", async () => {
    await sim("settings set device/name attic");
    expect((await sim("settings get device/name")).out).toContain("attic");
    await sim(`file upload ${image} /lfs1/app.bin`);
    expect((await sim("file size /lfs1/app.bin")).out).toContain("40072");
    expect((await sim("renew")).out).toContain("version 1.0.0 runs");
    expect((await sim("settings get device/name")).out).toContain("simulated");
    await writeFile(join(folder, "jelling/sim/mcumgr.json"), "{}");
    const { status, err } = await sim("os echo hello");
    expect([status, err.trim().split("\n").length]).toEqual([0, 1]);
    expect(err).toMatch(/mcumgr\.json cannot be used \(.*\): the simulated device begins anew/);
    expect(await sim("os echo hello")).toMatchObject({ status: 0, err: "", out: "hello\n" });
  });

  test("a file that is stopped on its way, there or back, goes on; the name is given to what is whole alone", async () => {
    const [there, back] = [join(folder, "there.bin"), join(folder, "got.bin")];
    const content = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    await writeFile(there, content);
    const upload = ["file", "upload", there, "/lfs1/big.bin", "-t", "sim:"];
    const stopped = await interruptedAt("███████░", upload);
    expect(stopped).toMatchObject({ status: 130, err: expect.stringMatching(/stopped at \d\d %: type the same command again/) });
    const went = await jelling(["mcumgr", ...upload, "--json"], { clock, env: { XDG_STATE_HOME: folder } });
    expect(objects(went.out).at(-1)).toMatchObject({ type: "uploaded", length: 100_000, verifiedBy: "crc32" });
    expect(objects(went.out).at(-1)!.resumedFrom).toBeGreaterThan(35_000);

    const download = ["file", "download", "/lfs1/big.bin", back, "-t", "sim:"];
    expect(await interruptedAt("███████░", download)).toMatchObject({
      status: 130,
      err: expect.stringMatching(/stopped at \d\d %: type the same command again, and it goes on from there\n$/),
    });
    expect((await readdir(folder)).filter((name) => name.startsWith("got"))).toEqual(["got.bin.part"]);
    const came = await jelling(["mcumgr", ...download, "--json"], { clock, env: { XDG_STATE_HOME: folder } });
    expect(objects(came.out).at(-1)!.resumedFrom).toBeGreaterThan(35_000);
    expect(new Uint8Array(await readFile(back))).toEqual(content);
    expect((await readdir(folder)).filter((name) => name.startsWith("got"))).toEqual(["got.bin"]);
  });
});

test("over BLE, in a simulated air: found by its service and by its name", async () => {
  using clock = new FastClock();
  const options = { clock, env: { XDG_STATE_HOME: folder } };
  const found = await jelling("mcumgr scan -t sim:mcumgr --timeout 1s --json", options);
  expect(objects(found.out)).toMatchObject([{ name: "mcumgr" }]);
  const { status, out } = await jelling("mcumgr image state --ble mcumgr -t sim:mcumgr --json", options);
  expect(status).toBe(0);
  expect(objects(out)[0]).toMatchObject({ active: true });
});

// What needs somebody at the keyboard: the device's shell, and pairing on demand.
describe("somebody at the keyboard", () => {
  let clock: FastClock;
  let count = 0;
  beforeEach(() => {
    clock = new FastClock();
    count++;
  });
  afterEach(() => clock[Symbol.dispose]());
  const env = (): Record<string, string> => ({ XDG_STATE_HOME: join(folder, `person-${count}`) });

  describe("the device's shell", () => {
    /** Types `lines` at the prompt; a function may stop the command, say. */
    async function typed(
      ...lines: (string | undefined | ((io: FakeIo) => undefined))[]
    ): Promise<{ status: number; out: string; err: string }> {
      const io = fakeIo({ env: env(), isTTY: true, answers: [], clock });
      const ask = io.ask as { text: (typeof io.ask)["text"] };
      const asked: string[] = [];
      ask.text = (question, check) => {
        asked.push(question);
        const line = lines.shift();
        const answer = typeof line === "function" ? line(io) : line;
        expect(answer === undefined ? undefined : check(answer)).toBeUndefined(); // the device judges commands
        return Promise.resolve(answer);
      };
      const status = await main(["mcumgr", "shell", "-t", "sim:"], io);
      expect(lines).toEqual([]);
      expect(new Set(asked)).toEqual(new Set(["device shell (empty to end)"]));
      return { status, out: io.out.text, err: stripVTControlCharacters(io.err.text).replaceAll(/\r|connecting …/g, "") };
    }

    test("asks for commands, shows what each prints, and ends with an empty line", async () => {
      const { status, out, err } = await typed("kernel version", "  echo   one two ", " ");
      expect([status, err]).toEqual([0, ""]);
      expect(out).toMatch(/^Zephyr version [\d.]+\none two\n$/);
    });

    test("a command that fails is told, and the next is asked for; the end of the input ends it", async () => {
      const { status, out, err } = await typed("nonsense", "kernel version", undefined);
      expect([status, err]).toEqual([0, "returned -8\n"]);
      expect(out).toContain("Zephyr version");
    });

    test("Ctrl-C at the prompt ends it with status 130 and no word", async () => {
      const stop = (io: FakeIo): undefined => io.stop() as undefined;
      expect(await typed("kernel version", stop)).toMatchObject({ status: 130, err: "" });
    });

    test("one command: its words, its output and its status; a prompt needs a person", async () => {
      const sim = (line: string) => jelling(`mcumgr ${line} -t sim:`, { env: env(), clock });
      expect(await sim("shell kernel version")).toMatchObject({ status: 0, out: expect.stringMatching(/^Zephyr version/), err: "" });
      expect(JSON.parse((await sim("shell kernel version --json")).out)).toMatchObject({ ret: 0 });
      expect(await sim("shell nonsense")).toMatchObject({
        status: 1,
        err: expect.stringMatching(/^jelling: the command returned -8[^\n]*\n$/),
      });
      expect(await sim("shell")).toMatchObject({ status: 2, out: "", err: expect.stringContaining("a prompt needs a terminal") });
    });
  });

  describe("a device that wants to be paired with", () => {
    const line = ["mcumgr", "image", "state", "--ble", "mcumgr", "-t", "sim:mcumgr-paired"];
    const bonds = async () => (await jelling("bonds list -t sim: --json", { env: env(), clock })).out;

    test("is paired with on the way, and known the next time", async () => {
      const first = await jelling(line, { env: env(), clock });
      expect(first).toMatchObject({ status: 0, err: "", out: expect.stringContaining("active confirmed") });
      expect(await bonds()).toContain("C0:4A:65:6C:6C:09");
      const before = await bonds();
      expect(await jelling(line, { env: env(), clock })).toMatchObject({ status: 0, err: "" });
      expect(await bonds()).toBe(before); // the bond was used, and no other made
    });

    /** Somebody at the keyboard, who reads the passkey off the device, or does something else. */
    async function withPerson(
      answer: (shown: string, io: FakeIo) => string | undefined,
    ): Promise<{ status: number; out: string; err: string }> {
      const io = fakeIo({ env: env(), isTTY: true, answers: [], clock });
      const ask = io.ask as { text: (typeof io.ask)["text"] };
      ask.text = async (question) => {
        io.err.text += `? ${question}\n`;
        await io.saw("shows the passkey", "err");
        return answer(/shows the passkey (\d{6})/.exec(io.err.text)![1]!, io);
      };
      return { status: await main(line, io), out: io.out.text, err: io.err.text };
    }

    test("a person is asked for the passkey that it shows", async () => {
      const { status, out, err } = await withPerson((shown) => shown);
      expect(status).toBe(0);
      expect(err).toContain("? The passkey that C0:4A:65:6C:6C:09/random shows\n");
      expect(out).toContain("active confirmed");
    });

    test("a wrong passkey, and none, are one sentence; nothing is kept", async () => {
      const wrong = await withPerson((shown) => String((Number(shown) + 1) % 1_000_000).padStart(6, "0"));
      expect([wrong.status, wrong.out]).toEqual([1, ""]);
      expect(wrong.err.match(/^jelling: .*$/gm)).toHaveLength(1);
      const none = await withPerson(() => undefined);
      expect([none.status, none.err.match(/jelling: .*pair.*$/gm)?.length]).toEqual([1, 1]);
      expect(await bonds()).toBe("");
    });

    test("Ctrl-C at the question ends it", async () => {
      const { status, out } = await withPerson((_shown, io) => io.stop() as undefined);
      expect([status, out]).toEqual([130, ""]);
    });
  });
});
