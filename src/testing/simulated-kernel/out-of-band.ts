import { concat } from "../../bytes/index.ts";
import { Address, randomBytes } from "../../core/index.ts";
import { AdFlag, type AdStructure, encodeAdStructures } from "../../gap/index.ts";
import { AddressType, AdType, commands, DiscoveryTypes, events } from "../../mgmt-protocol/index.ts";
import { type Handler, on } from "./call.ts";
import { isPowered, supports } from "./checks.ts";
import { ANY_ADDRESS, type Controller, deviceKey } from "./controller.ts";
import type { KernelCore } from "./core.ts";
import { classStructure } from "./structures.ts";

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

export const outOfBandHandlers: readonly Handler[] = [
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
