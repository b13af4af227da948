import { type Clock, VirtualClock } from "../../src/async/index.ts";
import { Address, Logger, LogLevel } from "../../src/core/index.ts";
import {
  type CommandDeclaration,
  decodeCommand,
  encodeCommandComplete,
  encodeCommandStatus,
  Hci,
  type HciTransport,
  LeReadBufferSize,
  LeReadBufferSizeV2,
  LeReadFilterAcceptListSize,
  LeReadLocalSupportedFeatures,
  LeReadMaximumDataLength,
  LeReadResolvingListSize,
  LeReadSuggestedDefaultDataLength,
  LeReadSupportedStates,
  PacketType,
  ReadBdAddr,
  ReadLocalSupportedCommands,
  ReadLocalSupportedFeatures,
  ReadLocalVersionInformation,
} from "../../src/hci/index.ts";
import { createTransportPair } from "../../src/transport/memory-pipe.ts";

/** What a command is answered with: return parameters, a status, nothing (held back), or whole packets. */
type Answer = Record<string, unknown> | number | "held" | ((parameters: never) => Record<string, unknown> | number | "held");

/** A controller of few words, for tests of the host: it answers by a table and keeps what it was sent. */
export class ScriptedController {
  /** Names of the commands that came, in order. */
  readonly commands: string[] = [];
  /** Their parameters. */
  readonly parameters: unknown[] = [];
  /** ACL data packets that came. */
  readonly acl: Uint8Array[] = [];
  /** Num_HCI_Command_Packets of the answers. */
  credits = 1;
  readonly transport: HciTransport;
  readonly #answers = new Map<number, Answer>();

  constructor(transport: HciTransport) {
    this.transport = transport;
    transport.onPacket = (packet) => this.#receive(packet);
    this.answer(ReadLocalVersionInformation, {
      hciVersion: 13,
      hciSubversion: 1,
      lmpVersion: 13,
      companyIdentifier: 0xffff,
      lmpSubversion: 1,
    });
    this.answer(ReadLocalSupportedCommands, { supportedCommands: new Uint8Array(64).fill(0xff) });
    this.answer(ReadLocalSupportedFeatures, { lmpFeatures: 0x60_0000_0000n });
    this.answer(ReadBdAddr, { bdAddr: Address.from("02:00:00:00:00:01") });
    this.answer(LeReadLocalSupportedFeatures, { leFeatures: 0xffffn });
    this.buffers(27, 4);
    this.answer(LeReadSuggestedDefaultDataLength, { suggestedMaxTxOctets: 27, suggestedMaxTxTime: 328 });
    this.answer(LeReadMaximumDataLength, {
      supportedMaxTxOctets: 251,
      supportedMaxTxTime: 2120,
      supportedMaxRxOctets: 251,
      supportedMaxRxTime: 2120,
    });
    this.answer(LeReadSupportedStates, { leStates: 0x3ff_ffff_ffffn });
    this.answer(LeReadFilterAcceptListSize, { filterAcceptListSize: 8 });
    this.answer(LeReadResolvingListSize, { resolvingListSize: 8 });
  }

  /** Sets the answer to a command: return parameters without status, an error status, or "held". Without one, success. */
  answer(declaration: CommandDeclaration, answer: Answer): void {
    this.#answers.set(declaration.opcode, answer);
  }

  /** Sets the size and the number of the buffers for ACL data. */
  buffers(leAclDataPacketLength: number, totalNumLeAclDataPackets: number): void {
    this.answer(LeReadBufferSize, { leAclDataPacketLength, totalNumLeAclDataPackets });
    this.answer(LeReadBufferSizeV2, { leAclDataPacketLength, totalNumLeAclDataPackets, isoDataPacketLength: 0, totalNumIsoDataPackets: 0 });
  }

  send(...packets: Uint8Array[]): void {
    for (const packet of packets) this.transport.send(packet);
  }

  /** Answers a command that was held back. */
  complete<R>(declaration: CommandDeclaration<unknown, R>, answer: Record<string, unknown> | number = {}): void {
    if (typeof answer === "number" || !declaration.returns) {
      const status = typeof answer === "number" ? answer : 0;
      const isStatus = !declaration.returns;
      this.send(
        isStatus
          ? encodeCommandStatus(declaration.opcode, status, this.credits)
          : encodeCommandComplete(declaration, { status }, this.credits),
      );
    } else this.send(encodeCommandComplete(declaration, { status: 0, ...answer } as R, this.credits));
  }

  #receive(packet: Uint8Array): void {
    if (packet[0] === PacketType.AclData) {
      this.acl.push(packet);
      return;
    }
    const { declaration, name, parameters } = decodeCommand(packet);
    this.commands.push(name);
    this.parameters.push(parameters);
    if (!declaration || declaration.unanswered) return;
    const scripted = this.#answers.get(declaration.opcode) ?? {};
    const answer = typeof scripted === "function" ? scripted(parameters as never) : scripted;
    if (answer !== "held") this.complete(declaration, answer);
  }
}

export interface OpenedHci {
  clock: VirtualClock;
  hci: Hci;
  controller: ScriptedController;
  /** Lines of the log, level first. */
  log: string[];
}

/** An Hci on a scripted controller. `prepare` sets answers before it is opened; the commands of opening are not kept. */
export async function openScriptedHci(
  prepare: (controller: ScriptedController) => void = () => {},
  options: { clock?: Clock; commandTimeoutMs?: number } = {},
): Promise<OpenedHci> {
  const clock = new VirtualClock({ auto: false });
  const [host, end] = createTransportPair();
  const controller = new ScriptedController(end);
  prepare(controller);
  const log: string[] = [];
  const logger = new Logger("", LogLevel.Trace, (level, scope, message) => log.push(`${level} ${scope}: ${message}`));
  const hci = await Hci.open(host, { clock, logger, ...options });
  controller.commands.length = 0;
  controller.parameters.length = 0;
  log.length = 0;
  return { clock, hci, controller, log };
}
