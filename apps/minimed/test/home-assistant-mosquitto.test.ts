import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, SystemClock } from "jelling/async";
import { SeededRandom } from "jelling/core";
import mqtt, { type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leaveOut } from "../../../test/support/left-out.ts";
import { forgetHomeAssistant, type HomeAssistantOptions, HomeAssistantPublisher } from "../src/mqtt/index.ts";
import { HomeAssistant } from "./home-assistant.ts";
import { cuttableWay, isMosquittoHere, type Mosquitto, PASSWORD, startMosquitto, USER } from "./mosquitto.ts";
import { pumpState, SERIAL } from "./pump-state.ts";

const isWanted = isMosquittoHere || process.env["JELLING_LAB"] === "required";
if (!isWanted) leaveOut("Home Assistant over a real broker: Mosquitto is not installed (apt-get install mosquitto)");

const PUMP = "0123456789abcdef";
const TREES = ["homeassistant/#", "jelling/#"];

/** Fifty times as fast as real time: what waits for seconds is there in milliseconds. */
class FastClock implements Clock {
  readonly #clock = new SystemClock();
  now(): number {
    return 50 * this.#clock.now();
  }
  setTimer(delayMs: number, name: string, fire: () => unknown): Disposable {
    return this.#clock.setTimer(delayMs / 50, name, fire);
  }
}

function selfSigned(): { cert: string; key: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), "jelling-certificate-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    execFileSync(
      "openssl",
      [...request, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
      {
        stdio: "ignore",
      },
    );
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let broker: Mosquitto;
let certificate: { cert: string; key: string } | undefined;
const watchers: MqttClient[] = [];

beforeAll(async () => {
  if (!isWanted) return;
  certificate = selfSigned();
  broker = await startMosquitto(certificate);
});
afterAll(async () => {
  for (const watcher of watchers) await watcher.endAsync(true);
  await broker?.[Symbol.asyncDispose]();
});

/** A subscriber of everything; waits until something has come. */
async function watch() {
  const clock = new FastClock();
  const homeAssistant = new HomeAssistant(() => clock.now());
  const retained = new Map<string, string>();
  const topics: string[] = [];
  const waiting = new Set<() => void>();
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${broker.port}`, { username: USER, password: PASSWORD, reconnectPeriod: 0 });
  watchers.push(client);
  client.on("message", (topic, payload, packet) => {
    const text = payload.toString();
    if (packet.retain) retained.set(topic, text);
    topics.push(`${topic.split("/").at(-1)}${/^(online|offline)?$/.test(text) ? ` ${text}` : ""}`);
    homeAssistant.receive(topic, text);
    for (const look of waiting) look();
  });
  await client.subscribeAsync(TREES, { qos: 1 });
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { homeAssistant, retained, topics, until, client };
}

function options(port: number): HomeAssistantOptions {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    username: USER,
    password: PASSWORD,
    pump: PUMP,
    clock: new FastClock(),
    random: new SeededRandom(1),
  };
}

test.runIf(isWanted)("over Mosquitto: announced, shown, lost with its will, back, asked again at a start, forgotten", async () => {
  const { homeAssistant, topics, until, client } = await watch();
  const way = await cuttableWay(broker.port);
  const settings = options(way.port);
  const publisher = await HomeAssistantPublisher.open(settings);
  publisher.update(pumpState(settings.clock!.now()));
  await until(() => homeAssistant.stateOf("glucose") === "142");
  expect(topics).toEqual(["config", "status online", "reach online", "state"]);

  topics.length = 0;
  way.cut();
  await until(() => topics.includes("state"));
  expect(topics).toEqual(["status offline", "config", "status online", "reach online", "state"]);

  topics.length = 0;
  await client.publishAsync("homeassistant/status", "offline", { qos: 1 });
  await client.publishAsync("homeassistant/status", "online", { qos: 1 });
  await until(() => topics.includes("state"));
  expect(topics).toEqual(["status offline", "status online", "config", "status online", "reach online", "state"]);

  const late = await watch();
  await late.until(() => late.retained.size >= 3);
  expect([...late.retained.keys()].sort()).toEqual([
    "homeassistant/device/jelling_0123456789ab/config",
    "jelling/jelling_0123456789ab/reach",
    "jelling/jelling_0123456789ab/status",
  ]);
  late.homeAssistant.checkRetained(late.retained);
  expect(late.homeAssistant.stateOf("glucose")).toBe("unavailable"); // not replayed by the broker

  await publisher.forget();
  await until(() => homeAssistant.entities.size === 0);
  way.cut();
  await way.close();
  const after = await watch();
  await after.client.publishAsync("jelling/end", "", { qos: 1 });
  await after.until(() => after.topics.includes("end "));
  expect([...after.retained]).toEqual([]);
  expect(homeAssistant.problems).toEqual([]);
  expect(JSON.stringify(homeAssistant.log)).not.toContain(SERIAL);
});

test.runIf(isWanted)("closing says so at once; a process that is killed is told of by its will", async () => {
  const { until, topics } = await watch();
  // In real time: of a goodbye that has a fiftieth of its seconds, a busy machine makes an end without one.
  const publisher = await HomeAssistantPublisher.open({ ...options(broker.port), clock: new SystemClock() });
  await until(() => topics.includes("state"));
  topics.length = 0;
  await publisher.close();
  await until(() => topics.includes("status offline"));
  expect(topics).toEqual(["status offline"]);
  await forgetHomeAssistant(options(broker.port));
});

test.runIf(isWanted)(
  "a wrong password, a closed port, a hidden name: what stands in the way, in one sentence without a secret",
  async () => {
    const wrong = { ...options(broker.port), password: "geheim" };
    await expect(forgetHomeAssistant(wrong)).rejects.toMatchObject({ code: "ERR_MQTT", problem: "unauthorized" });
    await expect(forgetHomeAssistant(wrong)).rejects.not.toThrow(/geheim|pump-user/);
    const way = await cuttableWay(broker.port);
    await way.close();
    await expect(forgetHomeAssistant(options(way.port))).rejects.toMatchObject({
      problem: "unreachable",
      message: "The broker cannot be reached (ECONNREFUSED).",
    });
  },
);

test.runIf(isWanted)("by WebSocket", async () => {
  const { until, homeAssistant } = await watch();
  const settings = { ...options(broker.websocketPort), url: `ws://127.0.0.1:${broker.websocketPort}/mqtt` };
  const publisher = await HomeAssistantPublisher.open(settings);
  publisher.update(pumpState(settings.clock!.now()));
  await until(() => homeAssistant.stateOf("glucose") === "142");
  await publisher.forget();
});

test.runIf(isWanted)("with TLS: a certificate that nobody vouches for is refused, and taken with its authority", async () => {
  if (!certificate) {
    leaveOut("Home Assistant over TLS: openssl is not installed");
    return;
  }
  const settings = { ...options(broker.port), url: `mqtts://127.0.0.1:${broker.tlsPort}` };
  await expect(forgetHomeAssistant(settings)).rejects.toMatchObject({ problem: "tls" });
  await forgetHomeAssistant({ ...settings, tls: { ca: certificate.cert } });
});
