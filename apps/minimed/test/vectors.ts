import { readFileSync } from "node:fs";

/** What a decoder must make of an input: a value, or a refusal of a kind. */
export interface DecodeVector<Expected> {
  readonly name?: string;
  readonly bytes: string;
  readonly expected?: Expected;
  readonly error?: string;
  readonly note?: string;
}

/** Reads a vector file beside this one. Shape is the reader's to know: the files are ours and fixed. */
export function readVectors<T>(name: "sake" | "minimed"): T {
  return JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), "utf8")) as T;
}
