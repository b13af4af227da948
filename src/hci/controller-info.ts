import type { OperationOptions } from "../async/index.ts";
import { Address, UnsupportedError } from "../core/index.ts";
import { SetEventMask, SetEventMaskPage2, WriteLeHostSupport } from "./commands/controller-baseband.ts";
import {
  ReadBdAddr,
  ReadBufferSize,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadLocalVersionInformation,
} from "./commands/informational.ts";
import { LeReadMaximumDataLength, LeReadSuggestedDefaultDataLength } from "./commands/le-connection.ts";
import {
  LeReadBufferSize,
  LeReadBufferSizeV2,
  LeReadLocalSupportedFeatures,
  LeReadSupportedStates,
  LeSetEventMask,
  LeSetHostFeature,
} from "./commands/le-controller.ts";
import { LeReadResolvingListSize } from "./commands/le-privacy.ts";
import { LeReadFilterAcceptListSize } from "./commands/le-scanning.ts";
import type { CommandDeclaration } from "./declare.ts";
import { HciError } from "./error.ts";
import type { EventMasks } from "./event-masks.ts";
import { LeFeature } from "./features.ts";

/** What the controller said of itself when it was opened. */
export interface ControllerInfo {
  readonly hciVersion: number; // assigned number: 6 is 4.0, 8 is 4.2, 9 is 5.0, 13 is 5.4
  readonly hciSubversion: number;
  readonly companyIdentifier: number;
  readonly lmpVersion: number;
  readonly lmpSubversion: number;
  /** 64 octets, Vol 4 Part E 6.27. */
  readonly supportedCommands: Uint8Array;
  readonly lmpFeatures: bigint;
  readonly leFeatures: bigint;
  readonly leStates: bigint;
  /** Public device address; all zeros where the controller has none. */
  readonly address: Address;
  /** Octets of data in one ACL data packet to the controller. */
  readonly leAclDataPacketLength: number;
  readonly totalNumLeAclDataPackets: number;
  /** Link layer payload for new connections as the controller starts them; 27 octets and 328 microseconds without data length extension. */
  readonly suggestedMaxTxOctets: number;
  readonly suggestedMaxTxTime: number;
  readonly supportedMaxTxOctets: number;
  readonly supportedMaxTxTime: number;
  readonly filterAcceptListSize: number;
  readonly resolvingListSize: number;
}

/** Whether Supported_Commands has the command's bit. */
export function isSupported(supportedCommands: Uint8Array, { supported }: CommandDeclaration): boolean {
  return supported === undefined || ((supportedCommands[supported[0]] ?? 0) & (1 << supported[1])) !== 0;
}

type Send = <P, R>(declaration: CommandDeclaration<P, R>, parameters: P, options: OperationOptions) => Promise<R>;

/** Bits of LMP features, Vol 2 Part C 3.3. */
const BR_EDR_NOT_SUPPORTED = 37n;
const LE_SUPPORTED_CONTROLLER = 38n;

/** This host knows connection subrating. */
const HOST_SUBRATES = Object.freeze({ bitNumber: LeFeature.ConnectionSubratingHostSupport, bitValue: true });

/** What is assumed of a controller that does not say: version unknown, Low Energy only, every command there until it refuses. */
const UNKNOWN = Object.freeze({
  version: { hciVersion: 0, hciSubversion: 0, companyIdentifier: 0xffff, lmpVersion: 0, lmpSubversion: 0 },
  supportedCommands: new Uint8Array(64).fill(0xff),
  lmpFeatures: (1n << BR_EDR_NOT_SUPPORTED) | (1n << LE_SUPPORTED_CONTROLLER),
  suggested: { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 328 },
  maximum: { supportedMaxTxOctets: 27, supportedMaxTxTime: 328 },
});
/**
 * Reads what the controller is and switches on the events the host handles; for a controller that was just reset. A command that only
 * informs may fail: what it would have told is assumed.
 *
 * @param masks the events to switch on; they are told what the controller knows
 * @throws {UnsupportedError} no LE controller
 * @throws {HciError} the controller refuses what there is no other way for
 */
export async function initializeController(send: Send, masks: EventMasks, options: OperationOptions): Promise<ControllerInfo> {
  /** `assumed` where the controller refuses to say. */
  const ask = async <R>(declaration: CommandDeclaration<object, R>, assumed: Omit<R, "status">): Promise<Omit<R, "status">> => {
    try {
      return await send(declaration, {}, options);
    } catch (error) {
      if (error instanceof HciError) return assumed;
      throw error;
    }
  };
  const { hciVersion, hciSubversion, companyIdentifier, lmpVersion, lmpSubversion } = await ask(
    ReadLocalVersionInformation,
    UNKNOWN.version,
  );
  const { supportedCommands } = await ask(ReadLocalSupportedCommands, UNKNOWN);
  const { lmpFeatures } = await ask(ReadLocalSupportedFeatures, UNKNOWN);
  if (!((lmpFeatures >> LE_SUPPORTED_CONTROLLER) & 1n))
    throw new UnsupportedError("the controller has no Bluetooth Low Energy (LMP feature bit 38 is off)");
  const { bdAddr: address } = await ask(ReadBdAddr, { bdAddr: new Address(new Uint8Array(6), 0) });
  const has = (declaration: CommandDeclaration): boolean => isSupported(supportedCommands, declaration);
  const askIf = <R>(
    isThere: boolean,
    declaration: CommandDeclaration<object, R>,
    assumed: Omit<R, "status">,
  ): Promise<Omit<R, "status">> => (isThere && has(declaration) ? ask(declaration, assumed) : Promise.resolve(assumed));

  await send(SetEventMask, { eventMask: masks.event }, options);
  if (masks.page2 !== 0n && has(SetEventMaskPage2)) await orElse(send(SetEventMaskPage2, { eventMaskPage2: masks.page2 }, options));
  const isDualMode = !((lmpFeatures >> BR_EDR_NOT_SUPPORTED) & 1n);
  if (isDualMode && has(WriteLeHostSupport)) await orElse(send(WriteLeHostSupport, { leSupportedHost: true, unused: 0 }, options));
  let { leFeatures } = await ask(LeReadLocalSupportedFeatures, { leFeatures: 0n });
  masks.offerLe(leFeatures, supportedCommands);
  if (!(await orElse(send(LeSetEventMask, { leEventMask: masks.le }, options)))) {
    masks.reduceLe();
    await send(LeSetEventMask, { leEventMask: masks.le }, options);
  }
  // Peers are told by the features of this side, so it has to be said before there is a link (7.8.115).
  const canSubrate = ((leFeatures >> BigInt(LeFeature.ConnectionSubrating)) & 1n) === 1n && has(LeSetHostFeature);
  if (canSubrate && (await orElse(send(LeSetHostFeature, HOST_SUBRATES, options))))
    leFeatures |= 1n << BigInt(LeFeature.ConnectionSubratingHostSupport);

  const { leAclDataPacketLength, totalNumLeAclDataPackets } = await readBuffers(send, has, options);
  const hasDataLength = ((leFeatures >> BigInt(LeFeature.LeDataPacketLengthExtension)) & 1n) === 1n;
  const suggested = await askIf(hasDataLength, LeReadSuggestedDefaultDataLength, UNKNOWN.suggested);
  const maximum = await askIf(hasDataLength, LeReadMaximumDataLength, {
    ...UNKNOWN.maximum,
    supportedMaxRxOctets: 27,
    supportedMaxRxTime: 328,
  });
  return Object.freeze({
    hciVersion,
    hciSubversion,
    companyIdentifier,
    lmpVersion,
    lmpSubversion,
    supportedCommands,
    lmpFeatures,
    leFeatures,
    leStates: (await askIf(true, LeReadSupportedStates, { leStates: 0n })).leStates,
    address,
    leAclDataPacketLength,
    totalNumLeAclDataPackets,
    suggestedMaxTxOctets: suggested.suggestedMaxTxOctets,
    suggestedMaxTxTime: suggested.suggestedMaxTxTime,
    supportedMaxTxOctets: maximum.supportedMaxTxOctets,
    supportedMaxTxTime: maximum.supportedMaxTxTime,
    filterAcceptListSize: (await askIf(true, LeReadFilterAcceptListSize, { filterAcceptListSize: 0 })).filterAcceptListSize,
    resolvingListSize: (await askIf(true, LeReadResolvingListSize, { resolvingListSize: 0 })).resolvingListSize,
  });
}

/** @returns whether the controller took the command */
async function orElse(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (error) {
    if (error instanceof HciError) return false;
    throw error;
  }
}

type Buffers = Pick<ControllerInfo, "leAclDataPacketLength" | "totalNumLeAclDataPackets">;

async function readBuffers(send: Send, has: (declaration: CommandDeclaration) => boolean, options: OperationOptions): Promise<Buffers> {
  let buffers: Buffers | undefined;
  if (has(LeReadBufferSizeV2)) {
    const newer = send(LeReadBufferSizeV2, {}, options);
    if (await orElse(newer)) buffers = await newer;
  }
  buffers ??= await send(LeReadBufferSize, {}, options);
  let { leAclDataPacketLength, totalNumLeAclDataPackets } = buffers;
  if (leAclDataPacketLength === 0 || totalNumLeAclDataPackets === 0) {
    // No buffers of their own for LE: those of BR/EDR serve both (7.8.2).
    const shared = await send(ReadBufferSize, {}, options);
    leAclDataPacketLength = shared.aclDataPacketLength;
    totalNumLeAclDataPackets = shared.totalNumAclDataPackets;
  }
  if (leAclDataPacketLength < 27 || totalNumLeAclDataPackets < 1)
    throw new UnsupportedError(
      `the controller offers ${totalNumLeAclDataPackets} buffers of ${leAclDataPacketLength} octets, expected at least one of 27`,
    );
  return { leAclDataPacketLength, totalNumLeAclDataPackets };
}
