import { VirtualClock } from "jelling/async";
import { describe, expect, test } from "vitest";
import { checkHomeAssistantOptions, type HomeAssistantPublisherOptions } from "./options.ts";

const options = { url: "mqtt://broker.example:1883", pump: "0123456789abcdef" };
const check = (more: object = {}) => checkHomeAssistantOptions("open", { ...options, ...more } as HomeAssistantPublisherOptions);

test("with a broker and a pump alone everything else is as Home Assistant has it", () => {
  expect(check()).toEqual({
    url: options.url,
    broker: "mqtt://broker.example:1883",
    isOpen: true,
    deviceId: "jelling_0123456789ab",
    topics: {
      config: "homeassistant/device/jelling_0123456789ab/config",
      status: "jelling/jelling_0123456789ab/status",
      reach: "jelling/jelling_0123456789ab/reach",
      state: "jelling/jelling_0123456789ab/state",
      birth: "homeassistant/status",
    },
    birthPayload: "online",
    name: "Insulin pump",
    names: {},
    entityPrefix: "pump",
    mmol: false,
  });
});

test("what is chosen is taken", () => {
  using clock = new VirtualClock();
  const chosen = { name: "N", names: { glucose: "G" }, entityPrefix: "p1_x", mmol: true, birthPayload: "" };
  expect(
    check({ ...chosen, baseTopic: "a/b", discoveryPrefix: "ha/d", birthTopic: "ha/born", clock, source: { on: () => undefined } }),
  ).toMatchObject({
    ...chosen,
    topics: { config: "ha/d/device/jelling_0123456789ab/config", state: "a/b/jelling_0123456789ab/state", birth: "ha/born" },
  });
  expect(check({ discoveryPrefix: "ha" }).topics.birth).toBe("ha/status");
});

describe("whether others can read the way to the broker", () => {
  test.each([
    ["mqtt://broker", true],
    ["ws://broker/path", true],
    ["mqtts://broker", false],
    ["wss://broker", false],
    ["mqtt://localhost", false],
    ["mqtt://LOCALHOST:1", false],
    ["mqtt://127.0.0.1", false],
    ["mqtt://127.12.255.3:1883", false],
    ["mqtt://[::1]", false],
    ["mqtt://localhost.example", true],
    ["mqtt://notlocalhost", true],
    ["mqtt://127.0.0.1.example", true],
    ["mqtt://x127.0.0.1", true],
    ["mqtt://127.0.0", true],
    ["mqtt://[::2]", true],
  ])("%s: %j", (url, isOpen) => {
    expect(check({ url }).isOpen).toBe(isOpen);
  });
});

test.each<[object, RegExp]>([
  [{ url: "mqtt://" }, /url/],
  [{ url: "mqtt://:geheim@broker" }, /user name and password are options/],
  [{ url: "mqtt://geheim@broker" }, /user name and password are options/],
  [{ url: "tcp://broker" }, /mqtt, mqtts, ws and wss are known/],
  [{ pump: "0123456789abcde" }, /pump/],
  [{ pump: "0123456789abcdef0" }, /pump/],
  [{ pump: "0123456789ABCDEF" }, /pump/],
  [{ pump: 7 }, /pump/],
  [{ baseTopic: "a//b" }, /baseTopic/],
  [{ baseTopic: "a/" }, /baseTopic/],
  [{ baseTopic: "a\u0000" }, /baseTopic/],
  [{ baseTopic: 7 }, /baseTopic: expected a topic such as "jelling"/],
  [{ discoveryPrefix: 7 }, /discoveryPrefix: expected a topic such as "homeassistant"/],
  [{ birthTopic: "a/#/b" }, /birthTopic: expected a topic such as "homeassistant\/status"/],
  [{ entityPrefix: "" }, /entityPrefix/],
  [{ entityPrefix: "_a" }, /entityPrefix/],
  [{ entityPrefix: "a_" }, /entityPrefix/],
  [{ entityPrefix: "a__b" }, /entityPrefix/],
  [{ entityPrefix: "a b" }, /entityPrefix/],
  [{ entityPrefix: "a_B" }, /entityPrefix/],
  [{ entityPrefix: 7 }, /entityPrefix/],
  [{ name: "" }, /name/],
  [{ name: "x".repeat(101) }, /name: expected a name of 1 to 100/],
  [{ name: 7 }, /name/],
  [{ names: { iob: 7 } }, /names: iob/],
  [{ source: null }, /source/],
  [{ source: "x" }, /source/],
  [{ source: { on: true } }, /source/],
  [{ clock: null }, /clock/],
  [{ clock: { now: 1 } }, /clock/],
  [{ username: 7 }, /username: expected text/],
  [{ password: "geheim" }, /has none without a username/],
])("refused: %j", (wrong, message) => {
  expect(() => check(wrong)).toThrow(expect.objectContaining({ code: "ERR_ARGUMENT", message: expect.stringMatching(message) }));
  expect(() => check(wrong)).not.toThrow(/geheim/);
});

test("no options at all, and names and words at their edges", () => {
  for (const none of [undefined, null, 7, "x"]) expect(() => checkHomeAssistantOptions("open", none as never)).toThrow(/open/);
  expect(check({ name: "x".repeat(100), username: "u", password: "", tls: { ca: undefined } }).name).toHaveLength(100);
});
