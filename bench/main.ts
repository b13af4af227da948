import { airRows } from "./air.ts";
import { captureRows } from "./capture.ts";
import { commandRows } from "./command.ts";
import { crowdRows } from "./crowd.ts";
import { decodeRows } from "./decode.ts";
import { gattRows } from "./gatt.ts";
import { main } from "./harness.ts";
import { hciRows } from "./hci.ts";
import { coldRows } from "./hosts/cold-rows.ts";
import { hostsRows } from "./hosts/rows.ts";
import { l2capRows } from "./l2cap.ts";
import { mcumgrRows } from "./mcumgr.ts";
import { memoryRows } from "./memory.ts";
import { mgmtRows } from "./mgmt.ts";
import { pumpRows } from "./pump.ts";
import { radioRows } from "./radio-arithmetic.ts";
import { stackRows } from "./stack.ts";
import { startRows } from "./start.ts";
import { storeRows } from "./store.ts";
import { transportRows } from "./transport.ts";

await main(
  [
    ...hostsRows,
    ...coldRows,
    ...hciRows,
    ...transportRows,
    ...l2capRows,
    ...gattRows,
    ...stackRows,
    ...mgmtRows,
    ...mcumgrRows,
    ...airRows,
    ...crowdRows,
    ...radioRows,
    ...storeRows,
    ...pumpRows,
    ...captureRows,
    ...decodeRows,
    ...commandRows,
    ...memoryRows,
    ...startRows,
  ],
  import.meta.url,
);
