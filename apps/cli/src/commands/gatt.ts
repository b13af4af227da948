import { characteristicName, descriptorName, serviceName } from "jelling/assigned";
import { fromHex, toHex } from "jelling/bytes";
import type { Uuid } from "jelling/core";
import type { Connection } from "jelling/device";
import type { RemoteCharacteristic, RemoteService } from "jelling/gatt";
import { type Attribute, findCharacteristic, parseAttribute } from "../attribute.ts";
import type { Context } from "../context.ts";
import { CommandError, UsageError } from "../errors.ts";
import { type LinkOptions, withConnection } from "../link.ts";
import { describeValue, meaningOf } from "../values.ts";

const named = (uuid: Uuid, name: string | undefined): string => (name ? `${uuid.text}  ${name}` : uuid.text);
const handleText = (handle: number): string => `0x${handle.toString(16).padStart(4, "0")}`;
const CLIENT_CONFIGURATION = 0x2902;

export async function list(context: Context, address: string, options: LinkOptions & { read?: boolean }): Promise<void> {
  const { terminal } = context;
  const { paint } = terminal;
  await withConnection(context, address, options, async (connection) => {
    using deadline = context.deadline(undefined, "the listing");
    const { signal } = deadline;
    terminal.status("discovering …");
    for (const service of await connection.gatt.services({ signal })) {
      const name = serviceName(service.uuid);
      terminal.result(
        () => ({
          type: "service",
          uuid: service.uuid.text,
          ...(name ? { name } : {}),
          handle: service.handle,
          endHandle: service.endHandle,
          primary: service.primary,
        }),
        () =>
          `${paint("bold", named(service.uuid, name))}  ${paint("dim", `${handleText(service.handle)}-${handleText(service.endHandle)}`)}`,
      );
      for (const characteristic of await service.characteristics({ signal }))
        await listCharacteristic(context, connection, service, characteristic, options.read ?? false, signal);
    }
    terminal.status("");
  });
}

async function listCharacteristic(
  context: Context,
  connection: Connection,
  service: RemoteService,
  characteristic: RemoteCharacteristic,
  read: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { terminal } = context;
  const { uuid, valueHandle, properties } = characteristic;
  const name = characteristicName(uuid);
  const value = read && properties.includes("read") ? await readLeniently(() => characteristic.read({ signal })) : undefined;
  terminal.result(
    () => ({
      type: "characteristic",
      service: service.uuid.text,
      uuid: uuid.text,
      ...(name ? { name } : {}),
      handle: valueHandle,
      properties,
      ...(value === undefined ? {} : value instanceof Uint8Array ? valueJson(value, uuid) : { error: value.message }),
    }),
    () =>
      `  ${named(uuid, name)}  ${terminal.paint("dim", handleText(valueHandle))}  ${terminal.paint("cyan", properties.join(", "))}` +
      (value === undefined ? "" : `\n    = ${value instanceof Uint8Array ? describeValue(value, uuid) : value.message}`),
  );
  for (const descriptor of await characteristic.descriptors({ signal })) {
    const descriptorValue =
      read && descriptor.uuid.short !== CLIENT_CONFIGURATION
        ? await readLeniently(() => connection.gatt.read(descriptor.handle, { signal }))
        : undefined;
    const called = descriptorName(descriptor.uuid);
    terminal.result(
      () => ({
        type: "descriptor",
        characteristic: uuid.text,
        uuid: descriptor.uuid.text,
        ...(called ? { name: called } : {}),
        handle: descriptor.handle,
        ...(descriptorValue instanceof Uint8Array ? valueJson(descriptorValue, undefined) : {}),
      }),
      () =>
        `    ${terminal.paint("dim", named(descriptor.uuid, called))}  ${terminal.paint("dim", handleText(descriptor.handle))}` +
        (descriptorValue instanceof Uint8Array ? `  = ${describeValue(descriptorValue, undefined)}` : ""),
    );
  }
}

/** A value that may not be read is no reason to end a listing. */
async function readLeniently(read: () => Promise<Uint8Array>): Promise<Uint8Array | Error> {
  try {
    return await read();
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_ATT") return error as Error;
    throw error;
  }
}

function valueJson(value: Uint8Array, uuid: Uuid | undefined): Record<string, unknown> {
  const meaning = meaningOf(value, uuid);
  return { value: toHex(value), ...(meaning === undefined ? {} : { meaning }) };
}

export async function read(context: Context, address: string, attribute: string, options: LinkOptions): Promise<void> {
  const { terminal } = context;
  const which = parseAttribute(attribute);
  await withConnection(context, address, options, async (connection) => {
    using deadline = context.deadline(undefined, "reading");
    const { handle, uuid } = await handleOf(connection, which, deadline.signal);
    const value = await connection.gatt.read(handle, { signal: deadline.signal });
    terminal.result(
      () => ({ handle, ...(uuid ? { uuid: uuid.text } : {}), ...valueJson(value, uuid) }),
      () => describeValue(value, uuid),
    );
  });
}

/** A handle is taken as it is; a name is looked up by discovery. */
async function handleOf(
  connection: Connection,
  attribute: Attribute,
  signal: AbortSignal,
): Promise<{ handle: number; uuid: Uuid | undefined }> {
  if ("handle" in attribute) return { handle: attribute.handle, uuid: undefined };
  const { valueHandle, uuid } = await findCharacteristic(connection, attribute, signal);
  return { handle: valueHandle, uuid };
}

interface WriteOptions extends LinkOptions {
  hex?: string;
  text?: string;
  response: boolean;
}

export async function write(context: Context, address: string, attribute: string, options: WriteOptions): Promise<void> {
  const { terminal } = context;
  const which = parseAttribute(attribute);
  const value = octetsToWrite(options);
  await withConnection(context, address, options, async (connection) => {
    using deadline = context.deadline(undefined, "writing");
    const { signal } = deadline;
    const { handle, uuid } = await handleOf(connection, which, signal);
    if (options.response) await connection.gatt.write(handle, value, { signal });
    else await connection.gatt.writeWithoutResponse(handle, value, { signal });
    terminal.result(
      () => ({ event: "written", handle, ...(uuid ? { uuid: uuid.text } : {}), value: toHex(value), response: options.response }),
      () => `written  ${value.length} octet${value.length === 1 ? "" : "s"}${options.response ? "" : ", without response"}`,
    );
  });
}

function octetsToWrite({ hex, text }: WriteOptions): Uint8Array {
  if ((hex === undefined) === (text === undefined)) throw new UsageError("what shall be written? give either --hex or --text");
  return hex === undefined ? new TextEncoder().encode(text) : fromHex(hex);
}

export async function subscribe(
  context: Context,
  address: string,
  attribute: string,
  options: LinkOptions & { count?: number },
): Promise<void> {
  const { terminal } = context;
  const which = parseAttribute(attribute);
  await withConnection(context, address, options, async (connection) => {
    using deadline = context.deadline(undefined, "the subscription");
    const { signal } = deadline;
    const characteristic = await findCharacteristic(connection, which, signal);
    const { properties, uuid } = characteristic;
    const isNotified = properties.includes("notify");
    if (!isNotified && !properties.includes("indicate"))
      throw new CommandError(`${uuid.text} can neither notify nor indicate; it can: ${properties.join(", ")}`);
    const startMs = context.now();
    const values = isNotified ? characteristic.notifications({ signal }) : characteristic.indications({ signal });
    let left = options.count ?? Number.POSITIVE_INFINITY;
    terminal.status("subscribed, Ctrl-C ends …");
    try {
      for await (const value of values) {
        const seconds = (context.now() - startMs) / 1000;
        terminal.result(
          () => ({ seconds: Number(seconds.toFixed(3)), uuid: uuid.text, handle: characteristic.valueHandle, ...valueJson(value, uuid) }),
          () => `${terminal.paint("dim", seconds.toFixed(3).padStart(9))}  ${describeValue(value, uuid)}`,
        );
        await terminal.flush();
        if (--left <= 0) break;
      }
    } catch (error) {
      if (!deadline.timedOut()) throw error;
    } finally {
      terminal.status("");
    }
  });
}
