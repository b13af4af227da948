import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../async/virtual-clock.ts";
import { ArgumentError } from "../../core/error.ts";
import { McumgrClient } from "./client.ts";
import { setUp } from "./test-setup.ts";

/** What every transfer refuses. */
const TRANSFER: readonly (readonly [object, string])[] = [
  [{ window: 0 }, "window"],
  [{ window: 65 }, "window"],
  [{ onProgress: 1 }, "onProgress"],
  [{ timeoutMs: -1 }, "timeoutMs"],
  [{ signal: 1 }, "signal"],
  [{ windw: 1 }, 'did you mean "window"'],
];
const IMAGE: readonly (readonly [object, string])[] = [
  ...TRANSFER,
  [{ image: -1 }, "image"],
  [{ image: 2 ** 32 }, "image"],
  [{ resumeFrom: -1 }, "resumeFrom"],
  [{ resumeFrom: 11 }, "resumeFrom"],
  [{ alignment: 0 }, "alignment"],
  [{ alignment: 4097 }, "alignment"],
  [{ upgrade: "yes" }, "upgrade"],
];
const image = new Uint8Array(10);

describe("options and arguments that are wrong are refused by name, and nothing is sent", () => {
  const refused: Record<
    string,
    readonly [(client: McumgrClient, value: never) => Promise<unknown>, readonly (readonly [object, string])[]]
  > = {
    uploadImage: [(client, value) => client.uploadImage(image, value), IMAGE],
    uploadIntercreate: [(client, value) => client.uploadIntercreate(image, value), IMAGE],
    uploadFile: [
      (client, value) => client.uploadFile("/a", image, value),
      [...TRANSFER, [{ resume: 1 }, "resume"], [{ verify: "no" }, "verify"]],
    ],
    downloadFile: [
      (client, value) => client.downloadFile("/a", value),
      [...TRANSFER, [{ resumeFrom: "abc" }, "resumeFrom"], [{ maxLength: -1 }, "maxLength"], [{ verify: 0 }, "verify"]],
    ],
    reset: [
      (client, value) => client.reset(value),
      [
        [{ bootMode: 256 }, "bootMode"],
        [{ bootMode: -1 }, "bootMode"],
        [{ force: 1 }, "force"],
        [{ reconnect: "no" }, "reconnect"],
        [{ bootmode: 1 }, 'did you mean "bootMode"'],
        [{ timeoutMs: Number.NaN }, "timeoutMs"],
      ],
    ],
    reconnect: [
      (client, value) => client.reconnect(value),
      [
        [{ timeout: 1 }, 'did you mean "timeoutMs"'],
        [{ timeoutMs: "1" }, "timeoutMs"],
      ],
    ],
    request: [
      (client, value) => client.request({ op: 0, group: 0, command: 6 }, value),
      [
        [{ timeout: 1 }, 'did you mean "timeoutMs"'],
        [{ signal: {} }, "signal"],
      ],
    ],
  };
  for (const [method, [act, values]] of Object.entries(refused))
    test(method, async () => {
      await using at = await setUp();
      const before = at.server.handled.length;
      for (const [options, word] of values) {
        const error: unknown = await act(at.client, options as never).catch((thrown: unknown) => thrown);
        expect(error, `${method} ${JSON.stringify(options)}`).toBeInstanceOf(ArgumentError);
        expect((error as Error).message).toContain(word);
        expect((error as Error).message.startsWith(method)).toBe(true);
      }
      expect(at.server.handled.length).toBe(before);
    });

  test("what is transferred, and under which name", async () => {
    await using at = await setUp();
    const refusals: readonly (readonly [Promise<unknown>, string])[] = [
      [at.client.uploadImage("x" as never), "uploadImage: image: expected a Uint8Array, got a string"],
      [at.client.uploadImage(new Uint8Array(0)), "uploadImage: image: expected 1 to 4294967295 octets, got 0"],
      [at.client.uploadFile(1 as never, image), "uploadFile: name: expected text, got 1"],
      [at.client.uploadFile("/a", [1] as never), "uploadFile: data: expected a Uint8Array, got an array"],
      [at.client.downloadFile(undefined as never), "downloadFile: name: expected text, got undefined"],
    ];
    for (const [refusal, message] of refusals) await expect(refusal).rejects.toThrow(new ArgumentError(message));
  });

  test("opening", async () => {
    let opened = 0;
    const open = () => {
      opened++;
      return Promise.reject(new Error("asked"));
    };
    for (const wrong of [undefined, null, 1, {}])
      await expect(McumgrClient.open(wrong as never)).rejects.toThrow("McumgrClient.open: openLink: expected a function");
    for (const [name, values] of Object.entries({
      window: [0, 65, 1.5],
      version: [-1, 4],
      messageLimit: [19, 65_544],
      timeoutMs: [-1, "1"],
      signal: [1],
      speed: [1],
    }))
      for (const value of values) {
        const error: unknown = await McumgrClient.open(open, { [name]: value }).catch((thrown: unknown) => thrown);
        expect(error, `${name} ${value}`).toBeInstanceOf(ArgumentError);
        expect((error as Error).message).toContain(name);
      }
    expect(opened).toBe(0);
  });
});

test("the ends of what is permitted are permitted", async () => {
  const clock = new VirtualClock();
  const open = () => Promise.reject(new Error("asked"));
  for (const options of [
    { window: 1, version: 0, messageLimit: 20, timeoutMs: 0 },
    { window: 64, version: 3, messageLimit: 65_543, timeoutMs: Number.POSITIVE_INFINITY },
  ])
    await expect(McumgrClient.open(open, { clock, ...options })).rejects.toThrow("asked");
  await using at = await setUp();
  await at.client.uploadImage(image, { window: 64, alignment: 4096, resumeFrom: 0, image: 0xffff_ffff, upgrade: true });
  await at.client.uploadFile("/a", image, { window: 1, resume: false, verify: false });
  await at.client.downloadFile("/a", { maxLength: 10, resumeFrom: new Uint8Array(0), verify: true });
  await at.client.reset({ bootMode: 255, force: false, reconnect: false });
  await at.client.reset({ bootMode: 0, force: true, reconnect: false });
});
