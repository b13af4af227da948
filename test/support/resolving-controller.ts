import { toHex } from "../../src/bytes/hex.ts";
import { Address } from "../../src/core/address.ts";
import type { CommandPort } from "../../src/gap/radio.ts";
import { type CommandDeclaration, encodeCommand } from "../../src/hci/declare.ts";
import { HciError, HciErrorCode } from "../../src/hci/error.ts";

interface Entry {
  readonly identity: Address;
  readonly peerIrk: Uint8Array;
  mode: "network" | "device";
}
type Parameters = Readonly<Record<string, unknown>>;

/** A controller that has a resolving list, with the rules of Vol 4 Part E 7.8.38 to 7.8.45 and 7.8.77, and nothing else. */
export class ResolvingController implements CommandPort {
  readonly log: string[] = [];
  /** Each command, whole, hexadecimal. */
  readonly octets: string[] = [];
  entries: Entry[] = [];
  size = 3;
  isEnabled = false;
  rpaTimeout = 900;
  localAddress = Address.from("40:00:00:00:00:01/random");
  /** Whether something is on that the list may not change under. */
  isBusy = (): boolean => false;
  /** A status in place of what the rules say; `count` is how many commands of the name there were. */
  refuse: (name: string, count: number) => number = () => 0;
  /** What it throws is the answer. */
  onCommand: ((name: string) => void) | undefined;

  /** Names that this controller answers. */
  static knows(name: string): boolean {
    return /Resol|PrivacyMode/.test(name);
  }

  get modes(): string[] {
    return this.entries.map(({ mode }) => mode);
  }

  async send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R> {
    await Promise.resolve();
    const given = parameters as Parameters;
    const name = declaration.name.replace(/^LeSet|^Le/, "");
    this.octets.push(toHex(encodeCommand(declaration, parameters)));
    this.onCommand?.(name);
    const on = given.addressResolutionEnable;
    this.log.push(on === undefined ? name : `${name} ${on ? "on" : "off"}`);
    const status = this.refuse(name, this.log.filter((line) => line.startsWith(name)).length) || this.#act(name, given);
    if (status) throw new HciError({ status, command: declaration.name });
    return { status, localResolvableAddress: this.localAddress } as R;
  }

  #act(name: string, given: Parameters): number {
    const identity = given.peerIdentityAddress as Address;
    const at = this.entries.findIndex((entry) => identity && entry.identity.equals(identity));
    const isLocked = this.isEnabled && this.isBusy();
    switch (name) {
      case "ClearResolvingList":
        if (isLocked) return HciErrorCode.CommandDisallowed;
        this.entries = [];
        return 0;
      case "AddDeviceToResolvingList":
        if (isLocked) return HciErrorCode.CommandDisallowed;
        if (this.entries.length >= this.size) return HciErrorCode.MemoryCapacityExceeded;
        if (at >= 0) return HciErrorCode.InvalidHciCommandParameters;
        this.entries.push({ identity, peerIrk: given.peerIrk as Uint8Array, mode: "network" });
        return 0;
      case "RemoveDeviceFromResolvingList":
        if (isLocked) return HciErrorCode.CommandDisallowed;
        if (at < 0) return HciErrorCode.UnknownConnectionIdentifier;
        this.entries.splice(at, 1);
        return 0;
      case "PrivacyMode":
        if (isLocked) return HciErrorCode.CommandDisallowed;
        if (at < 0) return HciErrorCode.UnknownConnectionIdentifier;
        this.entries[at]!.mode = given.privacyMode === 1 ? "device" : "network";
        return 0;
      case "AddressResolutionEnable":
        if (this.isBusy()) return HciErrorCode.CommandDisallowed;
        this.isEnabled = given.addressResolutionEnable as boolean;
        return 0;
      case "ResolvablePrivateAddressTimeout":
        this.rpaTimeout = given.rpaTimeout as number;
        return 0;
      case "ReadLocalResolvableAddress":
        return at < 0 ? HciErrorCode.UnknownConnectionIdentifier : 0;
      default:
        return HciErrorCode.UnknownHciCommand;
    }
  }
}
