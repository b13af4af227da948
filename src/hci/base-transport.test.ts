import { afterEach, beforeEach, expect, test } from "vitest";
import { TransportBase } from "./base-transport.ts";
import { TransportClosed } from "./index.ts";

const unhandled: unknown[] = [];
const keep = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", keep);
});
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", keep);
  expect(unhandled).toEqual([]);
});

/** A transport that gives back what it holds as a test says. */
class Held extends TransportBase {
  releases = 0;
  readonly #release: () => void | Promise<void>;
  constructor(release: () => void | Promise<void>) {
    super({ spec: "held:" });
    this.#release = release;
  }
  send(): void {}
  get writable(): boolean {
    return !this.isOver;
  }
  lose(): void {
    this.end(new TransportClosed("unplugged"));
  }
  protected release(): void | Promise<void> {
    this.releases++;
    return this.#release();
  }
}

const fault = new Error("the adapter could not be set back");
test.each<[string, () => void | Promise<void>]>([
  [
    "throws",
    () => {
      throw fault;
    },
  ],
  ["rejects", () => Promise.reject(fault)],
])("what cannot be given back (%s) is told to who disposes of the transport, also after its end", async (_name, release) => {
  const lost = new Held(release);
  const ends: string[] = [];
  lost.onClose = ({ message }) => ends.push(message);
  lost.lose();
  expect(ends).toEqual(["unplugged"]);
  await expect(lost[Symbol.asyncDispose]()).rejects.toBe(fault);
  await expect(lost[Symbol.asyncDispose]()).rejects.toBe(fault);
  const closed = new Held(release);
  await expect(closed[Symbol.asyncDispose]()).rejects.toBe(fault);
  expect([lost.releases, closed.releases]).toEqual([1, 1]);
});

test("disposing waits for what the end gives back", async () => {
  let done = (): void => {};
  const lost = new Held(
    () =>
      new Promise((resolve) => {
        done = resolve;
      }),
  );
  lost.lose();
  let disposed = false;
  const disposing = (async () => {
    await lost[Symbol.asyncDispose]();
    disposed = true;
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(disposed).toBe(false);
  done();
  await disposing;
  expect(lost.releases).toBe(1);
});
