import type { MgmtMethodName } from "jelling/mgmt";

/** Headings of the list that `--help` prints, in this order. */
export const GROUPS = [
  "Adapters:",
  "Settings:",
  "Identity:",
  "Discovery:",
  "Devices and pairing:",
  "Keys:",
  "Advertising:",
  "Advertisement monitors:",
  "Configuration:",
  "Mesh:",
  "What goes on, and anything else:",
] as const;
export type Group = (typeof GROUPS)[number];

/** A field of the command that stands on the command line by its place. */
export interface ArgumentSpec {
  /** A parameter's name; "device": an address with its type, two parameters. */
  readonly field: string;
  /** What help calls it. */
  readonly name: string;
  readonly what: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
  /** The address type taken where none is told. */
  readonly usualType?: number;
  /** Texts of several fields, or of a field in another form, out of one text. */
  readonly split?: (text: string) => Readonly<Record<string, string>>;
}

/** A field of the command, or a bit of one, that an option gives. */
export interface OptionSpec {
  readonly flags: string;
  readonly what: string;
  readonly field?: string;
  /** The text taken when the option is given without a value of its own. */
  readonly value?: string;
  /** The text taken when the option is not given. */
  readonly usual?: string;
  /** May be given several times; the texts become a list. */
  readonly repeatable?: boolean;
  /** A bit that is set when the option is given. */
  readonly bit?: readonly [field: string, name: string];
  readonly split?: ArgumentSpec["split"];
}

/** A subcommand that is one management command. */
export interface SimpleSpec {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly group: Group;
  readonly summary: string;
  readonly command: MgmtMethodName;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** Texts of fields that neither an argument nor an option gives. */
  readonly fixed?: Readonly<Record<string, string>>;
}

/** What is meant by an address on the command line. */
export const DEVICE: ArgumentSpec = { field: "device", name: "ADDRESS", what: "C0:11:22:33:44:55/random, /public or /bredr" };
export const ON_OFF = "on or off";
