/** The browser as a whole: where its parts stand. */
import { Messages } from "../../shared/views/messages.tsx";
import { useStore } from "./context.ts";
import { Detail } from "./detail.tsx";
import { Footer } from "./footer.tsx";
import { GraphPanel } from "./graph.tsx";
import { Header } from "./header.tsx";
import { ImagePane } from "./image.tsx";
import { ConceptList } from "./list.tsx";

export function ConceptsView() {
  const store = useStore();
  return (
    <div class="xw-body">
      <Header />
      <div class="xw-main">
        <ImagePane />
        <ConceptList />
        <Detail />
      </div>
      <GraphPanel />
      <Messages store={store} />
      <Footer />
    </div>
  );
}
