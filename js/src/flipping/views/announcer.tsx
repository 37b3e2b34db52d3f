/** Says the step and what the chosen method scores there to screen readers: politely, and not too often. */
import { useEffect, useState } from "preact/hooks";
import { random } from "../types.ts";
import { useView } from "./context.ts";
import { decimalsFor, fixed, methodName, orderShort, stepText } from "./words.ts";

const pause = 400; // ms of rest before something is said

export function Announcer() {
  const { store } = useView();
  const [said, setSaid] = useState("");
  const { curves } = store.shown.value;
  const step = store.step.value;
  const method = store.method.value;
  const scores = store.frameOrders.value.map((order) => {
    const at = method === random ? random : order;
    const value = curves?.score({ method, order: at }, store.state.image.value, step);
    return `${orderShort[at]} ${fixed(value, decimalsFor([value]))}`;
  });
  const sentence = curves ? `${stepText(curves, step)}: ${methodName(method)} ${scores.join(", ")}` : "";
  useEffect(() => {
    const timer = setTimeout(() => setSaid(sentence), pause);
    return () => clearTimeout(timer);
  }, [sentence]);
  return (
    <p class="xw-hidden" aria-live="polite">
      {said}
    </p>
  );
}
