// The management protocol is a room of declarations only: transports that borrow adapters use it, while its client stands above them.
const rows = [
  ["core", "bytes", "async"],
  ["crypto", "assigned"],
  ["hci", "mgmt-protocol"],
  ["transport", "controller", "air", "l2cap"],
  ["att", "smp"],
  ["gatt", "gap"],
  ["device"],
  ["profiles", "mgmt", "mcumgr", "micropython", "webbluetooth", "capture", "testing", "node"],
];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-platform-in-the-stack",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(transport|node)/|\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "apps-use-the-public-library",
      severity: "error",
      from: { path: "^apps/" },
      to: { path: "^src/", pathNot: ["^src/index\\.ts$", "^src/[a-z0-9]+/index\\.ts$"] },
    },
    ...rows.slice(0, -1).map((row, i) => ({
      name: `nothing-above-${row.join("-")}`,
      severity: "error",
      from: { path: `^src/(${row.join("|")})/`, pathNot: "\\.test\\.ts$" },
      to: {
        path: `^src/(${rows
          .slice(i + 1)
          .flat()
          .join("|")})/`,
      },
    })),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { conditionNames: ["@jelling/source", "import", "default"] },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/dist/" },
  },
};
