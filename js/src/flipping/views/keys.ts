/** What keys do anywhere in the widget where no control takes them. */
import { isCommand, take } from "../../shared/drawing/keys.ts";
import type { ViewContext } from "./context.ts";

export function keyDown(event: KeyboardEvent, { store, playing }: ViewContext): void {
  const target = event.target as HTMLElement;
  if (isCommand(event)) return;
  // Buttons take the space bar, fields take all keys, groups of choices the arrows.
  const tag = target.tagName;
  if (tag === "INPUT" || tag === "SELECT") return;
  const onChart = target.classList.contains("xw-chart");
  const step = store.step.peek();
  const actions: Record<string, () => void> = {};
  if (tag !== "BUTTON") {
    actions[" "] = () => {
      const last = store.shown.peek().curves?.steps ?? 0;
      if (!playing.peek() && step >= last) store.goTo(0);
      playing.value = !playing.peek();
    };
  }
  if (onChart) {
    const methods = store.visible.peek();
    const move = (by: number) => {
      const at = methods.indexOf(store.method.peek());
      const next = methods[(at + by + methods.length) % methods.length];
      if (next) store.set("method", next);
    };
    actions.ArrowRight = () => store.goTo(step + 1);
    actions.ArrowLeft = () => store.goTo(step - 1);
    actions.Home = () => store.goTo(0);
    actions.End = () => store.goTo(Number.MAX_SAFE_INTEGER);
    actions.ArrowDown = () => move(1);
    actions.ArrowUp = () => move(-1);
  }
  const action = actions[event.key];
  if (!action) return;
  if (event.key !== " ") playing.value = false;
  take(event);
  action();
}
