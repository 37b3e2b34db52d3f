/** The browser as a whole: where its parts stand. */
import { FirstUse } from "../../shared/controls/first-use.tsx";
import { Errors, Messages } from "../../shared/views/messages.tsx";
import { useStore } from "./context.ts";
import { Detail } from "./detail.tsx";
import { GraphPanel } from "./graph.tsx";
import { Header } from "./header.tsx";
import { ImagePane } from "./image.tsx";
import { ConceptList } from "./list.tsx";

export function ConceptsView() {
  const store = useStore();
  return (
    <div class="xw-body">
      <Header />
      <FirstUse name="concepts">
        Press a concept to see where it acts on this image and on others that show it. Every “?” says what
        something is.
      </FirstUse>
      <div class="xw-main">
        <Errors store={store} />
        <ImagePane />
        <ConceptList />
        <Detail />
      </div>
      <GraphPanel />
      <Messages store={store} />
    </div>
  );
}
