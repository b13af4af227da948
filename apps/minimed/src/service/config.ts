import { isAbsolute } from "node:path";
import { ArgumentError, kindOf, LogLevel, nearestName } from "jelling/core";
import { checkMobileName } from "../connector/advertising.ts";
import { checkMapping, type NightscoutMapping } from "../export/nightscout/options.ts";
import { checkHomeAssistantOptions, type HomeAssistantOptions } from "../mqtt/options.ts";
import { PumpServiceError } from "./error.ts";

/** Behind that of the page. */
export const DEFAULT_HEALTH_PORT = 8378;

/** Where a part of the service listens. */
export interface ServiceListen {
  /** An address of this computer, "127.0.0.1" by default. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

export interface ServicePageConfig extends ServiceListen {
  /** A file with the page's token; by default one in the state folder, which is made. */
  readonly tokenFile?: string | undefined;
  /** Names by which the page may be asked for besides those of this computer. */
  readonly allowedHosts?: readonly string[] | undefined;
}

export interface ServiceNightscoutConfig {
  readonly url: string;
  /** A file with an access token, or one with the API secret. */
  readonly tokenFile?: string | undefined;
  readonly secretFile?: string | undefined;
  readonly api?: "auto" | "v1" | "v3" | undefined;
  readonly mapping?: NightscoutMapping | undefined;
  /** How often it is looked for what is new, in seconds; 60 by default. */
  readonly intervalS?: number | undefined;
}

export interface ServiceHomeAssistantConfig
  extends Pick<
    HomeAssistantOptions,
    "url" | "username" | "baseTopic" | "discoveryPrefix" | "birthTopic" | "birthPayload" | "name" | "names" | "entityPrefix" | "mmol"
  > {
  readonly passwordFile?: string | undefined;
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** What a service does. Secrets are in files of their own, which this names. Paths are absolute. */
export interface ServiceConfig {
  /** "hci:0", …; `hci:0` by default. */
  readonly transport: string;
  /** The key database. */
  readonly keyFile: string | undefined;
  /** Bonds, identity and what is remembered between two runs; by default the folder that `jelling pump pair` uses. */
  readonly stateFolder: string | undefined;
  /** The history database. */
  readonly storeFile: string | undefined;
  /** Identity address of the pump, where there are bonds with several. */
  readonly pump: string | undefined;
  /** The name under which the pump knows this computer. */
  readonly name: string | undefined;
  readonly log: LogLevel;
  readonly page: ServicePageConfig | undefined;
  readonly health: ServiceListen | undefined;
  readonly nightscout: ServiceNightscoutConfig | undefined;
  readonly homeAssistant: ServiceHomeAssistantConfig | undefined;
}

const LEVELS = { error: LogLevel.Error, warn: LogLevel.Warn, info: LogLevel.Info, debug: LogLevel.Debug } as const;
/** Octets. */
export const LARGEST_CONFIG = 256 * 1024;
type Json = Readonly<Record<string, unknown>>;

/**
 * A configuration as it stands in its file, JSON.
 *
 * @throws {PumpServiceError} "ERR_PUMP_SERVICE_CONFIG", with everything that is wrong with it; nothing of its content is repeated
 */
export function readServiceConfig(text: string): ServiceConfig {
  const checker = new Checker();
  const config = read(checker, parsed(text));
  if (checker.problems.length > 0) throw new PumpServiceError("ERR_PUMP_SERVICE_CONFIG", checker.problems);
  return config;
}

function parsed(text: string): unknown {
  if (typeof text !== "string" || text.length > LARGEST_CONFIG)
    throw new PumpServiceError("ERR_PUMP_SERVICE_CONFIG", [`The configuration is no text of up to ${LARGEST_CONFIG / 1024} kB.`]);
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    // The parser's own words quote what it read.
    const at = /position (\d+)/.exec(error instanceof Error ? error.message : "")?.[1];
    const before = at === undefined ? text : text.slice(0, Number(at));
    const line = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n");
    throw new PumpServiceError("ERR_PUMP_SERVICE_CONFIG", [
      at === undefined ? "The configuration is no JSON." : `The configuration is no JSON: line ${line}, column ${column}.`,
    ]);
  }
}

function read(checker: Checker, json: unknown): ServiceConfig {
  const config = checker.object("", json, [
    "transport",
    "keyFile",
    "stateFolder",
    "storeFile",
    "pump",
    "name",
    "log",
    "page",
    "health",
    "nightscout",
    "homeAssistant",
  ]);
  const name = checker.text("name", config["name"]);
  if (name !== undefined) checker.attempt("name", () => checkMobileName(name));
  const pump = checker.text("pump", config["pump"]);
  if (pump !== undefined && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}(\/(public|random))?$/i.test(pump))
    checker.fault("pump", "expected an address such as 00:11:22:33:44:55");
  const level = checker.choice("log", config["log"], Object.keys(LEVELS) as (keyof typeof LEVELS)[]);
  return {
    transport: checker.text("transport", config["transport"]) ?? "hci:0",
    keyFile: checker.path("keyFile", config["keyFile"]),
    stateFolder: checker.path("stateFolder", config["stateFolder"]),
    storeFile: checker.path("storeFile", config["storeFile"]),
    pump,
    name,
    log: LEVELS[level ?? "info"],
    page: config["page"] === false ? undefined : readPage(checker, config["page"] ?? {}),
    health: config["health"] === false ? undefined : readListen(checker, "health", config["health"] ?? {}, []),
    nightscout: config["nightscout"] === undefined ? undefined : readNightscout(checker, config["nightscout"]),
    homeAssistant: config["homeAssistant"] === undefined ? undefined : readHomeAssistant(checker, config["homeAssistant"]),
  };
}

function readListen(checker: Checker, at: string, json: unknown, more: readonly string[]): ServiceListen {
  const listen = checker.object(at, json, ["host", "port", ...more]);
  return { host: checker.text(`${at}.host`, listen["host"]), port: checker.integer(`${at}.port`, listen["port"], 0, 65_535) };
}

function readPage(checker: Checker, json: unknown): ServicePageConfig {
  const listen = readListen(checker, "page", json, ["tokenFile", "token", "allowedHosts"]);
  const page = isObject(json) ? json : {};
  checker.noSecret("page", page, "token", "tokenFile");
  return {
    ...listen,
    tokenFile: checker.path("page.tokenFile", page["tokenFile"]),
    allowedHosts: checker.texts("page.allowedHosts", page["allowedHosts"]),
  };
}

function readNightscout(checker: Checker, json: unknown): ServiceNightscoutConfig {
  const at = "nightscout";
  const site = checker.object(at, json, ["url", "tokenFile", "secretFile", "token", "secret", "api", "mapping", "intervalS"]);
  checker.noSecret(at, site, "token", "tokenFile");
  checker.noSecret(at, site, "secret", "secretFile");
  const url = checker.required(`${at}.url`, checker.text(`${at}.url`, site["url"]));
  if (url !== undefined) checkSiteUrl(checker, `${at}.url`, url);
  const [tokenFile, secretFile] = [
    checker.path(`${at}.tokenFile`, site["tokenFile"]),
    checker.path(`${at}.secretFile`, site["secretFile"]),
  ];
  if (tokenFile !== undefined && secretFile !== undefined) checker.fault(at, "tokenFile and secretFile: leave one out");
  const { mapping } = site;
  if (mapping !== undefined) checker.attempt(`${at}.mapping`, () => checkMapping("mapping", mapping as NightscoutMapping));
  return {
    url: url ?? "",
    tokenFile,
    secretFile,
    api: checker.choice(`${at}.api`, site["api"], ["auto", "v1", "v3"]),
    mapping: mapping as NightscoutMapping | undefined,
    intervalS: checker.integer(`${at}.intervalS`, site["intervalS"], 10, 86_400),
  };
}

function checkSiteUrl(checker: Checker, at: string, url: string): void {
  const expected = 'expected an address such as "https://name.example"';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    checker.fault(at, expected);
    return;
  }
  const { username, password, search, hash } = new URL(url);
  if (username !== "" || password !== "" || search !== "" || hash !== "")
    checker.fault(at, `${expected}, without user name, password, token or query`);
}

const HOME_ASSISTANT_OPTIONS = [
  "url",
  "username",
  "baseTopic",
  "discoveryPrefix",
  "birthTopic",
  "birthPayload",
  "name",
  "names",
  "entityPrefix",
  "mmol",
] as const;

function readHomeAssistant(checker: Checker, json: unknown): ServiceHomeAssistantConfig {
  const at = "homeAssistant";
  const broker = checker.object(at, json, [...HOME_ASSISTANT_OPTIONS, "password", "passwordFile", "caFile", "certFile", "keyFile"]);
  checker.noSecret(at, broker, "password", "passwordFile");
  const options = Object.fromEntries(HOME_ASSISTANT_OPTIONS.flatMap((name) => (broker[name] === undefined ? [] : [[name, broker[name]]])));
  checker.attempt(at, () => checkHomeAssistantOptions(at, { ...options, pump: "0".repeat(16) } as unknown as HomeAssistantOptions));
  const file = (name: string): string | undefined => checker.path(`${at}.${name}`, broker[name]);
  const [passwordFile, caFile, certFile, keyFile] = [file("passwordFile"), file("caFile"), file("certFile"), file("keyFile")];
  if (passwordFile !== undefined && broker["username"] === undefined) checker.fault(`${at}.passwordFile`, "there is no username");
  if ((certFile === undefined) !== (keyFile === undefined)) checker.fault(at, "certFile and keyFile go together");
  return { ...(options as Pick<HomeAssistantOptions, (typeof HOME_ASSISTANT_OPTIONS)[number]>), passwordFile, caFile, certFile, keyFile };
}

/** Collects what is wrong. What is named in a sentence is a setting, never its value. */
class Checker {
  readonly problems: string[] = [];

  fault(at: string, what: string): void {
    this.problems.push(`${at === "" ? "The configuration" : at}: ${what}`);
  }

  object(at: string, json: unknown, names: readonly string[]): Json {
    if (!isObject(json)) {
      this.fault(at, `expected an object, got ${kindOf(json)}`);
      return {};
    }
    for (const name of Object.keys(json)) {
      if (names.includes(name)) continue;
      const nearest = nearestName(name, names);
      this.fault(
        at === "" ? name : `${at}.${name}`,
        nearest === undefined ? "there is no such setting" : `there is no such setting; did you mean "${nearest}"?`,
      );
    }
    return json;
  }

  text(at: string, json: unknown): string | undefined {
    if (json === undefined || (typeof json === "string" && json !== "")) return json;
    this.fault(at, `expected text, got ${json === "" ? "an empty one" : kindOf(json)}`);
    return undefined;
  }

  texts(at: string, json: unknown): readonly string[] | undefined {
    if (json === undefined) return undefined;
    if (Array.isArray(json) && json.every((each) => typeof each === "string")) return json;
    this.fault(at, `expected a list of texts, got ${kindOf(json)}`);
    return undefined;
  }

  /** A service has no folder of its own to begin from. */
  path(at: string, json: unknown): string | undefined {
    const path = this.text(at, json);
    if (path === undefined || isAbsolute(path)) return path;
    this.fault(at, "expected an absolute path, one that begins at the root");
    return undefined;
  }

  integer(at: string, json: unknown, min: number, max: number): number | undefined {
    if (json === undefined || (typeof json === "number" && Number.isInteger(json) && json >= min && json <= max)) return json;
    this.fault(at, `expected a whole number from ${min} to ${max}, got ${kindOf(json)}`);
    return undefined;
  }

  choice<T extends string>(at: string, json: unknown, choices: readonly T[]): T | undefined {
    if (json === undefined || (choices as readonly unknown[]).includes(json)) return json as T | undefined;
    this.fault(at, `expected ${choices.map((choice) => `"${choice}"`).join(", ")}, got ${kindOf(json)}`);
    return undefined;
  }

  required<T>(at: string, value: T | undefined): T | undefined {
    if (value === undefined && !this.problems.some((problem) => problem.startsWith(`${at}:`))) this.fault(at, "it is missing");
    return value;
  }

  /** A configuration is shown to others, and copied. */
  noSecret(at: string, json: Json, name: string, instead: string): void {
    if (json[name] !== undefined) this.fault(`${at}.${name}`, `secrets are in files of their own: name one as ${instead}`);
  }

  /** What a room checks by itself. */
  attempt(at: string, check: () => unknown): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      this.fault(at, error.message.replace(/^(mapping|homeAssistant): /, ""));
    }
  }
}

function isObject(json: unknown): json is Json {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
