import { concat } from "../../../bytes/index.ts";
import { Address, randomBytes } from "../../../core/index.ts";
import { AdFlag, type AdStructure, encodeAdStructures } from "../../../gap/index.ts";
import {
  AddressType,
  AdType,
  type AnyMgmtCommand,
  commands,
  DeviceAction,
  DisconnectReason,
  DiscoveryTypes,
  events,
  Status,
  type StatusName,
} from "../../../mgmt-protocol/index.ts";
import type { Answer, Link, Question } from "../air/link.ts";
import { closeLink, connectTo, forget, linkTo, openLink, waitFor } from "../air/links.ts";
import type { Source } from "../air/sources.ts";
import { type Call, type Check, type Handler, on } from "../call.ts";
import { atMost, isPowered, knownAddressType, supports } from "../checks.ts";
import { ANY_ADDRESS, type Controller, deviceKey, isIdentity } from "../controller.ts";
import type { KernelCore } from "../core.ts";
import { PairingProcedure } from "../pairing/procedure.ts";
import { classStructure } from "../structures.ts";
import { unlist } from "./devices.ts";

/** A BR/EDR device that is there answers in so long; one that is not is given up after the page timeout. */
const PAGE_MS = 50;
const PAGE_TIMEOUT_MS = 5120;
/** What the kernel tells of the parameters it begins with. */
const USUAL_PARAMETERS = { minConnectionInterval: 0x0c, maxConnectionInterval: 0x18, connectionLatency: 0, supervisionTimeout: 0x2a };

type DeviceCommand = { readonly address: string; readonly addressType: number };

/** Waits for the device, connects, pairs; the reply comes at the end, whatever the end is. */
function pairDevice(call: Call<typeof commands.pairDevice>): void {
  const { controller, core, index, parameters, socket } = call;
  const { address, addressType, ioCapability } = parameters;
  const wait = `pair ${deviceKey(address, addressType)}`;
  let link: Link | undefined;
  let attempt: Disposable | undefined;
  const settle = (status: StatusName): void => {
    attempt?.[Symbol.dispose]();
    forget(core, controller, wait);
    controller.pairing = undefined;
    if (!link && status !== "Success" && status !== "Cancelled") failed(status);
    call.complete({ address: link?.address ?? address, addressType: link?.addressType ?? addressType }, status);
  };
  const failed = (status: StatusName): void =>
    core.send(events.connectFailed, index, { address, addressType, status: Status[status === "Cancelled" ? "Disconnected" : status] });
  const connected = (made: Link): void => {
    attempt = undefined;
    forget(core, controller, wait);
    link = made;
    new PairingProcedure(core, made, { ioCapability, issuer: socket, ended: settle });
  };
  call.keep();
  call.onAbandoned = (status) => controller.pairing?.stop(status === "InvalidIndex" ? status : "Disconnected");
  controller.pairing = {
    address,
    addressType,
    stop: (status) => {
      if (link?.pairing) link.pairing.abort(status);
      else settle(status);
      if (status !== "Cancelled") return;
      // The reply of Cancel Pair Device comes between the two.
      core.clock.setTimer(0, "cancelled pairing", () => {
        if (link && !link.isClosed) closeLink(core, link, DisconnectReason.LocalHost);
        else if (!link) failed(status);
      });
    },
  };
  const page = (): void => {
    const device = core.devices.get(deviceKey(address, addressType));
    attempt = core.clock.setTimer(device?.isConnectable ? PAGE_MS : PAGE_TIMEOUT_MS, "page", () => {
      const made = device?.isConnectable ? openLink(core, controller, device, true) : undefined;
      if (made) connected(made);
      else settle("ConnectFailed");
    });
  };
  const connect = (source: Source): void => {
    attempt ??= connectTo(core, controller, source, (made) => {
      if (isIdentity(address, addressType) && !controller.listed.has(deviceKey(address, addressType)))
        core.send(events.newConnectionParameter, index, { address, addressType, storeHint: 1, ...USUAL_PARAMETERS });
      connected(made);
    });
  };
  const existing = linkTo(core, controller, address, addressType);
  if (existing) connected(existing);
  else if (addressType === AddressType.BREDR) page();
  else waitFor(core, controller, wait, connect);
}

const transportIs =
  (holds: (call: Call<AnyMgmtCommand>, transport: "BREDR" | "LowEnergy") => boolean, status: StatusName): Check<AnyMgmtCommand> =>
  (call) =>
    holds(call, Number(call.parameters.addressType) === AddressType.BREDR ? "BREDR" : "LowEnergy") ? undefined : status;

/** A reply of the user to a question: what is asked has to be of this kind. */
function reply<C extends AnyMgmtCommand>(command: C, question: Question, answerOf: (call: Call<C>) => Answer): Handler {
  return on(
    command,
    [
      isPowered(),
      ({ core, controller, parameters }) => {
        const { address, addressType } = parameters as unknown as DeviceCommand;
        const link = linkTo(core, controller, address, addressType);
        if (!link) return "NotConnected";
        return addressType !== AddressType.BREDR && link.pairing?.questionAt(link) !== question ? "Failed" : undefined;
      },
    ],
    (call) => {
      const { address, addressType } = call.parameters as unknown as DeviceCommand;
      const link = linkTo(call.core, call.controller, address, addressType);
      if (link?.pairing?.questionAt(link) === question) link.pairing.answer(link, answerOf(call));
      (call as unknown as Call<typeof commands.userConfirmationReply>).complete({ address, addressType });
    },
  );
}

const KEY_OCTETS = 16;
/** One P-192 pair, or with Secure Connections a P-256 pair too. */
const [SHORT_FORM, LONG_FORM] = [39, 71];

function bredrData(core: KernelCore, controller: Controller): Uint8Array {
  const secret = (type: number): AdStructure => ({ type, data: randomBytes(core.random, KEY_OCTETS) });
  return encodeAdStructures(
    [
      classStructure(controller),
      secret(AdType.SimplePairingHashC192),
      secret(AdType.SimplePairingRandomizerR192),
      ...(controller.has("SecureConnections") ? [secret(AdType.SimplePairingHashC256), secret(AdType.SimplePairingRandomizerR256)] : []),
    ],
    0xffff,
  );
}

function leData(core: KernelCore, controller: Controller): Uint8Array {
  const { address, addressType } = controller.leIdentity;
  return encodeAdStructures(
    [
      {
        type: AdType.LeDeviceAddress,
        data: concat(Address.from(address).bytes, Uint8Array.of(addressType === AddressType.LERandom ? 1 : 0)),
      },
      { type: AdType.LeRole, data: Uint8Array.of(2) },
      { type: AdType.LeSecureConnectionsConfirm, data: randomBytes(core.random, KEY_OCTETS) },
      { type: AdType.LeSecureConnectionsRandom, data: randomBytes(core.random, KEY_OCTETS) },
      { type: AdType.Flags, data: Uint8Array.of(controller.has("BREDR") ? 0 : AdFlag.BrEdrNotSupported) },
    ],
    0xffff,
  );
}

const isZero = (octets: Uint8Array): boolean => octets.every((octet) => octet === 0);

export const pairingHandlers: readonly Handler[] = [
  reply(commands.pinCodeReply, "pin", ({ parameters }) => parameters.pinCode),
  reply(commands.pinCodeNegativeReply, "pin", () => undefined),
  on(commands.setIoCapability, [atMost("ioCapability", 4)], (call) => {
    call.controller.ioCapability = call.parameters.ioCapability;
    call.complete({});
  }),
  on(
    commands.pairDevice,
    [
      knownAddressType,
      atMost("ioCapability", 4),
      isPowered(),
      ({ controller, parameters: { address, addressType } }) =>
        controller.keyed.has(deviceKey(address, addressType)) ? "AlreadyPaired" : undefined,
      transportIs(({ controller }, transport) => controller.supports(transport), "NotSupported"),
      transportIs(({ controller }, transport) => controller.has(transport), "Rejected"),
      ({ controller }) => (controller.pairing ? "Busy" : undefined),
    ],
    pairDevice,
  ),
  on(
    commands.cancelPairDevice,
    [
      isPowered(),
      ({ controller: { pairing }, parameters: { address, addressType } }) =>
        pairing?.address === address && pairing.addressType === addressType ? undefined : "InvalidParameters",
    ],
    (call) => {
      call.controller.pairing?.stop("Cancelled");
      call.complete(call.parameters);
    },
  ),
  on(
    commands.unpairDevice,
    [
      knownAddressType,
      atMost("disconnect", 1),
      isPowered(),
      ({ controller, parameters: { address, addressType } }) =>
        controller.keyed.has(deviceKey(address, addressType)) ? undefined : "NotPaired",
    ],
    (call) => {
      const { controller, core, index, socket } = call;
      const { address, addressType, disconnect } = call.parameters;
      const key = deviceKey(address, addressType);
      controller.keyed.delete(key);
      const listed = controller.listed.get(key);
      if (listed && listed.addressType !== AddressType.BREDR && listed.action !== DeviceAction.AllowIncoming)
        unlist(core, controller, listed);
      const link = disconnect === 1 ? linkTo(core, controller, address, addressType) : undefined;
      const answer = (): void => {
        call.complete({ address, addressType });
        core.send(events.deviceUnpaired, index, { address, addressType }, socket);
      };
      if (!link) return answer();
      return call.after(core.roundTripMs, () => {
        closeLink(core, link, DisconnectReason.LocalHost);
        answer();
      });
    },
  ),
  reply(commands.userConfirmationReply, "confirm", () => true),
  reply(commands.userConfirmationNegativeReply, "confirm", () => undefined),
  reply(commands.userPasskeyReply, "passkey", ({ parameters }) => parameters.passkey),
  reply(commands.userPasskeyNegativeReply, "passkey", () => undefined),
  on(commands.readLocalOutOfBandData, [isPowered(), supports("SecureSimplePairing")], (call) => {
    const random = (): Uint8Array => randomBytes(call.core.random, KEY_OCTETS);
    const more = call.controller.has("SecureConnections") ? { hash256: random(), randomizer256: random() } : {};
    call.complete({ hash192: random(), randomizer192: random(), ...more });
  }),
  on(commands.addRemoteOutOfBandData, [], (call) => {
    const { address, addressType, hash192, randomizer192 } = call.parameters;
    const { length } = call.octets;
    if (length !== SHORT_FORM && length !== LONG_FORM) return call.failWithStatus("InvalidParameters");
    const isLe = addressType !== AddressType.BREDR;
    const isRefused = addressType > AddressType.LERandom || (isLe && (length === SHORT_FORM || !isZero(hash192) || !isZero(randomizer192)));
    if (isRefused) return call.completeWithEcho("InvalidParameters");
    call.controller.outOfBand.add(deviceKey(address, addressType));
    return call.complete({ address, addressType });
  }),
  on(
    commands.removeRemoteOutOfBandData,
    [
      ({ parameters }) => (parameters.addressType === AddressType.BREDR ? undefined : "InvalidParameters"),
      ({ controller, parameters: { address, addressType } }) =>
        address === ANY_ADDRESS || controller.outOfBand.has(deviceKey(address, addressType)) ? undefined : "InvalidParameters",
    ],
    (call) => {
      const { address, addressType } = call.parameters;
      if (address === ANY_ADDRESS) call.controller.outOfBand.clear();
      else call.controller.outOfBand.delete(deviceKey(address, addressType));
      call.complete({ address, addressType });
    },
  ),
  on(
    commands.readLocalOutOfBandExtendedData,
    [
      ({ parameters: { addressTypes } }) =>
        addressTypes === DiscoveryTypes.BREDR || addressTypes === DiscoveryTypes.LE ? undefined : "InvalidParameters",
      isPowered(),
      supports("SecureSimplePairing"),
      ({ controller, parameters }) => (parameters.addressTypes === DiscoveryTypes.LE && controller.has("Privacy") ? "Rejected" : undefined),
    ],
    (call) => {
      const { controller, core, index, parameters, socket } = call;
      const { addressTypes } = parameters;
      const eirData = addressTypes === DiscoveryTypes.LE ? leData(core, controller) : bredrData(core, controller);
      socket.switches.add("outOfBand");
      call.complete({ addressTypes, eirData });
      core.send(events.localOutOfBandExtendedDataUpdated, index, { addressTypes, eirData }, socket);
    },
  ),
];
