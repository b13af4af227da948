// @ts-check
/** All scenarios of the management interface, or those that are named: node lab/run.mjs -- node lab/scenarios/mgmt.mjs [NAME...] */
import { anotherComes } from "../guest/scenario.mjs";

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : ["mgmt-commands", "mgmt-programs", "mgmt-plugging", "mgmt-command-line"]) {
  anotherComes();
  await import(`./${name}.mjs`);
}
