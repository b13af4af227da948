/// <reference lib="esnext.disposable" preserve="true" />
export { UpgradeError, type UpgradeFailure } from "./error.ts";
export { type ImageSlotSizes, type ImageSlotState, type ReadUpgradeFactsOptions, readUpgradeFacts, type UpgradeFacts } from "./facts.ts";
export { planUpgrade } from "./plan.ts";
export { type UpgradeEvent, type UpgradeOptions, type UpgradeOutcome, type UpgradeResult, upgradeFirmware } from "./run.ts";
export type {
  ImageCondition,
  PlannedImage,
  UpgradeMethod,
  UpgradeObstacle,
  UpgradeObstacleReason,
  UpgradePlan,
  UpgradePlanOptions,
  UpgradeStep,
  UpgradeStepKind,
} from "./types.ts";
export { describeUpgradeStep } from "./words.ts";
