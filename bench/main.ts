import { airRows } from "./air.ts";
import { gattRows } from "./gatt.ts";
import { main } from "./harness.ts";
import { hciRows } from "./hci.ts";
import { stackRows } from "./stack.ts";

await main([...hciRows, ...gattRows, ...stackRows, ...airRows], import.meta.url);
