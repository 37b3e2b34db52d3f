/** Says the step and what the chosen method scores there to screen readers. */
import { Announced } from "../../shared/views/announcer.tsx";
import { random } from "../types.ts";
import { useView } from "./context.ts";
import { decimalsFor, fixed, methodName, orderShort, stepText } from "./words.ts";

export function Announcer() {
  const { store } = useView();
  const { curves } = store.shown.value;
  const step = store.step.value;
  const method = store.method.value;
  const scores = store.frameOrders.value.map((order) => {
    const at = method === random ? random : order;
    const value = curves?.score({ method, order: at }, store.state.image.value, step);
    return `${orderShort[at]} ${fixed(value, decimalsFor([value]))}`;
  });
  const sentence = curves ? `${stepText(curves, step)}: ${methodName(method)} ${scores.join(", ")}` : "";
  return <Announced sentence={sentence} />;
}
