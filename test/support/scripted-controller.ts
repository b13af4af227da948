import { Address } from "../../src/core/index.ts";
import {
  type CommandDeclaration,
  DisconnectionComplete,
  decodeCommand,
  type EventDeclaration,
  encodeCommandComplete,
  encodeCommandStatus,
  encodeEvent,
  HciErrorCode,
  type HciTransport,
  LeConnectionComplete,
  NumberOfCompletedPackets,
} from "../../src/hci/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";

type Parameters = Readonly<Record<string, unknown>>;

/**
 * A controller without a radio: it answers every command with success, and says what a test tells it to. For what no well-behaved controller
 * does, or only at a moment that cannot be had otherwise.
 */
export class ScriptedController {
  /** What a device is opened with. */
  readonly transport: HciTransport;
  readonly #side: HciTransport;
  /** Names of the commands received, in order. */
  readonly commands: string[] = [];
  /** The parameters of the last command of each name. */
  readonly last = new Map<string, Parameters>();
  /** ACL data received, whole H4 packets. */
  readonly data: Uint8Array[] = [];
  /** Status to answer with, by command name; "silent" gives no answer at all. */
  readonly answers = new Map<string, number | "silent">();
  /** Whether data is told as completed at once; otherwise the test does it. */
  completesAtOnce = true;
  /** Return parameters after the status, by command name. */
  readonly results = new Map<string, readonly number[]>();
  /** Called after a command was answered. */
  readonly reactions = new Map<string, (parameters: Parameters) => void>();
  readonly address: Address;

  constructor({ address = Address.from("00:11:22:33:44:55"), leFeatures = 0n }: { address?: Address; leFeatures?: bigint } = {}) {
    this.address = address;
    this.#leFeatures = leFeatures;
    [this.transport, this.#side] = createTransportPair();
    this.#side.onPacket = (packet) => {
      if (packet[0] === 0x01) this.#onCommand(packet);
      else if (packet[0] === 0x02) this.#onData(packet);
    };
    this.reactions.set("Disconnect", ({ connectionHandle }) =>
      this.event(DisconnectionComplete, { status: 0, connectionHandle: connectionHandle as number, reason: 0x16 }),
    );
  }

  readonly #leFeatures: bigint;

  event<P>(declaration: EventDeclaration<P>, parameters: P): void {
    this.#side.send(encodeEvent(declaration, parameters));
  }

  /** Raw octets to the host. */
  raw(packet: Uint8Array): void {
    this.#side.send(packet);
  }

  /** An L2CAP PDU of a peer. */
  pdu(handle: number, cid: number, payload: Uint8Array): void {
    const length = payload.length;
    this.raw(Uint8Array.of(0x02, handle & 0xff, (handle >> 8) | 0x20, length + 4, 0, length, 0, cid, 0, ...payload));
  }

  /** The link of an advertisement or of a connection attempt. */
  link({ handle = 1, role, peer }: { handle?: number; role: "central" | "peripheral"; peer: Address }): void {
    this.event(LeConnectionComplete, {
      status: 0,
      connectionHandle: handle,
      role: role === "central" ? 0 : 1,
      peerAddress: peer,
      connectionInterval: 24,
      peripheralLatency: 0,
      supervisionTimeout: 400,
      centralClockAccuracy: 0,
    });
  }

  lose(handle = 1, reason: number = HciErrorCode.ConnectionTimeout): void {
    this.event(DisconnectionComplete, { status: 0, connectionHandle: handle, reason });
  }

  completed(connectionHandle = 1, numCompletedPackets = 1): void {
    this.event(NumberOfCompletedPackets, { handles: [{ connectionHandle, numCompletedPackets }] });
  }

  async unplug(): Promise<void> {
    await this.#side[Symbol.asyncDispose]();
  }

  #onCommand(packet: Uint8Array): void {
    const { declaration, name, opcode, parameters } = decodeCommand(packet);
    this.commands.push(name);
    this.last.set(name, parameters as Parameters);
    const status = this.answers.get(name) ?? 0;
    if (status === "silent") return;
    if (!declaration?.returns) this.#side.send(encodeCommandStatus(opcode, status));
    else if (status !== 0) this.#side.send(encodeCommandComplete(declaration as CommandDeclaration<never, { status: number }>, { status }));
    else this.#side.send(encodeCommandComplete(opcode, this.#returns(name, packet)));
    if (status === 0) this.reactions.get(name)?.(parameters as Parameters);
  }

  #returns(name: string, command: Uint8Array): Uint8Array {
    const result = this.results.get(name);
    if (result) return Uint8Array.of(0, ...result);
    const u64 = (value: bigint): number[] => [...new Uint8Array(BigUint64Array.of(value).buffer)];
    switch (name) {
      case "ReadLocalVersionInformation":
        return Uint8Array.of(0, 9, 0, 0, 9, 0, 0, 0, 0);
      case "ReadLocalSupportedCommands":
        return Uint8Array.of(0, ...new Uint8Array(64).fill(0xff));
      case "ReadLocalSupportedFeatures":
        return Uint8Array.of(0, ...u64((1n << 37n) | (1n << 38n)));
      case "ReadBdAddr":
        return Uint8Array.of(0, ...this.address.bytes);
      case "LeReadLocalSupportedFeatures":
        return Uint8Array.of(0, ...u64(this.#leFeatures));
      case "LeReadBufferSize":
        return Uint8Array.of(0, 251, 0, 8);
      case "LeReadBufferSizeV2":
        return Uint8Array.of(0, 251, 0, 8, 0, 0, 0);
      case "LeReadSuggestedDefaultDataLength":
        return Uint8Array.of(0, 27, 0, 0x48, 1);
      case "LeReadMaximumDataLength":
        return Uint8Array.of(0, 251, 0, 0x48, 8, 251, 0, 0x48, 8);
      case "LeReadSupportedStates":
        return Uint8Array.of(0, ...u64(0xffff_ffffn));
      case "LeReadFilterAcceptListSize":
      case "LeReadResolvingListSize":
        return Uint8Array.of(0, 8);
      case "LeReadNumberOfSupportedAdvertisingSets":
        return Uint8Array.of(0, 4);
      case "LeReadMaximumAdvertisingDataLength":
        return Uint8Array.of(0, 0x72, 0x06);
      case "LeSetExtendedAdvertisingParameters":
        return Uint8Array.of(0, 4);
      case "ReadRssi":
        return Uint8Array.of(0, command[4]!, command[5]!, 0xc4);
      case "LeReadLocalResolvableAddress":
        return Uint8Array.of(0, 1, 0, 0, 0, 0, 0x40);
      case "LeSetDataLength":
      case "LeLongTermKeyRequestReply":
      case "LeLongTermKeyRequestNegativeReply":
      case "LeRemoteConnectionParameterRequestReply":
      case "LeRemoteConnectionParameterRequestNegativeReply":
      case "LePeriodicAdvertisingSyncTransfer":
      case "LePeriodicAdvertisingSetInfoTransfer":
      case "LeSetPeriodicAdvertisingSyncTransferParameters":
      case "LeSetPeriodicAdvertisingResponseData":
      case "LeSetPeriodicSyncSubevent":
      case "LeSetPathLossReportingParameters":
      case "LeSetPathLossReportingEnable":
      case "LeSetTransmitPowerReportingEnable":
      case "WriteAuthenticatedPayloadTimeout":
        return Uint8Array.of(0, command[4]!, command[5]!);
      case "LeSetPeriodicAdvertisingParametersV2":
      case "LeSetPeriodicAdvertisingSubeventData":
        return Uint8Array.of(0, command[4]!);
      default:
        return Uint8Array.of(0);
    }
  }

  #onData(packet: Uint8Array): void {
    this.data.push(packet);
    const connectionHandle = packet[1]! | ((packet[2]! & 0x0f) << 8);
    if (this.completesAtOnce) this.completed(connectionHandle);
  }
}
