/// <reference lib="esnext.disposable" preserve="true" />
export type { McumgrLink, OpenMcumgrLink, ServerBuffers } from "./links/link.ts";
