import { command, group } from "../declare.ts";
import { list, map, text, uint64 } from "../fields.ts";

/** Statistics 0. The counters of one group by name; those beyond 2^53 − 1 are bigint. */
export const Show = command("show", { id: 0, read: { request: { name: text() }, response: { name: text(), fields: map(uint64()) } } });

/** Statistics 1. The names of the groups. */
export const List = command("list", { id: 1, read: { response: { statList: list(text(), "stat_list") } } });

export const StatisticsGroup = group("statistics", {
  id: 2,
  errors: {
    2: ["InvalidGroup", "there is no such group of statistics"],
    3: ["InvalidName", "there are no statistics of this name"],
    4: ["InvalidSize", "a counter has a size that the server cannot read"],
    5: ["WalkAborted", "the server stopped reading the counters"],
  },
  commands: { show: Show, list: List },
});
