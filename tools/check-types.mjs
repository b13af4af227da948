// Reads the published declarations (`dist/**/*.d.ts`, after `npm run build`) as the compiler of a user does:
// - no member that is marked @internal is in them;
// - every type that a signature names, as far as it can be reached from the root of the package, is exported by the root.
// - they compile in a strict program that names no `types` and no `lib`, with a target of es2022 and of es2024.
// `node tools/check-types.mjs [FOLDER]`, the package by default.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import ts from "typescript";

export function checkTypes(folder) {
  const dist = join(resolve(folder), "dist");
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".d.ts"));
  const problems = files
    .filter((name) => /@internal/.test(readFileSync(join(dist, name), "utf8")))
    .map((name) => `${name}: holds a member that is marked @internal`);

  const entrances = files.filter((name) => /(^|\/)index\.d\.ts$/.test(name)).map((name) => join(dist, name));
  for (const target of [ts.ScriptTarget.ES2022, ts.ScriptTarget.ES2024]) {
    const plain = ts.createProgram(entrances, { module: ts.ModuleKind.NodeNext, target, strict: true, types: [], noEmit: true });
    for (const { file, messageText } of ts.getPreEmitDiagnostics(plain))
      problems.push(`${file ? relative(dist, file.fileName) : "types"}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
  }

  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2024.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts"],
    types: [],
    noEmit: true,
  };
  const program = ts.createProgram([join(dist, "index.d.ts")], options);
  const checker = program.getTypeChecker();
  const isOurs = (node) => !relative(dist, node.getSourceFile().fileName).startsWith("..");
  const real = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  const root = checker.getSymbolAtLocation(program.getSourceFile(join(dist, "index.d.ts")));
  const exported = new Set(checker.getExportsOfModule(root).map(real));
  // `type Device = …` gives a type another name, by which it can be had.
  for (const { declarations = [] } of [...exported])
    for (const declaration of declarations)
      if (ts.isTypeAliasDeclaration(declaration) && ts.isTypeReferenceNode(declaration.type) && !declaration.type.typeArguments)
        exported.add(real(checker.getSymbolAtLocation(declaration.type.typeName)));
  const seen = new Set();
  const missing = new Map();

  const isHidden = (node) =>
    (ts.canHaveModifiers(node) &&
      ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword)) ||
    (node.name !== undefined && ts.isPrivateIdentifier(node.name));
  const visit = (node, from) => {
    if (isHidden(node)) return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : ts.isTypeQueryNode(node)
          ? node.exprName
          : ts.isImportTypeNode(node)
            ? node.qualifier
            : undefined;
    const found = name && checker.getSymbolAtLocation(ts.isQualifiedName(name) ? name.right : name);
    if (found) {
      const symbol = real(found);
      const declaration = symbol.declarations?.[0];
      if (declaration && isOurs(declaration) && !ts.isTypeParameterDeclaration(declaration)) {
        const isValue = ts.isVariableDeclaration(declaration); // of `typeof`, which has no name of its own
        if (!isValue && !exported.has(symbol) && !missing.has(symbol)) missing.set(symbol, from);
        follow(symbol);
      }
    }
    ts.forEachChild(node, (child) => visit(child, from));
  };
  const follow = (symbol) => {
    if (seen.has(symbol)) return;
    seen.add(symbol);
    for (const declaration of symbol.declarations ?? []) if (isOurs(declaration)) visit(declaration, symbol.name);
  };
  for (const symbol of exported) follow(symbol);
  for (const [symbol, from] of missing) {
    const file = relative(dist, symbol.declarations[0].getSourceFile().fileName);
    problems.push(`${symbol.name} (${file}) is named by ${from} and not exported by the root`);
  }
  return { problems, types: seen.size };
}

if (process.argv[1] === import.meta.filename) {
  const { problems, types } = checkTypes(process.argv[2] ?? join(import.meta.dirname, ".."));
  for (const problem of problems) console.error(problem);
  console.log(`${types} types can be reached from the root; ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
