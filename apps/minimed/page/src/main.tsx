import { render } from "preact";
import { App } from "./app.tsx";
import { showFaults } from "./fault.ts";
import { Program } from "./program.ts";
import { Actions } from "./shortcuts.ts";
import { initialShown, Store } from "./store.ts";

const store = new Store(initialShown());
const program = new Program(store);
const actions = new Actions(
  store,
  (isForced) => program.refresh(isForced),
  () => program.now(),
);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
  if (actions.onKey(event.key.length === 1 ? event.key.toLowerCase() : event.key, event.shiftKey)) event.preventDefault();
});
const root = document.querySelector<HTMLElement>("#app")!;
showFaults(root);
render(<App store={store} program={program} actions={actions} />, root);
program.start();
