import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listSerialPorts, type SerialPlatform } from "./serial-ports.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "jelling-ports-"));
  const kernel = async (name: string, type: string | undefined): Promise<void> => {
    await mkdir(join(folder, "tty", name, "device"), { recursive: true });
    if (type !== undefined) await writeFile(join(folder, "tty", name, "type"), `${type}\n`);
  };
  await kernel("ttyS0", "4");
  await kernel("ttyS1", "0");
  await kernel("ttyACM0", undefined);
  await kernel("ttyACM10", undefined);
  await mkdir(join(folder, "tty", "tty1"));
  await mkdir(join(folder, "by-id"));
  await writeFile(join(folder, "ttyACM0"), "");
  await symlink(join(folder, "ttyACM0"), join(folder, "by-id", "usb-Acme-if00"));
});
afterAll(() => rm(folder, { recursive: true }));

const platform = (list: SerialPlatform["list"], { linux = true } = {}): SerialPlatform => ({
  list,
  stableFolder: join(folder, "by-id"),
  kernelFolder: join(folder, linux ? "tty" : "none"),
});

test("what the package lists, without ports that have no hardware, in the order of their numbers", async () => {
  const usb = { manufacturer: "Acme", serialNumber: "12", vendorId: "2fe3", productId: "0100" };
  const listed = [
    { path: join(folder, "ttyACM0"), ...usb, pnpId: "x" },
    { path: "/dev/ttyS1" },
    { path: "/dev/ttyS0", manufacturer: undefined, serialNumber: "" },
  ];
  expect(await listSerialPorts(platform(() => Promise.resolve(listed)))).toEqual([
    { path: "/dev/ttyS0" },
    { path: join(folder, "ttyACM0"), ...usb, stablePath: join(folder, "by-id", "usb-Acme-if00") },
  ]);
});

test("the kernel is asked where the package is missing, or finds no udevadm", async () => {
  const failing = (): Promise<never> => Promise.reject(Object.assign(new Error("spawn udevadm ENOENT"), { code: "ENOENT" }));
  expect(await listSerialPorts(platform(failing))).toEqual([{ path: "/dev/ttyACM0" }, { path: "/dev/ttyACM10" }, { path: "/dev/ttyS0" }]);
  await expect(listSerialPorts(platform(failing, { linux: false }))).rejects.toMatchObject({
    code: "ERR_UNSUPPORTED",
    message: expect.stringContaining("npm install @serialport/bindings-cpp"),
  });
});

test("elsewhere than in Linux the package's list is taken as it is", async () => {
  const list = () => Promise.resolve([{ path: "COM10" }, { path: "COM3", vendorId: "2FE3" }]);
  expect(await listSerialPorts(platform(list, { linux: false }))).toEqual([{ path: "COM3", vendorId: "2FE3" }, { path: "COM10" }]);
});

test("this machine has ports, or none", async () => {
  for (const { path } of await listSerialPorts()) expect(path).toMatch(/^(\/dev\/|COM)/);
});
