// What `npm run mutate` knows of each room: the files whose mutants are tried, and the fast tests that have to notice. Slow tests stay out:
// a survivor of these is tried by hand against more.
const room = (folder, ...tests) => ({
  mutate: [`${folder}/**/*.ts`, `!${folder}/**/*.test.ts`],
  tests: [`${folder}/**/*.test.ts`, ...tests],
});

export const rooms = {
  "src/hci/redaction": room("src/hci/redaction", "src/capture/anonymous/*.test.ts"),
  "src/hci": room("src/hci", "test/hci-order.test.ts", "src/transport/{memory-pipe,stream}.test.ts"),
  "src/l2cap": room("src/l2cap", "test/hci-order.test.ts"),
  "src/att": room("src/att", "test/eatt*.test.ts"),
  "src/smp": room("src/smp", "test/smp-*.test.ts", "test/key-refresh.test.ts"),
  "src/gatt/server": room(
    "src/gatt/server",
    "test/signed-writes.test.ts",
    "test/gatt-server*.test.ts",
    "test/gatt-writes.test.ts",
    "test/eatt*.test.ts",
  ),
  "src/gatt/describe": room("src/gatt/describe", "test/gatt-description.test.ts"),
  "src/gatt/client": room(
    "src/gatt/client",
    "test/gatt-{client*,cache,description}.test.ts",
    "test/gatt-writes.test.ts",
    "test/eatt*.test.ts",
  ),
  "src/gap": room("src/gap", "test/device-{attribution,identity,edge,periodic,periodic-air}.test.ts"),
  "src/device": room(
    "src/device",
    "test/{signed-writes,secure-connections-only,privacy-mode,out-of-band}.test.ts",
    "test/device*.test.ts",
    "test/{link-subrating,link-power,link-facts,parameter-procedures}.test.ts",
    "test/gatt-trust.test.ts",
  ),
  // The whole room takes long: what is done with the controllers of a link has tests of its own.
  "src/device/link": {
    mutate: [
      "src/device/{channels,controller-settings,link-commands,link-control,link-requests,parameter-updates,path-loss,peer-fact,phy-updates}.ts",
      "src/device/{remote-version,subrating,transmit-power}.ts",
    ],
    tests: ["test/{link-subrating,link-power,link-facts,parameter-procedures,device-phy,device-attribution}.test.ts"],
  },
  "src/controller": room("src/controller", "test/air-*.test.ts"),
  "src/air": room(
    "src/air",
    "test/air-instant-procedures.test.ts",
    "test/air-links.test.ts",
    "test/air-discovery.test.ts",
    "src/controller/{subrating,link-power}.test.ts",
    "src/controller/periodic-{advertising,connection,radio,responses}.test.ts",
  ),
  "src/capture": room("src/capture"),
  "src/mcumgr/image": room("src/mcumgr/image"),
  "src/mcumgr/links": room("src/mcumgr/links", "test/mcumgr-{framing-vectors,ble,ble-opening,web-bluetooth}.test.ts"),
  "src/mcumgr/protocol": room("src/mcumgr/protocol"),
  "src/mcumgr/client": {
    mutate: ["src/mcumgr/client/**/*.ts", "!src/mcumgr/client/**/*.test.ts", "!src/mcumgr/client/test-*.ts"],
    tests: ["src/mcumgr/client/*.test.ts", "src/mcumgr/transfer/{image-upload,device}.test.ts"],
  },
  "src/mcumgr/transfer": {
    mutate: ["src/mcumgr/transfer/**/*.ts", "!src/mcumgr/transfer/**/*.test.ts", "!src/mcumgr/transfer/test-*.ts"],
    tests: ["src/mcumgr/transfer/*.test.ts"],
  },
  "src/mgmt": room("src/mgmt"),
  "src/micropython": room("src/micropython", "test/micropython-*.test.ts"),
  "src/webbluetooth": room("src/webbluetooth", "test/webbluetooth*.test.ts"),
  "src/mcumgr/upgrade": {
    mutate: ["src/mcumgr/upgrade/**/*.ts", "!src/mcumgr/upgrade/**/*.test.ts", "!src/mcumgr/upgrade/test-*.ts"],
    tests: ["src/mcumgr/upgrade/{plan,run,outcomes,words}.test.ts"],
  },
  "src/testing/mcumgr": room("src/testing/mcumgr", "test/mcumgr-simulated.test.ts"),
  "src/transport/usb": {
    mutate: ["src/transport/{usb,adapters,firmware,web-serial}/**/*.ts", "!src/transport/**/*.test.ts"],
    tests: ["src/transport/{usb,adapters,firmware,web-serial}/*.test.ts"],
  },
  "src/transport/linux/borrow": room("src/transport/linux/borrow", "src/transport/linux/hci-user-channel.test.ts"),
  "apps/minimed/src/export": room("apps/minimed/src/export", "apps/minimed/test/nightscout-{upload,live,answers}.test.ts"),
  "apps/minimed/src/sake": room("apps/minimed/src/sake"),
  "apps/minimed/src/store": {
    mutate: ["apps/minimed/src/store/**/*.ts", "!apps/minimed/src/store/**/*.test.ts"],
    tests: ["apps/minimed/src/store/{causes,error,history-keeper,kept,live,open,ranges,sync,times,views}.test.ts"],
  },
  "apps/minimed/src/web": room("apps/minimed/src/web", "apps/minimed/test/page-server.test.ts"),
  "apps/minimed/src/connector": room(
    "apps/minimed/src/connector",
    "apps/minimed/test/pump-{closed-table,closed-delivery,hardly-known,carelink,link,readers,run,scenarios,temper,hostile,proof}.test.ts",
  ),
  // The whole room takes long, since its scenarios do: these have tests of their own.
  "apps/minimed/src/connector/readers": {
    mutate: [
      "apps/minimed/src/connector/readers/**/*.ts",
      "apps/minimed/src/connector/{requests,delivery-protection,status-push,standing,silence-watch}.ts",
      "apps/minimed/src/history/fragments.ts",
      "!apps/minimed/src/**/*.test.ts",
    ],
    tests: [
      "apps/minimed/src/connector/readers/*.test.ts",
      "apps/minimed/src/connector/{requests,delivery-protection,status-push,standing,silence-watch,pump-session}.test.ts",
      "apps/minimed/src/history/fragments.test.ts",
    ],
  },
  "apps/minimed/src/mqtt": room("apps/minimed/src/mqtt", "apps/minimed/test/home-assistant.test.ts"),
  // pump-service.test lives through hours of everything at once: a survivor of these is tried against it by hand.
  "apps/minimed/src/service": room("apps/minimed/src/service"),
  "apps/minimed/src/simulator": room(
    "apps/minimed/src/simulator",
    "apps/minimed/test/pump-{delivery,push,mishaps,lived,hardly-known,carelink}.test.ts",
  ),
  "apps/minimed/src/live": room("apps/minimed/src/live"),
};
