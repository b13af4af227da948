/// <reference lib="esnext.disposable" preserve="true" />
export type { McumgrLink, OpenMcumgrLink, ServerBuffers } from "./links/link.ts";
export { createMemoryLinks, type MemoryLinkDirection, type MemoryLinks, type MemoryLinksOptions } from "./links/memory.ts";
export { MessageTooLongError, NotMcumgrServerError } from "./protocol/error.ts";
