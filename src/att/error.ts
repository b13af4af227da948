import { BleError } from "../core/error.ts";
import { attErrorName } from "./error-code.ts";
import { attOpcodeName, TRANSACTION_TIMEOUT_MS } from "./opcode.ts";
import { type LinkSecurity, requirementText, type SecurityRequirement } from "./security.ts";

const hex = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, "0")}`;

/**
 * The peer answered with ATT_ERROR_RSP, Vol 3 Part F 3.4.1.1. Timeouts and lost links are other classes.
 *
 * A handler of our own server throws one to answer with its code: `throw new AttError(AttErrorCode.OutOfRange)`.
 */
export class AttError extends BleError {
  readonly code = "ERR_ATT";
  /** A member of AttErrorCode, or any other octet. */
  readonly errorCode: number;
  /** Opcode of the request that failed; 0 where a handler throws. */
  readonly requestOpcode: number;
  readonly attributeHandle: number;
  constructor(at: number | { errorCode: number; requestOpcode: number; attributeHandle: number }, options?: ErrorOptions) {
    const { errorCode, requestOpcode, attributeHandle } =
      typeof at === "number" ? { errorCode: at, requestOpcode: 0, attributeHandle: 0 } : at;
    const name = attErrorName(errorCode);
    const what = `ATT error ${hex(errorCode, 2)}${name ? ` (${name})` : ""}`;
    super(requestOpcode ? `${what} for ${attOpcodeName(requestOpcode)}, handle ${hex(attributeHandle, 4)}` : what, options);
    this.errorCode = errorCode;
    this.requestOpcode = requestOpcode;
    this.attributeHandle = attributeHandle;
  }
}

/** The peer left a request or an indication unanswered for 30 s, which ends the bearer (Vol 3 Part F 3.3.3). */
export class AttTimeoutError extends BleError {
  readonly code = "ERR_ATT_TIMEOUT";
  readonly requestOpcode: number;
  constructor(requestOpcode: number, options?: ErrorOptions) {
    super(`${attOpcodeName(requestOpcode)} was not answered within ${TRANSACTION_TIMEOUT_MS} ms`, options);
    this.requestOpcode = requestOpcode;
  }
}

/**
 * Nothing more can be sent on this bearer: an earlier transaction timed out, or its channel was closed. `cause` tells which. Of the bearer
 * that every link has only a new link brings another.
 */
export class AttBearerClosedError extends BleError {
  readonly code = "ERR_ATT_BEARER_CLOSED";
}

/** It never left an enhanced bearer: it can be sent on another one of the link. */
export class AttUnsentError extends AttBearerClosedError {}

/** The peer's answer breaks the protocol: malformed, out of order, or not what was asked. */
export class AttProtocolError extends BleError {
  readonly code = "ERR_ATT_PROTOCOL";
  readonly requestOpcode: number;
  constructor(requestOpcode: number, problem: string, options?: ErrorOptions) {
    super(`answer to ${attOpcodeName(requestOpcode)}: ${problem}`, options);
    this.requestOpcode = requestOpcode;
  }
}

/**
 * The link does not have what the connection's policy, its bond or the request itself demands: the request was not sent. Encrypt, or pair in a
 * way that gives what is missing.
 */
export class InsufficientSecurityError extends BleError {
  readonly code = "ERR_INSUFFICIENT_SECURITY";
  readonly required: SecurityRequirement;
  readonly security: LinkSecurity;
  constructor(required: SecurityRequirement, security: LinkSecurity, options?: ErrorOptions) {
    const { encrypted, authenticated, secureConnections, keySize } = security;
    const present = requirementText({ encrypted, authenticated, secureConnections, ...(encrypted && { minKeySize: keySize }) });
    super(`not sent: the link must be ${requirementText(required)}, and is ${encrypted ? present : "not encrypted"}`, options);
    this.required = required;
    this.security = security;
  }
}
