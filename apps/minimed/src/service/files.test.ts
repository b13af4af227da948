import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { leaveOut } from "../../../../test/support/left-out.ts";
import { DEFAULT_PAGE_PORT } from "../web/index.ts";
import { DEFAULT_HEALTH_PORT, readServiceConfig, SERVICE_ENVIRONMENT } from "./index.ts";

const root = join(import.meta.dirname, "../../../..");
const file = (name: string): string => readFileSync(join(root, "apps/minimed/service", name), "utf8");
const unit = file("jelling-pump.service");
const page = readFileSync(join(root, "docs/pump-service.md"), "utf8");
const SYSTEMD = "/usr/bin/systemd-analyze";

/** Settings of a unit, by section; a name that stands twice has both. */
function settingsOf(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  let section = "";
  for (const line of text.split("\n")) {
    if (/^\s*([#;].*)?$/.test(line)) continue;
    const header = /^\[(\w+)\]$/.exec(line)?.[1];
    if (header !== undefined) section = header;
    else {
      const [, name, value] = /^(\w+)=(.*)$/.exec(line)!;
      settings.set(`${section}.${name}`, [...(settings.get(`${section}.${name}`) ?? []), value!]);
    }
  }
  return settings;
}

test("the unit runs as a user of its own with two capabilities, comes back for ever, and ends in its time", () => {
  const settings = settingsOf(unit);
  const one = (name: string): string | undefined => settings.get(name)?.join();
  const capabilities = "CAP_NET_RAW CAP_NET_ADMIN";
  expect(one("Service.User")).toBe("jelling");
  expect([one("Service.AmbientCapabilities"), one("Service.CapabilityBoundingSet")]).toEqual([capabilities, capabilities]);
  expect([one("Service.NoNewPrivileges"), one("Service.ProtectSystem"), one("Service.ProtectHome")]).toEqual(["true", "strict", "true"]);
  expect([one("Service.Restart"), one("Unit.StartLimitIntervalSec")]).toEqual(["always", "0"]);
  expect(Number(one("Service.TimeoutStopSec"))).toBeGreaterThan(30);
  expect(one("Service.RestrictAddressFamilies")).toContain("AF_BLUETOOTH");
  expect([one("Service.StateDirectory"), one("Service.StateDirectoryMode"), one("Service.UMask")]).toEqual(["jelling", "0700", "0077"]);
  expect(one("Service.Environment")).toContain("XDG_STATE_HOME=/var/lib XDG_DATA_HOME=/var/lib");
  for (const variable of unit.match(/JELLING_\w+/g)!) expect(Object.values(SERVICE_ENVIRONMENT)).toContain(variable);
});

test("systemd has nothing to say against the unit, nor against it with its credentials", () => {
  if (!existsSync(SYSTEMD)) {
    if (process.env.JELLING_LAB === "required") throw new Error(`${SYSTEMD} is missing`);
    leaveOut("systemd's own look at the pump's unit: systemd-analyze is not installed");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "jelling-unit-"));
  try {
    for (const [name, text] of [
      ["one.service", unit],
      ["two.service", unit.replaceAll(/^#(?=LoadCredential|Environment)/gm, "")],
    ] as const) {
      writeFileSync(join(folder, name), text);
      const { status, stdout, stderr } = spawnSync(SYSTEMD, ["verify", `./${name}`], { cwd: folder, encoding: "utf8" });
      expect(`${stdout}${stderr}`).toBe("");
      expect(status).toBe(0);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("the container gives root up before anything of ours runs, and its health is ours", () => {
  const lines = file("Containerfile")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const instructions = new Set(lines.map((line) => line.split(" ", 1)[0]!));
  expect([...instructions].sort()).toEqual([
    "ARG",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "RUN",
    "STOPSIGNAL",
    "VOLUME",
  ]);
  const entry = JSON.parse(lines.find((line) => line.startsWith("ENTRYPOINT"))!.slice("ENTRYPOINT ".length)) as string[];
  const ours = entry.indexOf("jelling");
  expect(entry.slice(ours)).toEqual(["jelling", "pump", "serve"]);
  const before = entry.slice(0, ours);
  expect(before).toEqual(
    expect.arrayContaining(["setpriv", "--reuid=jelling", "--clear-groups", "--bounding-set=-all,+net_raw,+net_admin", "--no-new-privs"]),
  );
  const health = lines.find((line) => line.startsWith("HEALTHCHECK"))!;
  expect(health).toContain(`http://127.0.0.1:${DEFAULT_HEALTH_PORT}/health`);
  expect(JSON.parse(health.slice(health.indexOf("CMD ") + 4))).toHaveLength(3);
  expect(lines).toContain(`EXPOSE ${DEFAULT_PAGE_PORT} ${DEFAULT_HEALTH_PORT}`);
});

test("the configuration that comes along is one, and the page lists every setting and every variable", () => {
  const config = readServiceConfig(file("pump-service.json"));
  expect(config).toMatchObject({
    page: { port: DEFAULT_PAGE_PORT },
    health: { port: DEFAULT_HEALTH_PORT },
    nightscout: { url: "https://name.example" },
  });
  const listed = new Set(
    [...page.slice(page.indexOf("## Configuration"), page.indexOf("## Health")).matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(([, names]) =>
      [...names!.matchAll(/`([\w.]+)`/g)].map((match) => match[1]!),
    ),
  );
  // Each listed setting is taken, and each that is taken is listed.
  for (const name of listed) expect(unknownSetting(name), name).toBe(false);
  const own = Object.keys(config).filter((name) => name !== "log");
  for (const name of [...own, "log"]) expect(listed).toContain(name);
  for (const part of ["page", "nightscout", "homeAssistant", "health"] as const)
    for (const name of Object.keys(readServiceConfig(WHOLE)[part]!)) expect(listed).toContain(`${part}.${name}`);
  for (const variable of Object.values(SERVICE_ENVIRONMENT)) expect(page).toContain(variable);
  expect(page).toContain("no dose may be based on");
});

const WHOLE = JSON.stringify({
  nightscout: { url: "https://name.example" },
  homeAssistant: {
    url: "mqtt://b",
    username: "u",
    baseTopic: "a",
    discoveryPrefix: "b",
    birthTopic: "c",
    birthPayload: "d",
    name: "e",
    names: {},
    entityPrefix: "f",
    mmol: true,
  },
});

function unknownSetting(name: string): boolean {
  const [part, inner] = name.split(".") as [string, string | undefined];
  const config = inner === undefined ? { [part]: null } : { [part]: { [inner]: null } };
  try {
    readServiceConfig(JSON.stringify(config));
    return false;
  } catch (error) {
    return (error as { problems: string[] }).problems.some((problem) => problem.startsWith(`${name}: there is no such setting`));
  }
}
