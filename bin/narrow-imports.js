// A command loads of the library what it names. `const { stateFolder } = await import("jelling/node")` would load what any command takes from this
// room, which is one module, and with it half of the stack: two thirds of what `jelling bonds list` takes beyond Node's own start. Each such
// import gets a module of its own, which exports what is taken out: no more comes with it than if the import stood at the head of the file.

const ROOM = String.raw`"((?:@jelling\/|jelling\b)[^"]*)"`;
const TAKEN_APART = new RegExp(String.raw`(const \{([^{}]*)\} = )await import\(${ROOM}\)`, "g");
const ONE_TAKEN = new RegExp(String.raw`\(await import\(${ROOM}\)\)\.(\w+)`, "g");
const NARROW = "narrow:";

const narrow = (names, room) => `await import("${NARROW}${names.join(",")}:${room}")`;
/** "A, B: C" takes A and B. */
const taken = (pattern) =>
  pattern
    .split(",")
    .map((part) => part.split(":")[0].trim())
    .filter(Boolean);

export const narrowImports = {
  name: "narrow-imports",
  transform: {
    filter: { id: /\bapps.(cli|minimed).src\b.*\.ts$/ },
    handler: (code) =>
      code
        .replace(TAKEN_APART, (_, head, pattern, room) => head + narrow(taken(pattern), room))
        .replace(ONE_TAKEN, (_, room, name) => `(${narrow([name], room)}).${name}`),
  },
  resolveId: { filter: { id: /^narrow:/ }, handler: (id) => `\0${id}` },
  load: {
    filter: { id: /^\0narrow:/ },
    handler: (id) => {
      const [, names, room] = id.split(":");
      return `export { ${names} } from "${room}";`;
    },
  },
  generateBundle(_options, bundle) {
    for (const { isDynamicEntry, facadeModuleId } of Object.values(bundle))
      if (isDynamicEntry && /(?<!\bapps.minimed).src.(\w+.)?index\.ts$/.test(facadeModuleId))
        this.error(`${facadeModuleId} is imported as a whole: write const { … } = await import(…), for bin/narrow-imports.js`);
  },
};
