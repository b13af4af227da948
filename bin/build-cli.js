// Builds the command. Through the API, since rolldown's own command lists every file it writes, and `npm start` is to show the demonstration.
import { build } from "rolldown";
import config from "../rolldown.config.js";

await build(config);
