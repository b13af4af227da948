import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { SeededRandom } from "jelling/core";
import { expect, test } from "vitest";
import { TemporaryFolder } from "../../test/temporary-store.ts";
import { buildKeyDatabase } from "../sake/key-database.ts";
import { inventKeys } from "../simulator/keys.ts";
import { readServiceConfig, readServiceSecrets } from "./index.ts";

const problemsOf = (config: object): readonly string[] => {
  try {
    readServiceConfig(JSON.stringify(config));
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
};

test.each<[object, string[]]>([
  [{ nightscout: { url: 7 } }, ["nightscout.url: expected text, got 7"]],
  [{ nightscout: {} }, ["nightscout.url: it is missing"]],
  [{ nightscout: { url: "https://a", api: "v3", intervalS: 10, mapping: {} } }, []],
  [{ nightscout: { url: "http://a/path", intervalS: 86_400 } }, []],
  [{ nightscout: { url: "https://a", intervalS: 9 } }, ["nightscout.intervalS: expected a whole number from 10 to 86400, got 9"]],
  [{ nightscout: { url: "https://a", intervalS: 86_401 } }, ["nightscout.intervalS: expected a whole number from 10 to 86400, got 86401"]],
  [{ nightscout: { url: "https://a", intervalS: 10.5 } }, ["nightscout.intervalS: expected a whole number from 10 to 86400, got 10.5"]],
  ...["https://a/#x", "https://a/?x", "https://u@a", "https://:p@a"].map((url): [object, string[]] => [
    { nightscout: { url } },
    ['nightscout.url: expected an address such as "https://name.example", without user name, password, token or query'],
  ]),
  ...["a", "ahttps://x", "ftp://a"].map((url): [object, string[]] => [
    { nightscout: { url } },
    ['nightscout.url: expected an address such as "https://name.example"'],
  ]),
  [{ page: { port: 0, host: "::1", allowedHosts: [] } }, []],
  [{ page: { port: 65_536 } }, ["page.port: expected a whole number from 0 to 65535, got 65536"]],
  [{ page: { port: -1 } }, ["page.port: expected a whole number from 0 to 65535, got -1"]],
  [{ page: { allowedHosts: ["a", 1] } }, ["page.allowedHosts: expected a list of texts, got an array"]],
  [{ homeAssistant: { url: "mqtt://b", certFile: "/c", keyFile: "/k" } }, []],
  [{ homeAssistant: { url: "mqtt://b", keyFile: "/k" } }, ["homeAssistant: certFile and keyFile go together"]],
  [{ homeAssistant: { url: "mqtt://b", username: "u", passwordFile: "/p" } }, []],
  [{ pump: "00:23:F7:00:00:0a" }, []],
  [{ pump: "00:23:F7:00:00:0a/random" }, []],
  [{ pump: "00:23:F7:00:00:0a/other" }, ["pump: expected an address such as 00:11:22:33:44:55"]],
  [{ pump: "x00:23:F7:00:00:0a" }, ["pump: expected an address such as 00:11:22:33:44:55"]],
  [{ pump: "00:23:F7:00:00" }, ["pump: expected an address such as 00:11:22:33:44:55"]],
])("%j: %j", (config, problems) => {
  expect(problemsOf(config)).toEqual(problems);
});

test("the sizes and the owners of files with secrets are looked at; what is no secret may be anybody's", async () => {
  using folder = new TemporaryFolder();
  const file = (name: string, content: string | Uint8Array, mode = 0o600): string => {
    const path = folder.join(name);
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const keys = file("keys.bin", buildKeyDatabase(inventKeys(new SeededRandom(1)).phone));
  const secretsOf = (config: object, environment = {}) =>
    readServiceSecrets(readServiceConfig(JSON.stringify({ keyFile: keys, ...config })), environment);
  const site = { url: "https://site.example" };
  expect(await secretsOf({ page: false })).toMatchObject({
    pageToken: undefined,
    nightscout: undefined,
    mqttPassword: undefined,
    tls: undefined,
  });

  const [largest, larger] = [file("largest", "x".repeat(4096)), file("larger", "x".repeat(4097))];
  expect((await secretsOf({ nightscout: { ...site, tokenFile: largest } })).nightscout).toEqual({ token: "x".repeat(4096) });
  await expect(secretsOf({ nightscout: { ...site, tokenFile: larger } })).rejects.toThrow(
    `${larger}: the Nightscout token is larger than 4 kB`,
  );

  // The environment's file counts for more than the configuration's, and an empty name is none.
  const other = file("other", "another-token");
  const environment = { JELLING_NIGHTSCOUT_TOKEN_FILE: other };
  expect((await secretsOf({ nightscout: { ...site, tokenFile: largest } }, environment)).nightscout).toEqual({ token: "another-token" });
  expect((await secretsOf({ nightscout: { ...site, tokenFile: other } }, { JELLING_NIGHTSCOUT_TOKEN_FILE: "" })).nightscout).toEqual({
    token: "another-token",
  });
  // Of a token and a secret the token, whose site knows less of us.
  expect(
    (await secretsOf({ nightscout: site }, { ...environment, JELLING_NIGHTSCOUT_SECRET_FILE: file("secret", "s".repeat(12)) })).nightscout,
  ).toEqual({ token: "another-token" });

  const ca = file("ca.pem", "CA", 0o644);
  const [cert, key] = [file("cert.pem", "CERT", 0o644), file("key.pem", "KEY")];
  const broker = { url: "mqtts://broker" };
  expect((await secretsOf({ homeAssistant: { ...broker, caFile: ca } })).tls).toEqual({ ca: "CA", cert: undefined, key: undefined });
  expect((await secretsOf({ homeAssistant: { ...broker, certFile: cert, keyFile: key } })).tls).toEqual({
    ca: undefined,
    cert: "CERT",
    key: "KEY",
  });
  expect((await secretsOf({ homeAssistant: broker })).tls).toBeUndefined();

  // Only what lies in systemd's own folder may be the group's: not beside it, and not where there is none.
  const handed = file("handed", "a-handed-token", 0o440);
  const tokenFile = { nightscout: { ...site, tokenFile: handed } };
  expect((await secretsOf(tokenFile, { CREDENTIALS_DIRECTORY: folder.path })).nightscout).toEqual({ token: "a-handed-token" });
  for (const CREDENTIALS_DIRECTORY of [undefined, "", folder.path.slice(0, -1), folder.join("hand"), "/elsewhere"])
    await expect(secretsOf(tokenFile, { CREDENTIALS_DIRECTORY })).rejects.toThrow(/chmod 600/);
  mkdirSync(folder.join("hand"));
  const around = { nightscout: { ...site, tokenFile: `${folder.path}/hand/../handed` } };
  await expect(secretsOf(around, { CREDENTIALS_DIRECTORY: folder.join("hand") })).rejects.toThrow(/chmod 600/);
  chmodSync(handed, 0o444);
  await expect(secretsOf(tokenFile, { CREDENTIALS_DIRECTORY: folder.path })).rejects.toThrow(/chmod 600/);
});
