import { main } from "./harness.ts";
import { hciRows } from "./hci.ts";
import { stackRows } from "./stack.ts";

await main([...hciRows, ...stackRows], import.meta.url);
