import { rest } from "../bytes/index.ts";
import type { Device } from "../device/index.ts";
import { command, commands, HciError, Reset } from "../hci/index.ts";

/** What a controller answered to a command. */
export interface HciCommandResult {
  /** A value of HciErrorCode; 0 is success. */
  readonly status: number;
  /** The return parameters behind the status; empty where the command is answered by Command Status, or failed. */
  readonly data: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/**
 * Sends a raw command. A Reset takes all links down and sets up anew what is wanted: the host has to know of it.
 *
 * @throws what kept the command from being carried out; a refusal of the controller is a result
 */
export async function sendHciCommand({ hci }: Device, ogf: number, ocf: number, parameters: Uint8Array): Promise<HciCommandResult> {
  const opcode = (ogf << 10) | ocf;
  if (opcode === Reset.opcode) {
    await hci.reset();
    return { status: 0, data: NOTHING };
  }
  const { name = `command 0x${opcode.toString(16)}`, unanswered = false } = commands.get(opcode) ?? {};
  const raw = command(name, { ogf, ocf, parameters: rest, returns: rest, unanswered, anyAnswer: true });
  try {
    const returned: Uint8Array | undefined = await hci.send(raw, parameters);
    return { status: returned?.[0] ?? 0, data: returned?.slice(1) ?? NOTHING };
  } catch (error) {
    if (error instanceof HciError) return { status: error.status, data: NOTHING };
    throw error;
  }
}
