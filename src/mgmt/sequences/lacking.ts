import { Status } from "../../mgmt-protocol/index.ts";
import { MgmtError } from "../error.ts";

/** Whether the kernel is older than a command, or the controller lacks what it is for: the sequence then does without. */
export function isLacking(error: unknown): boolean {
  return error instanceof MgmtError && (error.status === Status.UnknownCommand || error.status === Status.NotSupported);
}
