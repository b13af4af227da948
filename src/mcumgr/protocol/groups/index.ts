import { EnumerationGroup } from "./enumeration.ts";
import { FilesGroup } from "./files.ts";
import { ImageGroup } from "./image.ts";
import { IntercreateGroup } from "./intercreate.ts";
import { LogGroup } from "./log.ts";
import { CrashGroup, RunGroup, SplitGroup } from "./mynewt.ts";
import { OsGroup } from "./os.ts";
import { SettingsGroup } from "./settings.ts";
import { ShellGroup } from "./shell.ts";
import { StatisticsGroup } from "./statistics.ts";
import { TransportsGroup } from "./transports.ts";
import { ZephyrGroup } from "./zephyr.ts";

/** The groups of this library, under the names that clients have them. */
export const McumgrGroups = Object.freeze({
  os: OsGroup,
  image: ImageGroup,
  statistics: StatisticsGroup,
  settings: SettingsGroup,
  log: LogGroup,
  crash: CrashGroup,
  split: SplitGroup,
  run: RunGroup,
  files: FilesGroup,
  shell: ShellGroup,
  enumeration: EnumerationGroup,
  transports: TransportsGroup,
  zephyr: ZephyrGroup,
  intercreate: IntercreateGroup,
});
