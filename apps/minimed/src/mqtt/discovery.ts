import type { PumpInformation } from "../connector/pump-session.ts";
import { redactText } from "../redact.ts";
import { ENTITIES, ENTITY_IDS, type EntityId, expiryOf } from "./entities.ts";
import type { CheckedHomeAssistantOptions } from "./options.ts";

const MANUFACTURER = "Medtronic";
const ORIGIN = { name: "Jelling", support_url: "https://github.com/jelling-ble/jelling/blob/main/docs/pump.md" } as const;

/** Entities that are announced. */
export function announcedIds({ mmol }: { readonly mmol: boolean }): EntityId[] {
  return ENTITY_IDS.filter((id) => mmol || id !== "glucose_mmol");
}

/**
 * The device-based discovery message. It announces nothing that takes commands.
 *
 * @param information as far as it is known; its serial number is left out
 * @param removed ids of components that were announced once and are no more, with their platform
 */
export function discoveryPayload(
  options: CheckedHomeAssistantOptions,
  information: PumpInformation | undefined,
  removed: ReadonlyMap<string, string> = new Map(),
): string {
  const { deviceId, topics, name, names, entityPrefix } = options;
  const alive = { topic: topics.status, payload_available: "online", payload_not_available: "offline" };
  const inReach = { ...alive, topic: topics.reach };
  const components: Record<string, unknown> = {};
  for (const id of announcedIds(options)) {
    const entity = ENTITIES[id];
    components[id] = {
      platform: entity.platform,
      unique_id: `${deviceId}_${id}`,
      name: names[id] ?? entity.name,
      default_entity_id: `${entity.platform}.${entityPrefix}_${id}`,
      value_template: `{{ value_json.${id} }}`,
      expire_after: expiryOf(entity),
      // The pump in reach counts for what is of this moment only.
      ...(entity.kind === "live" && { availability: [alive, inReach], availability_mode: "all" }),
      ...entity.config,
    };
  }
  for (const [id, platform] of removed) components[id] = { platform };
  return JSON.stringify({
    device: {
      identifiers: [deviceId],
      name,
      manufacturer: MANUFACTURER,
      ...text("model", information?.model),
      ...text("sw_version", information?.firmware ?? information?.software),
      ...text("hw_version", information?.hardware),
    },
    origin: ORIGIN,
    availability: [alive],
    state_topic: topics.state,
    qos: 1,
    components,
  });
}

/** The pump's own words, but for anything that looks like a serial number or an address. */
function text(key: string, value: string | undefined): Record<string, string> {
  const said = value === undefined ? "" : redactText(value).trim().slice(0, 64);
  return said === "" ? {} : { [key]: said };
}

/** Components of an earlier announcement that are not in ours, with their platforms. */
export function componentsToRemove(earlier: string, options: CheckedHomeAssistantOptions): ReadonlyMap<string, string> {
  const removed = new Map<string, string>();
  const known = new Set<string>(announcedIds(options));
  let parsed: unknown;
  try {
    parsed = JSON.parse(earlier);
  } catch {
    return removed;
  }
  const { components, cmps } = (parsed ?? {}) as { components?: unknown; cmps?: unknown };
  for (const [id, component] of Object.entries((components ?? cmps ?? {}) as Record<string, unknown>)) {
    const { platform, p } = (component ?? {}) as { platform?: unknown; p?: unknown };
    const named = platform ?? p;
    if (!known.has(id) && typeof named === "string") removed.set(id, named);
  }
  return removed;
}
