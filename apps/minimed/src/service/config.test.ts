import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { Logger, LogLevel, SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { TemporaryFolder } from "../../test/temporary-store.ts";
import { buildKeyDatabase } from "../sake/key-database.ts";
import { inventKeys } from "../simulator/keys.ts";
import { DEFAULT_HEALTH_PORT, jsonLogSink, readServiceConfig, readServiceSecrets, runPumpService } from "./index.ts";

const KEYS = "/etc/jelling/keys.bin";
const refused = (config: unknown): readonly string[] => {
  try {
    readServiceConfig(typeof config === "string" ? config : JSON.stringify(config));
  } catch (error) {
    expect(error).toMatchObject({ code: "ERR_PUMP_SERVICE_CONFIG" });
    return (error as { problems: readonly string[] }).problems;
  }
  return [];
};

test("a configuration with little in it is enough", () => {
  expect(readServiceConfig(`{"keyFile": "${KEYS}"}`)).toMatchObject({
    transport: "hci:0",
    keyFile: KEYS,
    log: LogLevel.Info,
    page: {},
    health: {},
    nightscout: undefined,
    homeAssistant: undefined,
  });
  expect(readServiceConfig('\uFEFF{"page": false, "health": false, "log": "warn"}')).toMatchObject({
    page: undefined,
    health: undefined,
    log: LogLevel.Warn,
  });
  expect(DEFAULT_HEALTH_PORT).toBe(8378);
});

test("everything that is wrong is told at once, by its setting and without its value", () => {
  const problems = refused({
    keyfile: KEYS,
    transport: 7,
    stateFolder: "state",
    storeFile: "",
    pump: "geheim",
    name: "Phone of somebody",
    log: "loud",
    page: { port: 70_000, token: "geheim", allowedHosts: "pump.home" },
    health: { host: 1, address: "x" },
    nightscout: {
      url: "https://geheim@site.example/?token=geheim",
      token: "geheim",
      secretFile: "/s",
      tokenFile: "/t",
      api: "v2",
      mapping: { alerts: "geheim" },
      intervalS: 1,
    },
    homeAssistant: { url: "mqtt://user:geheim@broker", password: "geheim", passwordFile: "/p", certFile: "/c", mmol: "geheim" },
  });
  expect(problems).toEqual([
    'keyfile: there is no such setting; did you mean "keyFile"?',
    expect.stringMatching(/^name: /),
    "pump: expected an address such as 00:11:22:33:44:55",
    'log: expected "error", "warn", "info", "debug", got a string',
    "transport: expected text, got 7",
    "stateFolder: expected an absolute path, one that begins at the root",
    "storeFile: expected text, got an empty one",
    "page.port: expected a whole number from 0 to 65535, got 70000",
    "page.token: secrets are in files of their own: name one as tokenFile",
    "page.allowedHosts: expected a list of texts, got a string",
    expect.stringMatching(/^health\.address: there is no such setting/),
    "health.host: expected text, got 1",
    "nightscout.token: secrets are in files of their own: name one as tokenFile",
    'nightscout.url: expected an address such as "https://name.example", without user name, password, token or query',
    "nightscout: tokenFile and secretFile: leave one out",
    expect.stringMatching(/^nightscout\.mapping: alerts/),
    'nightscout.api: expected "auto", "v1", "v3", got a string',
    "nightscout.intervalS: expected a whole number from 10 to 86400, got 1",
    "homeAssistant.password: secrets are in files of their own: name one as passwordFile",
    expect.stringMatching(/^homeAssistant: url: user name and password/),
    "homeAssistant.passwordFile: there is no username",
    "homeAssistant: certFile and keyFile go together",
  ]);
  expect(problems.join()).not.toContain("geheim");
});

test.each<[unknown, RegExp]>([
  ['{\n  "keyFile": "/a",\n  geheim\n}', /no JSON(: line 3, column \d+)?\.$/],
  ["", /no JSON/],
  ["[]", /expected an object, got an array/],
  ["null", /expected an object, got null/],
  [{ page: true }, /page: expected an object/],
  [{ nightscout: false }, /nightscout: expected an object/],
  [{ nightscout: {} }, /nightscout\.url: it is missing/],
  [{ homeAssistant: {} }, /homeAssistant: url/],
  [{ homeAssistant: { url: "mqtt://h", caFile: "ca.pem" } }, /homeAssistant\.caFile: expected an absolute path/],
  [{ nightscout: { url: "ftp://x" } }, /nightscout\.url: expected an address/],
])("refused: %j", (config, problem) => {
  const problems = refused(config);
  expect(problems.join("\n")).toMatch(problem);
  expect(problems.join()).not.toContain("geheim");
});

test("files with secrets are their owner's alone, there, files, and not empty; which are not is told at once", async () => {
  using folder = new TemporaryFolder();
  const file = (name: string, text: string, mode = 0o600): string => {
    const path = folder.join(name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  mkdirSync(folder.join("folder"));
  const config = readServiceConfig(
    JSON.stringify({
      keyFile: file("keys.bin", "x", 0o640),
      page: { tokenFile: file("token", " \n") },
      nightscout: { url: "https://site.example", tokenFile: folder.join("nothing") },
      homeAssistant: {
        url: "mqtts://broker",
        username: "u",
        passwordFile: folder.join("folder"),
        caFile: file("ca.pem", "CA", 0o644),
        certFile: file("cert.pem", "C", 0o644),
        keyFile: file("key.pem", "K", 0o604),
      },
    }),
  );
  const error = await readServiceSecrets(config).catch((thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({
    code: "ERR_PUMP_SERVICE_FILE",
    problems: [
      `${folder.join("keys.bin")}: the key database is open to other users: chmod 600 ${folder.join("keys.bin")}.`,
      `${folder.join("token")}: the page's token is empty.`,
      `${folder.join("nothing")}: the Nightscout token is not there.`,
      `${folder.join("folder")}: the broker's password is no file.`,
      `${folder.join("key.pem")}: the key of the certificate is open to other users: chmod 600 ${folder.join("key.pem")}.`,
    ],
  });
});

test("secrets come from files named by the configuration or the environment; what systemd hands over may be the group's", async () => {
  using folder = new TemporaryFolder();
  const file = (name: string, content: string | Uint8Array, mode = 0o600): string => {
    const path = folder.join(name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const keys = file("keys.bin", buildKeyDatabase(inventKeys(new SeededRandom(1)).phone));
  const config = readServiceConfig(
    JSON.stringify({ keyFile: "/nowhere", nightscout: { url: "https://site.example" }, homeAssistant: { url: "mqtt://b", username: "u" } }),
  );
  await expect(readServiceSecrets(config, { JELLING_PUMP_KEY_FILE: keys })).rejects.toThrow(/JELLING_NIGHTSCOUT_TOKEN_FILE/);
  await expect(readServiceSecrets(readServiceConfig("{}"))).rejects.toThrow(/JELLING_PUMP_KEY_FILE/);
  const environment = {
    JELLING_PUMP_KEY_FILE: keys,
    JELLING_NIGHTSCOUT_SECRET_FILE: file("secret", "  a secret of twelve \n", 0o440),
    JELLING_MQTT_PASSWORD_FILE: file("password", "two words\n"),
    JELLING_PUMP_PAGE_TOKEN_FILE: file("page", "abcdefghijklmnopqrstuv"),
  };
  await expect(readServiceSecrets(config, environment)).rejects.toThrow(/open to other users/);
  const secrets = await readServiceSecrets(config, { ...environment, CREDENTIALS_DIRECTORY: folder.path });
  expect(secrets).toMatchObject({
    nightscout: { secret: "a secret of twelve" },
    mqttPassword: "two words",
    pageToken: "abcdefghijklmnopqrstuv",
    tls: undefined,
  });
  symlinkSync("/dev/zero", folder.join("endless"));
  await expect(readServiceSecrets(config, { ...environment, JELLING_PUMP_KEY_FILE: folder.join("endless") })).rejects.toThrow(/is no file/);
});

test("a service whose configuration is not there, or wrong, says so and does not begin", async () => {
  using folder = new TemporaryFolder();
  await expect(runPumpService({ config: folder.join("none.json") })).rejects.toMatchObject({
    code: "ERR_PUMP_SERVICE_FILE",
    message: `${folder.join("none.json")}: the configuration is not there.`,
  });
  writeFileSync(folder.join("wrong.json"), "{");
  await expect(runPumpService({ config: folder.join("wrong.json") })).rejects.toMatchObject({ code: "ERR_PUMP_SERVICE_CONFIG" });
  // What never ends, or is no text of a person's, is not waited for.
  symlinkSync("/dev/zero", folder.join("endless.json"));
  for (const config of [folder.join("endless.json"), folder.path])
    await expect(runPumpService({ config })).rejects.toMatchObject({
      code: "ERR_PUMP_SERVICE_FILE",
      message: expect.stringMatching(/the configuration (is no file|cannot be read \(EISDIR\))\.$/) as string,
    });
  writeFileSync(folder.join("large.json"), " ".repeat(300 * 1024));
  await expect(runPumpService({ config: folder.join("large.json") })).rejects.toThrow(/larger than 256 kB/);
  writeFileSync(folder.join("twice.json"), '{"nothing":1,"log":"loud"}');
  const told = await runPumpService({ config: folder.join("twice.json") }).catch((error: unknown) => String((error as Error).message));
  expect(told).toMatch(/^nothing: there is no such setting\.\nlog: expected .*\.$/);
  await expect(runPumpService({ confg: "x" } as never)).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("a log of one object a line, without serial numbers and addresses", () => {
  const lines: string[] = [];
  const logger = new Logger(
    "",
    LogLevel.Debug,
    jsonLogSink((line) => lines.push(line), { wallClock: () => Date.UTC(2031, 2, 2) }),
  );
  logger.child("service").warn('Pump 1234567H at 00:23:F7:AA:BB:CC says "no"\nand ends');
  expect(lines).toEqual([
    '{"time":"2031-03-02T00:00:00.000Z","level":"warn","scope":"service","message":"Pump ······7H at 00:··:··:··:··:CC says \\"no\\"\\nand ends"}\n',
  ]);
});
