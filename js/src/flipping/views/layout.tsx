/** The widget as a whole: where its parts stand, and what its keys do. */
import { Messages } from "../../shared/views/messages.tsx";
import { Announcer } from "./announcer.tsx";
import { Chart } from "./chart.tsx";
import { useView } from "./context.ts";
import { Footer } from "./footer.tsx";
import { Header, Questions } from "./header.tsx";
import { keyDown } from "./keys.ts";
import { Legend } from "./legend.tsx";
import { Pictures } from "./pictures.tsx";
import { Scrubber } from "./scrub.tsx";
import { Table } from "./table.tsx";

export function FlippingView() {
  const view = useView();
  const { store } = view;
  const { curves } = store.shown.value;
  return (
    <div class="xw-body" role="group" aria-label="Pixel flipping" onKeyDown={(event) => keyDown(event, view)}>
      <Header />
      <Questions />
      <div class="xw-flip-main" data-panels={curves?.orders.length ?? 1}>
        <section class="xw-curves" aria-label="Curves">
          <Legend />
          <Chart />
          <Scrubber />
        </section>
        <Pictures />
        <Table />
      </div>
      <Messages store={store} />
      <Footer />
      <Announcer />
    </div>
  );
}
