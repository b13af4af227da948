import type { RolldownOutput } from "rolldown";

/** Builds the command into a folder, which is emptied first; without the pump's page. */
export function buildCommand(folder: string): Promise<RolldownOutput>;
