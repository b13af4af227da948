import { command, group } from "../declare.ts";
import { bool, list, optional, otherwise, struct, text, uint } from "../fields.ts";

/** Numbers of transports; from 5 on they belong to the application. */
export const TransportNumber = Object.freeze({ Serial: 0, Bluetooth: 1, Shell: 2, UdpIpv4: 3, UdpIpv6: 4 });
/** Types of what a mode can be configured with. */
export const ConfigurationType = Object.freeze({ Uint: 0, Int: 1, Bool: 2, Text: 3, Octets: 4 });

/** Transports 0. Bridges the asking transport to another; what the mode needs besides goes into `more`. */
export const Connect = command("connect", { id: 0, write: { request: { transport: uint(), mode: optional(uint()) } } });

/** Transports 1. Ends the bridge of the asking transport, of another, or all. */
export const Disconnect = command("disconnect", { id: 1, write: { request: { transport: optional(uint()), all: optional(bool()) } } });

/** Transports 2. How many bridges there can be and are, and whether the asking transport is bridged and where to. */
export const Status = command("status", {
  id: 2,
  read: { response: { supported: uint(), active: uint(), bridged: otherwise(bool(), false), transport: optional(uint()) } },
});

/** Transports 6. What there is to be bridged. */
export const List = command("list", { id: 6, read: { response: { transports: list(struct({ id: uint(), name: optional(text()) })) } } });

/** Transports 7. The ways in which a transport can be connected. */
export const Modes = command("modes", {
  id: 7,
  read: {
    request: { transport: uint() },
    response: {
      modes: list(struct({ id: uint(), description: optional(text()), incoming: optional(bool()), outgoing: optional(bool()) })),
    },
  },
});

/** Transports 8. What can be given to `connect` for a mode. */
export const ModeConfiguration = command("modeConfiguration", {
  id: 8,
  read: {
    request: { transport: uint(), mode: uint() },
    response: { configs: list(struct({ name: text(), type: uint(), required: otherwise(bool(), false) })) },
  },
});

/** Experimental in Zephyr, which may change it. */
export const TransportsGroup = group("transports", {
  id: 11,
  errors: {
    2: ["FunctionsMissing", "the transport lacks functions that this needs"],
    3: ["InfoFunctionsMissing", "the transport does not tell its modes"],
    4: ["InvalidTransport", "there is no such transport"],
    5: ["InvalidMode", "the transport has no such mode"],
    6: ["NoFreeContext", "as many bridges as possible are in use"],
    7: ["TransportAndAll", "a transport and all of them were named"],
    8: ["NotBridged", "there is no such bridge"],
    9: ["SameTransport", "a transport cannot be bridged to itself"],
    10: ["IncomingNotSupported", "the asking transport cannot be bridged"],
    11: ["OutgoingNotSupported", "this transport cannot be bridged to"],
    12: ["IncomingAlreadyBridged", "the asking transport is bridged already"],
    13: ["OutgoingAlreadyBridged", "this transport is bridged already"],
    14: ["ParameterMissing", "the mode needs a parameter that is missing"],
    15: ["ParameterInvalid", "a parameter is not valid"],
    16: ["ParameterNotSupported", "the mode has no such parameter"],
    17: ["ConnectFailed", "the connection could not be made"],
  },
  commands: { connect: Connect, disconnect: Disconnect, status: Status, list: List, modes: Modes, modeConfiguration: ModeConfiguration },
});
