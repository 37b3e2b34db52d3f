/** What every part of one view can reach, without handing it from part to part. */
import { createContext, type Provider } from "preact";
import { useContext } from "preact/hooks";

/** A provider, and what reads from it; `whole` names what the parts must stand in. */
export function viewContext<Shared extends object>(
  whole: string,
): [provide: Provider<Shared | null>, use: () => Shared] {
  const Context = createContext<Shared | null>(null);
  const use = () => {
    const shared = useContext(Context);
    if (!shared) throw new Error(`a part of the ${whole} was used outside it`);
    return shared;
  };
  return [Context.Provider, use];
}
