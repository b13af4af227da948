/** What is known of a kernel's modules. */
export interface KernelModules {
  /** The kernel has Bluetooth at work: `/sys/module/bluetooth` is there. */
  readonly hasBluetooth: boolean;
  /** The text of `modules.dep`; `undefined` where it cannot be read, as in most containers. */
  readonly modules: string | undefined;
}

/** What a kernel lacks, and what helps. */
export interface Lack {
  /** A clause, to follow "for" or to begin a sentence. */
  readonly problem: string;
  /** What to do, in words. */
  readonly advice: string;
  /** The line that mends it, where there is one to type here. */
  readonly fix?: string;
}

/** Why a kernel gives out no Bluetooth sockets: the judgement of `doctor` and of every failure to open one. */
export function whyNoBluetooth({ hasBluetooth, modules }: KernelModules): Lack {
  // Sockets are given out in the first network namespace only.
  if (hasBluetooth)
    return {
      problem: "Bluetooth belongs to the machine's own network, and this process is in another",
      advice: "start its container with the host's network",
    };
  const unseen = "Bluetooth is not loaded in this kernel";
  return lackOf("bluetooth", modules, {
    unloaded: "the kernel's Bluetooth module is not loaded",
    unseen,
    absent: "this kernel has no Bluetooth",
  });
}

/** Why there is no /dev/vhci. */
export function whyNoVhci({ modules }: Pick<KernelModules, "modules">): Lack {
  const unloaded = "there is no /dev/vhci";
  return lackOf("hci_vhci", modules, { unloaded, unseen: unloaded, absent: "this kernel has no /dev/vhci" });
}

/** The line that lets this user open /dev/vhci. */
export const VHCI_GRANT = "sudo setfacl -m u:$USER:rw /dev/vhci";

function lackOf(name: string, modules: string | undefined, text: { unloaded: string; unseen: string; absent: string }): Lack {
  const fix = `sudo modprobe ${name}`;
  // Nothing to type: there may be no such module, and in a container none can be loaded.
  if (modules === undefined)
    return {
      problem: `${text.unseen}, and no modules of it are to be seen`,
      advice: "it takes another kernel, or in a container the machine's own with Bluetooth",
    };
  // Built-in parts of the kernel are in another list, and at work at once.
  if (!new RegExp(`/${name}\\.ko(\\.\\w+)?:`, "m").test(modules))
    return { problem: `${text.absent}, neither built in nor as a module`, advice: "it takes another kernel" };
  return { problem: text.unloaded, advice: `run "${fix}"`, fix };
}
