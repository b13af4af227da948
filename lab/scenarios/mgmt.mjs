// @ts-check
/** All scenarios of the management interface, or those that are named: node lab/run.mjs -- node lab/scenarios/mgmt.mjs [NAME...] */
// Loaded beforehand: while a scenario's modules came, the one before it would be taken for one that left something running.
await Promise.all(["jelling/async", "jelling/capture", "jelling/mgmt", "jelling/testing", "jelling/transport"].map((name) => import(name)));
const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : ["mgmt-commands", "mgmt-programs", "mgmt-plugging", "mgmt-command-line"])
  await import(`./${name}.mjs`);
