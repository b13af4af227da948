import { expect, test } from "vitest";
import { describePumpEvent, type PumpEvent, type PumpEventDetail } from "./events.ts";

const advertising = {
  type: "advertising",
  mode: "pair",
  name: "Mobile 000001",
  form: "scan-response",
  intervalMs: [20, 30],
  address: "random",
  bonded: false,
} as const;
const start = { year: 2026, month: 3, day: 4, hour: 5, minute: 6, second: 7 };

test.each<[PumpEventDetail, string]>([
  [advertising as never, 'advertising FE82 as "Mobile 000001", every 20 to 30 ms, random address, bond: no'],
  [{ ...advertising, mode: "reconnect", bonded: true } as never, "advertising FE81, every 20 to 30 ms, random address, bond: yes"],
  [{ ...advertising, mode: "carelink" } as never, 'advertising FE82 as "Mobile 000001", every 20 to 30 ms, random address, bond: no'],
  [
    { type: "connected", peer: "a pump", intervalMs: 50, latency: 2, timeoutMs: 6000 },
    "connected by a pump: interval 50 ms, latency 2, timeout 6000 ms",
  ],
  [{ type: "pairing" }, "the pump asks to pair"],
  [
    {
      type: "paired",
      method: "just-works-twice",
      authenticated: false,
      keySize: 16,
      localKeys: ["ltk", "irk"],
      peerKeys: ["ltk"],
      refused: [],
    },
    "paired by just works twice, 128 bit key; gave ltk, irk; got ltk",
  ],
  [{ type: "encrypted", bonded: true }, "link encrypted with the bond's key"],
  [{ type: "encrypted", bonded: false }, "link encrypted"],
  [{ type: "discovery", reads: "model" }, "the pump reads our model"],
  [{ type: "sake", stage: 0 }, "SAKE: wake-up sent"],
  [{ type: "sake", stage: 6 }, "SAKE: the pump's permit is valid"],
  [{ type: "sake", stage: 4 }, "SAKE: stage 4"],
  [{ type: "authenticated" }, "authenticated"],
  [{ type: "services", count: 9 }, "the pump has 9 services"],
  [
    { type: "information", model: "MMT-1", firmware: "1.2", serial: "NG0", batteryPercent: 0 },
    "the pump is a MMT-1, firmware 1.2, serial NG0, battery 0 %",
  ],
  [
    { type: "information", model: undefined, firmware: undefined, serial: undefined, batteryPercent: undefined },
    "the pump is a device of unknown model, firmware unknown, serial unknown",
  ],
  [{ type: "sensor", start: undefined, runTimeHours: undefined, remainingMs: undefined }, "sensor session: none"],
  [{ type: "sensor", start, runTimeHours: 168, remainingMs: undefined }, "sensor session since 2026-03-04 05:06:07 (pump time)"],
  [{ type: "sensor", start, runTimeHours: 168, remainingMs: 7_199_999 }, "sensor session since 2026-03-04 05:06:07 (pump time), 1 h left"],
  [{ type: "sensor", start, runTimeHours: 168, remainingMs: -1 }, "sensor session since 2026-03-04 05:06:07 (pump time), 0 h left"],
  [{ type: "disconnected", reason: 0x13, message: "the pump has hung up" }, "the pump has hung up"],
  [{ type: "warning", message: "no answer." }, "no answer."],
  [{ type: "warning", message: "no answer.", hint: "Go nearer." }, "no answer. Go nearer."],
])("%j in one line", (event, line) => {
  expect(describePumpEvent({ timeMs: 0, ...event } as PumpEvent)).toBe(line);
});
