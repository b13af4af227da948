// What Home Assistant makes of a broker's messages, as far as a publisher of sensors can get it wrong: it validates, and says what is wrong.

const SHORT: Readonly<Record<string, string>> = {
  avty: "availability",
  avty_mode: "availability_mode",
  avty_t: "availability_topic",
  avty_tpl: "availability_template",
  cmd_t: "command_topic",
  cmps: "components",
  cns: "connections",
  cu: "configuration_url",
  def_ent_id: "default_entity_id",
  dev: "device",
  dev_cla: "device_class",
  e: "encoding",
  en: "enabled_by_default",
  ent_cat: "entity_category",
  exp_aft: "expire_after",
  frc_upd: "force_update",
  hw: "hw_version",
  ic: "icon",
  ids: "identifiers",
  json_attr_t: "json_attributes_topic",
  json_attr_tpl: "json_attributes_template",
  lrst_val_tpl: "last_reset_value_template",
  mdl: "model",
  mdl_id: "model_id",
  mf: "manufacturer",
  o: "origin",
  ops: "options",
  p: "platform",
  pl_avail: "payload_available",
  pl_not_avail: "payload_not_available",
  pl_off: "payload_off",
  pl_on: "payload_on",
  sa: "suggested_area",
  sn: "serial_number",
  stat_cla: "state_class",
  stat_t: "state_topic",
  sug_dsp_prc: "suggested_display_precision",
  sw: "sw_version",
  t: "topic",
  uniq_id: "unique_id",
  unit_of_meas: "unit_of_measurement",
  url: "support_url",
  val_tpl: "value_template",
};

type Json = Record<string, unknown>;

export interface SeenEntity {
  readonly id: string;
  readonly platform: string;
  readonly config: Json;
  /** As Home Assistant would show it; undefined: nothing came yet. */
  state: string | undefined;
  stateAtMs: number;
  /** Lines of the log that Home Assistant would write. */
  writes: number;
}

const UNITS: Readonly<
  Record<string, { readonly units: readonly (string | undefined)[]; readonly stateClass: readonly (string | undefined)[] }>
> = {
  blood_glucose_concentration: { units: ["mg/dL", "mmol/L"], stateClass: ["measurement", undefined] },
  battery: { units: ["%"], stateClass: ["measurement", undefined] },
  duration: { units: ["d", "h", "min", "s", "ms"], stateClass: ["measurement", "total", "total_increasing", undefined] },
  timestamp: { units: [undefined], stateClass: [undefined] },
  date: { units: [undefined], stateClass: [undefined] },
  enum: { units: [undefined], stateClass: [undefined] },
  volume_storage: { units: ["mL", "L"], stateClass: ["measurement", undefined] },
};
const ISO_WITH_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Home Assistant, listening. */
export class HomeAssistant {
  /** Everything it would complain of. */
  readonly problems: string[] = [];
  readonly entities = new Map<string, SeenEntity>();
  /** Every message, in order. */
  readonly log: { readonly topic: string; readonly payload: string }[] = [];
  readonly #now: () => number;
  readonly #said = new Map<string, string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  receive(topic: string, payload: string): void {
    this.log.push({ topic, payload });
    if (/^homeassistant\/.*\/config$/.test(topic)) {
      this.#onConfig(topic, payload);
      return;
    }
    this.#said.set(topic, payload);
    for (const entity of this.entities.values()) if (entity.config["state_topic"] === topic) this.#onState(entity, payload);
  }

  /** "unavailable", "unknown", or the state. */
  stateOf(id: string): string {
    const entity = this.entities.get(id);
    if (!entity) return "no such entity";
    if (!this.#isAvailable(entity)) return "unavailable";
    const expiry = entity.config["expire_after"] as number | undefined;
    if (expiry && (entity.state === undefined || this.#now() - entity.stateAtMs >= expiry * 1000)) return "unavailable";
    return entity.state ?? "unknown";
  }

  /** What a broker keeps, by topic: nothing of it may expire, or it would be replayed as fresh. */
  checkRetained(retained: ReadonlyMap<string, string>): void {
    for (const { id, config } of this.entities.values())
      if (config["expire_after"] && retained.has(String(config["state_topic"])))
        this.problems.push(`${id} expires, and its state is retained`);
  }

  #onConfig(topic: string, payload: string): void {
    const parts = topic.split("/");
    if (parts[1] !== "device" || parts.length !== 4) this.problems.push(`discovery of another form: ${topic}`);
    if (!/^[A-Za-z0-9_-]+$/.test(parts[2]!)) this.problems.push(`object id ${parts[2]}`);
    if (payload === "") {
      this.entities.clear();
      return;
    }
    const config = expand(JSON.parse(payload)) as Json;
    const device = config["device"] as Json | undefined;
    const origin = config["origin"] as Json | undefined;
    const components = config["components"] as Record<string, Json> | undefined;
    if (!device || !(device["identifiers"] || device["connections"])) this.problems.push("device without identifiers and connections");
    if (device?.["serial_number"] !== undefined) this.problems.push("device with a serial number");
    if (typeof origin?.["name"] !== "string") this.problems.push("origin without a name");
    if (!components) {
      this.problems.push("no components");
      return;
    }
    const shared = Object.fromEntries(
      ["availability", "availability_mode", "availability_topic", "state_topic", "qos", "encoding", "command_topic"]
        .filter((key) => config[key] !== undefined)
        .map((key) => [key, config[key]]),
    );
    const uniqueIds = new Set<unknown>();
    for (const [id, component] of Object.entries(components)) {
      if (Object.keys(component).join() === "platform") {
        if (!this.entities.delete(id)) this.problems.push(`${id} is removed and was not there`);
        continue;
      }
      const whole: Json = { ...shared, ...component };
      if (component["device"] || component["origin"]) this.problems.push(`${id} has a device or origin of its own`);
      if (uniqueIds.has(whole["unique_id"])) this.problems.push(`${id}: unique_id twice`);
      uniqueIds.add(whole["unique_id"]);
      this.#checkComponent(id, whole);
      const known = this.entities.get(id);
      this.entities.set(id, {
        id,
        platform: String(whole["platform"]),
        config: whole,
        state: known?.state,
        stateAtMs: known?.stateAtMs ?? Number.NEGATIVE_INFINITY,
        writes: known?.writes ?? 0,
      });
    }
    // What is merely left out stays, as in Home Assistant.
    for (const id of this.entities.keys()) if (!(id in components)) this.problems.push(`${id} was left out without being removed`);
  }

  #checkComponent(id: string, config: Json): void {
    const complain = (text: string): void => void this.problems.push(`${id}: ${text}`);
    const { platform, unique_id: uniqueId, default_entity_id: entityId, options, entity_category: category } = config;
    if (platform !== "sensor" && platform !== "binary_sensor") complain(`platform ${String(platform)}`);
    if (typeof uniqueId !== "string" || uniqueId === "") complain("no unique_id");
    for (const key of ["command_topic", "object_id", "json_attributes_topic"]) if (config[key] !== undefined) complain(`has ${key}`);
    if (typeof entityId === "string" && !entityId.startsWith(`${String(platform)}.`)) complain("default_entity_id without its domain");
    if (category !== undefined && category !== "diagnostic") complain(`entity_category ${JSON.stringify(category)}`);
    if (typeof config["state_topic"] !== "string") complain("no state_topic");
    const deviceClass = config["device_class"] as string | undefined;
    if (platform === "binary_sensor") {
      if (deviceClass !== undefined && deviceClass !== "connectivity") complain(`device_class ${deviceClass}`);
      return;
    }
    const unit = config["unit_of_measurement"] as string | undefined;
    const stateClass = config["state_class"] as string | undefined;
    const rule = deviceClass === undefined ? undefined : UNITS[deviceClass];
    if (deviceClass !== undefined && !rule) complain(`device_class ${deviceClass}`);
    if (rule && !rule.units.includes(unit)) complain(`unit ${String(unit)} of ${deviceClass}`);
    if (rule && !rule.stateClass.includes(stateClass)) complain(`state_class ${String(stateClass)} of ${deviceClass}`);
    if ((deviceClass === "enum") !== Array.isArray(options)) complain("options and enum go together");
    if (["timestamp", "date", "enum"].includes(deviceClass ?? "") && config["suggested_display_precision"] !== undefined)
      complain("precision of what is no number");
  }

  #onState(entity: SeenEntity, payload: string): void {
    const text = this.#rendered(entity, payload);
    if (text === undefined || text === "") return; // ignored: the old one stays
    entity.stateAtMs = this.#now();
    entity.writes++;
    if (text === "None") {
      entity.state = "unknown";
      return;
    }
    const fault = this.#faultOf(entity, text);
    if (fault) this.problems.push(`${entity.id}: ${fault}`);
    else entity.state = text;
  }

  /** The one kind of template that is used. */
  #rendered({ id, config }: SeenEntity, payload: string): string | undefined {
    const template = config["value_template"];
    const member = /^\{\{ value_json\.([a-z_]+) \}\}$/.exec(String(template))?.[1];
    const json = JSON.parse(payload) as Json;
    if (member === undefined || !(member in json)) {
      this.problems.push(`${id}: template ${String(template)}, and no such member in a state`);
      return undefined;
    }
    const value = json[member];
    return value === null
      ? "None"
      : value === true
        ? "True"
        : value === false
          ? "False"
          : typeof value === "string"
            ? value
            : JSON.stringify(value);
  }

  #faultOf({ platform, config }: SeenEntity, text: string): string | undefined {
    if (platform === "binary_sensor")
      return text === config["payload_on"] || text === config["payload_off"] ? undefined : `"${text}" is neither on nor off`;
    const deviceClass = config["device_class"];
    if (deviceClass === "timestamp")
      return ISO_WITH_ZONE.test(text) && !Number.isNaN(Date.parse(text)) ? undefined : `"${text}" is no instant with a zone`;
    if (deviceClass === "enum") return (config["options"] as string[]).includes(text) ? undefined : `"${text}" is none of the options`;
    const isNumeric = ["device_class", "state_class", "unit_of_measurement", "suggested_display_precision"].some(
      (key) => config[key] !== undefined,
    );
    if (isNumeric) return Number.isFinite(Number(text)) && text.trim() !== "" ? undefined : `"${text}" is no number`;
    return text.length <= 255 ? undefined : "too long";
  }

  #isAvailable({ config }: SeenEntity): boolean {
    const list = (config["availability"] as Json[] | undefined) ?? [];
    const said = list.map((each) => this.#said.get(String(each["topic"])) === (each["payload_available"] ?? "online"));
    const mode = config["availability_mode"] ?? "latest";
    if (mode === "latest" && list.length > 1) this.problems.push("several availability topics, and the latest counts");
    return said.every(Boolean);
  }
}

/** Long names, and `~` resolved. */
function expand(value: unknown, base?: string): unknown {
  if (Array.isArray(value)) return value.map((each) => expand(each, base));
  if (typeof value === "string" && base !== undefined && (value.startsWith("~") || value.endsWith("~")))
    return value.startsWith("~") ? base + value.slice(1) : value.slice(0, -1) + base;
  if (typeof value !== "object" || value === null) return value;
  const own = (value as Json)["~"];
  const inner = typeof own === "string" ? own : base;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== "~")
      .map(([key, each]) => [SHORT[key] ?? key, expand(each, inner)]),
  );
}
