import { EventEmitter } from "node:events";
import type { MqttClient } from "mqtt";
import { describe, expect, test } from "vitest";
import type { MqttConnectOptions, MqttMessage } from "./connection.ts";
import type { MqttError } from "./error.ts";
import { connectBy } from "./mqtt-library.ts";

type Done = (error?: Error | null) => void;

/** The library's client, as far as it is used: it does what the test says. */
class FakeClient extends EventEmitter {
  readonly calls: unknown[][] = [];
  readonly published: Done[] = [];
  readonly subscribed: ((error: Error | null, granted?: { qos: number }[]) => void)[] = [];
  publish(topic: string, payload: string, options: object, done: Done): void {
    this.calls.push(["publish", topic, payload, options]);
    this.published.push(done);
  }
  subscribe(topic: string, options: object, done: (typeof this.subscribed)[number]): void {
    this.calls.push(["subscribe", topic, options]);
    this.subscribed.push(done);
  }
  end(force: boolean, _options?: object, done?: () => void): void {
    this.calls.push(["end", force]);
    done?.();
  }
  arrive(topic: string, payload: string, retain: boolean): void {
    this.emit("message", topic, Buffer.from(payload), { retain });
  }
}

function world(more: Partial<MqttConnectOptions> = {}) {
  const client = new FakeClient();
  const messages: MqttMessage[] = [];
  const closed: MqttError[] = [];
  const giveUp = new AbortController();
  let given: { url: string; settings: Record<string, unknown> } | undefined;
  const connecting = connectBy(
    ((url: string, settings: Record<string, unknown>) => {
      given = { url, settings };
      return client as unknown as MqttClient;
    }) as never,
    {
      url: "mqtt://broker",
      clientId: "us",
      onMessage: (message) => messages.push(message),
      onClosed: (reason) => closed.push(reason),
      signal: giveUp.signal,
      ...more,
    },
  );
  connecting.catch(() => undefined);
  return { client, messages, closed, giveUp, connecting, settings: () => given!.settings, url: () => given!.url };
}
async function connected() {
  const at = world();
  at.client.emit("connect");
  return { ...at, connection: await at.connecting };
}
const coded = (code: unknown, message = "words with a password"): Error => Object.assign(new Error(message), { code });

describe("connecting", () => {
  test("the library comes back by itself never, keeps nothing for later, and what was not given is not there", () => {
    const { settings, url } = world();
    expect(url()).toBe("mqtt://broker");
    expect(settings()).toEqual({
      clientId: "us",
      clean: true,
      protocolVersion: 4,
      keepalive: 30,
      connectTimeout: 30_000,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
    });
  });

  test("user, password, certificates and will are handed over", () => {
    const { settings } = world({
      username: "u",
      password: "",
      tls: { ca: "CA", cert: "CERT", key: "KEY" },
      will: { topic: "t", payload: "offline", retain: true },
    });
    expect(settings()).toMatchObject({
      ...{ username: "u", password: "", ca: "CA", cert: "CERT", key: "KEY" },
      will: { topic: "t", payload: Buffer.from("offline"), qos: 1, retain: true },
    });
    for (const name of ["ca", "cert", "key"] as const) {
      const one = world({ tls: { [name]: "PEM" } }).settings();
      expect(Object.keys(one).filter((key) => ["ca", "cert", "key"].includes(key))).toEqual([name]);
    }
  });

  test("that was given up before is not begun; one under way is dropped, and its end is nobody's news", async () => {
    const reason = new Error("enough");
    await expect(world({ signal: AbortSignal.abort(reason) }).connecting).rejects.toBe(reason);
    const { client, closed, giveUp, connecting } = world();
    giveUp.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect(client.calls).toEqual([["end", true]]);
    client.emit("close");
    expect(closed).toEqual([]);
  });

  test("a connection that is there is not touched by the signal of its beginning", async () => {
    const { client, giveUp } = await connected();
    giveUp.abort(new Error("enough"));
    expect(client.calls).toEqual([]);
  });

  test.each<[unknown, string, string]>([
    [coded(4), "unauthorized", "(reason 4)"],
    [coded(5), "unauthorized", "(reason 5)"],
    [coded(0x86), "unauthorized", "(reason 134)"],
    [coded(0x87), "unauthorized", "(reason 135)"],
    [coded(0x8c), "unauthorized", "(reason 140)"],
    [coded(3), "refused", "(reason 3)"],
    [coded("ECONNREFUSED"), "unreachable", "(ECONNREFUSED)"],
    [coded("ETIMEDOUT"), "timeout", "(ETIMEDOUT)"],
    [coded("SELF_SIGNED_CERT_IN_CHAIN"), "tls", "given as `ca`"],
    [coded("DEPTH_ZERO_SELF_SIGNED_CERT"), "tls", "given as `ca`"],
    [coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), "tls", "given as `ca`"],
    [coded("CERT_HAS_EXPIRED"), "tls", "given as `ca`"],
    [coded("ERR_TLS_CERT_ALTNAME_INVALID"), "tls", "given as `ca`"],
    [coded("EPROTO"), "tls", "given as `ca`"],
    [coded("X_CERT_"), "unreachable", "(X_CERT_)"],
    [new Error("connack timeout, words with a password"), "timeout", "did not answer in time."],
    [new TypeError("words with a password"), "closed", "is gone (TypeError)."],
    [new Error("words with a password"), "closed", "is gone."],
    ["words with a password", "closed", "is gone."],
    [undefined, "closed", "is gone."],
  ])("%s: %s, without the words of others", async (error, problem, text) => {
    const { client, closed, connecting } = world();
    if (error !== undefined) client.emit("error", error);
    client.emit("close");
    await expect(connecting).rejects.toMatchObject({ code: "ERR_MQTT", problem, message: expect.stringContaining(text) });
    await expect(connecting).rejects.not.toThrow(/password$|words/);
    expect(client.calls).toEqual([["end", true]]); // the library shall not try again
    expect(closed).toEqual([]);
  });
});

describe("a connection", () => {
  test("publishes and listens with QoS 1, and is told what comes", async () => {
    const { client, connection, messages } = await connected();
    const publishing = connection.publish({ topic: "t", payload: "p", retain: true });
    const subscribing = connection.subscribe("s");
    expect(client.calls).toEqual([
      ["publish", "t", "p", { qos: 1, retain: true }],
      ["subscribe", "s", { qos: 1 }],
    ]);
    client.published[0]!();
    client.subscribed[0]!(null, [{ qos: 1 }, { qos: 2 }]);
    expect(await Promise.all([publishing, subscribing])).toEqual([undefined, undefined]);
    client.arrive("s", "grüße", true);
    client.arrive("s", "", false);
    expect(messages).toEqual([
      { topic: "s", payload: "grüße", retain: true },
      { topic: "s", payload: "", retain: false },
    ]);
  });

  test("that the broker lets not listen is told so, where another error is an error", async () => {
    const { client, connection } = await connected();
    const refused = connection.subscribe("s");
    client.subscribed[0]!(null, [{ qos: 0x80 }]);
    await expect(refused).rejects.toMatchObject({ problem: "unauthorized" });
    const failed = connection.subscribe("s");
    client.subscribed[1]!(coded("ECONNRESET"));
    await expect(failed).rejects.toMatchObject({ problem: "unreachable" });
    const unpublished = connection.publish({ topic: "t", payload: "", retain: false });
    client.published[0]!(coded(0x87));
    await expect(unpublished).rejects.toMatchObject({ problem: "unauthorized" });
  });

  test("that breaks leaves nobody waiting, is told once, and takes nothing more", async () => {
    const { client, connection, closed } = await connected();
    const waiting = [connection.publish({ topic: "t", payload: "", retain: false }), connection.subscribe("s")];
    client.emit("error", coded("ECONNRESET"));
    client.emit("close");
    client.emit("close");
    for (const each of waiting) await expect(each).rejects.toMatchObject({ problem: "unreachable" });
    expect(closed.map(({ problem }) => problem)).toEqual(["unreachable"]);
    const calls = client.calls.length;
    await expect(connection.publish({ topic: "t", payload: "", retain: false })).rejects.toBe(closed[0]);
    expect(client.calls).toHaveLength(calls);
  });

  test("that is closed says goodbye, and one that is dropped does not; neither is told as lost", async () => {
    for (const isDropped of [false, true]) {
      const { client, connection, closed } = await connected();
      const waiting = connection.publish({ topic: "t", payload: "", retain: false });
      waiting.catch(() => undefined);
      if (isDropped) connection.drop();
      else await connection.close();
      expect(client.calls.at(-1)).toEqual(["end", isDropped]);
      await expect(waiting).rejects.toMatchObject({ problem: "closed" });
      client.emit("close");
      expect(closed).toEqual([]);
      await expect(connection.subscribe("s")).rejects.toMatchObject({
        problem: "closed",
        message: expect.stringContaining(isDropped ? "given up" : "was closed"),
      });
    }
  });
});
