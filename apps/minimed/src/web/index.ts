/// <reference lib="esnext.disposable" preserve="true" />
export { DEFAULT_PAGE_PORT, type PumpPageOptions, type PumpStateSource } from "./options.ts";
export { type PumpPage, servePumpPage } from "./serve.ts";
