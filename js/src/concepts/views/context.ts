/** The store, for every part of a view. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { ConceptsStore } from "../state/store.ts";

const Context = createContext<ConceptsStore | null>(null);
export const StoreProvider = Context.Provider;

export function useStore(): ConceptsStore {
  const store = useContext(Context);
  if (!store) throw new Error("a part of the concept browser was used outside it");
  return store;
}
