// @ts-check
/** All scenarios, or those that are named, in one machine and one process: node lab/run.mjs -- node lab/scenarios/all.mjs [NAME...] */
import { anotherComes } from "../guest/scenario.mjs";

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : ["peripheral", "central", "vhci", "pump", "l2cap", "eatt", "extended"]) {
  anotherComes();
  await import(`./${name}.mjs`);
}
