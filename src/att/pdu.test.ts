import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecodeError } from "../bytes/decode-error.ts";
import { fromHex, toHex } from "../bytes/hex.ts";
import { Uuid } from "../core/uuid.ts";
import * as att from "./index.ts";
import { type AttPduDeclaration, attOpcodeName, attPdu, attPdus, decodeAttPdu, encodeAttPdu } from "./index.ts";

const hex = fromHex;
const vendor = Uuid.from("00000900-0000-1000-0000-009132591325");
const vendorHex = "25135932910000000010000000090000";

/** Declaration, parameters, whole PDU, and the lengths at which a cut PDU is still one. */
const vectors: [AttPduDeclaration, unknown, string, ((length: number) => boolean)?][] = [
  [att.AttErrorRsp, { requestOpcodeInError: 0x0a, attributeHandleInError: 0x0003, errorCode: 0x05 }, "010a030005"],
  [att.AttExchangeMtuReq, { clientRxMtu: 184 }, "02b800"],
  [att.AttExchangeMtuRsp, { serverRxMtu: 517 }, "030502"],
  [att.AttFindInformationReq, { startingHandle: 1, endingHandle: 0xffff }, "040100ffff"],
  [
    att.AttFindInformationRsp,
    {
      informationData: [
        { handle: 1, uuid: Uuid.from(0x2800) },
        { handle: 2, uuid: Uuid.from(0x2803) },
      ],
    },
    "0501010000280200 0328",
    (length) => length > 2 && (length - 2) % 4 === 0,
  ],
  [att.AttFindInformationRsp, { informationData: [{ handle: 0x10, uuid: vendor }] }, `05021000${vendorHex}`],
  [
    att.AttFindByTypeValueReq,
    { startingHandle: 1, endingHandle: 0xffff, attributeType: 0x2800, attributeValue: hex("82fe") },
    "060100ffff002882fe",
    (length) => length >= 7,
  ],
  [
    att.AttFindByTypeValueRsp,
    {
      handlesInformationList: [
        { foundAttributeHandle: 1, groupEndHandle: 7 },
        { foundAttributeHandle: 0x20, groupEndHandle: 0xffff },
      ],
    },
    "07010007002000ffff",
    (length) => length > 1 && (length - 1) % 4 === 0,
  ],
  [att.AttReadByTypeReq, { startingHandle: 1, endingHandle: 9, attributeType: vendor }, `0801000900${vendorHex}`, (length) => length === 7],
  [
    att.AttReadByTypeRsp,
    {
      attributeDataList: [
        { attributeHandle: 2, attributeValue: hex("020300002a") },
        { attributeHandle: 4, attributeValue: hex("020500012a") },
      ],
    },
    "09070200020300002a0400020500012a",
    (length) => length > 2 && (length - 2) % 7 === 0,
  ],
  [att.AttReadReq, { attributeHandle: 0x1234 }, "0a3412"],
  [att.AttReadRsp, { attributeValue: hex("0102") }, "0b0102", (length) => length >= 1],
  [att.AttReadBlobReq, { attributeHandle: 3, valueOffset: 22 }, "0c03001600"],
  [att.AttReadBlobRsp, { partAttributeValue: hex("aa") }, "0daa", (length) => length >= 1],
  [att.AttReadMultipleReq, { setOfHandles: [1, 2, 3] }, "0e010002000300", (length) => length >= 5 && length % 2 === 1],
  [att.AttReadMultipleRsp, { setOfValues: hex("0a0b") }, "0f0a0b", (length) => length >= 1],
  [att.AttReadByGroupTypeReq, { startingHandle: 1, endingHandle: 0xffff, attributeGroupType: Uuid.from(0x2800) }, "100100ffff0028"],
  [
    att.AttReadByGroupTypeRsp,
    { attributeDataList: [{ attributeHandle: 1, endGroupHandle: 5, attributeValue: hex("0018") }] },
    "1106010005000018",
  ],
  [att.AttWriteReq, { attributeHandle: 3, attributeValue: hex("0100") }, "1203000100", (length) => length >= 3],
  [att.AttWriteRsp, {}, "13"],
  [att.AttPrepareWriteReq, { attributeHandle: 3, valueOffset: 18, partAttributeValue: hex("ff") }, "1603001200ff", (length) => length >= 5],
  [att.AttPrepareWriteRsp, { attributeHandle: 3, valueOffset: 18, partAttributeValue: hex("ff") }, "1703001200ff", (length) => length >= 5],
  [att.AttExecuteWriteReq, { flags: 1 }, "1801"],
  [att.AttExecuteWriteRsp, {}, "19"],
  [att.AttHandleValueNtf, { attributeHandle: 9, attributeValue: hex("64") }, "1b090064", (length) => length >= 3],
  [att.AttHandleValueInd, { attributeHandle: 9, attributeValue: hex("0100ffff") }, "1d09000100ffff", (length) => length >= 3],
  [att.AttHandleValueCfm, {}, "1e"],
  [att.AttReadMultipleVariableReq, { setOfHandles: [5, 4] }, "2005000400"],
  [
    att.AttReadMultipleVariableRsp,
    {
      lengthValueTupleList: [
        { valueLength: 1, attributeValue: hex("0a") },
        { valueLength: 4, attributeValue: hex("0b0c") },
      ],
    },
    "2101000a04000b0c",
    (length) => [1, 3, 4, 6, 7].includes(length),
  ],
  [
    att.AttMultipleHandleValueNtf,
    {
      handleLengthValueTupleList: [
        { attributeHandle: 3, attributeValue: hex("01") },
        { attributeHandle: 6, attributeValue: hex("") },
      ],
    },
    "2303000100010600 0000",
    (length) => length === 6,
  ],
  [att.AttWriteCmd, { attributeHandle: 3, attributeValue: hex("01") }, "52030001", (length) => length >= 3],
  // The message of Vol 3 Part F 3.4.5.4.
  [
    att.AttSignedWriteCmd,
    { attributeHandle: 0x0012, attributeValue: hex("1337"), authenticationSignature: hex("01000000F1871E933C900FF2") },
    "d21200133701000000f1871e933c900ff2",
    (length) => length >= 15,
  ],
];

describe.each(vectors)("$name", (declaration, parameters, text, isWhole) => {
  const pdu = hex(text);
  test("is encoded", () => {
    expect(toHex(encodeAttPdu(declaration, parameters))).toBe(toHex(pdu));
  });
  test("is decoded", () => {
    expect(decodeAttPdu(pdu)).toEqual({ name: declaration.name, opcode: pdu[0], declaration, parameters });
  });
  test("is refused at every length at which it is none", () => {
    for (let length = 1; length < pdu.length; length++) {
      const cut = pdu.slice(0, length);
      if (isWhole?.(length)) expect(() => decodeAttPdu(cut)).not.toThrow();
      else expect(() => decodeAttPdu(cut), `at ${length}`).toThrow(DecodeError);
    }
  });
});

test("every opcode of the specification is declared once", () => {
  expect(new Set(attPdus.map(({ opcode }) => opcode)).size).toBe(attPdus.length);
  expect(attPdus).toHaveLength(31);
  expect(new Set(vectors.map(([{ opcode }]) => opcode)).size).toBe(31);
  expect(attPdu(0x7f)).toBeUndefined();
});

test("an unknown opcode passes through as octets", () => {
  expect(decodeAttPdu(hex("7f0102"))).toEqual({ name: "ATT opcode 0x7f", opcode: 0x7f, declaration: undefined, parameters: hex("0102") });
  expect(attOpcodeName(0x0a)).toBe("AttReadReq");
});

test("an empty PDU is refused", () => {
  expect(() => decodeAttPdu(new Uint8Array(0))).toThrow(DecodeError);
});

test("any octets decode to a value or a DecodeError, and a value encodes to the same octets", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      let decoded: ReturnType<typeof decodeAttPdu>;
      try {
        decoded = decodeAttPdu(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
        return;
      }
      if (decoded.declaration) expect(toHex(encodeAttPdu(decoded.declaration, decoded.parameters))).toBe(toHex(bytes));
    }),
    { numRuns: 2000 },
  );
});

test("error codes and errors say what happened", () => {
  const error = new att.AttError({ errorCode: 0x05, requestOpcode: 0x0a, attributeHandle: 3 });
  expect(error.message).toBe("ATT error 0x05 (Insufficient Authentication) for AttReadReq, handle 0x0003");
  expect(new att.AttError(att.AttErrorCode.InvalidPdu).message).toBe("ATT error 0x04 (Invalid PDU)");
  expect(new att.AttError(0x85).message).toBe("ATT error 0x85 (application error)");
  expect(new att.AttError(0x50).message).toBe("ATT error 0x50");
  expect(error).toMatchObject({ name: "AttError", code: "ERR_ATT", errorCode: 5, requestOpcode: 10, attributeHandle: 3 });
});

test.each([
  ["0901aa", "entry length 1, must be at least 2"],
  ["0900aa", "entry length 0, must be at least 2"],
  ["1103010005", "entry length 3, must be at least 4"],
  ["0902", "no entry"],
  ["1104", "no entry"],
])("a list of %s is refused: %s", (pdu, problem) => {
  expect(() => decodeAttPdu(hex(pdu))).toThrow(problem);
});

test("lists say the length of their entries, of none and of empty ones too", () => {
  expect(toHex(encodeAttPdu(att.AttReadByTypeRsp, { attributeDataList: [] }))).toBe("0902");
  expect(toHex(encodeAttPdu(att.AttFindInformationRsp, { informationData: [] }))).toBe("0502");
  const empty = new Uint8Array(0);
  expect(toHex(encodeAttPdu(att.AttReadByTypeRsp, { attributeDataList: [{ attributeHandle: 0x1234, attributeValue: empty }] }))).toBe(
    "09023412",
  );
  const uneven = [1, 2].map((length) => ({ attributeHandle: length, attributeValue: new Uint8Array(length) }));
  expect(() => encodeAttPdu(att.AttReadByTypeRsp, { attributeDataList: uneven })).toThrow("2 octets: expected 1");
});
