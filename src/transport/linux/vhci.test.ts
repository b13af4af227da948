import { describe, expect, test } from "vitest";
import { Errno, type LinuxCalls, loadLinuxCalls, O_CLOEXEC, O_NONBLOCK } from "./socket-calls.ts";
import { openVhci } from "./vhci.ts";

describe.skipIf(process.platform !== "linux")("a virtual adapter", () => {
  const failing = (errno: number): LinuxCalls => ({ ...loadLinuxCalls("test"), open: () => -1, errno: () => errno });

  test.each([
    [Errno.ENOENT, "unsupported", /^there is no \/dev\/vhci, and no modules of it are to be seen: it takes another kernel/],
    [Errno.EACCES, "permission", /run as root/],
    [Errno.EBUSY, "io", /\/dev\/vhci cannot be opened \(open: EBUSY\)/],
  ])("that cannot be opened with errno %i is explained as %s", async (errno, reason, message) => {
    await expect(openVhci(failing(errno), { sys: "/nowhere", proc: "/nowhere", run: undefined })).rejects.toMatchObject({
      code: "ERR_TRANSPORT",
      reason,
      message: expect.stringMatching(message),
    });
  });

  test("appears only when its commands can be answered: a thread that does not start leaves no adapter behind", async () => {
    let opened = 0;
    const calls: LinuxCalls = { ...loadLinuxCalls("test"), package: "/nowhere/koffi", open: () => opened++ };
    await expect(openVhci(calls)).rejects.toMatchObject({ code: "ERR_TRANSPORT", reason: "io" });
    expect(opened).toBe(0);
  });

  test("has the kernel's index, and the command that came before it is not lost", async () => {
    const real = loadLinuxCalls("test");
    const pair = new Int32Array(2);
    real.socketpair(1, 5 | O_CLOEXEC | O_NONBLOCK, 0, pair);
    const [near, far] = [pair[0]!, pair[1]!];
    for (const packet of [Uint8Array.of(1, 3, 12, 0), Uint8Array.of(0xff, 0, 0x02, 0x01), Uint8Array.of(1, 1, 16, 0)])
      real.write(far, packet, packet.length);
    const transport = await openVhci({ ...real, open: () => near });
    const request = new Uint8Array(8);
    expect(request.subarray(0, real.read(far, request, 8))).toEqual(Uint8Array.of(0xff, 0x00));
    expect(transport.info).toEqual({ spec: "vhci:", index: 0x102 });
    const packets: Uint8Array[] = [];
    await new Promise<void>((resolve) => {
      transport.onPacket = (packet) => {
        if (packets.push(packet) === 2) resolve();
      };
    });
    expect(packets).toEqual([Uint8Array.of(1, 3, 12, 0), Uint8Array.of(1, 1, 16, 0)]);
    await transport[Symbol.asyncDispose]();
    real.close(far);
  });
});
