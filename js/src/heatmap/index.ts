/** The heatmap widget, for its hosts. */
import { anywidgetDoor, pageDoor } from "../shared/page/door.ts";
import type { Host } from "../shared/state/host.ts";
import { StandInModel } from "../shared/state/standin.ts";
import type { StoreOptions } from "../shared/state/store.ts";
import { HeatmapStore } from "./state/store.ts";
import { mount } from "./views/mount.tsx";
import "../shared/styles/all.css";
import "./views/styles.css";
import "./views/compare.css";
import "./views/depth.css";

const create = (host: Host, options?: StoreOptions) => new HeatmapStore(host, options);

export default anywidgetDoor(create, mount);
export const standalone = pageDoor(create, mount);
export { StandInModel };
