import { expect, test } from "vitest";
import { openTransport } from "./open.ts";

test.each([
  ["bluetooth:0", 'transport "bluetooth:0" is not known: expected one of sim:, tcp:HOST:PORT, tcp-server:PORT, unix:/PATH, hci:N, vhci:'],
  ["", 'transport "" is not known: expected one of sim:, tcp:HOST:PORT, tcp-server:PORT, unix:/PATH, hci:N, vhci:'],
  ["constructor:", /is not known/],
  ["tcp", 'transport "tcp": expected tcp:HOST:PORT'],
  ["tcp:", 'transport "tcp:": expected tcp:HOST:PORT'],
  ["tcp:host", 'transport "tcp:host": expected tcp:HOST:PORT'],
  ["tcp:9000", 'transport "tcp:9000": expected tcp:HOST:PORT'],
  ["tcp:host:65536", 'transport "tcp:host:65536": expected tcp:HOST:PORT'],
  ["tcp:::1:9000", 'transport "tcp:::1:9000": expected tcp:HOST:PORT'],
  ["tcp-server:x", 'transport "tcp-server:x": expected tcp-server:PORT or tcp-server:HOST:PORT'],
  ["unix:", 'transport "unix:": expected unix:/PATH'],
  ["hci:zero", 'transport "hci:zero": expected hci:N, for example hci:0'],
  ["hci:", 'transport "hci:": expected hci:N, for example hci:0'],
  ["vhci:1", 'transport "vhci:1": expected vhci: and nothing more'],
])("%j is refused with one sentence", async (spec, message) => {
  await expect(openTransport(spec)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "unknown-spec" });
  await expect(openTransport(spec)).rejects.toThrow(message);
});

test("a signal that has aborted already opens nothing", async () => {
  await expect(openTransport("sim:", { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
});
