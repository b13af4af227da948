import { VirtualClock } from "../../async/virtual-clock.ts";
import type { CborMap } from "../protocol/cbor.ts";
import { McumgrRegistry } from "../protocol/registry.ts";
import type { McumgrFallback, McumgrLimits, TransferAskOptions, TransferHost, TransferRequest } from "./host.ts";

export interface TestHost extends TransferHost {
  readonly clock: VirtualClock;
  readonly asked: { readonly request: TransferRequest; readonly options: TransferAskOptions; readonly atMs: number }[];
  readonly told: McumgrFallback[];
  /** How often a new link was made. */
  readonly reconnects: () => number;
}

export const TEST_LIMITS: McumgrLimits = { messageLimit: 200, window: 3, buffers: undefined, why: "test" };

/** What transfers need of a client; `answer` is its server, and throws what asking throws. */
export function createTestHost(
  answer: (request: TransferRequest, index: number) => CborMap | Promise<CborMap>,
  changes: Partial<Omit<TransferHost, "clock">> = {},
): TestHost {
  const clock = new VirtualClock();
  const asked: TestHost["asked"] = [];
  const told: McumgrFallback[] = [];
  let reconnects = 0;
  return {
    clock,
    asked,
    told,
    reconnects: () => reconnects,
    isLossy: false,
    isConnected: true,
    isLost: () => false,
    provenLimit: 100,
    names: new McumgrRegistry(),
    limits: async () => TEST_LIMITS,
    ask: async (request, options) => {
      asked.push({ request, options, atMs: clock.now() });
      return await answer(request, asked.length - 1);
    },
    reconnect: async () => {
      reconnects++;
    },
    tell: (fallback) => void told.push(fallback),
    ...changes,
  };
}
