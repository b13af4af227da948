import { useEffect, useRef } from "preact/hooks";
import type { Actions } from "../shortcuts.ts";
import { Icon } from "./icons.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["← →", "go through the readings; with Shift by an hour"],
  ["Home End", "first and last reading shown"],
  ["1 2 3 4", "3, 6, 12, 24 hours"],
  ["5 6 7", "2, 4, 12 weeks"],
  ["[ ]", "earlier, later"],
  ["N", "back to now"],
  ["U", "mg/dL or mmol/L"],
  ["D", "colours: as this device, light, dark"],
  ["T", "the readings as a table"],
  ["?", "this help"],
];

export function Help({ actions }: { actions: Actions }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => actions.showHelp(false)}>
      <form method="dialog">
        <h2 id="help-title">What this page shows</h2>
        <button type="submit" class="plain" aria-label="Close">
          <Icon name="close" />
        </button>
      </form>
      <p>
        The newest glucose value of the pump, and what the program on this computer has kept of its history. The page only reads: nothing on
        it can change the pump. A value older than ten minutes is struck through, and a gap in the data is left as a gap.
      </p>
      <p>
        <b>It is no medical device. Do not decide on insulin or food by it: look at the pump.</b>
      </p>
      <dl>
        {KEYS.map(([keys, text]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p>
        Times are those of the pump’s display. The range on the curve is that of the pump’s alerts, or 70–180 mg/dL; weeks are counted by
        54, 70, 180 and 250 mg/dL. Heights of insulin grow with its square root, so that a micro bolus can be seen. All data stays between
        this computer and this browser.
      </p>
    </dialog>
  );
}
