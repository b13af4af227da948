import { main } from "./harness.ts";
import { hciRows } from "./hci.ts";

await main([...hciRows], import.meta.url);
