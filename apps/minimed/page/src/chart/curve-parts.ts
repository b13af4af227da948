import type { PageState, PageView } from "../../../src/web/page-data.ts";
import type { PumpTimes } from "../times.ts";
import type { Unit } from "../words.ts";

/** What a curve is drawn of. */
export interface CurveParts {
  readonly view: PageView;
  readonly limits: PageState["limits"] | undefined;
  readonly times: PumpTimes;
  readonly unit: Unit;
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
  /** Whether the present is at the right edge. */
  readonly isLive: boolean;
}
