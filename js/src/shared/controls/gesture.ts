/** How a control tells its widget that a gesture begins and ends, without knowing the widget. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";

export interface Gestures {
  begin(): void;
  end(): void;
}

export const GestureContext = createContext<Gestures>({ begin: () => undefined, end: () => undefined });

/** Handlers that mark the time from pointer down to pointer up as one gesture. */
export function useGesture(): { onPointerDown: () => void } {
  const { begin, end } = useContext(GestureContext);
  return {
    onPointerDown: () => {
      begin();
      const over = () => {
        // The release may happen anywhere, also outside the control.
        window.removeEventListener("pointerup", over);
        window.removeEventListener("pointercancel", over);
        end();
      };
      window.addEventListener("pointerup", over);
      window.addEventListener("pointercancel", over);
    },
  };
}
