import { type CodecForm, type CodecPart, formOf } from "../bytes/index.ts";
import { Uuid, type UuidLike } from "../core/index.ts";
import type { CharacteristicDeclaration, CharacteristicDeclarations, DeclaredService, DescriptorDeclaration } from "./declaration.ts";

/** "Heart Rate Measurement" for "heartRateMeasurement". */
const titleOf = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase());

function uuidText(uuid: UuidLike): string {
  const { short, text } = Uuid.from(uuid);
  return short === undefined ? `\`${text}\`` : `\`0x${text.toUpperCase()}\``;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");
const row = (...cells: string[]): string => `| ${cells.map(cell).join(" | ")} |`;
const table = (head: string[], rows: string[][]): string =>
  [row(...head), `|${head.map(() => "---").join("|")}|`, ...rows.map((cells) => row(...cells))].join("\n");

/** The page of documentation of a declared service, in Markdown. */
export function documentService(declaration: DeclaredService<CharacteristicDeclarations>): string {
  const characteristics = Object.entries<CharacteristicDeclaration>(declaration.characteristics);
  const overview = table(
    ["name", "UUID", "properties", "a device has it"],
    characteristics.map(([name, characteristic]) => [
      `\`${name}\``,
      uuidText(characteristic.uuid),
      propertiesText(characteristic),
      presenceText(characteristic),
    ]),
  );
  const head = [`# ${declaration.name}`, `Service ${uuidText(declaration.uuid)}.${declaration.summary ? ` ${declaration.summary}` : ""}`];
  const sections = characteristics.map(([name, characteristic]) => sectionOf(name, characteristic));
  return `${[...head, overview, ...sections].join("\n\n")}\n`;
}

function propertiesText({ properties, optionalProperties = [] }: CharacteristicDeclaration): string {
  return [...properties, ...optionalProperties.map((property) => `(${property})`)].join(", ");
}

function presenceText({ optional, multiple }: CharacteristicDeclaration): string {
  if (multiple) return optional ? "any number of times" : "once or several times";
  return optional ? "perhaps" : "always";
}

function sectionOf(name: string, characteristic: CharacteristicDeclaration): string {
  const lines = [`## ${characteristic.name ?? titleOf(name)}`];
  if (characteristic.summary) lines.push(characteristic.summary);
  lines.push(...formLines(formOf(characteristic.value)));
  if (characteristic.trailing === "ignore") lines.push("Octets after it are ignored.");
  const descriptors = Object.entries<DescriptorDeclaration>(characteristic.descriptors ?? {});
  for (const [key, descriptor] of descriptors) {
    const presence = `${descriptor.optional ? "perhaps" : "always"}${descriptor.writable ? ", may be written" : ""}`;
    lines.push(`Descriptor \`${key}\`, ${descriptor.name ?? titleOf(key)} (${uuidText(descriptor.uuid)}), ${presence}:`);
    lines.push(...formLines(formOf(descriptor.value)));
  }
  return lines.join("\n\n");
}

/** A sentence, and a table where the value has parts. */
function formLines(form: CodecForm): string[] {
  const sentence = `Value: ${form.text}.`;
  if (!form.parts) return [sentence];
  return [sentence.replace(/\.$/, ":"), table(["field", "format", "there"], fieldRows(form.parts, "", ""))];
}

function fieldRows(parts: readonly CodecPart[], prefix: string, when: string): string[][] {
  return parts.flatMap(({ name, form, when: own }) => {
    const there = own ?? when;
    return [[`\`${prefix}${name}\``, form.text, there || "always"], ...fieldRows(form.parts ?? [], `${prefix}${name}.`, there)];
  });
}
