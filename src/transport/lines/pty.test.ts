import { existsSync } from "node:fs";
import { lstat, mkdtemp, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaveOut } from "../../../test/support/left-out.ts";
import { Air } from "../../air/index.ts";
import { SystemClock } from "../../async/index.ts";
import { Controller } from "../../controller/index.ts";
import { Address } from "../../core/index.ts";
import { Hci } from "../../hci/index.ts";
import { openTransport, serveController } from "../index.ts";
import { openSerial } from "./serial.ts";
import type { CreateSerialStream, SerialStream } from "./serial-packages.ts";
import { parsePtySpec, parseSerialSpec } from "./serial-spec.ts";

const hasTerminals = process.platform === "linux" && existsSync("/dev/ptmx");
if (!hasTerminals) leaveOut("HCI over a pseudo-terminal");

describe("the spec of a serial port", () => {
  const h4 = { baudRate: 115_200, framing: "h4", flow: "hardware", parity: "none" };
  test.each([
    ["/dev/ttyACM0", { ...h4, path: "/dev/ttyACM0" }],
    ["COM3@1000000", { ...h4, path: "COM3", baudRate: 1_000_000 }],
    ["/dev/ttyUSB0,flow=none", { ...h4, path: "/dev/ttyUSB0", flow: "none" }],
    ["/dev/serial0@921600,h5", { path: "/dev/serial0", baudRate: 921_600, framing: "h5", flow: "none", parity: "even" }],
    [
      "/dev/serial0,flow=software,h5,parity=none",
      { path: "/dev/serial0", baudRate: 115_200, framing: "h5", flow: "software", parity: "none" },
    ],
    ["/dev/a@b@9600", { ...h4, path: "/dev/a@b", baudRate: 9600 }],
  ])("%s", (text, expected) => expect(parseSerialSpec(`serial:${text}`, text)).toEqual(expected));

  test.each([
    "",
    "@9600",
    "/dev/x@0",
    "/dev/x@999999999999",
    "/dev/x,h6",
    "/dev/x,flow=some",
    "/dev/x,h4,h5",
    "/dev/x,flow=software",
    "/dev/x,",
  ])("%j is refused in one sentence", async (text) => {
    await expect(openTransport(`serial:${text}`)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "unknown-spec" });
  });

  test("of a pseudo-terminal", () => {
    expect(parsePtySpec("", "")).toEqual({ path: undefined, framing: "h4" });
    expect(parsePtySpec("", "/tmp/hci,h5")).toEqual({ path: "/tmp/hci", framing: "h5" });
    expect(() => parsePtySpec("pty:hci", "hci")).toThrow('transport "pty:hci": expected pty:[/LINK/PATH]');
  });
});

test.each([
  ["Error: No such file or directory, cannot open /dev/x", "not-found"],
  ["Error: Permission denied, cannot open /dev/x", "permission"],
  ["Error: Resource temporarily unavailable Cannot lock port", "busy"],
  ["Error: something else", "io"],
])("a port that does not open: %s", async (text, reason) => {
  const create: CreateSerialStream = () =>
    ({ on() {}, open: (done: (error: Error) => void) => done(new Error(text)) }) as unknown as SerialStream;
  await expect(openSerial("/dev/x", {}, create)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason });
});

describe.runIf(hasTerminals)("over a pseudo-terminal, with the packages themselves", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "jelling-pty-"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const clock = new SystemClock();
  const newController = () => new Controller({ air: new Air({ clock }), address: Address.from("C0:FF:EE:00:00:01") });

  test.each(["", ",h5"])("a controller is served and opened (pty:%s), by one host after the other", async (framing) => {
    await using server = await serveController(newController(), `pty:${framing}`);
    expect(server.spec).toMatch(/^serial:\/dev\/pts\/\d+,/);
    for (let host = 0; host < 2; host++) {
      await using hci = await Hci.open(await openTransport(server.spec), { clock });
      expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:01");
    }
  });

  test("H5 with flow control by characters", async () => {
    await using server = await serveController(newController(), "pty:,h5");
    await using hci = await Hci.open(await openTransport(`${server.spec},flow=software`), { clock });
    expect(hci.ended).toBeUndefined();
  });

  test("a link is made, taken over where it was left behind, and taken away; what is somebody's is not", async () => {
    const link = join(folder, "hci");
    await symlink("/dev/pts/99999", link);
    {
      await using server = await serveController(newController(), `pty:${link}`);
      expect(server.spec).toBe(`serial:${link},flow=none`);
      expect(await readlink(link)).toMatch(/^\/dev\/pts\//);
    }
    await expect(lstat(link)).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(link, "mine");
    await expect(serveController(newController(), `pty:${link}`)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "busy" });
    await expect(serveController(newController(), `pty:${folder}/no/hci`)).rejects.toMatchObject({ reason: "not-found" });
  });

  test("pty: waits for a program that is the controller", async () => {
    let path = "";
    const transport = await openTransport("pty:", { onPath: (made) => (path = made) });
    expect(transport.info.spec).toBe(`pty:${path}`);
    await using _server = await serveController(newController(), `serial:${path},flow=none`);
    await using hci = await Hci.open(transport, { clock });
    expect(hci.controller.address.toString()).toContain("C0:FF:EE:00:00:01");
  });

  test("an aborted wait for H5 gives the port back", async () => {
    await using server = await serveController(newController(), "pty:"); // which speaks H4
    const abort = new AbortController();
    const opening = openTransport(server.spec.replace("flow=none", "h5"), { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(opening).rejects.toThrow("enough");
    await using hci = await Hci.open(await openTransport(server.spec), { clock });
    expect(hci.ended).toBeUndefined();
  });
});
