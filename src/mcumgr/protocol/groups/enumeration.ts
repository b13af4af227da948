import { command, group } from "../declare.ts";
import { bool, list, optional, otherwise, struct, text, uint } from "../fields.ts";

/** Enumeration 0. How many groups the server has. */
export const Count = command("count", { id: 0, read: { response: { count: uint() } } });

/** Enumeration 1. The numbers of all groups, in the server's own order. */
export const List = command("list", { id: 1, read: { response: { groups: list(uint()) } } });

/** Enumeration 2. The number of one group by its place, from 0; `end` is true for the last. */
export const Single = command("single", {
  id: 2,
  read: { request: { index: optional(uint()) }, response: { group: uint(), end: otherwise(bool(), false) } },
});

/** Enumeration 3. Names of groups, and how many commands each has; of all, or of those asked for. */
export const Details = command("details", {
  id: 3,
  read: {
    request: { groups: optional(list(uint())) },
    response: { groups: list(struct({ group: uint(), name: optional(text()), handlers: optional(uint()) })) },
  },
});

export const EnumerationGroup = group("enumeration", {
  id: 10,
  errors: {
    2: ["TooManyGroups", "the answer has no room for all groups"],
    3: ["NoMemory", "the server is out of memory"],
    4: ["IndexTooLarge", "the server has fewer groups"],
  },
  commands: { count: Count, list: List, single: Single, details: Details },
});
