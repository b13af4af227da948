import type { CborMap } from "../../mcumgr/protocol/cbor.ts";
import type { Tampering } from "./service.ts";

/** What goes wrong with a request, on command. */
export type McumgrFault =
  /** It vanishes before the server sees it. */
  | { readonly kind: "lose-request" }
  /** It is done, and not answered. */
  | { readonly kind: "lose-answer" }
  /** The answer is held back, while those to later requests go out. */
  | { readonly kind: "late-answer"; readonly ms: number }
  /** The server is busy for so long, and everything waits. */
  | { readonly kind: "slow"; readonly ms: number }
  | { readonly kind: "duplicate-answer" }
  /** The answer's `off` is another: this one, or so many octets more (less, where negative). */
  | { readonly kind: "wrong-offset"; readonly to: number }
  | { readonly kind: "wrong-offset"; readonly by: number }
  | { readonly kind: "wrong-sequence"; readonly by: number }
  /** It is not done, but answered with this code: of a group, or of the protocol itself. */
  | { readonly kind: "error"; readonly rc: number; readonly group?: number }
  /** There is no room, or the memory does not take it: writes fail as on a worn-out or full device. */
  | { readonly kind: "full" }
  /** One bit of an upload's data is written wrongly: its digest is another. */
  | { readonly kind: "bad-hash" }
  /** Of an upload's data only so many octets are taken, or a multiple of so many. */
  | { readonly kind: "trim"; readonly to: number }
  | { readonly kind: "trim"; readonly multipleOf: number }
  /** Text that is no message comes before the answer, on links that are a console as well. */
  | { readonly kind: "noise"; readonly text: string }
  /** The device starts anew in place of answering. `after`: what was asked is done before. */
  | { readonly kind: "reset"; readonly after?: boolean }
  /** The power goes in place of answering, and comes back after `offMs` where that is given. */
  | { readonly kind: "power-cut"; readonly after?: boolean; readonly offMs?: number }
  /** Whatever a hostile server may send in place of its answer. */
  | { readonly kind: "mangle"; readonly mangle: (answer: Uint8Array) => Uint8Array | readonly Uint8Array[] | undefined };

/** A request as the server got it. */
export interface SeenRequest {
  /** "image.upload"; "group 70 command 2 op 0" where the server does not know it. */
  readonly title: string;
  readonly group: number;
  readonly command: number;
  readonly op: number;
  readonly sequence: number;
  readonly version: number;
  readonly payload: CborMap;
}

export interface McumgrFaultRule {
  /** Which requests: their title, or a function that is asked. All by default. */
  readonly on?: string | ((request: SeenRequest) => boolean);
  /** How many of them pass before, 0 by default. */
  readonly skip?: number;
  /** How many are struck, 1 by default. */
  readonly times?: number;
}

/** The faults that wait for their requests. */
export class McumgrFaults {
  readonly #rules: { fault: McumgrFault; on: McumgrFaultRule["on"]; skip: number; times: number }[] = [];

  add(fault: McumgrFault, { on, skip = 0, times = 1 }: McumgrFaultRule): Disposable {
    const rule = { fault, on, skip, times };
    this.#rules.push(rule);
    return {
      [Symbol.dispose]: () => {
        const at = this.#rules.indexOf(rule);
        if (at >= 0) this.#rules.splice(at, 1);
      },
    };
  }

  /** Those that strike this request, in the order in which they were added. */
  take(request: SeenRequest): McumgrFault[] {
    const struck: McumgrFault[] = [];
    for (const rule of [...this.#rules]) {
      if (typeof rule.on === "function" ? !rule.on(request) : rule.on !== undefined && rule.on !== request.title) continue;
      if (rule.skip > 0) {
        rule.skip--;
        continue;
      }
      struck.push(rule.fault);
      if (--rule.times <= 0) this.#rules.splice(this.#rules.indexOf(rule), 1);
    }
    return struck;
  }
}

/** What the faults do to an upload's data. */
export function tamperingOf(faults: readonly McumgrFault[]): Tampering {
  const tampering: Tampering = {};
  for (const fault of faults) {
    if (fault.kind === "bad-hash") tampering.corrupt = true;
    if (fault.kind === "trim") tampering.take = "to" in fault ? () => fault.to : (octets) => octets - (octets % fault.multipleOf);
  }
  return tampering;
}

/** An answer's payload with what the faults make of its offset. */
export function withWrongOffset(payload: CborMap, faults: readonly McumgrFault[]): CborMap {
  let { off } = payload;
  if (typeof off !== "number") return payload;
  for (const fault of faults) if (fault.kind === "wrong-offset") off = Math.max(0, "to" in fault ? fault.to : off + fault.by);
  return { ...payload, off };
}
