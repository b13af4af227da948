import type { SystemFault } from "../../transport/index.ts";

/*
 * What a write fails with, by Linux's numbers.
 */
export const EBADF: SystemFault = { errno: 9, code: "EBADF" };
export const EINVAL: SystemFault = { errno: 22, code: "EINVAL" };
export const EOPNOTSUPP: SystemFault = { errno: 95, code: "EOPNOTSUPP" };
export const ENETDOWN: SystemFault = { errno: 100, code: "ENETDOWN" };
