import { StateError } from "../../core/error.ts";

/** How often something is discovered anew because the services changed meanwhile. */
export const DISCOVERY_ATTEMPTS = 3;

export const tooFast = (): StateError => new StateError("the peer's services change faster than they can be discovered");
