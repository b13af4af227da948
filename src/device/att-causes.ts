import { AttOpcode } from "../att/opcode.ts";

const handleText = (pdu: Uint8Array, at = 1): string => `0x${((pdu[at] ?? 0) | ((pdu[at + 1] ?? 0) << 8)).toString(16).padStart(4, "0")}`;

/** The procedures of Vol 3 Part G 4 by the requests and commands that begin them: a method of the client, and whether a handle follows. */
const CLIENT: ReadonlyMap<number, readonly [method: string, hasHandle: boolean]> = new Map([
  [AttOpcode.ExchangeMtuReq, ["exchangeMtu", false]],
  [AttOpcode.ReadReq, ["read", true]],
  [AttOpcode.ReadBlobReq, ["read", true]],
  [AttOpcode.ReadMultipleReq, ["readMultiple", false]],
  [AttOpcode.ReadMultipleVariableReq, ["readMultipleVariable", false]],
  [AttOpcode.WriteReq, ["write", true]],
  [AttOpcode.WriteCmd, ["writeWithoutResponse", true]],
  [AttOpcode.SignedWriteCmd, ["writeWithoutResponse", true]],
  [AttOpcode.PrepareWriteReq, ["write", true]],
]);
const DISCOVERY: ReadonlySet<number> = new Set([
  AttOpcode.FindInformationReq,
  AttOpcode.FindByTypeValueReq,
  AttOpcode.ReadByTypeReq,
  AttOpcode.ReadByGroupTypeReq,
]);
/** What is no answer, and has none of a server. */
const UNASKED: ReadonlySet<number> = new Set([
  AttOpcode.HandleValueNtf,
  AttOpcode.HandleValueInd,
  AttOpcode.HandleValueCfm,
  AttOpcode.MultipleHandleValueNtf,
]);

/** Why the PDUs of one link's attribute bearer are sent: what the client is asked to do, and what the server answers. */
export class AttCauses {
  /** Of the request that is open in a direction, for its answer; of a prepared write also for its execution. */
  #own: string | undefined;
  #peers: string | undefined;

  /** @param discovering the call of the client that is under way */
  causeOf(direction: "sent" | "received", pdu: Uint8Array, discovering: () => string | undefined): string | undefined {
    const opcode = pdu[0] ?? 0;
    const isResponse = opcode % 2 === 1 && !UNASKED.has(opcode);
    if (direction === "sent") return isResponse ? this.#peers : this.#sent(opcode, pdu, discovering);
    if (isResponse) return this.#own;
    if (opcode < AttOpcode.WriteCmd && !UNASKED.has(opcode)) this.#peers = "gattServer: the peer's request";
    return undefined;
  }

  #sent(opcode: number, pdu: Uint8Array, discovering: () => string | undefined): string | undefined {
    if (opcode === AttOpcode.HandleValueNtf || opcode === AttOpcode.MultipleHandleValueNtf) return `gattServer.notify ${handleText(pdu)}`;
    if (opcode === AttOpcode.HandleValueInd) return `gattServer.indicate ${handleText(pdu)}`;
    if (opcode === AttOpcode.HandleValueCfm) return undefined; // the bearer's own
    if (opcode === AttOpcode.ExecuteWriteReq) return this.#own;
    const known = CLIENT.get(opcode);
    const cause = known ? `gatt.${known[0]}${known[1] ? ` ${handleText(pdu)}` : ""}` : undefined;
    const asked = DISCOVERY.has(opcode) ? discovering() : undefined;
    const told = asked ?? cause ?? (DISCOVERY.has(opcode) ? "gatt: discovery" : undefined);
    if (opcode !== AttOpcode.WriteCmd && opcode !== AttOpcode.SignedWriteCmd) this.#own = told;
    return told;
  }
}
