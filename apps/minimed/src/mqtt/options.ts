import type { Clock } from "jelling/async";
import {
  ArgumentError,
  checkBoolean,
  checkFunction,
  checkOptions,
  checkSignal,
  checkText,
  kindOf,
  type Logger,
  optionNames,
  type RandomSource,
} from "jelling/core";
import type { PumpState } from "../live/state.ts";
import type { TherapyView } from "../store/view.ts";
import type { MqttConnect, MqttTls } from "./connection.ts";
import { ENTITY_IDS, type EntityId } from "./entities.ts";

/** Who knows the state of a pump, and tells of changes. A `PumpMonitor` is one. */
export interface PumpStates {
  readonly state: PumpState;
  on(listener: (state: PumpState) => void): Disposable;
}

/** Where the broker is, and under which names the pump is to be found there. */
export interface HomeAssistantOptions {
  /** "mqtt://host:1883", "mqtts://host:8883", "ws://…" or "wss://…", without user name and password. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: MqttTls | undefined;
  /** The store's name of the pump, or what `hashedPumpName` gives: 16 hexadecimal digits. The serial number is nowhere. */
  readonly pump: string;
  /** Topics are below it; "jelling" by default. */
  readonly baseTopic?: string | undefined;
  /** "homeassistant" by default, as in Home Assistant's settings. */
  readonly discoveryPrefix?: string | undefined;
  /** Where Home Assistant says that it has started, and its word for it: "homeassistant/status" and "online" by default. */
  readonly birthTopic?: string | undefined;
  readonly birthPayload?: string | undefined;
  /** The device's name, "Insulin pump" by default. Whoever reads the broker reads it. */
  readonly name?: string | undefined;
  /** Names of single entities in place of the English ones. */
  readonly names?: Partial<Record<EntityId, string>> | undefined;
  /** Entity ids begin with it, "pump" by default: sensor.pump_glucose. */
  readonly entityPrefix?: string | undefined;
  /** One more entity with the glucose in mmol/L, as the pump's display rounds it. Home Assistant itself converts the other one. */
  readonly mmol?: boolean | undefined;
  /** The clock of the states. */
  readonly clock?: Clock | undefined;
  readonly random?: RandomSource | undefined;
  /** Lines have no user name, password or serial number. */
  readonly logger?: Logger | undefined;
  /** What connects with a broker, in place of the package `mqtt`. */
  readonly connect?: MqttConnect | undefined;
}

export interface HomeAssistantPublisherOptions extends HomeAssistantOptions {
  /** Where states come from; without it, from `update`. */
  readonly source?: PumpStates | undefined;
  /** Asked for the last bolus and the last alert. undefined: there is none yet. */
  readonly view?: (() => TherapyView | undefined) | undefined;
  /** Closes the publisher. */
  readonly signal?: AbortSignal | undefined;
}

const NAMES: Record<keyof HomeAssistantPublisherOptions, true> = {
  url: true,
  username: true,
  password: true,
  tls: true,
  pump: true,
  baseTopic: true,
  discoveryPrefix: true,
  birthTopic: true,
  birthPayload: true,
  name: true,
  names: true,
  entityPrefix: true,
  mmol: true,
  clock: true,
  random: true,
  logger: true,
  connect: true,
  source: true,
  view: true,
  signal: true,
};
const OPTIONS = optionNames<HomeAssistantPublisherOptions>(NAMES);
const TLS = optionNames<MqttTls>({ ca: true, cert: true, key: true });
const ENTITY_NAMES = new Set<string>(ENTITY_IDS);
/** A topic's parts without wildcards, empty parts and what brokers keep to themselves. */
const TOPIC = /^(?!\$)[^/+#\p{Cc}]+(\/[^/+#\p{Cc}]+)*$/u;
const PROTOCOLS = new Set(["mqtt:", "mqtts:", "ws:", "wss:"]);
const LONGEST_NAME = 100;

export interface CheckedHomeAssistantOptions {
  readonly url: string;
  /** The same without what may be secret, for lines and messages. */
  readonly broker: string;
  /** The way to the broker can be read, and so can the password. */
  readonly isOpen: boolean;
  readonly deviceId: string;
  readonly topics: HomeAssistantTopics;
  readonly birthPayload: string;
  readonly name: string;
  readonly names: Partial<Record<EntityId, string>>;
  readonly entityPrefix: string;
  readonly mmol: boolean;
}

export interface HomeAssistantTopics {
  readonly config: string;
  /** Whether this program is there. Of the device and not of the base, so that two programs on one broker do not say it of each other. */
  readonly status: string;
  /** Whether the pump is in reach. */
  readonly reach: string;
  readonly state: string;
  readonly birth: string;
}

/** @throws {ArgumentError} */
export function checkHomeAssistantOptions(what: string, options: HomeAssistantPublisherOptions): CheckedHomeAssistantOptions {
  if (options === undefined) throw new ArgumentError(`${what}: expected an object of options, got undefined`);
  checkOptions(what, options, OPTIONS);
  const { pump, tls, names = {}, mmol, source, clock } = options;
  const { url, broker, isOpen } = checkedUrl(`${what}: url`, options.url);
  for (const name of ["username", "password"] as const) if (options[name] !== undefined) checkText(`${what}: ${name}`, options[name]);
  if (options.password !== undefined && options.username === undefined)
    throw new ArgumentError(`${what}: password: MQTT 3.1.1 has none without a username`);
  checkOptions(`${what}: tls`, tls, TLS);
  for (const [name, value] of Object.entries(tls ?? {})) if (value !== undefined) checkText(`${what}: tls: ${name}`, value);
  if (typeof pump !== "string" || !/^[0-9a-f]{16}$/.test(pump))
    throw new ArgumentError(`${what}: pump: expected the store's name of it, 16 hexadecimal digits, got ${kindOf(pump)}`);
  checkOptions(`${what}: names`, names, ENTITY_NAMES);
  for (const [id, name] of Object.entries(names)) checkedName(`${what}: names: ${id}`, name);
  checkBoolean(`${what}: mmol`, mmol);
  for (const name of ["connect", "view"] as const) checkFunction(`${what}: ${name}`, options[name]);
  checkSignal(`${what}: signal`, options.signal);
  if (source !== undefined && (typeof source !== "object" || source === null || typeof source.on !== "function"))
    throw new ArgumentError(`${what}: source: expected a source with \`state\` and \`on\`, got ${kindOf(source)}`);
  if (clock !== undefined && (typeof clock !== "object" || clock === null || typeof clock.now !== "function"))
    throw new ArgumentError(`${what}: clock: expected a Clock, got ${kindOf(clock)}`);
  const topic = (name: "baseTopic" | "discoveryPrefix" | "birthTopic", fallback: string): string => {
    const given = options[name] ?? fallback;
    if (typeof given !== "string" || !TOPIC.test(given))
      throw new ArgumentError(`${what}: ${name}: expected a topic such as "${fallback}", without wildcards, got ${kindOf(given)}`);
    return given;
  };
  const entityPrefix = options.entityPrefix ?? "pump";
  if (typeof entityPrefix !== "string" || !/^[a-z0-9]+(_[a-z0-9]+)*$/.test(entityPrefix))
    throw new ArgumentError(`${what}: entityPrefix: expected small letters, digits and single underscores between them`);
  const deviceId = `jelling_${pump.slice(0, 12)}`;
  const prefix = topic("discoveryPrefix", "homeassistant");
  const own = `${topic("baseTopic", "jelling")}/${deviceId}`;
  return {
    url,
    broker,
    isOpen,
    deviceId,
    topics: {
      config: `${prefix}/device/${deviceId}/config`,
      status: `${own}/status`,
      reach: `${own}/reach`,
      state: `${own}/state`,
      birth: topic("birthTopic", `${prefix}/status`),
    },
    birthPayload: options.birthPayload === undefined ? "online" : checkText(`${what}: birthPayload`, options.birthPayload),
    name: checkedName(`${what}: name`, options.name ?? "Insulin pump"),
    names,
    entityPrefix,
    mmol: mmol ?? false,
  };
}

function checkedName(what: string, name: unknown): string {
  if (typeof name !== "string" || name.trim() === "" || name.length > LONGEST_NAME)
    throw new ArgumentError(`${what}: expected a name of 1 to ${LONGEST_NAME} characters, got ${kindOf(name)}`);
  return name;
}

/** What is wrong is told without the address: it may hold a password. */
function checkedUrl(what: string, url: unknown): { url: string; broker: string; isOpen: boolean } {
  const expected = 'expected an address such as "mqtt://host:1883"';
  if (typeof url !== "string" || !URL.canParse(url)) throw new ArgumentError(`${what}: ${expected}, got ${kindOf(url)} of another form`);
  const { protocol, hostname, host, username, password } = new URL(url);
  if (!PROTOCOLS.has(protocol)) throw new ArgumentError(`${what}: ${expected}; mqtt, mqtts, ws and wss are known`);
  if (username !== "" || password !== "") throw new ArgumentError(`${what}: user name and password are options of their own`);
  if (hostname === "") throw new ArgumentError(`${what}: ${expected}; it has no host`);
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/i.test(hostname);
  return { url, broker: `${protocol}//${host}`, isOpen: !isHere && (protocol === "mqtt:" || protocol === "ws:") };
}
