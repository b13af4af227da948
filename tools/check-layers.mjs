// Checks the direction of imports (.dependency-cruiser.cjs), and that the rules saw every room: a rule over no modules proves nothing.
import { readdirSync } from "node:fs";
import { cruise, format } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import extractTsConfig from "dependency-cruiser/config-utl/extract-ts-config";

const options = await extractDepcruiseOptions("./.dependency-cruiser.cjs");
const { output } = await cruise(["src", "apps"], options, undefined, { tsConfig: extractTsConfig("./tsconfig.json") });
const { output: report, exitCode } = await format(output, { outputType: "err" });
process.stdout.write(report);

const rooms = readdirSync("src", { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const crossing = (room) =>
  output.modules.some(
    ({ source, dependencies }) => source.startsWith(`src/${room}/`) && dependencies.some(({ resolved }) => resolved.startsWith("src/")),
  );
const unseen = rooms.filter((room) => !crossing(room));
if (unseen.length > 0) process.stderr.write(`the rules saw no import in: ${unseen.join(", ")}\n`);
process.exitCode = exitCode !== 0 || unseen.length > 0 ? 1 : 0;
