/** The store, for every part of a view. */
import { viewContext } from "../../shared/views/context.ts";
import type { ConceptsStore } from "../state/store.ts";

export const [StoreProvider, useStore] = viewContext<ConceptsStore>("concept browser");
