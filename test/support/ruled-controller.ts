import type { Address } from "../../src/core/address.ts";
import type { CommandPort } from "../../src/gap/radio.ts";
import type { CommandDeclaration } from "../../src/hci/declare.ts";
import { HciError, HciErrorCode } from "../../src/hci/error.ts";

/** A controller that knows the rules of the commands used here and nothing of a radio. */
export class RuledController implements CommandPort {
  readonly log: string[] = [];
  randomAddress: Address | undefined;
  advertising: { ownAddressType: number } | undefined;
  scanning: { ownAddressType: number; leScanType: number } | undefined;
  initiating: { ownAddressType: number; peerAddress: Uint8Array; peerAddressType: number } | undefined;
  /** Commands that fail, and how. */
  readonly refusals = new Map<string, number>();
  /** Refuses to initiate beside scanning. */
  isModest = false;
  onCancelled: (() => void) | undefined;
  /** Called with each command before it is answered; what it throws is the answer. */
  onCommand: ((name: string, isOn: boolean | undefined) => void) | undefined;
  #advertisingParameters = { ownAddressType: 0 };
  #scanParameters = { ownAddressType: 0, leScanType: 0 };

  /** Answers nothing any more. */
  hangs = false;

  async send<P, R>(declaration: CommandDeclaration<P, R>, parameters: P): Promise<R> {
    await (this.hangs ? new Promise(() => {}) : Promise.resolve());
    const on =
      (parameters as { advertisingEnable?: boolean; leScanEnable?: boolean }).advertisingEnable ??
      (parameters as { leScanEnable?: boolean }).leScanEnable;
    const name = declaration.name.replace(/^LeSet|^Le/, "");
    this.onCommand?.(name, on);
    const status = this.refusals.get(declaration.name) ?? this.#act(declaration.name, parameters as never);
    this.log.push(name + (on === undefined ? "" : on ? " on" : " off") + (status ? " refused" : ""));
    if (status) throw new HciError({ status, command: declaration.name });
    return { status } as R;
  }

  #act(name: string, parameters: Record<string, never>): number {
    const isBusy = this.advertising ?? this.scanning ?? this.initiating;
    switch (name) {
      case "LeSetRandomAddress":
        if (isBusy) return HciErrorCode.CommandDisallowed;
        this.randomAddress = parameters.randomAddress as unknown as Address;
        return 0;
      case "LeSetAdvertisingParameters":
        if (this.advertising) return HciErrorCode.CommandDisallowed;
        this.#advertisingParameters = parameters as never;
        return 0;
      case "LeSetAdvertisingEnable":
        if (this.#advertisingParameters.ownAddressType === 1 && !this.randomAddress) return HciErrorCode.InvalidHciCommandParameters;
        this.advertising = (parameters.advertisingEnable as unknown as boolean) ? this.#advertisingParameters : undefined;
        return 0;
      case "LeSetScanParameters":
        if (this.scanning) return HciErrorCode.CommandDisallowed;
        this.#scanParameters = parameters as never;
        return 0;
      case "LeSetScanEnable":
        if (this.#scanParameters.ownAddressType === 1 && !this.randomAddress) return HciErrorCode.InvalidHciCommandParameters;
        this.scanning = (parameters.leScanEnable as unknown as boolean) ? this.#scanParameters : undefined;
        return 0;
      case "LeCreateConnection":
        if (this.initiating || (this.isModest && this.scanning)) return HciErrorCode.CommandDisallowed;
        this.initiating = parameters as never;
        return 0;
      case "LeCreateConnectionCancel":
        if (!this.initiating) return HciErrorCode.CommandDisallowed;
        this.initiating = undefined;
        this.onCancelled?.();
        return 0;
      default:
        return 0;
    }
  }
}
